"""Mapping of scenes of any size: strip by strip, read ahead, in little memory.

The file's own blocks decide in which order it is read: whole blocks, full rows of them where they
fit into the budget, else one piece of a row of blocks after the other. Pixels that a later piece
needs again stay in memory, be it beside this one or below, and so do sums of windows that are not
complete yet: nothing is read or computed twice, but in scenes so wide that what is kept of a row
would not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hsi_geo.arrays import BoolArray, Float32Array
from hsi_geo.io.scenes.quality import BandRanges
from hsi_geo.io.scenes.windows import block_shape, physical_values
from hsi_geo.tasks.inference.sliding_window import SlidingWindow, mean
from hsi_geo.tiling import Window, WindowGrid

#: Windows that are cut out of the scene together, and pixels that are put out together, at most.
GRID_WINDOWS, OUTPUT_PX = 64, 1 << 17

#: Rows of a strip that are read at once, at least where the file's blocks allow it, and at most.
#: More would leave nothing to read while the first are mapped.
LEAST_ROWS, MOST_ROWS = 64, 256

#: Pixels along a side that are looked at of what is mapped together, to tell dead bands by.
LOOKED_AT_PX = 32


#: Which pixels of a window are asked for; None for all.
Wanted = Callable[[Window], BoolArray | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a scene is read.

    Attributes:
        rows: Of the scene that are read at once.
        cols: Of the scene that are read at once.
        group: Columns of the scene that are mapped from top to bottom before the next ones; pixels
            at the rim of two groups are read twice.
        bytes: That this takes beside the program itself, about.
    """

    rows: int
    cols: int
    group: int
    bytes: int


