"""Areas of the classes in zones, in all maps of a batch together."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path

from hsi_geo import stages
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.zone_areas import write_zone_table
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.tiles.overview_files import INDEX, ZONES, names_of_indexes, refuse_foreign
from hsi_geo.tasks.validation.zone_table import NOTHING, empty_zones, zone_table
from hsi_geo.text import quoted


def write_mosaic_zones(
    folder: Path,
    mosaics: Mapping[str, Path],
    classes: ClassTable,
    rejected: ClassTable,
    options: MapOptions,
    reporter: Reporter,
) -> dict[str, Path]:
    """Write the areas of the classes in zones for each mosaic of a batch. Land in several maps counts once.

    Args:
        folder: Folder of the maps.
        mosaics: Path of each mosaic by its name; other files are left out.
        classes: Classes of the model.
        rejected: Rejected classes of the maps.
        options: Options of mapping, with zones.
        reporter: Receives progress, and a warning for zones without a pixel.

    Returns:
        Name and path of each table.

    Raises:
        OutputExistsError: If a file of that name is there that no batch made.
        OutputError: If a table cannot be written.
    """
    assert options.zones is not None
    written = {}
    names = names_of_indexes(mosaics)
    counted: set[str] = set()
    known: list[str] = []
    for name in names:
        final = folder / f"{ZONES}{name.removeprefix(INDEX)}.csv"
        refuse_foreign(final)
        opened = read_map(mosaics[name], rejected=tuple(rejected))
        found = read_zones(options.zones, opened.grid, field=options.zone_field)
        rows = zone_table(
            opened,
            found.zones,
            [c.name for c in classes],
            None,
            NOTHING,
            partial(_report, reporter, len(found.zones)),
        )
        known = [zone.name for zone in found.zones]
        counted |= set(known) - set(empty_zones(found.zones, rows))
        inputs: Sequence[str | os.PathLike[str]] = [options.zones]
        with atomic_outputs([final], overwrite=True, name="batch", inputs=inputs) as where:
            write_zone_table(rows, found.zones, opened.grid, where[final])
        written[final.stem] = final
    empty = [zone for zone in dict.fromkeys(known) if zone not in counted]
    if empty:
        reporter.warning(
            f"no mapped pixel lies in {len(empty)} zone{'s' if len(empty) > 1 else ''}: {quoted(empty)}"
        )
    return written


def _report(reporter: Reporter, count: int, done: int) -> None:
    reporter.progress(stages.ADDING_AREAS, done, count)
