"""Mapping of scenes of any size: strip by strip, read ahead, in little memory.

The file's own blocks decide in which order it is read: whole blocks, full rows of them where they
fit into the budget, columns of them one after the other where they do not. Rows that the next
strip needs again stay in memory, and so do sums of windows that are not complete yet; nothing is
read or computed twice but the rim between two columns.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from hsi_geo.io.scene import block_of, grid_of, physical
from hsi_geo.io.survey import BandRanges
from hsi_geo.tasks.sliding import SlidingWindow, mean
from hsi_geo.tiling import TileLattice, Window

#: Windows that are cut out of the scene together, and pixels that are put out together, at most.
LATTICE_WINDOWS, OUTPUT_PX = 64, 1 << 17

#: Rows of a strip that are read at once, at least where the file's blocks allow it, and at most.
#: More would leave nothing to read while the first are mapped.
LEAST_ROWS, MOST_ROWS = 64, 256

#: Pixels along a side that are looked at of what is mapped together, to tell dead bands by.
LOOKED_AT_PX = 32

FloatArray = npt.NDArray[np.float32]
BoolArray = npt.NDArray[np.bool_]

#: Which pixels of a window are asked for; None for all.
Wanted = Callable[[Window], BoolArray | None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How a scene is read.

    Attributes:
        rows: Of the scene that are read at once.
        cols: Of the scene that are mapped from top to bottom before the next ones.
        bytes: That this takes beside the program itself, about.
    """

    rows: int
    cols: int
    bytes: int


