"""Coded domains of GeoPackages name the classes."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from hsi_geo.io.labels.coded_domains import names_of_codes
from hsi_geo.io.labels.shot_reading import read_shots


def coded(path: Path, field: str = "crop", kind: str = "enum") -> Path:
    """Three points of the classes 1, 2 and 7, of which a domain names the first two."""
    places = gpd.points_from_xy([1.0, 2.0, 4.0], [5.0, 3.0, 2.0])
    frame = gpd.GeoDataFrame({"crop": [2, 1, 7]}, geometry=places, crs="EPSG:32633")
    frame.to_file(path, layer="Plots", driver="GPKG", engine="pyogrio")
    with closing(sqlite3.connect(path)) as opened:
        opened.executescript(
            f"""
            CREATE TABLE gpkg_data_columns (table_name TEXT, column_name TEXT, constraint_name TEXT);
            CREATE TABLE gpkg_data_column_constraints
                (constraint_name TEXT, constraint_type TEXT, value TEXT, description TEXT);
            INSERT INTO gpkg_data_columns VALUES ('Plots', '{field}', 'crops');
            INSERT INTO gpkg_data_column_constraints VALUES
                ('crops', '{kind}', '1', 'winter rye '), ('crops', '{kind}', '2', 'oats'),
                ('crops', '{kind}', '3', 'never'), ('others', '{kind}', '7', 'no');
            """
        )
    return path


def names(path: Path) -> list[tuple[int | None, str]]:
    return [(one.value, one.name) for one in read_shots(path).classes]


def test_classes_have_the_names_of_their_domain(tmp_path: Path) -> None:
    path = coded(tmp_path / "a#b ?.gpkg")
    assert names(path) == [(1, "winter rye"), (2, "oats"), (7, "7")]


def test_a_style_has_precedence(tmp_path: Path) -> None:
    path = coded(tmp_path / "a.gpkg")
    (tmp_path / "a.qml").write_text(
        '<qgis><renderer-v2 type="categorizedSymbol" attr="crop"><categories>'
        '<category value="1" label="rye" symbol="0"/><category value="2" label="2" symbol="0"/>'
        '</categories><symbols><symbol name="0"/></symbols></renderer-v2></qgis>'
    )
    assert names(path) == [(1, "rye"), (2, "oats"), (7, "7")]


@pytest.mark.parametrize(("field", "kind"), [("other", "enum"), ("crop", "glob")])
def test_other_fields_and_constraints_name_nothing(field: str, kind: str, tmp_path: Path) -> None:
    assert names(coded(tmp_path / "a.gpkg", field, kind)) == [(1, "1"), (2, "2"), (7, "7")]


def test_files_without_domains_name_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.gpkg").write_text("no database at all, and long enough to be read as one")
    assert names_of_codes(str(tmp_path / "a.gpkg"), "a", "class") == {}
    assert names_of_codes(str(tmp_path / "b.gpkg"), "a", "class") == {}
    places = gpd.GeoDataFrame({"crop": [1]}, geometry=[shapely.Point(1, 2)], crs=4326)
    places.to_file(tmp_path / "c.gpkg")
    assert names_of_codes(str(tmp_path / "c.gpkg"), "c", "crop") == {}
