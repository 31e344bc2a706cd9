"""Names of the files of a map."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from hsi_geo.io.maps.vector_names import is_vector_name


@dataclass(frozen=True, slots=True)
class MapPaths:
    """The files of one map. Optional ones are None if they are not written.

    Attributes:
        classes: GeoTIFF of class ids.
        aux: XML of category names and attribute table, read by GDAL and QGIS.
        style: QGIS style.
        record: JSON of provenance, parameters and classes; see `io.maps.record`.
        confidence: GeoTIFF of the largest probability in per cent, or None.
        probabilities: GeoTIFF of probabilities with one band for each class, or None.
        report: HTML report, or None.
        polygons: Layer of polygons, or None.
        parents: GeoTIFF of the upper level of the classes, or None. The next three are None with it.
        parents_aux: XML of its names.
        parents_style: Its QGIS style.
        parents_confidence: GeoTIFF of the largest probability of a parent in per cent, or None.
        zones: CSV of the areas of the classes in zones, or None.
        item: STAC item, or None.
    """

    classes: Path
    aux: Path
    style: Path
    record: Path
    confidence: Path | None = None
    probabilities: Path | None = None
    report: Path | None = None
    polygons: Path | None = None
    parents: Path | None = None
    parents_aux: Path | None = None
    parents_style: Path | None = None
    parents_confidence: Path | None = None
    zones: Path | None = None
    item: Path | None = None

    @classmethod
    def of(
        cls,
        out: Path,
        *,
        confidence: bool = False,
        probabilities: bool = False,
        polygons: bool = False,
        parents: bool = False,
        zones: bool = False,
        item: bool = False,
    ) -> Self:
        """Name the files of a map.

        Args:
            out: Path of the GeoTIFF of class ids; or of a layer of polygons, which has the GeoTIFF beside it.
            confidence: Whether a raster of confidence is written.
            probabilities: Whether a raster of probabilities is written.
            polygons: Whether polygons are written; they are if ``out`` is a layer.
            parents: Whether the upper level of the classes is written.
            zones: Whether a table of areas in zones is written.
            item: Whether a STAC item is written.

        Examples:
            >>> [path.name for path in MapPaths.of(Path("map.tif"), confidence=True).all]
            ['map.json', 'map_confidence.tif', 'map.tif.aux.xml', 'map.qml', 'map.tif']
            >>> paths = MapPaths.of(Path("map.fgb"))
            >>> paths.classes.name, paths.polygons.name
            ('map.tif', 'map.fgb')
        """
        layer = out.with_name(f"{out.stem}_polygons.gpkg") if polygons else None
        if is_vector_name(out):
            out, layer = out.with_suffix(".tif"), out
        return cls(
            out,
            out.with_name(out.name + ".aux.xml"),
            out.with_suffix(".qml"),
            out.with_suffix(".json"),
            out.with_name(f"{out.stem}_confidence.tif") if confidence else None,
            out.with_name(f"{out.stem}_probabilities.tif") if probabilities else None,
            polygons=layer,
            zones=out.with_name(f"{out.stem}_zones.csv") if zones else None,
            item=out.with_name(f"{out.stem}_stac.json") if item else None,
            **(_names_of_parents(out, confidence=confidence) if parents else {}),
        )

    def with_report(self) -> MapPaths:
        """The same files and a report."""
        page = self.classes.with_name(f"{self.classes.stem}_report.html")
        return dataclasses.replace(self, report=page)

    @property
    def all(self) -> list[Path]:
        """Every file: the record first, which lists the others, and the map last."""
        optional = (
            self.confidence,
            self.probabilities,
            self.report,
            self.polygons,
            self.parents_confidence,
            self.parents_aux,
            self.parents_style,
            self.parents,
            self.zones,
            self.item,
        )
        return [
            self.record,
            *(path for path in optional if path is not None),
            self.aux,
            self.style,
            self.classes,
        ]

    def moved(self, where: Mapping[Path, Path]) -> MapPaths:
        """The same files under other paths.

        Args:
            where: New path by path, for every file.
        """
        optional = (
            self.confidence,
            self.probabilities,
            self.report,
            self.polygons,
            self.parents,
            self.parents_aux,
            self.parents_style,
            self.parents_confidence,
            self.zones,
            self.item,
        )
        return MapPaths(
            where[self.classes],
            where[self.aux],
            where[self.style],
            where[self.record],
            *(None if path is None else where[path] for path in optional),
        )

    def as_dict(self) -> dict[str, Path]:
        """Path of each file by its kind, for reports."""
        named = {
            "map": self.classes,
            "names": self.aux,
            "style": self.style,
            "record": self.record,
            "confidence": self.confidence,
            "probabilities": self.probabilities,
            "report": self.report,
            "polygons": self.polygons,
            "parents": self.parents,
            "parents_names": self.parents_aux,
            "parents_style": self.parents_style,
            "parents_confidence": self.parents_confidence,
            "zones": self.zones,
            "item": self.item,
        }
        return {name: path for name, path in named.items() if path is not None}


def _names_of_parents(out: Path, *, confidence: bool) -> dict[str, Path | None]:
    """Paths of the upper level of a map, by the field of `MapPaths`."""
    raster = out.with_name(f"{out.stem}_parents.tif")
    return {
        "parents": raster,
        "parents_aux": raster.with_name(raster.name + ".aux.xml"),
        "parents_style": raster.with_suffix(".qml"),
        "parents_confidence": out.with_name(f"{out.stem}_parents_confidence.tif")
        if confidence
        else None,
    }
