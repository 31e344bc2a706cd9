"""Samplers of windows around shots and of windows with data, beside TorchGeo's own."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Literal

import numpy as np
import shapely

from hsi_geo.arguments import is_number, require_whole
from hsi_geo.arrays import IntArray
from hsi_geo.errors import OptionError
from hsi_geo.extras import missing_extra
from hsi_geo.io.datasets.geo import HyperspectralScene, ShotLabels
from hsi_geo.io.labels.pixel_centres import are_centres_in
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Grid, Window

try:
    from torchgeo.samplers import SpatialSampler
except ModuleNotFoundError as error:
    raise missing_extra("datasets", "TorchGeo samplers", str(error.name)) from error

Slices = tuple[slice, slice]


class ShotSampler(SpatialSampler):
    """Windows around labelled pixels, the classes in turn.

    An epoch visits every labelled pixel once, one pixel of each class after the other. Of labels that TorchGeo split
    (``roi_split``, ...) it visits those in the part that is left. A class without pixels left is skipped. So the first windows of an epoch are balanced. An epoch with more windows
    than labelled pixels visits them again in another order.

    Args:
        labels: Dataset of the shots. Windows lie on the grids of the scenes that it was combined with first.
        size_px: Side of a window in pixels.
        jitter_px: Largest distance in rows and columns, in pixels, of the labelled pixel from the centre of
            its window. 0 puts it in the centre (of an even window: below and right of it).
        length: Number of windows in an epoch. None takes one for each labelled pixel.
        roi: Polygon in CRS units; only labelled pixels inside are visited. None visits all.
        generator: Seed or random generator; None for a random seed.

    Raises:
        OptionError: If a number is out of its range, or another dataset is given.
        ShotsError: If the shots have not been combined with scenes.
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
        _require(
            labels, ShotLabels, "give the ShotLabels themselves, not what & made of them and scenes"
        )
        require_whole("size_px", size_px, 1)
        require_whole("jitter_px", jitter_px, 0)
        if length is not None:
            require_whole("length", length, 1)
        super().__init__(labels, roi=roi)
        self.size_px = size_px
        self.jitter_px = jitter_px
        self.generator = np.random.default_rng(generator)
        self._grids = labels.grids
        self._by_class = self._group(labels, roi)
        every = sum(len(group) for group in self._by_class)
        self._length = (length or every) if every else 0

    def __iter__(self) -> Iterator[Slices]:
        """Yield (x, y) slices of windows in CRS units."""
        yield from itertools.islice(self._repeated(), len(self))

    def _repeated(self) -> Iterator[Slices]:
        while True:
            shuffled = [self.generator.permutation(group) for group in self._by_class]
            for one_of_each in itertools.zip_longest(*shuffled):
                for shot in one_of_each:
                    if shot is not None:
                        which, row, col = (int(number) for number in shot)
                        yield to_slices(self._grids[which], self._around(which, row, col))

    def _around(self, which: int, row: int, col: int) -> Window:
        size, jitter, t = self.size_px, self.jitter_px, self._grids[which].transform
        down, right = self.generator.integers(-jitter, jitter + 1, 2)
        # Samples are turned where rows run to the north, or columns to the west: see `north_up`.
        above = size // 2 if t.e < 0 else (size - 1) // 2
        before = size // 2 if t.a > 0 else (size - 1) // 2
        return Window(row - above + int(down), col - before + int(right), size, size)

    def _group(self, labels: ShotLabels, roi: shapely.Polygon | None) -> list[IntArray]:
        """For each class with pixels, (N, 3) scene index, row, column."""
        parts = []
        scenes = zip(labels.pixels, labels.grids, labels.parts_left(), strict=True)
        for index, (pixels, grid, left) in enumerate(scenes):
            keep = np.ones(len(pixels), bool)
            for area in (roi, left):
                if area is not None:
                    keep &= are_centres_in(area, grid, pixels.rows, pixels.cols)
            here = np.full(int(keep.sum()), index)
            parts.append(
                np.stack([here, pixels.rows[keep], pixels.cols[keep], pixels.class_ids[keep]], 1)
            )
        table = np.concatenate(parts)
        return [table[table[:, 3] == c][:, :3] for c in np.unique(table[:, 3])]


