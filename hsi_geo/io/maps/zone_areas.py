"""Areas of the classes of a map in zones: counted by pixel centres, and written as a table."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely

from hsi_geo.arrays import BoolArray, IntArray
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.geopackages import layer_name
from hsi_geo.io.labels.pixel_centres import are_centres_in, area_mask
from hsi_geo.io.labels.zones import Zone
from hsi_geo.io.maps.areas import area_decimals, pixel_areas_ha
from hsi_geo.io.maps.reader import STRIP_PX, ReadMap
from hsi_geo.io.maps.vector_files import LayerWriter, writing_layer
from hsi_geo.text import spreadsheet_text
from hsi_geo.tiling import Grid, Window, blocks

#: Suffixes of tables that can be written.
TABLES = (".csv", ".gpkg")

#: Name of the table in a GeoPackage.
_TABLE = "areas"

#: Columns of the table that hold hectares.
_HECTARES = ("mapped_ha", "hectares", "hectares_se")


@dataclass(frozen=True, slots=True)
class ZoneArea:
    """Area of one class in one zone.

    Attributes:
        zone: Name of the zone.
        value: Value of the class in the map; None for a class that only the reference has.
        name: Name of the class.
        pixels: Number of pixels of the class whose centres lie in the zone.
        mapped_ha: Their area in hectares; None if the CRS does not define it.
        mapped_percent: Their share of the zone's pixels with a class or rejected, in per cent.
        hectares: Estimated area in hectares: with a reference corrected for the map's errors, else ``mapped_ha``.
        hectares_se: Standard error of ``hectares``; None if nothing is known of the map's errors.
        percent: ``hectares`` in per cent of the zone, as ``mapped_percent``.
        percent_se: ``hectares_se`` in per cent of the zone.
        basis: What the error is computed from: "reference", "held-out shots", or "" for nothing.
        places: Number of places of the reference in the zone; None without a reference.
        own_percent: Share of the zone's area whose error rates come from places in it, in per cent; None without a reference.
    """

    zone: str
    value: int | None
    name: str
    pixels: int
    mapped_ha: float | None
    mapped_percent: float
    hectares: float | None
    hectares_se: float | None
    percent: float
    percent_se: float | None
    basis: str
    places: int | None = None
    own_percent: float | None = None


@dataclass(frozen=True, eq=False)
class ZoneCount:
    """Pixels of a map in a zone.

    Attributes:
        pixels: Number of pixels by value.
        areas: Their area by value, in hectares, or in pixels if the CRS does not define hectares.
    """

    pixels: Mapping[int, int]
    areas: Mapping[int, float]


def count_zone(opened: ReadMap, zone: Zone) -> ZoneCount:
    """Count the pixels of a map whose centres lie in a zone.

    Args:
        opened: The map.
        zone: The zone.
    """
    pixels: dict[int, int] = {}
    areas: dict[int, float] = {}
    of_grid = pixel_areas_ha(opened.grid)
    window = _window(zone.geometry, opened.grid)
    for part in blocks(window.height, window.width, STRIP_PX, max(1, window.width)):
        strip = Window(part.row + window.row, part.col + window.col, part.height, part.width)
        inside = area_mask(zone.geometry, opened.grid, strip)
        if not inside.any():
            continue
        values = opened.read(strip)
        known = inside & ~np.ma.getmaskarray(values)
        sizes = np.ones(known.sum()) if of_grid is None else of_grid.of(strip)[known]
        present, index = np.unique(values.data[known], return_inverse=True)
        for value, count, area in zip(
            present.tolist(),
            np.bincount(index, minlength=len(present)).tolist(),
            np.bincount(index, sizes, minlength=len(present)).tolist(),
            strict=True,
        ):
            pixels[value] = pixels.get(value, 0) + count
            areas[value] = areas.get(value, 0.0) + area
    return ZoneCount(dict(sorted(pixels.items())), dict(sorted(areas.items())))


def are_in_zone(zone: Zone, grid: Grid, rows: IntArray, cols: IntArray) -> BoolArray:
    """Whether the centres of pixels lie in a zone.

    Args:
        zone: The zone.
        grid: Pixels of the map.
        rows: (N,) rows.
        cols: (N,) columns.
    """
    return are_centres_in(zone.geometry, grid, rows, cols)


def _window(geometry: shapely.Geometry, grid: Grid) -> Window:
    if geometry.is_empty:
        return Window(0, 0, 0, 0)
    clipped = shapely.intersection(shapely.box(*grid.bounds), shapely.box(*geometry.bounds))
    if clipped.is_empty:
        return Window(0, 0, 0, 0)
    return grid.window_of(clipped.bounds).grow(1).clip(*grid.shape)


def require_table_name(path: Path) -> Path:
    """Refuse a table whose name is not that of a format that can be written.

    Args:
        path: Where the table is to be written.

    Raises:
        OptionError: If it does not end in .csv or .gpkg.
    """
    if path.suffix.lower() not in TABLES:
        raise OptionError(
            f"output '{path}' does not end in {' or '.join(TABLES)}",
            hint="tables of zones are written as CSV, or with the zones as GeoPackage",
        )
    return path


def write_zone_table(
    rows: Sequence[ZoneArea], zones: Sequence[Zone], grid: Grid, path: Path
) -> None:
    """Write the areas of zones: a CSV, or a GeoPackage that has the zones and the table ``areas``.

    The layer of zones has the name of the file, or is ``zones`` where the table has that name. Each zone has the class of
    the largest estimated area.

    Args:
        rows: The areas.
        zones: The zones, for a GeoPackage.
        grid: Pixels of the map, whose CRS the zones have.
        path: File to write.

    Raises:
        OutputError: If the disk is full or gone.
    """
    table = pd.DataFrame(
        [dataclasses.asdict(row) for row in rows],
        columns=[field.name for field in dataclasses.fields(ZoneArea)],
    )
    decimals = dict.fromkeys(_HECTARES, area_decimals(grid))
    table["value"] = table["value"].astype("Int64")  # with gaps
    for column in table.columns:
        if table[column].dtype.kind == "f":
            table[column] = table[column].round(decimals.get(str(column), 3))
    if path.suffix.lower() == ".csv":
        for column in ("zone", "name"):
            table[column] = [spreadsheet_text(text) for text in table[column]]
        table.to_csv(path, index=False, lineterminator="\n", encoding="utf-8")
        return
    best = table.sort_values("percent", ascending=False, kind="stable").drop_duplicates("zone")
    frame = pd.DataFrame({"zone": [zone.name for zone in zones]}).merge(
        best[["zone", "name", "percent", "percent_se"]].rename(columns={"name": "largest_class"}),
        on="zone",
        how="left",
    )
    shapes = [
        shapely.MultiPolygon([p for p in _polygons(zone.geometry) if not p.is_empty])
        for zone in zones
    ]
    crs = None if grid.crs is None else grid.crs.to_wkt()
    with LayerWriter(path, layer_name(path, "zones", [_TABLE])) as writer:
        writer.write(gpd.GeoDataFrame(frame, geometry=shapes, crs=crs))
    kinds = {"value": "Int64", "pixels": "int64", "zone": "str", "name": "str", "basis": "str"}
    numbers = table.astype({column: kinds.get(str(column), "float64") for column in table.columns})
    with writing_layer(path):
        pyogrio.write_dataframe(numbers, path, layer=_TABLE, driver="GPKG")


def _polygons(geometry: shapely.Geometry) -> list[shapely.Polygon]:
    parts = shapely.get_parts(shapely.get_parts(geometry))
    return [one for one in parts if one.geom_type == "Polygon"]
