"""A tile with a halo: a margin that is read from the files of neighbouring tiles."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import xarray as xr

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.scenes.lazy import with_grid
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import scene_of
from hsi_geo.io.scenes.windows import data_mask
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class NeighbourSource:
    """One file of a mosaic.

    Attributes:
        pixels: Reads the stored values of the file.
        window: The pixels of the file, in rows and columns of the mosaic.
        nodata: (C,) stored values that mean no data, NaN where none is declared.
        number: Number of the file among all files of the mosaic.
    """

    pixels: Pixels
    window: Window
    nodata: Float64Array
    number: int = 0


#: Ratio of levels from which on a neighbour's values are on another scale. Snow beside water differs by less; reflectance
#: from 0 to 1 beside integers up to 10,000 by more.
OTHER_SCALE = 1000.0

#: Side of the three parts of a file by which its level is judged, and every how many bands are.
_PART_PX, _BAND_STEP = 4, 8


@dataclass(frozen=True, eq=False)
class MosaicPixels:
    """Files with the same bands on one grid; where several have data, the first one is used.

    Attributes:
        sources: The tile itself, then its neighbours.
        fill: (C,) stored values that mean no data.
        dtype: Type of the stored values.
        unread: Numbers of the neighbours that could not be read so far, with the sentence that says why.
        other_scale: Numbers of the neighbours whose values are on another scale so far.
        levels: Level of each file by its number, as far as it is known; see `_level`.
    """

    sources: tuple[NeighbourSource, ...]
    fill: Float64Array
    dtype: np.dtype[np.generic]
    unread: dict[int, str] = field(default_factory=dict)
    other_scale: set[int] = field(default_factory=set)
    levels: dict[int, float] = field(default_factory=dict)

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`.

        A neighbour that cannot be read, or holds values on another scale, counts as missing, so that the tile can still be
        mapped.

        Args:
            bands: (B,) indices of the bands from 0, in any order.
            window: Pixels, in rows and columns of the mosaic.
        """
        fill = self.fill[bands].astype(self.dtype)[:, None, None]
        values: AnyArray = np.empty((len(bands), *window.shape), self.dtype)
        values[:] = fill
        free = np.ones(window.shape, bool)
        for index, source in reversed(list(enumerate(self.sources))):
            here = window.relative_to(source.window).clip(*source.window.shape)
            if not (here.height and here.width):
                continue
            try:
                if index and self._is_on_other_scale(source, bands):
                    self.other_scale.add(source.number)
                    continue
                stored = source.pixels.read(bands, here)
            except SceneError as error:
                if index == 0:
                    raise
                self.unread.setdefault(source.number, error.message)
                continue
            rows, cols = here.relative_to(window.relative_to(source.window)).slices
            if free[rows, cols].all() and self._has_same_nodata(source):
                values[:, rows, cols] = stored  # what is missing in it stays missing
            else:
                present = data_mask(stored, source.nodata[bands])
                filled = np.where(present, stored, fill)
                # A neighbour with a mask may be of a wider type, because of what it masks.
                here_is_data = present.any(axis=0)
                np.copyto(values[:, rows, cols], filled, casting="unsafe", where=here_is_data)
            free[rows, cols] = False
        return values

    def _is_on_other_scale(self, source: NeighbourSource, bands: IndexArray) -> bool:
        """Whether a neighbour's values differ so much from the tile's own that both cannot be in one unit.

        The answer depends on the two files only: not on the pixels that are read, nor on which of them is the tile.
        """
        for one in (self.sources[0], source):
            if one.number not in self.levels:
                self.levels[one.number] = _level(one, bands)
        own, other = (self.levels[one.number] for one in (self.sources[0], source))
        return own > 0 and other > 0 and abs(math.log(other / own)) > math.log(OTHER_SCALE)

    def _has_same_nodata(self, source: NeighbourSource) -> bool:
        """Whether the same stored values mean no data in a source and in the tile itself."""
        return np.array_equal(source.nodata, self.sources[0].nodata, equal_nan=True)


