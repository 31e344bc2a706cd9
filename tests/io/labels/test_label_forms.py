"""Shots as programs write them: tables with any usual columns, rasters, and files of any name."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders import write_tif
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from shots_cases import GRID
from spot_cases import NO_VECTOR_FILE, SPOTS, points, spots, table

from hsi_geo.errors import ClassFieldError, ShotsError
from hsi_geo.io.labels.point_tables import Columns, _coordinates, find_columns
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import make_shots

# Tables that end in .txt ------------------------------------------------------------------------


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("ending", ["txt", "TXT"])
def test_read_shots_reads_txt_tables_like_csv(
    tmp_path: Path, separator: str, encoding: str, ending: str
) -> None:
    frame = points(labels=("Gewässer", "Wald", "Gewässer"))
    path = table(tmp_path / "a!b.csv", "x", "y", frame, separator)
    text = path.read_text(encoding="utf-8")
    for one in (path, path.with_suffix(f".{ending}")):
        one.write_text(text, encoding=encoding)
        assert spots(one, class_field="class") == list(SPOTS)
    same = [read_shots(one, class_field="class") for one in (path, path.with_suffix(f".{ending}"))]
    assert same[0].classes == same[1].classes
    assert same[0].in_scene_frame == same[1].in_scene_frame
    notes = [[note.replace("b.csv", f"b.{ending}") for note in one.notes] for one in same]
    assert notes[0] == notes[1]


def test_read_shots_takes_crs_and_types_beside_txt_table(tmp_path: Path) -> None:
    path = table(tmp_path / "a.txt", "x", "y", points(32632, labels=("1", "2", "1")))
    path.with_suffix(".prj").write_text(CRS.from_epsg(32632).to_wkt("WKT1_ESRI"))
    path.with_suffix(".csvt").write_text('"Integer","Real","String","Real"')
    assert spots(path, class_field="class") == list(SPOTS)
    assert [c.value for c in read_shots(path, class_field="class").classes] == [None, None]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,class\n1,2,x\n3,4,y\n", "is a table without geometry; call the columns"),
        ("Some words,\nand more of them.\n", "is a table without geometry"),
        ("", NO_VECTOR_FILE),
    ],
)
@pytest.mark.parametrize("ending", ["csv", "txt"])
def test_read_shots_refuses_txt_without_points_as_csv(
    tmp_path: Path, text: str, message: str, ending: str
) -> None:
    (tmp_path / f"a.{ending}").write_text(text)
    with pytest.raises(ShotsError, match=message):
        read_shots(tmp_path / f"a.{ending}")


# Columns of tables ----------------------------------------------------------------------------

METRES = (
    *(("x", "y"), ("X", "Y"), ("POINT_X", "POINT_Y"), ("X_Coord", "Y_Coord"), ("XCOORD", "YCOORD")),
    *(("x_coordinate", "y_coordinate"), ("coord_x", "coord_y"), ("xcoord", "ycoord")),
    *(("INSIDE_X", "INSIDE_Y"), ("CENTROID_X", "CENTROID_Y"), ("x (m)", "y (m)"), ("geom_x", "geom_y")),
    *(("UTM_E", "UTM_N"), ("E", "N"), ("East", "North"), ("Easting", "Northing"), ("utm_x", "utm_y")),
    *(("UTM Easting", "UTM Northing"), ("Rechtswert", "Hochwert"), ("EASTINGS", "NORTHINGS")),
)  # fmt: skip
DEGREES = (
    *(("lon", "lat"), ("LON", "LAT"), ("long", "lat"), ("Lng", "Lat"), ("Longitude", "Latitude")),
    *(("decimalLongitude", "decimalLatitude"), ("lon_dd", "lat_dd"), ("GPS_Longitude", "GPS_Latitude")),
    *(("LON_WGS84", "LAT_WGS84"), ("longitude (deg)", "latitude (deg)"), ("DDLon", "DDLat")),
    *(("Längengrad", "Breitengrad"),),
)  # fmt: skip


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("names", "crs"), [*((n, 32633) for n in METRES), *((n, 4326) for n in DEGREES)]
)
def test_read_shots_finds_coordinate_columns(
    tmp_path: Path, names: tuple[str, str], crs: int, separator: str
) -> None:
    path = table(tmp_path / "a.csv", *names, points(crs), separator)
    assert spots(path, class_field="class") == list(SPOTS)


@pytest.mark.parametrize("column", ["WKT", "wkt_geom", "geometry", "geom", "the_geom"])
def test_read_shots_reads_well_known_text(tmp_path: Path, column: str) -> None:
    frame = points()
    rows = [f'"{p.wkt}",{name}' for p, name in zip(frame.geometry, frame["class"], strict=True)]
    (tmp_path / "a.csv").write_text("\n".join([f"{column},class", *rows]))
    assert spots(tmp_path / "a.csv") == list(SPOTS)


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (["x", "y", "lon", "lat"], Columns(("x", "y"))),
        (["lon", "lat", "POINT_X", "POINT_Y"], Columns(("lon", "lat"), True)),
        (["lon", "lat", "x_coord", "y_coord"], Columns(("x_coord", "y_coord"))),
        (["x", "Y_COORD", "X_COORD"], Columns(("X_COORD", "Y_COORD"))),
        (["x", "lat"], None),
        (["max_x", "max_y"], None),
        (["east_field", "north_field"], Columns(("east_field", "north_field"))),
        (["xylem", "y"], None),
        (["index", "any"], None),
        ([], None),
    ],
)
def test_coordinates_prefers_the_shortest_affix(header: list[str], found: Columns | None) -> None:
    assert _coordinates(header) == found


@given(header=st.lists(st.text(max_size=60), max_size=6))
def test_coordinates_accepts_any_header(header: list[str]) -> None:
    found = _coordinates(header)
    assert found is None or set(found.names) <= set(header)


def test_coordinates_is_fast_for_long_names() -> None:
    assert _coordinates(["m" * 5000 + "?", "degreedegmmeters" * 400 + "y"]) is None


@pytest.mark.parametrize(
    ("header", "rows", "kind", "crs"),
    [
        ("WKT;lon;lat;class", "{square};13.5;52.5;{name}", "Polygon", None),
        ("lon;_WKTgeom;lat;class", "13.5;{square};52.5;{name}", "Polygon", None),
        ("lon;lat;WKT;class", "13.5;52.5;{square};{name}", "Point", 4326),
        ("WKT;lon;lat;class", ";13.5;52.5;{name}", "Point", 4326),
        ("wkt_class;lon;lat;class", "x;13.5;52.5;{name}", "Point", 4326),
    ],
    ids=["first", "between", "last", "empty", "another-name"],
)
def test_a_column_wkt_before_coordinates_is_the_geometry(
    tmp_path: Path, header: str, rows: str, kind: str, crs: int | None
) -> None:
    square = "POLYGON ((40 60, 90 60, 90 95, 40 60))"
    lines = [rows.format(square=square, name=name) for name in ("roof", "tree")]
    path = tmp_path / "a.csv"
    path.write_text("\n".join([header, *lines]) + "\n")
    shots = read_shots(path)
    assert set(shots.frame.geom_type) == {kind}
    assert shots.frame.crs == crs
    assert [one.name for one in shots.classes] == ["roof", "tree"]


def test_read_shots_lists_columns_of_table_without_coordinates(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a,b,class\n1,2,x\n3,4,y\n")
    assert find_columns(str(tmp_path / "a.csv")) is None
    with pytest.raises(
        ShotsError, match=r"call the columns .* lon and lat .* it has 'a', 'b', 'class'"
    ):
        read_shots(tmp_path / "a.csv")


@pytest.mark.parametrize(
    ("header", "suggestion"),
    [
        ("longitud,lattitude,class", "'longitude' for 'longitud' and 'latitude' for 'lattitude'"),
        ("Longitute,latitude,class", "'longitude' for 'Longitute'"),  # codespell:ignore
        ("eastin;northin;class", "'easting' for 'eastin' and 'northing' for 'northin'"),
        ("Rechtwert\tHochwert\tclass", "'rechtswert' for 'Rechtwert'"),
        ("longitud,height,class", None),
        ("e1,n1,class", None),
        ("first,last,class", None),
    ],
)
def test_misspelt_coordinate_columns_get_a_suggestion(
    tmp_path: Path, header: str, suggestion: str | None
) -> None:
    separator = max(",;\t", key=header.count)
    (tmp_path / "a.csv").write_text(f"{header}\n{separator.join('12x')}\n")
    with pytest.raises(ShotsError) as caught:
        read_shots(tmp_path / "a.csv")
    asked = "" if suggestion is None else f". Did you mean {suggestion}?"
    assert str(caught.value).endswith(f"'class'{asked}")


@pytest.mark.parametrize(
    ("fields", "suggestion"),
    [
        (("clas", "remark"), "clas"),
        (("kind", "Lable"), "Lable"),  # codespell:ignore
        (("kind", "remark"), None),
    ],
)
def test_a_misspelt_class_column_gets_a_suggestion(
    tmp_path: Path, fields: tuple[str, str], suggestion: str | None
) -> None:
    (tmp_path / "a.csv").write_text(f"x,y,{fields[0]},{fields[1]}\n1,2,a,b\n3,4,c,d\n")
    with pytest.raises(ClassFieldError) as caught:
        read_shots(tmp_path / "a.csv")
    asked = "" if suggestion is None else f". Did you mean '{suggestion}'?"
    assert str(caught.value).endswith(f"class_field={asked}")


@pytest.mark.parametrize(
    ("names", "crs", "message"),
    [
        (("x", "y"), 4326, "if these are degrees, call their columns lon and lat"),
        (("POINT_X", "POINT_Y"), 4326, "if these are degrees, call their columns lon and lat"),
        (("y", "x"), 32633, "exchange their x and y"),
        (("lat", "lon"), 4326, "exchange their x and y"),
        (("x", "y"), 32632, "check the coordinate reference systems of both"),
    ],
)
def test_burn_hints_why_shots_are_outside(
    tmp_path: Path, names: tuple[str, str], crs: int, message: str
) -> None:
    path = table(tmp_path / "a.csv", *names, points(crs))
    with pytest.raises(ShotsError, match=message):
        spots(path, class_field="class")


def test_read_shots_refuses_a_duplicated_class_field(tmp_path: Path) -> None:
    rows = [f"{p.x},{p.y},{n},{n}2,c{n}" for p, n in zip(points().geometry, "aba", strict=True)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["x,y,class,class,kind", *rows]))
    for field in (None, "class"):
        with pytest.raises(
            ClassFieldError, match="have several fields 'class'; rename all but one"
        ):
            read_shots(path, class_field=field)
    assert [c.name for c in read_shots(path, class_field="kind").classes] == ["ca", "cb"]


def test_make_shots_refuses_too_many_classes() -> None:
    """Names of features, comments: a network that tells thousands apart would be of no use."""
    places = gpd.GeoSeries(shapely.points(np.arange(2002.0).reshape(-1, 2)))
    with pytest.raises(ShotsError, match=r"1001 different classes, from 'c0' to 'c999', and 1000"):
        make_shots(places, [f"c{number}" for number in range(1001)])
    assert len(make_shots(places[:1000], list(range(1000))).classes) == 1000


# Rasters --------------------------------------------------------------------------------------


@pytest.mark.parametrize("nodata", [None, np.nan, -9999.0, 0.0])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_read_shots_ignores_nan_and_infinity_in_rasters(
    tmp_path: Path, dtype: str, nodata: float | None
) -> None:
    """NaN and infinities; no warning of numpy's reaches people, which would be an error here."""
    ids = np.full((1, 12, 17), np.nan, dtype)
    ids[0, 1, 2:5], ids[0, 8, 9:], ids[0, 9, 0], ids[0, 9, 1] = 3.0, 7.0, np.inf, -np.inf
    shots = read_shots(write_tif(tmp_path / "ids.tif", ids, nodata=nodata))
    assert burn(shots, GRID).counts(shots.classes) == {"3": 3, "7": 8}


