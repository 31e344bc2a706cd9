"""GeoPackages of points: equal content gives equal bytes, in a version that every QGIS knows."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pyogrio
from pyproj import CRS

from hsi_geo.io.labels.suggested_points import SuggestedPoint, write_suggested_points


def test_equal_points_give_equal_bytes(tmp_path: Path) -> None:
    points = [SuggestedPoint(1, 5e5, 5e6, "rye", 40), SuggestedPoint(2, 5.1e5, 5e6, "oats", 61)]
    for name, time in (("a", "2026-01-01T00:00:00.000Z"), ("b", "2027-01-01T00:00:00.000Z")):
        (tmp_path / name).mkdir()
        pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": time})
        try:
            write_suggested_points(points, CRS.from_epsg(32633), tmp_path / name / "p.gpkg")
            assert pyogrio.get_gdal_config_option("OGR_CURRENT_DATE") == time
        finally:
            pyogrio.set_gdal_config_options({"OGR_CURRENT_DATE": None})
    one, other = (tmp_path / name / "p.gpkg" for name in ("a", "b"))
    assert one.read_bytes() == other.read_bytes()
    with sqlite3.connect(one) as database:
        assert database.execute("pragma user_version").fetchone() == (10200,)
