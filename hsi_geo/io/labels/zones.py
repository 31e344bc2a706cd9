"""Zones: polygons with names, for which areas of classes are counted. They may overlap."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import geopandas as gpd
import pandas as pd
import shapely

from hsi_geo.arguments import require_path
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.class_names import clean_name, find_name
from hsi_geo.io.labels.geometry_repair import polygons_of, repair
from hsi_geo.io.labels.reprojection import have_valid_coordinates, reproject
from hsi_geo.io.labels.vectors import read_vector
from hsi_geo.io.readers.base import plain
from hsi_geo.text import did_you_mean, quoted
from hsi_geo.tiling import Grid

#: Fields that name zones, in order, in any case. One is taken by itself only if it tells all zones apart; else zones are
#: numbered.
FIELDS = ("zone", "zone_name", "name", "zone_id", "label", "id")

#: What to do with geometries that are no file.
AS_FILE = "write it to a file, for example with GeoDataFrame.to_file, and give its path"


@dataclass(frozen=True, eq=False)
class Zone:
    """A zone.

    Attributes:
        name: Value of its field, or number of its feature in the file, from 1.
        geometry: Polygons in the CRS of the map.
    """

    name: str
    geometry: shapely.Geometry


@dataclass(frozen=True, eq=False)
class Zones:
    """Zones of a file, in its order.

    Attributes:
        zones: The zones. Features of one name are one zone.
        field: Field that names them; None if they are numbered.
        notes: What was left out or decided, as sentences.
    """

    zones: tuple[Zone, ...]
    field: str | None
    notes: tuple[str, ...]

    def are_on(self, grid: Grid) -> bool:
        """Whether a zone meets the extent of a scene.

        Args:
            grid: Pixels of the scene.
        """
        corners = [(0, 0), (grid.width, 0), (grid.width, grid.height), (0, grid.height)]
        extent = shapely.Polygon([grid.transform @ corner for corner in corners])
        return any(extent.intersects(zone.geometry) for zone in self.zones)


def read_zones(
    path: str | os.PathLike[str],
    grid: Grid,
    *,
    field: str | None = None,
    layer: str | None = None,
) -> Zones:
    """Read zones, reprojected to the CRS of a map.

    Args:
        path: Vector file of polygons in any CRS.
        grid: Pixels of the map.
        field: Field with the names of the zones. None takes the first of `FIELDS` in which all zones have
            values of their own, else numbers them.
        layer: Layer of the file; None for the only one.

    Raises:
        OptionError: If the file is missing, or has no polygon, no such field, no value in it, or broken polygons.
    """
    name = require_path("--zones", path, AS_FILE)
    frame, chosen, notes = _read_polygons(name, field, layer)
    frame = reproject(frame, grid, name=f"zones '{name}'", wrong=OptionError)
    try:
        parts = frame.geometry.to_numpy().copy()
        parts[~have_valid_coordinates(parts)] = shapely.Polygon()
        parts = repair(parts)
        names = frame["zone"].to_numpy()
        zones = tuple(
            Zone(str(one), shapely.union_all(parts[names == one])) for one in dict.fromkeys(names)
        )
    except shapely.errors.GEOSException as error:
        raise OptionError(
            f"zones '{name}' have polygons that cannot be joined ({plain(error)})",
            hint="mend them, in QGIS with Fix geometries",
        ) from error
    return Zones(zones, chosen, tuple(notes))


def check_zones(path: str | os.PathLike[str], *, field: str | None = None) -> tuple[str, ...]:
    """Refuse zones that cannot be read, before there is a map.

    Args:
        path: Vector file of polygons in any CRS.
        field: Field with the names of the zones, as for `read_zones`.

    Returns:
        What was left out or decided, as sentences.

    Raises:
        OptionError: If the file is missing, or has no polygon, no such field, or no value in it.
    """
    return tuple(_read_polygons(require_path("--zones", path, AS_FILE), field, None)[2])


def _read_polygons(
    name: str, field: str | None, layer: str | None
) -> tuple[gpd.GeoDataFrame, str | None, list[str]]:
    """Named polygons in the CRS of the file, the field of the names, and notes."""
    frame = read_vector(
        name,
        what="zones",
        layer=layer,
        missing=OptionError,
        wrong=OptionError,
        chooses_layer=False,
    )
    frame = frame.set_index(pd.RangeIndex(1, len(frame) + 1))
    fields = [str(column) for column in frame.columns if column != frame.geometry.name]
    shapes = polygons_of(frame.geometry.to_numpy())
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    is_polygon = frame.geom_type.str.contains("Polygon", na=False)
    if not is_polygon.any():
        raise OptionError(f"zones '{name}' hold no polygon", hint="give polygons to --zones")
    notes: list[str] = []
    if others := int((~is_polygon).sum()):
        notes.append(f"{others} features of '{name}' are no polygons and are left out")
    frame = frame[is_polygon]
    chosen = (
        _telling_field(frame, fields, name, notes)
        if field is None
        else _wanted_field(fields, field, name)
    )
    texts = list(map(str, frame.index)) if chosen is None else _texts(frame, chosen)
    named = gpd.GeoDataFrame({"zone": texts}, geometry=frame.geometry.to_numpy(), crs=frame.crs)
    named = named[named["zone"] != ""]
    if named.empty:
        raise OptionError(
            f"no zone of '{name}' has a value in the field '{chosen}'",
            hint=f"choose another field with --zone-field: it has {quoted(fields)}",
        )
    if unnamed := len(frame) - len(named):
        notes.append(f"{unnamed} zones have no value in the field '{chosen}' and are left out")
    if (count := named["zone"].nunique()) < len(named):
        notes.append(
            f"{len(named)} features of '{name}' make {count} zones: those of one value in the field '{chosen}' are joined"
        )
    return named, chosen, notes


def _wanted_field(fields: Sequence[str], field: str, name: str) -> str:
    found = find_name(field, fields)
    if found is None:
        raise OptionError(
            f"zones '{name}' have no field '{field}', only {quoted(fields)}",
            hint=f"choose one of them with --zone-field{did_you_mean(field, fields)}",
        )
    return found


def _telling_field(
    frame: gpd.GeoDataFrame, fields: Sequence[str], name: str, notes: list[str]
) -> str | None:
    """First of `FIELDS` that tells all zones apart; None without one. Notes get what users may not expect.

    Editors make a field `id` without being asked, and leave it empty or 0.
    """
    by_lower = {one.lower(): one for one in reversed(fields)}
    passed: list[str] = []
    chosen = None
    for one in (by_lower[lower] for lower in FIELDS if lower in by_lower):
        texts = _texts(frame, one)
        if "" not in texts and len(set(texts)) == len(texts):
            chosen = one
            break
        passed.append(one)
    if chosen is None and not passed and fields:
        notes.append(
            f"zones of '{name}' are numbered, as no field has a usual name; --zone-field takes one of {quoted(fields)}"
        )
    if passed:
        named = "numbered" if chosen is None else f"named by the field '{chosen}'"
        which = f"the field{'s' if len(passed) > 1 else ''} {quoted(passed)}"
        notes.append(
            f"zones of '{name}' are {named}, as {which} would not tell them apart; --zone-field takes another field"
        )
    return chosen


def _texts(frame: gpd.GeoDataFrame, field: str) -> list[str]:
    return [_text(value) for value in frame[field]]


def _text(value: object) -> str:
    """Name of a zone: whole numbers without a fraction, nothing for a missing value."""
    if value is None or bool(pd.isna(value)):  # type: ignore[call-overload]
        return ""
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return " ".join(clean_name(value).split())