def plan_reading(
    shape: tuple[int, int],
    block: tuple[int, int],
    stored_bytes: int,
    output_bytes: int,
    max_memory: int,
    window_px: int,
) -> Plan:
    """Choose strips that stay within a budget.

    Args:
        shape: (rows, columns) of the scene.
        block: (rows, columns) of the file's blocks.
        stored_bytes: Of a pixel of the scene.
        output_bytes: Of what comes of it.
        max_memory: Budget in bytes, for all.
        window_px: Side of the network's windows.

    Returns:
        The plan. A budget below a few blocks of the file is overdrawn.
    """
    height, width = shape
    high, wide = min(block[0], height), min(block[1], width)
    pixel_bytes = 2 * stored_bytes + output_bytes  # the next strip is there already
    budget_px = max(1, max_memory // pixel_bytes)
    least = min(height, max(high, LEAST_ROWS if wide == width else high))
    if budget_px >= least * width or wide == width:
        rows = min(max(1, budget_px // width), height)
        if rows > high:
            rows = min(rows, max(MOST_ROWS, high)) // high * high
        return Plan(rows, width, width, rows * width * pixel_bytes)
    pixel_bytes += stored_bytes  # a piece is mapped when the one beside it is there
    kept_bytes = window_px * (2 * stored_bytes + output_bytes)  # of a column, from above
    least_cols = min(width, -(-window_px // wide) * wide)  # so that windows reach one piece beside
    group = min(width, max(least_cols, 2 * max_memory // 3 // kept_bytes // wide * wide))
    room_px = max(0, max_memory - group * kept_bytes) // pixel_bytes
    cols = min(group, max(least_cols, room_px // high // wide * wide))
    group = group // cols * cols if group < width else width
    return Plan(high, cols, group, high * cols * pixel_bytes + group * kept_bytes)


class Strips:
    """Maps a scene; iterate over it for the finished parts.

    Args:
        sliding: The network over the scene.
        max_memory: Bytes that strips may take together.
        wanted: Which pixels are asked for.
        read_ahead: Read the next strip in a thread of its own while one is mapped.

    Attributes:
        plan: How the scene is read.
        ranges: Of the view's bands, in what was mapped so far.
    """

    def __init__(
        self, sliding: SlidingWindow, max_memory: int, wanted: Wanted, *, read_ahead: bool = True
    ) -> None:
        self.sliding = sliding
        self.wanted = wanted
        self.arriving = prefetch if read_ahead else _one_by_one
        view = sliding.view
        self.ranges = BandRanges(view.shape[0])
        self.shape = view.hsi.grid.shape
        self.plan = plan_reading(
            self.shape,
            block_shape(view),
            view.shape[0] * view.dtype.itemsize,
            12 * (sliding.outputs + 1),  # sums and results are floats
            max_memory,
            sliding.tiling.size_px,
        )

    def __iter__(self) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Parts of the scene that do not overlap and leave no pixel out.

        Yields:
            A part, its (K, height, width) blended outputs and where it has data, (height, width).
        """
        reads = list(self._reads())
        with self.arriving([_reading(self.sliding, window) for _, _, window in reads]) as arrived:
            for (columns, index, window), stored in zip(reads, arrived, strict=True):
                for column in columns[max(0, index - 1) : index + 2]:
                    column.take(window, stored)
                # A column can go on when the one to its right is there, too.
                if index:
                    yield from columns[index - 1].advance()
                if index == len(columns) - 1:
                    yield from columns[index].advance()

    def _reads(self) -> Iterator[tuple[list[_Column], int, Window]]:
        """What is read, one piece after the other: its group's columns, which of them, and where."""
        height, width = self.shape
        for left in range(0, width, self.plan.group):
            right = min(width, left + self.plan.group)
            edges = [*range(left, right, self.plan.cols), right]
            columns = [
                _Column(self, Window(0, first, height, last - first))
                for first, last in pairwise(edges)
            ]
            # A group's outer columns bring the rim that they share with the next group.
            edges[0], edges[-1] = columns[0].reach.col, columns[-1].right
            for row in range(0, height, self.plan.rows):
                rows = min(self.plan.rows, height - row)
                for index, (first, last) in enumerate(pairwise(edges)):
                    yield columns, index, Window(row, first, rows, last - first)


class _Column:
    """A column of the scene, from top to bottom.

    Args:
        strips: That it belongs to.
        column: The pixels it puts out.
    """

    def __init__(self, strips: Strips, column: Window) -> None:
        self.strips = strips
        self.column = column
        self.sliding = strips.sliding
        tiling = self.sliding.tiling
        self.grid_of_windows = tiling.covering(column, self.sliding.origin_px)
        self.reach = self.grid_of_windows.extent.clip(*strips.shape)
        self.next = 0  # row of the grid_of_windows that comes next
        self.known = 0  # rows of the scene that are there
        self.pieces: list[tuple[Window, npt.NDArray[Any]]] = []  # where, (C, rows, columns)
        overlap = tiling.size_px - tiling.stride_px
        self.sums = torch.zeros(
            self.sliding.outputs + 1, overlap, self.grid_of_windows.extent.width
        )
        self.valid = np.zeros((overlap, self.grid_of_windows.extent.width), bool)

    @property
    def right(self) -> int:
        """First column of the scene beyond its reach."""
        return self.reach.col + self.reach.width

    def take(self, window: Window, stored: npt.NDArray[Any]) -> None:
        """Keep what it needs of a piece of the scene."""
        first, last = max(window.col, self.reach.col), min(window.col + window.width, self.right)
        if first >= last:
            return
        here = stored[:, :, first - window.col : last - window.col]
        if here.shape[2] < window.width:
            here = here.copy()  # a rim, or the whole piece would stay with it
        self.pieces.append((Window(window.row, first, window.height, last - first), here))
        self.known = window.row + window.height

    def advance(self) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Go as far as the rows that are there let."""
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        complete = (self.known - self.grid_of_windows.row - size) // stride + 1
        last = self.grid_of_windows.rows if self.known == self.column.height else complete
        most = max(1, OUTPUT_PX // self.grid_of_windows.extent.width // stride)
        while self.next < last:
            yield from self._advance(min(most, last - self.next))
        self._forget()

    def _advance(self, rows: int) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Run some rows of windows; put out what no later window adds to."""
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        top = self.grid_of_windows.row + self.next * stride
        extent = Window(
            top,
            self.grid_of_windows.col,
            (rows - 1) * stride + size,
            self.grid_of_windows.extent.width,
        )
        sums = torch.zeros(self.sliding.outputs + 1, *extent.shape)
        valid = np.zeros(extent.shape, bool)
        overlap = size - stride
        sums[:, :overlap], valid[:overlap] = self.sums, self.valid
        for part in _parts(self.sliding, extent, rows, self.grid_of_windows.cols):
            here = part.extent.relative_to(extent).slices
            asked = self._asked(part.extent)
            if asked is not None and not asked.any():
                continue
            image, has_data = self._cut(part.extent)
            sums[:, here[0], here[1]] += self.sliding.sums(
                torch.from_numpy(image), torch.from_numpy(has_data), part, asked
            )
            valid[here] |= has_data
        self.next += rows
        done = rows * stride if self.next < self.grid_of_windows.rows else extent.height
        self.sums, self.valid = sums[:, done:].clone(), valid[done:].copy()
        window = Window(top, self.column.col, done, self.column.width).clip(*self.strips.shape)
        if window.height:
            at = window.relative_to(extent).slices
            yield window, mean(sums[:, at[0], at[1]]).numpy(), valid[at]

    def _asked(self, extent: Window) -> torch.Tensor | None:
        """(height, width) pixels that are asked for of an extent that may leave the scene."""
        inside = extent.clip(*self.strips.shape)
        wanted = self.strips.wanted(inside) if inside.height and inside.width else None
        if wanted is None:
            return None
        asked = torch.zeros(extent.shape, dtype=torch.bool)
        asked[inside.relative_to(extent).slices] = torch.from_numpy(wanted)
        return asked

    def _cut(self, extent: Window) -> tuple[Float32Array, BoolArray]:
        """(C, height, width) values and validity, 0 beyond the scene."""
        view = self.sliding.view
        image = np.zeros((view.shape[0], *extent.shape), np.float32)
        valid = np.zeros(extent.shape, bool)
        for window, stored in self.pieces:
            inside = extent.relative_to(window).clip(*window.shape)
            if not (inside.height and inside.width):
                continue
            rows, cols = inside.slices
            here = inside.relative_to(extent.relative_to(window)).slices
            values, has_data, present = physical_values(stored[:, rows, cols], view)
            image[:, here[0], here[1]], valid[here] = values, has_data
            self._look(values, has_data, present)
        return image, valid

    def _look(self, image: Float32Array, valid: BoolArray, present: BoolArray) -> None:
        step = max(1, min(valid.shape) // LOOKED_AT_PX)
        self.strips.ranges.update(image[:, ::step, ::step][:, valid[::step, ::step]], present)

    def _forget(self) -> None:
        """Drop rows that no window will ask for again."""
        first = self.grid_of_windows.row + self.next * self.sliding.tiling.stride_px
        kept = []
        for window, stored in self.pieces:
            gone = max(0, first - window.row)
            if gone < window.height:
                left = Window(window.row + gone, window.col, window.height - gone, window.width)
                kept.append((left, stored[:, gone:].copy() if gone else stored))
        self.pieces = kept


def _parts(sliding: SlidingWindow, extent: Window, rows: int, cols: int) -> Iterator[WindowGrid]:
    """Cut some rows of windows into lattices of a handy size."""
    stride = sliding.tiling.stride_px
    high = min(rows, max(1, int(GRID_WINDOWS**0.5)))
    wide = max(1, GRID_WINDOWS // high)
    for row in range(0, rows, high):
        for col in range(0, cols, wide):
            yield WindowGrid(
                sliding.tiling,
                extent.row + row * stride,
                extent.col + col * stride,
                min(high, rows - row),
                min(wide, cols - col),
            )


def _reading(sliding: SlidingWindow, window: Window) -> Callable[[], npt.NDArray[Any]]:
    rows, cols = window.slices
    return lambda: np.asarray(sliding.view[:, rows, cols].values)


@contextmanager
def prefetch[T](jobs: list[Callable[[], T]]) -> Iterator[Iterator[T]]:
    """Results of jobs in their order; while one is looked at, the next is done elsewhere."""
    pool = ThreadPoolExecutor(1, "ahead")

    def results() -> Iterator[T]:
        coming = pool.submit(jobs[0]) if jobs else None
        for job in [*jobs[1:], None]:
            assert coming is not None  # there was a job before
            done = coming.result()
            coming = None if job is None else pool.submit(job)
            yield done

    try:
        yield results() if jobs else iter(())
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _one_by_one[T](jobs: list[Callable[[], T]]) -> Iterator[Iterator[T]]:
    """The same without another thread."""
    yield (job() for job in jobs)


@contextmanager
def write_behind[*Ts](job: Callable[[*Ts], None]) -> Iterator[Callable[[*Ts], None]]:
    """Calls that return at once and are done elsewhere, one after the other.

    The next call waits for the last one; what a call raised is raised by the next, or at the end.
    """
    pool = ThreadPoolExecutor(1, "behind")
    pending: list[Any] = []

    def call(*arguments: *Ts) -> None:
        for future in pending:
            future.result()
        pending[:] = [pool.submit(job, *arguments)]

    try:
        yield call
        for future in pending:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)
