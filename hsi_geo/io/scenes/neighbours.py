"""A tile amid its neighbours: what surrounds it is read from their files."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import xarray as xr

from hsi_geo.arrays import AnyArray, Float64Array, IndexArray
from hsi_geo.errors import SceneError
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.base import Pixels
from hsi_geo.io.scenes.scene import scene_of
from hsi_geo.io.scenes.windows import data_mask
from hsi_geo.tiling import Window


@dataclass(frozen=True, eq=False)
class NeighbourSource:
    """A file's part of a mosaic.

    Attributes:
        pixels: Reads it.
        window: Where it lies, counted in the mosaic.
        nodata: (C,) stored values that mean no data, NaN where none is declared.
    """

    pixels: Pixels
    window: Window
    nodata: Float64Array


@dataclass(frozen=True, eq=False)
class MosaicPixels:
    """Files of the same bands on one grid; where several have data, the first counts.

    Attributes:
        pieces: The tile itself, then its neighbours.
        fill: (C,) stored values that mean no data.
        dtype: Of stored values.
    """

    pieces: tuple[NeighbourSource, ...]
    fill: Float64Array
    dtype: np.dtype[np.generic]

    def read(self, bands: IndexArray, window: Window) -> AnyArray:
        """See `readers.base.Pixels.read`.

        A neighbour that cannot be read is no reason to leave out the tile: it counts as missing.
        """
        fill = self.fill[bands].astype(self.dtype)[:, None, None]
        values: AnyArray = np.empty((len(bands), *window.shape), self.dtype)
        values[:] = fill
        free = np.ones(window.shape, bool)
        for index, piece in reversed(list(enumerate(self.pieces))):
            here = window.relative_to(piece.window).clip(*piece.window.shape)
            if not (here.height and here.width):
                continue
            try:
                stored = piece.pixels.read(bands, here)
            except SceneError:
                if index == 0:
                    raise
                continue
            rows, cols = here.relative_to(window.relative_to(piece.window)).slices
            if free[rows, cols].all() and self._speaks_alike(piece):
                values[:, rows, cols] = stored  # what is missing in it stays missing
            else:
                present = data_mask(stored, piece.nodata[bands])
                filled = np.where(present, stored, fill)
                # A neighbour with a mask may be of a wider type, for what it masks.
                here_is_data = present.any(axis=0)
                np.copyto(values[:, rows, cols], filled, casting="unsafe", where=here_is_data)
            free[rows, cols] = False
        return values

    def _speaks_alike(self, piece: NeighbourSource) -> bool:
        """Whether the same stored values mean no data in a piece and in the tile itself."""
        return np.array_equal(piece.nodata, self.pieces[0].nodata, equal_nan=True)


@dataclass(frozen=True, eq=False)
class HaloScene:
    """A tile and what lies around it.

    Attributes:
        scene: The tile and its margin; where the tile has no data, what a neighbour has.
        core: The tile's own pixels, counted in the scene.
        overlapped: Whether a neighbour reaches into the core.
    """

    scene: xr.DataArray
    core: Window
    overlapped: bool

    def core_mask(self, window: Window) -> npt.NDArray[np.bool_]:
        """(height, width) True for a window's pixels that are the tile's own."""
        mask = np.zeros(window.shape, bool)
        inside = self.core.relative_to(window).clip(*window.shape)
        mask[inside.slices] = True
        return mask


def with_halo(
    tile: SceneFile,
    neighbours: Sequence[NeighbourSource],
    margin_px: int,
    *,
    wavelengths: str | None = None,
) -> HaloScene:
    """Put a tile amid its neighbours.

    Args:
        tile: The tile.
        neighbours: On the tile's pixel grid and with its bands; windows counted in the tile.
        margin_px: Pixels around the tile that are wanted.
        wavelengths: See `open_scene`.

    Returns:
        The scene, as lazy as those of `open_scene`.
    """
    wide = tile.grid.window.grow(margin_px)
    own = NeighbourSource(tile.pixels, tile.grid.window, tile.nodata)
    pieces = tuple(
        dataclasses.replace(piece, window=piece.window.relative_to(wide))
        for piece in (own, *neighbours)
    )
    undeclared = np.nan if np.issubdtype(tile.dtype, np.floating) else 0.0
    fill = np.where(np.isnan(tile.nodata), undeclared, tile.nodata)
    file = dataclasses.replace(
        tile,
        grid=dataclasses.replace(
            tile.grid,
            height=wide.height,
            width=wide.width,
            transform=tile.grid.transform_of(wide),
        ),
        pixels=MosaicPixels(pieces, fill, tile.dtype),
        quality=(),
    )
    overlapped = any(all(piece.window.clip(*tile.grid.shape).shape) for piece in neighbours)
    scene = scene_of(file, wavelengths=wavelengths)
    return HaloScene(scene, tile.grid.window.relative_to(wide), overlapped)
