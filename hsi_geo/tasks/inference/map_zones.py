"""The table of zones beside a map."""

from __future__ import annotations

import os
from typing import Any

from hsi_geo import timings
from hsi_geo.io.labels.rejected_classes import read_rejected
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.maps.zone_areas import write_zone_table
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.validation.zone_table import (
    HELD_OUT,
    NOTHING,
    empty_zones,
    held_out_estimator,
    zone_table,
)
from hsi_geo.text import quoted


@timings.stage(timings.WRITING)
def write_zones(
    written: MapPaths, record: dict[str, Any], options: MapOptions, reporter: Reporter
) -> None:
    """Write the areas of the classes of a map in zones, with the errors of held-out shots.

    Args:
        written: Files of the map, with the table.
        record: Record of the map, which is not written yet; it gets the parameters of the table.
        options: Options of mapping, with zones.
        reporter: Receives warnings.

    Raises:
        HsiGeoError: If the zones cannot be read, or the table not be written.
    """
    assert written.zones is not None
    assert options.zones is not None
    opened = read_map(written.classes, rejected=read_rejected(record))
    found = read_zones(options.zones, opened.grid, field=options.zone_field)
    for note in found.notes:
        reporter.warning(note)
    names = [str(one["name"]) for one in record["classes"]]
    estimator = held_out_estimator(record, names)
    basis = NOTHING if estimator is None else HELD_OUT
    rows = zone_table(opened, found.zones, names, estimator, basis)
    if empty := empty_zones(found.zones, rows):
        reporter.warning(
            f"no mapped pixel lies in {len(empty)} zone{'s' if len(empty) > 1 else ''}: {quoted(list(empty))}"
        )
    write_zone_table(rows, found.zones, opened.grid, written.zones)
    record["parameters"] |= {
        "zones": os.fspath(options.zones),
        "zone_field": found.field,
        "zone_errors": basis or None,
    }
