"""Files beside a map that are made from it: the table of zones, polygons, the STAC item."""

from __future__ import annotations

import dataclasses
from typing import Any

from hsi_geo import timings
from hsi_geo.io.labels.rejected_classes import read_rejected
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.polygons import write_polygons
from hsi_geo.io.maps.reader import read_map, read_percent
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.map_zones import write_zones
from hsi_geo.tasks.inference.options import MapOptions


def with_confidence(paths: MapPaths) -> MapPaths:
    """The paths of a map, with a hidden file of confidence if polygons need one: each has its mean."""
    if paths.polygons is None or paths.confidence is not None:
        return paths
    name = f".{paths.classes.stem}_confidence.tif"
    return dataclasses.replace(paths, confidence=paths.classes.with_name(name))


def write_derived_files(
    paths: MapPaths,
    record: dict[str, Any],
    writer: MapWriter,
    options: MapOptions,
    reporter: Reporter,
) -> None:
    """Write what is made from a map that is complete.

    Args:
        paths: Files of the map.
        record: Record of the map, which is not written yet; it gets the parameters of these files.
        writer: Writer of the map, closed. It wrote the files of `with_confidence`.
        options: Options of mapping.
        reporter: Receives warnings.

    Raises:
        HsiGeoError: If the zones cannot be read, or a file not be written.
    """
    written = with_confidence(paths)
    if paths.zones is not None:
        write_zones(written, record, options, reporter)
    if paths.polygons is not None:
        _write_polygons(written, read_rejected(record), options.smooth)
        record["parameters"] |= {"polygons": True, "smooth": options.smooth}
        if paths.confidence is None and written.confidence is not None:
            written.confidence.unlink()
    if paths.item is not None:
        from hsi_geo.io.maps.stac_items import write_map_item  # an optional package

        write_map_item(
            paths,
            GeoreferencedMap(paths.classes, writer.grid),
            record["scene"],
            writer.legend,
            bands=len(record["classes"]),
            parents=writer.parents_legend,
        )


@timings.stage(timings.WRITING)
def _write_polygons(written: MapPaths, rejected: ClassTable, smooth: int) -> None:
    """Write the polygons of a map."""
    assert written.polygons is not None
    assert written.confidence is not None  # written for them
    write_polygons(
        read_map(written.classes, rejected=rejected),
        written.polygons,
        confidence=read_percent(written.confidence),
        passes=smooth,
    )
