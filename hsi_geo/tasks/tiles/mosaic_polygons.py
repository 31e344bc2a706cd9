"""Polygons of all maps of a batch, across the edges of tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hsi_geo import stages
from hsi_geo.io.maps.polygons import write_polygons
from hsi_geo.io.maps.reader import read_map, read_percent
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter
from hsi_geo.tasks.tiles.footprints import Footprints
from hsi_geo.tasks.tiles.overview_files import (
    CONFIDENCE,
    INDEX,
    POLYGONS,
    names_of_indexes,
    refuse_foreign,
)


def write_mosaic_polygons(
    folder: Path,
    maps: Sequence[GeoreferencedMap],
    mosaics: Mapping[str, Path],
    smooth: int,
    reporter: Reporter,
) -> dict[str, Path]:
    """Write one layer of polygons for each mosaic of a batch.

    Args:
        folder: Folder of the maps.
        maps: The maps, each with its confidence beside it.
        mosaics: Path of each mosaic, and of that of its confidence, by its name; other files are left out.
        smooth: Number of passes in which outlines are smoothed.
        reporter: Receives progress.

    Returns:
        Name and path of each layer.

    Raises:
        OutputExistsError: If a file of that name is there that no batch made.
        OutputError: If a layer cannot be written.
    """
    groups = Footprints([one.grid for one in maps]).groups
    names = names_of_indexes(mosaics)
    written = {}
    for name, group in zip(names, groups, strict=True):
        final = folder / f"{POLYGONS}{name.removeprefix(INDEX)}.gpkg"
        refuse_foreign(final)
        rejected = read_map(maps[group[0]].path).rejected  # the mosaic has no record of its own
        mosaic = read_map(mosaics[name], rejected=rejected)
        height = mosaic.grid.height
        with atomic_outputs([final], overwrite=True, name="batch") as where:
            write_polygons(
                mosaic,
                where[final],
                confidence=read_percent(mosaics[f"{name}{CONFIDENCE}"]),
                passes=smooth,
                progress=partial(_report, reporter, height),
            )
        written[final.stem] = final
    return written


def _report(reporter: Reporter, height: int, rows: int) -> None:
    reporter.progress(stages.POLYGONS, rows, height)
