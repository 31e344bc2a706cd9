"""Names of zones: features whose names are one text are one zone."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from hsi_geo.io.labels.zones import read_zones
from hsi_geo.tiling import Grid

GRID = Grid(6, 9, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 6.0), CRS.from_epsg(32633))


@pytest.mark.parametrize(
    ("other", "count"),
    [
        ("Wa\N{COMBINING DIAERESIS}lder", 1),
        (" W\N{LATIN SMALL LETTER A WITH DIAERESIS}lder\n", 1),
        ("\N{ZERO WIDTH NO-BREAK SPACE}W\N{LATIN SMALL LETTER A WITH DIAERESIS}lder", 1),
        ("w\N{LATIN SMALL LETTER A WITH DIAERESIS}lder", 2),
    ],
)
def test_one_name_in_two_forms_is_one_zone(other: str, count: int, tmp_path: Path) -> None:
    names = ["W\N{LATIN SMALL LETTER A WITH DIAERESIS}lder", other]
    shapes = [shapely.box(0, 0, 2, 3), shapely.box(4, 0, 9, 3)]
    gpd.GeoDataFrame({"zone": names}, geometry=shapes, crs=GRID.crs).to_file(tmp_path / "a.gpkg")
    zones = read_zones(tmp_path / "a.gpkg", GRID, field="zone").zones
    assert [zone.geometry.area for zone in zones] == ([21.0] if count == 1 else [6.0, 15.0])
    assert zones[0].name == names[0]