class ValidPatchSampler(SpatialSampler):
    """Random windows that contain enough data.

    Unlike TorchGeo's random sampler it also covers the outermost pixels of scenes narrower than a
    window's diagonal, and it skips windows of nodata. Of scenes that TorchGeo split (``roi_split``, ...) it draws windows
    with their centre in the part that is left.

    Args:
        dataset: Dataset of the scenes.
        size_px: Side of a window in pixels.
        length: Number of windows in an epoch. None takes as many as cover the scenes once.
        min_valid: Least share of a window's pixels with data, 0 to 1.
        roi: Polygon in CRS units; only windows with their centre inside are drawn. None draws everywhere.
        generator: Seed or random generator; None for a random seed.

    Raises:
        OptionError: If a number is out of its range, or another dataset is given.
    """

    strategy: Literal["random", "sequential"] = "random"

    #: Number of consecutive draws without enough data after which the scenes count as empty.
    max_misses = 5000

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
        _require(dataset, HyperspectralScene, "give the HyperspectralScene")
        require_whole("size_px", size_px, 1)
        if length is not None:
            require_whole("length", length, 1)
        if not (is_number(min_valid) and 0 <= min_valid <= 1):
            raise OptionError(
                f"min_valid is a share, and {min_valid!r} was given",
                hint="give a number from 0 to 1",
            )
        super().__init__(dataset, roi=roi)
        self.dataset = dataset
        self.size_px = size_px
        self.min_valid = min_valid
        self.roi = roi
        self.generator = np.random.default_rng(generator)
        self._left = dataset.parts_left()
        areas = np.array([_size_px(*one) for one in zip(dataset.grids, self._left, strict=True)])
        self._shares = areas / (areas.sum() or 1.0)
        self._length = (length or max(int(areas.sum() / size_px**2), 1)) if areas.any() else 0

    def __iter__(self) -> Iterator[Slices]:
        """Yield (x, y) slices of windows; fewer than ``length`` only if the scenes have no data."""
        misses = 0
        drawn = 0
        while drawn < len(self) and misses < self.max_misses:
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
        areas = (self.roi, self._left[index])
        if not all(area is None or area.contains(centre) for area in areas):
            return False
        # All bands, as some may be dead. GDAL caches the blocks for the second read.
        _, valid = read_window(self.dataset.views[index], window)
        inside = window.clip(*self.dataset.grids[index].shape)
        return bool(valid.sum() >= self.min_valid * inside.height * inside.width)


def _size_px(grid: Grid, left: shapely.Geometry | None) -> float:
    """Number of pixels of a scene, or of the part of it that is left after a split."""
    width, height = grid.resolution
    return float(grid.height * grid.width) if left is None else left.area / (width * height)


def _require(dataset: object, wanted: type, hint: str) -> None:
    """Refuse datasets of another type, such as the combination of scenes and shots that TorchGeo's samplers take."""
    if not isinstance(dataset, wanted):
        raise OptionError(f"a dataset of the type {type(dataset).__name__} was given", hint=hint)


def to_slices(grid: Grid, window: Window) -> Slices:
    """A window as TorchGeo's (x, y) slices.

    Args:
        grid: Grid of the scene.
        window: Pixels, in rows and columns of the scene.

    Returns:
        Slices in CRS units, x from left to right, y from bottom to top.

    Example:
        >>> from affine import Affine
        >>> grid = Grid(4, 20, Affine(30.0, 0.0, 5000.0, 0.0, -30.0, 9000.0), None)
        >>> to_slices(grid, Window(0, 0, 1, 2))
        (slice(5000.0, 5060.0, None), slice(8970.0, 9000.0, None))
    """
    left, bottom, right, top = grid.bounds_of(window)
    return slice(left, right), slice(bottom, top)
