"""Which tiles a tile reads its margin from, and the job that follows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.scenes.neighbours import NeighbourSource
from hsi_geo.tasks.runtime import text_hash
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tasks.tiles.jobs import BatchOptions, Outcome, Tile, TileJob
from hsi_geo.tiling import Grid
from hsi_geo.wavelengths import same_centres

#: Largest distance between the pixel grids of neighbours, in pixels.
GRID_TOLERANCE_PX = 0.05


def neighbours(
    tiles: Sequence[Tile | Outcome], margin_px: int
) -> Iterator[list[tuple[int, NeighbourSource]]]:
    """Find the tiles from which each tile can read a margin (halo).

    Their pixels lie on the same grid of the same CRS, and they have the same bands in the same units.

    Args:
        tiles: Tiles in the order of the batch. Outcomes stand for tiles that cannot be opened.
        margin_px: Width of the margin in pixels of the tile.

    Yields:
        For each tile its neighbours, in the order of the batch: index, and source of their pixels.
    """
    grids = [tile.file.grid if isinstance(tile, Tile) else None for tile in tiles]
    footprints = Footprints(grids)
    for index, tile in enumerate(tiles):
        found = []
        for near in footprints.near(index, margin_px):
            other = tiles[near]
            if isinstance(tile, Tile) and isinstance(other, Tile) and _fits(tile, other):
                window = tile.file.grid.window_of(other.file.grid.bounds)
                source = NeighbourSource(other.file.pixels, window, other.file.nodata, near)
                found.append((near, source))
        yield found


def _fits(tile: Tile, other: Tile) -> bool:
    here, there = tile.file, other.file
    if here.dtype != there.dtype or here.band_count != there.band_count:
        return False
    if not same_centres(tile.bands.centres_nm, other.bands.centres_nm):
        return False
    same = (
        np.array_equal(tile.bands.good, other.bands.good)
        and np.array_equal(here.scale, there.scale, equal_nan=True)
        and np.array_equal(here.offset, there.offset, equal_nan=True)
        and len(set(np.isnan(here.nodata))) == 1
    )
    return same and _on_same_pixel_grid(here.grid, there.grid)


def _on_same_pixel_grid(grid: Grid, other: Grid) -> bool:
    inverse = ~grid.transform
    first = np.array(inverse @ (other.transform @ (0, 0)))
    last = np.array(inverse @ (other.transform @ (other.width, other.height)))
    shift = np.abs(first - np.round(first)).max()
    stretch = np.abs(last - first - (other.width, other.height)).max()
    return bool(max(shift, stretch) < GRID_TOLERANCE_PX)


def _flags_of(tile: Tile) -> list[str]:
    """Flags that mask pixels of a tile."""
    mask = tile.file.mask
    return [] if mask is None else [layer.flag for layer in mask.layers]


def tile_job(
    path: str,
    number: int,
    tile: Tile,
    paths: MapPaths,
    sources: Sequence[tuple[int, NeighbourSource]],
    tiles: Sequence[Tile | Outcome],
    options: BatchOptions,
    logged: tuple[Path, ...] = (),
) -> TileJob:
    """The job of a tile, with a hash of all that its map depends on.

    Args:
        path: Path of the tile.
        number: Number of the tile in the batch.
        tile: The tile.
        paths: Paths of the map's files.
        sources: The tile's neighbours; see `neighbours`.
        tiles: All tiles of the batch.
        options: Options of the batch.
        logged: Files that an earlier batch made according to its log, if the map's record is lost.
    """
    others = [other for index, _ in sources if isinstance(other := tiles[index], Tile)]
    hashes = [other.hash for other in others]
    depends: dict[str, Any] = {
        "tile": tile.hash,
        "neighbours": hashes,
        "model": options.model_hash,
        "parameters": options.pixel_parameters,
    }
    flags, flags_of_others = _flags_of(tile), [_flags_of(other) for other in others]
    if flags:  # else the hashes stay those of earlier versions
        depends["mask"] = [flags, options.mask_hash]
    if any(flags_of_others):
        depends["masks_of_neighbours"] = [flags_of_others, options.mask_hash]
    job = text_hash(json.dumps(depends, sort_keys=True))
    halo = tuple(source for _, source in sources)
    return TileJob(
        path, number, tile.file, tile.stamp, paths, halo, {"job": job, "neighbours": hashes}, logged
    )
