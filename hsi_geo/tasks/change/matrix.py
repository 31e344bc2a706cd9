"""Pixels, hectares and confidence of each pair of an old and a new class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IntArray
from hsi_geo.io.maps.areas import pixel_areas_ha
from hsi_geo.io.maps.reader import STRIP_PX
from hsi_geo.io.maps.writer import NO_PERCENT
from hsi_geo.tasks.change.change_classes import ChangeClasses
from hsi_geo.tasks.change.common_grid import REJECTED, Layer
from hsi_geo.tiling import Grid, Window, blocks


@dataclass(frozen=True, eq=False)
class ChangeMatrix:
    """What became of each class.

    Attributes:
        pixels: (K, K) number of pixels; rows are classes of the old map, columns those of the new one.
        hectares: (K, K) area; None if the CRS does not define it.
        percent: (K, K) mean confidence, NaN where there is no pixel; None without the confidence of both maps.
        uncompared: Number of pixels that have a class in one map only, also outside the other one, without those that the
            other rejects. Of a new map on other pixels those outside the old map are not counted.
        is_land: (K,) False for rejected classes.
    """

    pixels: IntArray
    hectares: Float64Array | None
    percent: Float64Array | None
    uncompared: int
    is_land: BoolArray

    @property
    def changed_share(self) -> float:
        """Share of the pixels with land cover in both maps that has another one, or of their area where it is known."""
        land = self._land()
        changed = land[
            ~np.eye(len(land), dtype=bool)
        ]  # 1 less the share of the others could be a little below 0
        return float(changed.sum() / land.sum()) if land.any() else 0.0

    @property
    def land_total(self) -> float:
        """Hectares with land cover in both maps, or pixels where hectares are unknown."""
        return float(self._land().sum())

    def _land(self) -> AnyArray:
        sizes: AnyArray = self.pixels if self.hectares is None else self.hectares
        return np.asarray(sizes[np.ix_(self.is_land, self.is_land)])


@dataclass(frozen=True, eq=False)
class ChangeBlock:
    """A strip of a map of change.

    Attributes:
        window: Its pixels.
        ids: (height, width) ids of pairs, 0 where one map has no class.
        percent: (height, width) confidence of both classes together, `NO_PERCENT` where it is unknown; None without the
            confidence of both maps.
        uncompared: Number of pixels that have a class in one map only, without those that the other rejects.
        with_class: Number of pixels that have a class in the old and in the new map.
    """

    window: Window
    ids: IntArray
    percent: AnyArray | None
    uncompared: int
    with_class: tuple[int, int]


def change_blocks(
    grid: Grid, old: Layer, new: Layer, classes: ChangeClasses
) -> Iterator[ChangeBlock]:
    """Compare two maps strip by strip.

    The confidence of a pair is the product of the probabilities of both classes, as errors of two maps of different
    dates are taken as independent.

    Args:
        grid: Grid of both.
        old: The old map.
        new: The new map.
        classes: Classes of both.

    Yields:
        The strips.
    """
    both = old.dated.confidence is not None and new.dated.confidence is not None
    for window in blocks(grid.height, grid.width, STRIP_PX, grid.width):
        before, after = old.classes(window), new.classes(window)
        known = (before != REJECTED) & (after != REJECTED)
        ids = np.where(known, classes.ids(before, after), 0)
        percent = None
        if both:
            product = old.percent(window) * new.percent(window) / 100
            is_sure = (ids > 0) & np.isfinite(product)
            percent = np.where(is_sure, np.rint(np.where(is_sure, product, 0)), NO_PERCENT)
        one_only = known & ((before > 0) != (after > 0))
        with_class = [int(((one > 0) & (one != REJECTED)).sum()) for one in (before, after)]
        yield ChangeBlock(window, ids, percent, int(one_only.sum()), (with_class[0], with_class[1]))


def count_changes(grid: Grid, old: Layer, new: Layer, classes: ChangeClasses) -> ChangeMatrix:
    """Count the pairs of classes of two maps.

    Args:
        grid: Grid of both.
        old: The old map.
        new: The new map.
        classes: Classes of both.
    """
    count, areas = len(classes.names), pixel_areas_ha(grid)
    size = classes.base * (count + 1)
    totals = np.zeros((4, size))  # pixels, hectares, sum of per cent, pixels with per cent
    # What lies outside of the other map is in no block. Pixels of a warped map are counted inside the grid only.
    uncompared, has_percent = old.with_class + new.with_class, False
    for block in change_blocks(grid, old, new, classes):
        flat = block.ids.ravel()
        totals[0] += np.bincount(flat, minlength=size)
        if areas is not None:
            totals[1] += np.bincount(flat, areas.of(block.window).ravel(), minlength=size)
        if block.percent is not None:
            has_percent = True
            known = (block.percent != NO_PERCENT).ravel()
            totals[2] += np.bincount(flat[known], block.percent.ravel()[known], minlength=size)
            totals[3] += np.bincount(flat[known], minlength=size)
        uncompared += block.uncompared
        uncompared -= block.with_class[0] + (0 if new.warped else block.with_class[1])
    pairs = np.array(
        [[classes.id_of(a, b) for b in range(1, count + 1)] for a in range(1, count + 1)]
    )
    pixels, hectares, sums, known_px = totals[:, pairs]
    with np.errstate(invalid="ignore"):
        percent = np.where(known_px > 0, sums / known_px, np.nan)
    return ChangeMatrix(
        pixels.astype(np.int64),
        None if areas is None else hectares,
        percent if has_percent else None,
        uncompared,
        np.array([name not in classes.rejected for name in classes.names]),
    )