def _level(source: NeighbourSource, bands: IndexArray) -> float:
    """Mean size of a file's values in the brightest of some bands, by three small parts of it; 0 if it is not known."""
    height, width = source.window.shape
    bands = bands[::_BAND_STEP]
    values = [np.empty((len(bands), 0))]
    for quarter in (1, 2, 3):
        part = Window(height * quarter // 4, width * quarter // 4, _PART_PX, _PART_PX)
        try:
            stored = source.pixels.read(bands, part.clip(height, width))
        except SceneError:
            continue  # a damaged part may be far from the margin
        present = data_mask(stored, source.nodata[bands]).all(axis=0)
        values.append(np.abs(stored[:, present].astype(np.float64)))
    every = np.concatenate(values, axis=1)
    level = float(every.mean(axis=1).max()) if every.size else 0.0
    return level if math.isfinite(level) else 0.0


@dataclass(frozen=True, eq=False)
class HaloScene:
    """A tile with a margin of its neighbours' pixels.

    Attributes:
        scene: (band, y, x) array of the tile and its margin. Where the tile has no data, it has the
            data of a neighbour.
        core: The tile's own pixels, in rows and columns of the scene.
        overlapped: Whether a neighbour overlaps the core.
        sources: The tile and its neighbours, with their windows in rows and columns of the scene.
        unread: Numbers of the neighbours that could not be read so far, with the sentence that says why; their pixels
            are missing.
        other_scale: Numbers of the neighbours whose values are on another scale so far; their pixels are missing.
    """

    scene: xr.DataArray
    core: Window
    overlapped: bool
    sources: tuple[NeighbourSource, ...]
    unread: dict[int, str] = field(default_factory=dict)
    other_scale: set[int] = field(default_factory=set)

    def cropped(self, window: Window) -> HaloScene:
        """The same tile with a smaller margin.

        Args:
            window: Pixels that are kept, in rows and columns of the scene; they contain the core.
        """
        rows, cols = window.slices
        grid = grid_of(self.scene)
        smaller = dataclasses.replace(
            grid, height=window.height, width=window.width, transform=grid.transform_of(window)
        )
        scene = with_grid(self.scene[:, rows, cols], smaller)
        sources = tuple(
            dataclasses.replace(source, window=source.window.relative_to(window))
            for source in self.sources
        )
        core = self.core.relative_to(window)
        return dataclasses.replace(self, scene=scene, core=core, sources=sources)

    def core_mask(self, window: Window) -> BoolArray:
        """(height, width) True for the pixels of a window that belong to the tile itself.

        Args:
            window: Pixels, in rows and columns of the scene.
        """
        mask = np.zeros(window.shape, bool)
        inside = self.core.relative_to(window).clip(*window.shape)
        mask[inside.slices] = True
        return mask


def with_halo(
    tile: SceneFile,
    neighbours: Sequence[NeighbourSource],
    margin_px: int,
    *,
    number: int = 0,
    wavelengths: str | None = None,
    levels: dict[int, float] | None = None,
) -> HaloScene:
    """Extend a tile by a margin that is read from its neighbours.

    Args:
        tile: The file of the tile.
        neighbours: Files on the tile's pixel grid with the same bands; their windows are in rows and
            columns of the tile.
        margin_px: Width of the margin on each side, in pixels.
        number: Number of the tile among all files of the mosaic.
        wavelengths: Replaces the band centres of the file; see `open_scene`.
        levels: Levels of files by their numbers, kept from tile to tile; see `MosaicPixels.levels`.

    Returns:
        The extended scene, a lazy array as from `open_scene`.
    """
    extended = tile.grid.window.grow(margin_px)
    own = NeighbourSource(tile.pixels, tile.grid.window, tile.nodata, number)
    sources = tuple(
        dataclasses.replace(source, window=source.window.relative_to(extended))
        for source in (own, *neighbours)
    )
    undeclared = np.nan if np.issubdtype(tile.dtype, np.floating) else 0.0
    fill = np.where(np.isnan(tile.nodata), undeclared, tile.nodata)
    if tile.packed:  # each part would be unpacked from its beginning
        levels = dict.fromkeys([source.number for source in sources], 0.0)
    pixels = MosaicPixels(sources, fill, tile.dtype, levels={} if levels is None else levels)
    file = dataclasses.replace(
        tile,
        grid=dataclasses.replace(
            tile.grid,
            height=extended.height,
            width=extended.width,
            transform=tile.grid.transform_of(extended),
        ),
        pixels=pixels,
        quality=(),
        mask=None,
    )
    overlapped = any(all(source.window.clip(*tile.grid.shape).shape) for source in neighbours)
    scene = scene_of(file, wavelengths=wavelengths)
    core = tile.grid.window.relative_to(extended)
    return HaloScene(scene, core, overlapped, sources, pixels.unread, pixels.other_scale)