def test_read_shots_ignores_attribute_rows_without_numbers(tmp_path: Path) -> None:
    ids = np.zeros((1, 12, 17), "uint8")
    ids[0, 1, 2:5], ids[0, 8, 9:] = 3, 7
    path = write_tif(tmp_path / "ids.tif", ids)
    rows = [
        ("three", "soil"),
        ("7", "water"),
        ("", "x"),
        ("nan", "y"),
        ("1e400", "z"),
        ("3.5", "w"),
    ]
    fields = "".join(
        f'<FieldDefn index="{i}"><Name>{i}</Name><Type>2</Type><Usage>{usage}</Usage></FieldDefn>'
        for i, usage in enumerate((5, 2))
    )
    text = "".join(
        f'<Row index="{i}"><F>{value}</F><F>{name}</F></Row>'
        for i, (value, name) in enumerate(rows)
    )
    path.with_name("ids.tif.aux.xml").write_text(
        '<PAMDataset><PAMRasterBand band="1"><GDALRasterAttributeTable tableType="thematic">'
        f"{fields}{text}</GDALRasterAttributeTable></PAMRasterBand></PAMDataset>"
    )
    assert [c.name for c in read_shots(path).classes] == ["3", "water"]


# Names of files -------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["gpkg", "shp", "geojson", "csv", "tif"])
@pytest.mark.parametrize("stem", ["a!b", "a;b", "zip!x", "a b#c%20", "草地"])
def test_read_shots_opens_files_of_any_name(tmp_path: Path, ending: str, stem: str) -> None:
    folder = tmp_path / "with!"
    folder.mkdir()
    made = tmp_path / f"made.{ending}"
    if ending == "tif":
        ids = np.zeros((1, 12, 17), "uint8")
        for (row, col), value in zip(SPOTS, (1, 2, 1), strict=True):
            ids[0, row, col] = value
        write_tif(made, ids)
    elif ending == "csv":
        table(made, "x", "y", points())
    else:
        points().to_file(made)
    for part in tmp_path.glob("made.*"):
        part.rename(folder / f"{stem}{part.suffix}")
    path = folder / f"{stem}.{ending}"
    how: Any = {} if ending == "tif" else {"class_field": "class"}
    shots = read_shots(path, **how)
    assert burn(shots, GRID).counts(shots.classes) in ({"a": 2, "b": 1}, {"1": 2, "2": 1})
    assert shots.source == str(path)


def test_read_shots_refuses_file_names_that_are_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"gew\xe4sser.csv")
    path.write_text("x,y,class\n1,2,a\n3,4,b\n")
    with pytest.raises(ShotsError, match=r"is not named in UTF-8.*; rename the file"):
        read_shots(path)
