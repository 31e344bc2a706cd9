"""Cleaning of a map while it is made: small patches are given to their neighbours before anything is written.

Letters for shapes: K classes, H and W rows and columns of the scene with its margin.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsi_geo.arrays import AnyArray, BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.parents import sum_children
from hsi_geo.io.maps.areas import AREA_TOLERANCE, PixelAreas, pixel_areas_ha
from hsi_geo.io.maps.small_patches import merge_small_patches, reach_px
from hsi_geo.io.maps.writer import NO_CLASS, NO_PERCENT, PROBABILITY_STEPS, MapLayers, MapWriter
from hsi_geo.tasks.inference.options import MinArea
from hsi_geo.tiling import Grid, Window, blocks

#: Decimals of hectares, down to square centimetres, that areas are counted in. Small least areas have more, as many as
#: they have digits then. Areas are summed in whole numbers, so that sums do not depend on the order.
HA_DECIMALS = 8

#: Greatest distance in pixels of what a cleaned pixel can depend on. Each tile is mapped with a margin of this width.
MAX_REACH_PX = 2048

#: Side of the blocks that are cleaned together, without their margin.
BLOCK_PX = 1024


#: Rows and columns that the smallest pixel is looked for at, where pixels of one row differ in area.
_LOOKED_AT = 65


@dataclass(frozen=True, eq=False)
class CountedAreas:
    """Areas of pixels, and the least area of a patch, in whole units.

    Units are pixels, or decimals of hectares that the least area alone decides on, so that all tiles of a mosaic have
    the same.

    Attributes:
        least: Least area of a patch.
        smallest: Area of the smallest pixel, or less.
        per_ha: Units of a hectare; None if units are pixels.
        hectares: Area of each pixel; None if units are pixels.
    """

    least: int
    smallest: int
    per_ha: float | None = None
    hectares: PixelAreas | None = None

    def of(self, window: Window) -> IntArray:
        """(height, width) areas of pixels, or (height, 1) where those of one row are equal. None is larger than the least area.

        Args:
            window: Pixels of the scene.
        """
        if self.hectares is None or self.per_ha is None:
            return np.ones((window.height, 1), np.int64)
        rows = np.arange(window.row, window.row + window.height)[:, None]
        # Each pixel by itself: blocks that overlap have to agree on it.
        cols = np.arange(
            window.col, window.col + window.width if self.hectares.along_rows else window.col + 1
        )
        return _whole(self.hectares.at(rows, cols[None]), self.per_ha, self.smallest, self.least)


def _whole(hectares: Float64Array, per_ha: float, smallest: int, least: int) -> IntArray:
    return np.clip(np.rint(hectares * per_ha), smallest, least).astype(np.int64)


def pixel_areas(min_area: MinArea, grid: Grid) -> CountedAreas:
    """Areas of pixels, and the least area of a patch, in whole units.

    Args:
        min_area: Least area of a patch.
        grid: Pixels of the map.

    Returns:
        The areas.

    Raises:
        OptionError: If hectares are given and the CRS does not define the area of a pixel, or the least area is many
            pixels.

    Examples:
        >>> from affine import Affine
        >>> from pyproj import CRS
        >>> grid = Grid(2, 3, Affine(30.0, 0.0, 4e5, 0.0, -30.0, 5e6), CRS.from_epsg(32633))
        >>> areas = pixel_areas(MinArea(1.0, "ha"), grid)
        >>> areas.of(grid.window).tolist(), areas.least
        ([[9000000], [9000000]], 100000000)
        >>> small = Grid(2, 3, Affine(0.012, 0.0, 4e5, 0.0, -0.012, 5e6), CRS.from_epsg(32633))
        >>> areas = pixel_areas(MinArea(2.88e-7, "ha"), small)  # 20 pixels
        >>> areas.smallest, areas.least
        (14400000, 288000000)
        >>> areas = pixel_areas(MinArea(5.0, "px"), grid)
        >>> areas.smallest, areas.least
        (1, 5)
    """
    if min_area.unit == "px":
        areas = CountedAreas(round(min_area.value), 1)
    else:
        hectares = pixel_areas_ha(grid)
        if hectares is None:
            raise OptionError(
                f"--min-area '{min_area}' is in hectares, and the area of the scene's pixels is unknown",
                hint="give a number of pixels, such as 10px",
            )
        per_ha = 10.0 ** (HA_DECIMALS - min(0, math.floor(math.log10(min_area.value))))
        least = round(min_area.value * per_ha)
        smallest = int(_whole(_smallest_ha(hectares), per_ha, 1, least))
        areas = CountedAreas(least, smallest, per_ha, hectares)
    reach = reach_px(areas.least, areas.smallest)
    if reach > MAX_REACH_PX:
        raise OptionError(
            f"--min-area '{min_area}' is {areas.least / areas.smallest:.0f} pixels of the scene, and "
            f"{MAX_REACH_PX // 4} at most are cleaned",
            hint="give a smaller area",
        )
    return areas


def _smallest_ha(hectares: PixelAreas) -> Float64Array:
    """() hectares of the smallest pixel; a little less where not all were looked at."""
    if not hectares.along_rows:
        return np.asarray(hectares.rows.min())
    rows, cols = (
        np.unique(np.linspace(0, size - 1, _LOOKED_AT).round().astype(np.int64))
        for size in hectares.grid.shape
    )
    return np.asarray(hectares.at(rows[:, None], cols[None]).min() * (1 - AREA_TOLERANCE))


def margin_px(min_area: MinArea | None, grid: Grid) -> int:
    """Width of the margin, in pixels, that a tile is mapped with so that it is cleaned as the whole mosaic.

    Args:
        min_area: Least area of a patch; None if the map is not cleaned.
        grid: Pixels of the tile.

    Raises:
        OptionError: See `pixel_areas`.
    """
    if min_area is None:
        return 0
    areas = pixel_areas(min_area, grid)
    return reach_px(areas.least, areas.smallest)


class CleaningWriter:
    """Keeps a map with its margin on disk, and writes it cleaned.

    Args:
        writer: Writer of the map.
        min_area: Least area of a patch.
        grid: (H, W) pixels of the scene with its margin.
        core: Pixels of the map among them.
        validity: Function from a window of the map to (height, width) where the map itself has data; None if it has
            wherever there are probabilities.
        folder: Folder for temporary files.
    """

    def __init__(
        self,
        writer: MapWriter,
        min_area: MinArea,
        grid: Grid,
        core: Window,
        validity: Callable[[Window], BoolArray] | None,
        folder: Path,
    ) -> None:
        self.writer, self.grid, self.core, self.validity = writer, grid, core, validity
        self.areas = pixel_areas(min_area, grid)
        self.margin_px = reach_px(self.areas.least, self.areas.smallest)
        classes = len(writer.classes)
        # A file whose pixels are not written reads as 0.
        self._ids = _on_disk(folder / "ids", np.uint16, grid.shape)
        self._percent = _on_disk(folder / "percent", np.uint8, grid.shape)
        self._steps = _on_disk(folder / "steps", np.uint8, (classes, *grid.shape))
        self._chosen = None  # without rejection they are the ids
        if writer.rejection is not None:
            self._chosen = _on_disk(folder / "chosen", np.uint16, grid.shape)
        self._parents = self._parents_percent = None
        if writer.hierarchy is not None:
            self._parents = _on_disk(folder / "parents", np.uint16, grid.shape)
            self._parents_percent = _on_disk(folder / "parents_percent", np.uint8, grid.shape)

    def write(self, window: Window, probabilities: Float32Array) -> None:
        """Keep one block.

        Args:
            window: Pixels of the block, in rows and columns of the scene with its margin.
            probabilities: (K, height, width) probabilities, as for `MapWriter.write`.
        """
        block = self.writer.layers(probabilities)
        rows, cols = window.slices
        self._ids[rows, cols] = block.ids
        if self._chosen is not None:
            self._chosen[rows, cols] = block.chosen
        self._percent[rows, cols] = block.percent
        self._steps[:, rows, cols] = block.steps
        if self._parents is not None and self._parents_percent is not None:
            self._parents[rows, cols] = block.parents
            self._parents_percent[rows, cols] = block.parents_percent

    def finish(self) -> int:
        """Clean the map, and write it.

        Returns:
            Number of pixels that have another class than before.
        """
        changed = 0
        for block in blocks(*self.core.shape, BLOCK_PX, BLOCK_PX):
            layers, count = self._clean(block)
            changed += count
            self.writer.write_layers(block, layers)
        return changed

    def _clean(self, block: Window) -> tuple[MapLayers, int]:
        """A block of the map, and how many pixels were changed."""
        here = Window(block.row + self.core.row, block.col + self.core.col, *block.shape)
        around = here.grow(self.margin_px).clip(*self.grid.shape)
        rows, cols = around.slices
        before, steps = self._ids[rows, cols].astype(np.int64), self._steps[:, rows, cols]
        # The margin of a tile has no value of the nodata kind: 0 there.
        after = merge_small_patches(
            before, np.where(before > 0, steps, 0), self.areas.of(around), self.areas.least
        )
        inner = here.relative_to(around).slices
        before, ids, steps = before[inner], after[inner], steps[:, *inner].astype(np.int64)
        percent = self._percent[here.slices].astype(np.int64)
        moved = before != ids
        # The confidence is that of the class that the map shows.
        of_class = np.take_along_axis(steps, np.where(moved, ids - 1, 0)[None], axis=0)[0]
        percent = np.where(moved, np.rint(100 * of_class / PROBABILITY_STEPS), percent)
        shown = ids > 0
        if self.validity is not None:
            shown &= self.validity(block)
        chosen = before if self._chosen is None else self._chosen[here.slices].astype(np.int64)
        layers = MapLayers(
            np.where(shown, ids, NO_CLASS),
            np.where(shown, percent, NO_PERCENT),
            np.where(shown, steps, NO_PERCENT),
            *self._upper_level(here, ids, steps, moved, shown),
            np.where(shown, chosen, NO_CLASS),
        )
        return layers, int((moved & shown).sum())

    def _upper_level(
        self, here: Window, ids: IntArray, steps: IntArray, moved: BoolArray, shown: BoolArray
    ) -> tuple[IntArray | None, IntArray | None]:
        """Ids and confidence of the parents; where a pixel has another class, those of its parent."""
        levels = self.writer.hierarchy
        if levels is None or self._parents is None or self._parents_percent is None:
            return None, None
        of_ids = levels.parents_of(ids)
        parents = np.where(moved, of_ids, self._parents[here.slices].astype(np.int64))
        sums = sum_children(steps.astype(np.float32), levels.of_class)
        of_parent = np.take_along_axis(sums, np.maximum(of_ids - 1, 0)[None], axis=0)[0]
        percent = self._parents_percent[here.slices].astype(np.int64)
        percent = np.where(moved, np.rint(100 * of_parent / PROBABILITY_STEPS), percent)
        return np.where(shown, parents, NO_CLASS), np.where(shown, percent, NO_PERCENT)


def _on_disk(path: Path, dtype: type[np.generic], shape: tuple[int, ...]) -> AnyArray:
    return np.memmap(path, dtype, "w+", shape=shape)
