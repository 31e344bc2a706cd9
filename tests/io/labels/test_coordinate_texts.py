"""Coordinates of tables: degrees, minutes and hemispheres, text with an SRID, and what cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import shapely
from pyproj import CRS

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.coordinate_texts import parse_coordinate
from hsi_geo.io.labels.shot_reading import read_shots


@pytest.mark.parametrize(
    ("text", "axis", "degrees"),
    [
        ("13.25", "x", 13.25),
        ("13,25", "x", 13.25),
        ("\u221213.25", "x", -13.25),
        ("13.25E", "x", 13.25),
        ("13,25 w", "x", -13.25),
        ("E 13.25", "x", 13.25),
        ("S52.5", "y", -52.5),
        ("13.25°", "x", 13.25),
        ("-13.25°", "x", -13.25),
        ("13°15'E", "x", 13.25),
        ("13°15′00.0″W", "x", -13.25),  # noqa: RUF001
        ("13º15’ E", "x", 13.25),  # noqa: RUF001
        ("52° 30' 36\" N", "y", 52.51),
        ("52°30'36''S", "y", -52.51),
        ("52:30:36", "y", 52.51),
        ("-52:30:36", "y", -52.51),
        ("52 30 36 N", "y", 52.51),
        ("52 30.6 N", "y", 52.51),
        ("N 52 30,6", "y", 52.51),
        ("", "x", None),
        ("north", "y", None),
        ("52 30 36", "y", None),  # may be a number with separated thousands
        ("5230.6N", "y", None),
        ("132436E", "x", None),
        ("13.25N", "x", None),
        ("52.5E", "y", None),
        ("13.25O", "x", None),
        ("-13.25W", "x", None),
        ("52°61'N", "y", None),
        ("52°30'61\"N", "y", None),
        ("52.5°30'N", "y", None),
        ("52°30.5'30\"N", "y", None),
        ("91°N", "y", None),
        ("N52.5N", "y", None),
        ("382,975.00", "x", None),
        ("5.820.000,0", "y", None),
    ],
)
def test_texts_of_degrees(text: str, axis: str, degrees: float | None) -> None:
    found = parse_coordinate(text, axis, degrees=True)
    assert found == (None if degrees is None else pytest.approx(degrees, abs=1e-12))


@pytest.mark.parametrize("text", ["13.25E", "13°15'E", "13:15:00"])
def test_only_degrees_have_hemispheres(text: str) -> None:
    assert parse_coordinate(text, "x", degrees=False) is None


def points_of(path: Path, text: str) -> list[tuple[float, float]]:
    path.write_text(text)
    return [(point.x, point.y) for point in read_shots(path).frame.geometry]


@pytest.mark.parametrize(
    "rows",
    [
        ["13.25,52.5,a", "13.5,52.25,b"],
        ["13.25E,52.5N,a", "13.5E,52.25N,b"],
        ["13°15'E,52°30'N,a", "13.5,52.25,b"],
        ["13.25,52.5N,a", "13°30'0.0,52.25,b"],
    ],
)
@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_tables_of_degrees(tmp_path: Path, rows: list[str], ending: str) -> None:
    text = "\n".join(["lon,lat,class", *rows])
    assert points_of(tmp_path / f"a.{ending}", text) == [(13.25, 52.5), (13.5, 52.25)]


def hexed(srid: int) -> str:
    point = shapely.set_srid(shapely.Point(4, 5), srid)
    return str(shapely.to_wkb(point, hex=True, include_srid=True))


@pytest.mark.parametrize(
    ("rows", "code"),
    [
        (["SRID=32633;POINT(4 5),a", "SRID=32633;POINT(6 5),b"], 32633),
        (["srid=32633; POINT (4 5),a", "POINT(6 5),b"], 32633),
        ([f"{hexed(32633)},a", "SRID=32633;POINT(6 5),b"], 32633),
        (["SRID=0;POINT(4 5),a", "POINT(6 5),b"], None),
    ],
)
def test_text_tells_its_srid(tmp_path: Path, rows: list[str], code: int | None) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["geom,class", *rows]))
    shots = read_shots(tmp_path / "a.csv")
    assert [(point.x, point.y) for point in shots.frame.geometry] == [(4, 5), (6, 5)]
    assert (None if shots.frame.crs is None else shots.frame.crs.to_epsg()) == code
    assert shots.in_scene_frame == (code is None)
    assert any("SRID" in note for note in shots.notes) == (code is not None and "POINT(6" in rows[1] and "SRID" not in rows[1])  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (["SRID=32633;POINT(4 5),a", "SRID=32632;POINT(6 5),b"], r"several SRID \(32632, 32633\)"),
        (["SRID=7;POINT(4 5),a", "SRID=7;POINT(6 5),b"], "the SRID 7, which PROJ does not know"),
    ],
)
def test_srid_that_cannot_be_used_is_refused(tmp_path: Path, rows: list[str], message: str) -> None:
    (tmp_path / "a.csv").write_text("\n".join(["geom,class", *rows]))
    with pytest.raises(ShotsError, match=message):
        read_shots(tmp_path / "a.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "cp1252"])
@pytest.mark.parametrize("ending", [".csv", ".txt", ".tsv"])
def test_srid_beside_another_crs_is_refused(tmp_path: Path, ending: str, encoding: str) -> None:
    text = "WKT\tclass\nSRID=32633;POINT(4 5)\tWälder\nSRID=32633;POINT(4 6)\tb\n"
    (tmp_path / f"a{ending}").write_text(text, encoding)
    for prj in ("EPSG:32632", CRS.from_epsg(25833).to_wkt("WKT1_ESRI")):
        (tmp_path / "a.prj").write_text(prj)
        with pytest.raises(ShotsError, match=r"SRID 32633, and the \.prj"):
            read_shots(tmp_path / f"a{ending}")


@pytest.mark.parametrize("kind", ["WKT1_ESRI", "WKT1_GDAL", "WKT2_2019"])
@pytest.mark.parametrize("code", [4326, 3035, 31468, 25833])
def test_srid_beside_the_same_crs(tmp_path: Path, code: int, kind: str) -> None:
    text = f"geometry\tclass\nSRID={code};POINT(4 5)\ta\nSRID={code};POINT(5 5)\tb\n"
    (tmp_path / "a.txt").write_text(text)
    (tmp_path / "a.prj").write_text(CRS.from_epsg(code).to_wkt(kind))
    assert read_shots(tmp_path / "a.txt").frame.crs.to_epsg() == code


@pytest.mark.parametrize(
    ("header", "cells", "shown"),
    [
        ("x;y", "382,975.00;5,820,000.00", "382,975.00, 5,820,000.00"),
        ("lon;lat", "13.25;52.5E", "13.25, 52.5E"),
        ("WKT", "POINT(4", "POINT(4"),
    ],
)
def test_coordinates_that_cannot_be_read_are_shown(
    tmp_path: Path, header: str, cells: str, shown: str
) -> None:
    path = tmp_path / "a.csv"
    path.write_text(f"{header};class\n{cells};a\n{cells};b\n")
    with pytest.raises(ShotsError, match="coordinates that could not be read") as caught:
        read_shots(path)
    assert f"such as '{shown}' of feature 1" in caught.value.message
    plain = {"x;y": "1;2", "lon;lat": "1;2", "WKT": "POINT(1 2)"}[header]
    empty = ";" * header.count(";")
    path.write_text(f"{header};class\n{plain};a\n{cells};b\n{plain};b\n{empty};b\n")
    shots = read_shots(path)
    assert shots.skipped == (
        "1 without geometry",
        f"1 with coordinates that could not be read, such as '{shown}' of feature 2",
    )
    assert len(shots.frame) == 2
