"""Inference on scenes of any size: strip by strip, with prefetching, within a memory budget.

The file's blocks decide the order of reading: whole blocks, and full rows of them where they fit into the
budget, otherwise pieces of a row of blocks one after another. Pixels that a later piece needs again stay in
memory, and so do sums of windows that are not complete: nothing is read or computed twice, except in scenes so
wide that the kept rows would not fit.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch

from hsi_geo.arrays import AnyArray, BoolArray, Float32Array
from hsi_geo.io.scenes.quality import BandRanges
from hsi_geo.io.scenes.windows import (
    block_shape,
    count_constant,
    physical_values,
    stored_nodata,
)
from hsi_geo.tasks.inference.side_threads import prefetch, run_in_order, side_by_side
from hsi_geo.tasks.inference.sliding_window import SlidingWindow, weighted_mean
from hsi_geo.tiling import Window, WindowGrid

#: Greatest number of windows that are computed together.
GRID_WINDOWS = 64

#: Greatest number of pixels that are returned together.
OUTPUT_PX = 1 << 17

#: Bounds of the rows that are read together, where the file's blocks allow it. With more rows there would be
#: nothing to read while the first are mapped.
MIN_ROWS, MAX_ROWS = 64, 256

#: Side of the grid of pixels from which the ranges of bands are taken, in each part that is mapped together.
RANGE_SAMPLE_PX = 32

#: From a window to the mask of its pixels whose outputs are needed; None for all pixels.
RequestedMask = Callable[[Window], BoolArray | None]


@dataclass(frozen=True, slots=True)
class ReadPlan:
    """How a scene is read.

    Attributes:
        rows: Number of rows that are read together.
        cols: Number of columns that are read together.
        group: Number of columns that are mapped from top to bottom before the next ones; pixels at the border
            of two groups are read twice.
        bytes: Approximate memory in bytes that this takes.
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
) -> ReadPlan:
    """Choose strips that stay within a memory budget.

    Args:
        shape: (rows, columns) of the scene.
        block: (rows, columns) of the file's blocks.
        stored_bytes: Bytes of a pixel of the scene in memory.
        output_bytes: Bytes of a pixel's outputs in memory.
        max_memory: Memory budget in bytes.
        window_px: Side of the network's windows in pixels.

    Returns:
        The plan. It exceeds a budget of less than a few blocks of the file.

    Examples:
        >>> plan = plan_reading((10_000, 10_000), (512, 512), 400, 132, 1 << 29, 16)
        >>> plan.rows, plan.cols, plan.group
        (512, 512, 10000)
    """
    height, width = shape
    block_rows, block_cols = min(block[0], height), min(block[1], width)
    pixel_bytes = 2 * stored_bytes + output_bytes  # the next strip is prefetched
    budget_px = max(1, max_memory // pixel_bytes)
    min_rows = min(height, max(block_rows, MIN_ROWS if block_cols == width else block_rows))
    if budget_px >= min_rows * width or block_cols == width:
        rows = min(max(1, budget_px // width), height, max(MAX_ROWS, block_rows))
        if block_rows < rows < height:
            rows = rows // block_rows * block_rows
        return ReadPlan(rows, width, width, rows * width * pixel_bytes)
    pixel_bytes += stored_bytes  # a piece is mapped after the piece beside it was read
    kept_bytes = window_px * (
        2 * stored_bytes + output_bytes
    )  # rows kept for a column's next piece
    min_cols = min(width, -(-window_px // block_cols) * block_cols)  # windows reach one piece only
    group = min(width, max(min_cols, 2 * max_memory // 3 // kept_bytes // block_cols * block_cols))
    room_px = max(0, max_memory - group * kept_bytes) // pixel_bytes
    cols = min(group, max(min_cols, room_px // block_rows // block_cols * block_cols))
    group = group // cols * cols if group < width else width
    return ReadPlan(block_rows, cols, group, block_rows * cols * pixel_bytes + group * kept_bytes)


class _Mapped(NamedTuple):
    """Outputs of a group of windows.

    Attributes:
        sums: (K + 1, height, width) sums of weighted outputs, and of the weights.
        valid: (height, width) whether a pixel has data.
        samples: (C, n) values of some pixels, and (C,) which bands have values, of each piece of the scene.
    """

    sums: torch.Tensor
    valid: BoolArray
    samples: list[tuple[Float32Array, BoolArray]]


class Strips:
    """Outputs of a network for a whole scene; iterating yields them part by part.

    Args:
        sliding: The network over the scene.
        max_memory: Memory budget of the strips in bytes.
        requested: Function that gives the mask of pixels whose outputs are needed.
        core: Pixels that are written; those around it belong to neighbours. None for all.
        read_ahead: Whether the next strip is read in another thread while one is mapped.
        threads: Number of threads on which groups of windows are computed, see `side_by_side`.

    Attributes:
        plan: How the scene is read.
        constant_px: Pixels of the core that were missing because all of their bands have the same value.
        ranges: Ranges of the bands' values in the parts that were mapped so far.
    """

    def __init__(
        self,
        sliding: SlidingWindow,
        max_memory: int,
        requested: RequestedMask,
        *,
        core: Window | None = None,
        read_ahead: bool = True,
        threads: int = 1,
    ) -> None:
        self.sliding = sliding
        self.requested = requested
        self.run_jobs = prefetch if read_ahead else run_in_order
        self.threads = threads
        view = sliding.view
        self.ranges = BandRanges(view.shape[0])
        self.constant_px = 0
        self.shape = sliding.grid.shape
        self.core = core or Window(0, 0, *self.shape)
        self.plan = plan_reading(
            self.shape,
            block_shape(view),
            view.shape[0] * view.dtype.itemsize,
            12 * (sliding.outputs + 1),  # sums and results are floats
            max_memory,
            sliding.tiling.size_px,
        )

    def __iter__(self) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Map the scene.

        Yields:
            The window of a part, its (K, height, width) blended outputs, and its (height, width) validity. The
            parts cover the scene and do not overlap.
        """
        pieces = list(self._pieces())
        jobs = [_read_job(self.sliding, window) for _, _, window in pieces]
        with self.run_jobs(jobs) as results, side_by_side(self.threads) as self.run_each:
            for (columns, index, window), stored in zip(pieces, results, strict=True):
                self._count_constant(columns[index].column, window, stored)
                for column in columns[max(0, index - 1) : index + 2]:
                    column.add(window, stored)
                # A column can be mapped after the piece to its right was read.
                if index:
                    yield from columns[index - 1].advance()
                if index == len(columns) - 1:
                    yield from columns[index].advance()

    def _count_constant(self, column: Window, window: Window, stored: AnyArray) -> None:
        """Count pixels with one value in all bands; pieces overlap only outside their own column."""
        left = max(column.col, window.col, self.core.col)
        right = min(
            column.col + column.width, window.col + window.width, self.core.col + self.core.width
        )
        top = max(window.row, self.core.row)
        bottom = min(window.row + window.height, self.core.row + self.core.height)
        if left < right and top < bottom:
            rows, cols = Window(top, left, bottom - top, right - left).relative_to(window).slices
            nodata = stored_nodata(self.sliding.view)
            self.constant_px += count_constant(stored[:, rows, cols], nodata)

    def _pieces(self) -> Iterator[tuple[list[_Column], int, Window]]:
        """The pieces in the order of reading: columns of the group, index of the column, window."""
        height, width = self.shape
        for left in range(0, width, self.plan.group):
            right = min(width, left + self.plan.group)
            edges = [*range(left, right, self.plan.cols), right]
            columns = [
                _Column(self, Window(0, first, height, last - first))
                for first, last in pairwise(edges)
            ]
            # The outer columns of a group read the border that they share with the next group.
            edges[0], edges[-1] = columns[0].padded_window.col, columns[-1].right
            for row in range(0, height, self.plan.rows):
                rows = min(self.plan.rows, height - row)
                for index, (first, last) in enumerate(pairwise(edges)):
                    yield columns, index, Window(row, first, rows, last - first)


class _Column:
    """A column of the scene that is mapped from top to bottom.

    Args:
        strips: The scene's strips.
        column: Pixels whose outputs this column returns.
    """

    def __init__(self, strips: Strips, column: Window) -> None:
        self.strips = strips
        self.column = column
        self.sliding = strips.sliding
        tiling = self.sliding.tiling
        self.grid = tiling.covering(column, self.sliding.origin_px)
        self.padded_window = self.grid.extent.clip(*strips.shape)
        self.next_row = 0  # row of windows that is computed next
        self.read_rows = 0  # rows of the scene that were read
        self.pieces: list[tuple[Window, AnyArray]] = []  # window, (C, rows, columns) stored values
        overlap = tiling.size_px - tiling.stride_px
        self.sums = torch.zeros(self.sliding.outputs + 1, overlap, self.grid.extent.width)
        self.valid = np.zeros((overlap, self.grid.extent.width), bool)

    @property
    def right(self) -> int:
        """First column of the scene beyond the padded window."""
        return self.padded_window.col + self.padded_window.width

    def add(self, window: Window, stored: AnyArray) -> None:
        """Keep the part of a piece of the scene that this column needs."""
        first = max(window.col, self.padded_window.col)
        last = min(window.col + window.width, self.right)
        if first >= last:
            return
        part = stored[:, :, first - window.col : last - window.col]
        if part.shape[2] < window.width:
            part = part.copy()  # a view would keep the whole piece in memory
        self.pieces.append((Window(window.row, first, window.height, last - first), part))
        self.read_rows = window.row + window.height

    def advance(self) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Map as many rows as were read."""
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        complete = (self.read_rows - self.grid.row - size) // stride + 1
        last = self.grid.rows if self.read_rows == self.column.height else complete
        max_rows = max(1, OUTPUT_PX // self.grid.extent.width // stride)
        while self.next_row < last:
            yield from self._map_rows(min(max_rows, last - self.next_row))
        self._drop_used_rows()

    def _map_rows(self, rows: int) -> Iterator[tuple[Window, Float32Array, BoolArray]]:
        """Compute some rows of windows; yield the pixels that no later window contains."""
        size, stride = self.sliding.tiling.size_px, self.sliding.tiling.stride_px
        top = self.grid.row + self.next_row * stride
        extent = Window(top, self.grid.col, (rows - 1) * stride + size, self.grid.extent.width)
        sums = torch.zeros(self.sliding.outputs + 1, *extent.shape)
        valid = np.zeros(extent.shape, bool)
        overlap = size - stride
        sums[:, :overlap], valid[:overlap] = self.sums, self.valid
        grids = list(_split_grid(self.sliding, extent, rows, self.grid.cols))
        for grid, found in zip(grids, self.strips.run_each(self._map_grid, grids), strict=True):
            if found is not None:
                slices = grid.extent.relative_to(extent).slices
                sums[:, slices[0], slices[1]] += found.sums
                valid[slices] |= found.valid
                for values, present in found.samples:
                    self.strips.ranges.update(values, present)
        self.next_row += rows
        done = rows * stride if self.next_row < self.grid.rows else extent.height
        self.sums, self.valid = sums[:, done:].clone(), valid[done:].copy()
        window = Window(top, self.column.col, done, self.column.width).clip(*self.strips.shape)
        if window.height:
            slices = window.relative_to(extent).slices
            yield window, weighted_mean(sums[:, slices[0], slices[1]]).numpy(), valid[slices]

    def _map_grid(self, grid: WindowGrid) -> _Mapped | None:
        """Outputs of a group of windows; None if none is needed. Several threads may do this at the same time."""
        requested = self._requested(grid.extent)
        if requested is not None and not requested.any():
            return None
        image, valid, samples = self._physical_values(grid.extent)
        sums = self.sliding.weighted_sums(
            torch.from_numpy(image), torch.from_numpy(valid), grid, requested
        )
        return _Mapped(sums, valid, samples)

    def _requested(self, extent: Window) -> torch.Tensor | None:
        """(height, width) mask of needed pixels of an extent that may reach beyond the scene."""
        inside = extent.clip(*self.strips.shape)
        mask = self.strips.requested(inside) if inside.height and inside.width else None
        if mask is None:
            return None
        requested = torch.zeros(extent.shape, dtype=torch.bool)
        requested[inside.relative_to(extent).slices] = torch.from_numpy(mask)
        return requested

    def _physical_values(
        self, extent: Window
    ) -> tuple[Float32Array, BoolArray, list[tuple[Float32Array, BoolArray]]]:
        """(C, height, width) values and validity, 0 beyond the scene, and `_Mapped.samples`."""
        view = self.sliding.view
        image = np.zeros((view.shape[0], *extent.shape), np.float32)
        valid = np.zeros(extent.shape, bool)
        samples = []
        for window, stored in self.pieces:
            inside = extent.relative_to(window).clip(*window.shape)
            if not (inside.height and inside.width):
                continue
            rows, cols = inside.slices
            target = inside.relative_to(extent.relative_to(window)).slices
            values, has_data, present = physical_values(stored[:, rows, cols], view)
            image[:, target[0], target[1]], valid[target] = values, has_data
            step = max(1, min(has_data.shape) // RANGE_SAMPLE_PX)
            sample = values[:, ::step, ::step][:, has_data[::step, ::step]]
            samples.append((sample, present))
        return image, valid, samples

    def _drop_used_rows(self) -> None:
        """Free the rows that no later window contains."""
        first = self.grid.row + self.next_row * self.sliding.tiling.stride_px
        kept = []
        for window, stored in self.pieces:
            used = max(0, first - window.row)
            if used < window.height:
                rest = Window(window.row + used, window.col, window.height - used, window.width)
                kept.append((rest, stored[:, used:].copy() if used else stored))
        self.pieces = kept


def _split_grid(
    sliding: SlidingWindow, extent: Window, rows: int, cols: int
) -> Iterator[WindowGrid]:
    """Split some rows of windows into grids of at most `GRID_WINDOWS` windows."""
    stride = sliding.tiling.stride_px
    grid_rows = min(rows, max(1, int(GRID_WINDOWS**0.5)))
    grid_cols = max(1, GRID_WINDOWS // grid_rows)
    for row in range(0, rows, grid_rows):
        for col in range(0, cols, grid_cols):
            yield WindowGrid(
                sliding.tiling,
                extent.row + row * stride,
                extent.col + col * stride,
                min(grid_rows, rows - row),
                min(grid_cols, cols - col),
            )


def _read_job(sliding: SlidingWindow, window: Window) -> Callable[[], AnyArray]:
    rows, cols = window.slices
    return lambda: np.asarray(sliding.view[:, rows, cols].values)