def plan_reading(
    shape: tuple[int, int], block: tuple[int, int], pixel_bytes: int, max_memory: int
) -> Plan:
    """Choose strips that stay within a budget.

    Args:
        shape: (rows, columns) of the scene.
        block: (rows, columns) of the file's blocks.
        pixel_bytes: What a pixel of a strip costs.
        max_memory: Budget in bytes, for all.

    Returns:
        The plan. A budget below one block of the file is overdrawn.
    """
    height, width = shape
    high, wide = min(block[0], height), min(block[1], width)
    budget_px = max(1, max_memory // pixel_bytes)
    least = min(height, max(high, LEAST_ROWS if wide == width else high))
    if budget_px >= least * width or wide == width:
        rows, cols = max(1, budget_px // width), width
    else:
        rows, cols = high, max(wide, budget_px // high // wide * wide)
        cols = min(width, cols)
    if rows > high:
        rows = min(rows, max(MOST_ROWS, high)) // high * high
    rows = min(rows, height)
    return Plan(rows, cols, rows * min(cols + 2 * wide, width) * pixel_bytes)


class Strips:
    """Maps a scene; iterate over it for the finished parts.

    Args:
        sliding: The network over the scene.
        max_memory: Bytes that strips may take together.
        wanted: Which pixels are asked for.

    Attributes:
        plan: How the scene is read.
        ranges: Of the view's bands, in what was mapped so far.
    """

    def __init__(self, sliding: SlidingWindow, max_memory: int, wanted: Wanted) -> None:
        self.sliding = sliding
        self.wanted = wanted
        view = sliding.view
        self.ranges = BandRanges(view.shape[0])
        self.shape = grid_of(view).shape
        # Stored values are held twice, as one strip is read ahead; sums and results are floats.
        stored = 2 * view.shape[0] * view.dtype.itemsize
        self.plan = plan_reading(
            self.shape, block_of(view), stored + 12 * (sliding.outputs + 1), max_memory
        )

    def __iter__(self) -> Iterator[tuple[Window, FloatArray, BoolArray]]:
        """Parts of the scene that do not overlap and leave no pixel out.

        Yields:
            A part, its (K, height, width) blended outputs and where it has data, (height, width).
        """
        height, width = self.shape
        columns = [
            Window(0, col, height, min(self.plan.cols, width - col))
            for col in range(0, width, self.plan.cols)
        ]
        strips = [_Column(self, column) for column in columns]
        reads = [(strip, rows) for strip in strips for rows in strip.reads()]
        with ahead([_reading(strip, rows) for strip, rows in reads]) as arrived:
            for (strip, rows), stored in zip(reads, arrived, strict=True):
                yield from strip.take(rows, stored)


class _Column:
    """A column of the scene, from top to bottom."""

    def __init__(self, strips: Strips, column: Window) -> None:
        self.strips = strips
        self.column = column
        self.sliding = strips.sliding
        tiling = self.sliding.tiling
        self.lattice = tiling.covering(column, self.sliding.origin_px)
        self.reach = self.lattice.extent.clip(*strips.shape)
        self.next = 0  # row of the lattice that comes next
        self.pieces: list[tuple[int, npt.NDArray[Any]]] = []  # first row, (C, rows, columns)
        overlap = tiling.size_px - tiling.stride_px
        self.sums = torch.zeros(self.sliding.outputs + 1, overlap, self.lattice.extent.width)
        self.valid = np.zeros((overlap, self.lattice.extent.width), bool)

    def reads(self) -> Iterator[Window]:
        """What is read, one strip after the other."""
        for row in range(0, self.column.height, self.strips.plan.rows):
            rows = min(self.strips.plan.rows, self.column.height - row)
            yield Window(row, self.reach.col, rows, self.reach.width)

    def take(
        self, strip: Window, stored: npt.NDArray[Any]
    ) -> Iterator[tuple[Window, FloatArray, BoolArray]]:
        """Go as far as the rows that were read so far let."""
        self.pieces.append((strip.row, stored))
        known = strip.row + strip.height
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        complete = (known - self.lattice.row - size) // stride + 1
        last = self.lattice.rows if known == self.column.height else complete
        most = max(1, OUTPUT_PX // self.lattice.extent.width // stride)
        while self.next < last:
            yield from self._advance(min(most, last - self.next))
        self._forget()

    def _advance(self, rows: int) -> Iterator[tuple[Window, FloatArray, BoolArray]]:
        """Run some rows of windows; put out what no later window adds to."""
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        top = self.lattice.row + self.next * stride
        extent = Window(
            top, self.lattice.col, (rows - 1) * stride + size, self.lattice.extent.width
        )
        sums = torch.zeros(self.sliding.outputs + 1, *extent.shape)
        valid = np.zeros(extent.shape, bool)
        overlap = size - stride
        sums[:, :overlap], valid[:overlap] = self.sums, self.valid
        for part in _parts(self.sliding, extent, rows, self.lattice.cols):
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
        done = rows * stride if self.next < self.lattice.rows else extent.height
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

    def _cut(self, extent: Window) -> tuple[FloatArray, BoolArray]:
        """(C, height, width) values and validity, 0 beyond the scene."""
        view = self.sliding.view
        inside = extent.clip(*self.strips.shape)
        image = np.zeros((view.shape[0], *extent.shape), np.float32)
        valid = np.zeros(extent.shape, bool)
        cols = slice(inside.col - self.reach.col, inside.col + inside.width - self.reach.col)
        for first, stored in self.pieces:
            top = max(first, inside.row)
            bottom = min(first + stored.shape[1], inside.row + inside.height)
            if top < bottom:
                here = Window(top, inside.col, bottom - top, inside.width).relative_to(extent)
                part = stored[:, top - first : bottom - first, cols]
                rows, columns = here.slices
                image[:, rows, columns], valid[rows, columns], present = physical(part, view)
                self._look(image[:, rows, columns], valid[rows, columns], present)
        return image, valid

    def _look(self, image: FloatArray, valid: BoolArray, present: BoolArray) -> None:
        step = max(1, min(valid.shape) // LOOKED_AT_PX)
        self.strips.ranges.look(image[:, ::step, ::step][:, valid[::step, ::step]], present)

    def _forget(self) -> None:
        """Drop rows that no window will ask for again."""
        first = self.lattice.row + self.next * self.sliding.tiling.stride_px
        kept = []
        for row, stored in self.pieces:
            if row + stored.shape[1] > first:
                gone = max(0, first - row)
                kept.append((row + gone, stored[:, gone:].copy() if gone else stored))
        self.pieces = kept


def _parts(sliding: SlidingWindow, extent: Window, rows: int, cols: int) -> Iterator[TileLattice]:
    """Cut some rows of windows into lattices of a handy size."""
    stride = sliding.tiling.stride_px
    high = min(rows, max(1, int(LATTICE_WINDOWS**0.5)))
    wide = max(1, LATTICE_WINDOWS // high)
    for row in range(0, rows, high):
        for col in range(0, cols, wide):
            yield TileLattice(
                sliding.tiling,
                extent.row + row * stride,
                extent.col + col * stride,
                min(high, rows - row),
                min(wide, cols - col),
            )


def _reading(strip: _Column, rows: Window) -> Callable[[], npt.NDArray[Any]]:
    at = rows.slices
    return lambda: np.asarray(strip.sliding.view[:, at[0], at[1]].values)


@contextmanager
def ahead[T](jobs: list[Callable[[], T]]) -> Iterator[Iterator[T]]:
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
def behind[*Ts](job: Callable[[*Ts], None]) -> Iterator[Callable[[*Ts], None]]:
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
