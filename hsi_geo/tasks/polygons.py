"""Polygons of a map: each connected patch of a class, with its area and certainty."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo import stages
from hsi_geo.arguments import require_flags
from hsi_geo.display.described import Described
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.confidence import find_percent, require_percent
from hsi_geo.io.maps.polygons import PolygonCount, require_outlines, write_polygons
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.record import mixed_file_warnings
from hsi_geo.io.maps.vector_names import require_vector_name, style_beside
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.progress import Reporter, default_reporter
from hsi_geo.tasks.inference.options import require_passes
from hsi_geo.text import number_text

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary


@dataclass(frozen=True, eq=False, repr=False)
class PolygonsResult(Described):
    """Polygons that were written.

    Attributes:
        path: File of the layer.
        classes: Classes of the map by their value.
        counts: Number of polygons, pixels and hectares by the value of the class.
    """

    path: Path
    classes: Mapping[int, LandClass]
    counts: Mapping[int, PolygonCount]

    @property
    def count(self) -> int:
        """Number of polygons."""
        return sum(one.polygons for one in self.counts.values())

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"Polygons: {self.count:,}",
            [f"file: {self.path}"],
            ("class", "polygons", "pixels", "hectares"),
            [
                (
                    self.classes[value].name,
                    f"{one.polygons:,}",
                    f"{one.pixels:,}",
                    "-" if one.hectares is None else number_text(one.hectares, 1),
                )
                for value, one in self.counts.items()
            ],
        )


def polygons(
    class_map: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    confidence: str | os.PathLike[str] | None = None,
    smooth: int = 0,
    overwrite: bool = False,
    reporter: Reporter | None = None,
) -> PolygonsResult:
    """Write the patches of a map as polygons.

    A patch is all pixels of one class that are connected by their edges. The map is read strip by strip, so that
    it may be larger than memory, or the mosaic of a batch.

    Each polygon has the fields ``class`` (value in the map), ``name``, ``hectares`` and ``pixels`` (of its pixels, whether
    the outline is smoothed or not), ``confidence`` (mean of its pixels in per cent), and ``rejected`` (per cent of rejected pixels in it and in its holes). A GeoPackage holds its style for
    QGIS; other formats have it beside them.

    Args:
        class_map: Map of any program, as `read_map` opens it.
        out: File to write: ``.gpkg``, ``.fgb`` or ``.parquet``.
        confidence: Raster of per cent on the map's grid. None takes ``MAP_confidence.tif`` if it is beside the map, else
            the field stays empty.
        smooth: Number of passes in which outlines are smoothed, 0 to 20; 0 follows the pixels. Neighbours keep the same
            outline, so that there are neither gaps nor overlaps. The outline of the mapped land stays.
        overwrite: Whether to replace ``out`` if it exists.
        reporter: Receives progress and messages; None shows a bar in a notebook, and sends
            messages to Python's ``logging``.

    Returns:
        File, classes and number of polygons.

    Raises:
        HsiGeoError: If the map cannot be used, or the output not be written.
    """
    require_flags(overwrite=overwrite)
    reporter = reporter or default_reporter()
    require_passes(smooth)
    final = require_vector_name(out)
    opened = read_map(class_map)
    require_outlines(opened)
    for text in mixed_file_warnings(opened.path, list(opened.names.values())):
        reporter.warning(text)
    if confidence is None:
        percent = find_percent(opened, reporter.warning)
    else:
        percent = require_percent(confidence, opened)
    inputs = [class_map, None if percent is None else percent.path]
    height = opened.grid.height
    with atomic_outputs([*style_beside(final), final], overwrite=overwrite, inputs=inputs) as where:
        counts, classes = write_polygons(
            opened,
            where[final],
            confidence=percent,
            passes=smooth,
            progress=lambda rows: reporter.progress(stages.POLYGONS, rows, height),
        )
    return PolygonsResult(final, classes, counts)
