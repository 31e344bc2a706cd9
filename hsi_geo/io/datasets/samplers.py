"""Where to look: samplers that know shots and nodata, beside TorchGeo's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import numpy.typing as npt
import shapely
from torchgeo.samplers import SpatialSampler

from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Grid, Window

Slices = tuple[slice, slice]


class ShotSampler(SpatialSampler):
    """Windows around shots, the classes in turn.

    A pass goes over every labelled pixel once, one of each class after the other, and a class
    that has run out is passed over: the first windows of a pass are balanced whatever its length.
    A pass longer than the shots begins anew, in another order.

    Args:
        labels: The shots.
        size_px: Side of a window.
        jitter_px: The shot lies up to this many pixels off the centre of its window; 0 keeps it
            in the centre (of an even window: just below and right of it).
        length: Windows in a pass; by default one for each labelled pixel.
        roi: Only shots inside.
        generator: Seed or generator.
    """

    strategy: Literal["random", "sequential"] = "random"

    def __init__(
        self,
        labels: ShotLabels,
        *,
        size_px: int,
        jitter_px: int = 0,
        length: int | None = None,
        roi: shapely.Polygon | None = None,
        generator: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(labels, roi=roi)
        self.size_px = size_px
        self.jitter_px = jitter_px
        self.generator = np.random.default_rng(generator)
        self._grids = labels.grids
        self._by_class = self._group(labels, roi)
        every = sum(len(group) for group in self._by_class)
        self._length = (length or every) if every else 0

    def __iter__(self) -> Iterator[Slices]:
        """Yield (x, y) slices of windows."""
        yield from itertools.islice(self._endless(), len(self))

    def _endless(self) -> Iterator[Slices]:
        while True:
            shuffled = [self.generator.permutation(group) for group in self._by_class]
            for turn in itertools.zip_longest(*shuffled):
                for shot in turn:
                    if shot is not None:
                        which, row, col = (int(number) for number in shot)
                        yield to_slices(self._grids[which], self._around(row, col))

    def _around(self, row: int, col: int) -> Window:
        half, jitter = self.size_px // 2, self.jitter_px
        down, right = self.generator.integers(-jitter, jitter + 1, 2)
        return Window(row - half + int(down), col - half + int(right), self.size_px, self.size_px)

    def _group(
        self, labels: ShotLabels, roi: shapely.Polygon | None
    ) -> list[npt.NDArray[np.int64]]:
        """For each class with pixels, (N, 3) scene index, row, column."""
        parts = []
        for index, (pixels, grid) in enumerate(zip(labels.pixels, labels.grids, strict=True)):
            x, y = grid.transform.a, grid.transform.e
            xs = grid.transform.c + x * (pixels.cols + 0.5)
            ys = grid.transform.f + y * (pixels.rows + 0.5)
            keep = np.ones(len(pixels), bool) if roi is None else shapely.contains_xy(roi, xs, ys)
            here = np.full(int(keep.sum()), index)
            parts.append(
                np.stack([here, pixels.rows[keep], pixels.cols[keep], pixels.class_ids[keep]], 1)
            )
        table = np.concatenate(parts)
        return [table[table[:, 3] == c][:, :3] for c in np.unique(table[:, 3])]


class ValidPatchSampler(SpatialSampler):
    """Random windows that hold enough data, wherever the scene has any.

    Unlike TorchGeo's random sampler it reaches the outermost pixels of scenes narrower than a
    window's diagonal, and passes over nodata.

    Args:
        dataset: The scenes.
        size_px: Side of a window.
        length: Windows in a pass; by default as many as cover the scenes once.
        min_valid: Least share of a window's pixels that have data.
        roi: Only windows whose centre lies inside.
        generator: Seed or generator.
    """

    strategy: Literal["random", "sequential"] = "random"

    #: Draws in a row without enough data after which the scenes count as empty.
    patience = 5000

    def __init__(
        self,
        dataset: HyperspectralScene,
        *,
        size_px: int,
        length: int | None = None,
        min_valid: float = 0.5,
        roi: shapely.Polygon | None = None,
        generator: int | np.random.Generator | None = None,
    ) -> None:
        super().__init__(dataset, roi=roi)
        self.dataset = dataset
        self.size_px = size_px
        self.min_valid = min_valid
        self.roi = roi
        self.generator = np.random.default_rng(generator)
        areas = np.array([grid.height * grid.width for grid in dataset.grids], np.float64)
        self._shares = areas / areas.sum()
        self._length = length or max(int(areas.sum() / size_px**2), 1)

    def __iter__(self) -> Iterator[Slices]:
        """Yield (x, y) slices of windows; fewer than asked for only if the scenes are empty."""
        misses = 0
        drawn = 0
        while drawn < len(self) and misses < self.patience:
            index = int(self.generator.choice(len(self._shares), p=self._shares))
            window = self._draw(self.dataset.grids[index])
            if self._enough(index, window):
                misses, drawn = 0, drawn + 1
                yield to_slices(self.dataset.grids[index], window)
            else:
                misses += 1

    def _draw(self, grid: Grid) -> Window:
        size = self.size_px
        row = self.generator.integers(min(0, grid.height - size), max(0, grid.height - size) + 1)
        col = self.generator.integers(min(0, grid.width - size), max(0, grid.width - size) + 1)
        return Window(int(row), int(col), size, size)

    def _enough(self, index: int, window: Window) -> bool:
        left, bottom, right, top = self.dataset.grids[index].bounds_of(window)
        centre = shapely.Point((left + right) / 2, (bottom + top) / 2)
        if self.roi is not None and not self.roi.contains(centre):
            return False
        # All bands: a few could all be dead ones. The file's blocks are cached for the second read.
        _, valid = read_window(self.dataset.views[index], window)
        inside = window.clip(*self.dataset.grids[index].shape)
        return bool(valid.sum() >= self.min_valid * inside.height * inside.width)


def to_slices(grid: Grid, window: Window) -> Slices:
    """A window as TorchGeo's (x, y) slices."""
    left, bottom, right, top = grid.bounds_of(window)
    return slice(left, right), slice(bottom, top)
