"""Shots as programs write them: Shapefiles in archives or in parts, tables with any usual columns."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import shapely
from builders import snapshot, write_tif
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS
from shots_cases import GRID, archive_of, points_at

from hsi_geo.errors import ClassFieldError, ShotsError
from hsi_geo.io.labels import archives
from hsi_geo.io.labels.point_tables import Columns, _coordinates, find_columns
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import make_shots

SPOTS = ((1, 2), (3, 5), (8, 11))
PARTS = (".shp", ".shx", ".dbf", ".prj", ".cpg")


def points(crs: int = 32633, labels: Sequence[str] = "aba") -> Any:
    return points_at(SPOTS, labels).to_crs(crs)


def spots(path: Path, **how: Any) -> list[tuple[int, int]]:
    pixels = burn(read_shots(path, **how), GRID)
    return list(zip(pixels.rows.tolist(), pixels.cols.tolist(), strict=True))


# Shapefiles -----------------------------------------------------------------------------------


@pytest.fixture
def shapes(tmp_path: Path) -> Path:
    """A folder of two Shapefiles, ``a`` and ``b``, of other classes."""
    folder = tmp_path / "shapes"
    folder.mkdir()
    points().to_file(folder / "a.shp")
    points(labels="xyx").to_file(folder / "b.shp")
    return folder


def packed(
    path: Path,
    shapes: Path,
    *inside: str,
    parts: tuple[str, ...] = PARTS,
    texts: Mapping[str, str] = MappingProxyType({}),
) -> Path:
    """An archive of Shapefiles; ``a`` or ``b`` after the folder of each.

    ``texts`` gives the content of other files by their names.
    """
    files = {
        f"{place}{suffix}": (shapes / f"{Path(place).name}{suffix}").read_bytes()
        for place in inside
        for suffix in parts
    }
    return archive_of(path, files | {name: text.encode() for name, text in texts.items()})


ARCHIVES = ("x.zip", "x.tar", "x.tar.gz", "x.tgz")


@pytest.mark.parametrize(
    "name", [*ARCHIVES, "x.ZIP", "x.TAR.GZ", "with } and !.zip", "with } and !.tar", "x.shp.zip"]
)
@pytest.mark.parametrize("place", ["a", "data/a", "data/deep/a", "mit Blank/a", "./a"])
def test_read_shots_finds_shapefile_anywhere_in_archive(
    tmp_path: Path, shapes: Path, name: str, place: str
) -> None:
    assert spots(packed(tmp_path / name, shapes, place)) == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_reads_large_layers_inside_their_archive(
    tmp_path: Path, shapes: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "_UNPACKED_BYTES", 10)
    assert spots(packed(tmp_path / name, shapes, "data/a")) == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_ignores_other_files_in_archive(tmp_path: Path, shapes: Path, name: str) -> None:
    others = {"readme.txt": "nothing", "__MACOSX/data/._a.shp": "x", "data/a.shp.xml": "<m/>"}
    assert spots(packed(tmp_path / name, shapes, "data/a", texts=others)) == list(SPOTS)
    for ending, driver in (("gpkg", "GPKG"), ("geojson", "GeoJSON"), ("csv", None)):
        made = tmp_path / f"g.{ending}"
        if driver is None:
            table(made, "x", "y", points())
        else:
            points().to_file(made, driver=driver)
        path = archive_of(
            tmp_path / f"{ending}-{name}",
            {f"q/g.{ending}": made.read_bytes(), "readme.txt": b"nothing"},
        )
        assert spots(path, class_field="class") == list(SPOTS)


@pytest.mark.parametrize("name", ARCHIVES)
@pytest.mark.parametrize("inside", [("a", "b"), ("q/a", "q/b"), ("a/a", "b/b"), ("a", "q/b")])
def test_read_shots_needs_layer_for_several_shapefiles_in_archive(
    tmp_path: Path, shapes: Path, inside: tuple[str, str], name: str
) -> None:
    path = packed(tmp_path / name, shapes, *inside)
    with pytest.raises(ShotsError, match="has 2 layers: 'a', 'b'; choose one with layer="):
        read_shots(path)
    assert [c.name for c in read_shots(path, layer="b").classes] == ["x", "y"]
    with pytest.raises(ShotsError, match=r"layer 'c', only|has 2 layers: 'a', 'b'"):
        read_shots(path, layer="c")


@pytest.mark.parametrize("spelt", [str.lower, str.upper])
def test_read_shots_names_missing_parts_of_shapefile(
    tmp_path: Path, shapes: Path, spelt: Any
) -> None:
    """And nothing is made beside a file that people gave."""
    folder = tmp_path / "alone"
    folder.mkdir()
    for suffix in (".shp", ".dbf", ".prj"):
        shutil.copy(shapes / f"a{suffix}", folder / spelt(f"a{suffix}"))
    before = snapshot(tmp_path)
    with pytest.raises(ShotsError, match=r"lacks '(?i:a\.shx)', the index .* SHAPE_RESTORE_SHX"):
        read_shots(folder / spelt("a.shp"))
    assert snapshot(tmp_path) == before
    shutil.copy(shapes / "a.shx", folder / spelt("a.shx"))
    assert spots(folder / spelt("a.shp")) == list(SPOTS)
    (folder / spelt("a.dbf")).unlink()
    with pytest.raises(ClassFieldError, match=r"have no fields; copy the \.dbf file"):
        read_shots(folder / spelt("a.shp"))


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_names_missing_index_in_archive(tmp_path: Path, shapes: Path, name: str) -> None:
    path = packed(tmp_path / name, shapes, "q/a", parts=(".shp", ".dbf"))
    with pytest.raises(ShotsError, match=rf"{re.escape(name)}' lacks 'a\.shx'"):
        read_shots(path)


NO_VECTOR_FILE = "is not a vector file that GDAL can open; give a GeoPackage, Shapefile or GeoJSON"


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_refuses_archives_without_features(
    tmp_path: Path, shapes: Path, name: str
) -> None:
    """The same sentence whether an archive holds nothing of use, is damaged or is no archive."""
    whole = packed(tmp_path / name, shapes, "a").read_bytes()
    broken = bytes(reversed(whole[: len(whole) // 2]))
    cut = whole[: min(600, len(whole) // 2)]
    for content in (None, broken, cut, b"nothing", b""):
        path = tmp_path / f"other-{name}"
        if content is None:
            archive_of(path, {"readme.txt": b"nothing"})
        else:
            path.write_bytes(content)
        with pytest.raises(ShotsError, match=NO_VECTOR_FILE):
            read_shots(path)


def test_read_shots_refuses_archives_of_too_many_files(
    tmp_path: Path, shapes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(archives, "ARCHIVE_FILES", 3)
    for name in ARCHIVES:
        path = packed(tmp_path / name, shapes, "a")
        with pytest.raises(ShotsError, match="is an archive of more than 3 files; unpack it"):
            read_shots(path)


@pytest.mark.parametrize("name", ARCHIVES)
def test_read_shots_unpacks_beside_nothing(tmp_path: Path, name: str) -> None:
    """Names in an archive that lead out of it write no file there, and nothing is left behind."""
    points().to_file(tmp_path / "g.gpkg")
    path = archive_of(tmp_path / name, {"../../g.gpkg": (tmp_path / "g.gpkg").read_bytes()})
    before = snapshot(tmp_path)
    assert spots(path) == list(SPOTS)
    assert snapshot(tmp_path) == before


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


def table(path: Path, x: str, y: str, frame: Any, separator: str = ",") -> Path:
    rows = [("id", y, "class", x)]
    rows += [
        (str(n), repr(p.y), name, repr(p.x))
        for n, (p, name) in enumerate(zip(frame.geometry, frame["class"], strict=True))
    ]
    path.write_text("\n".join(separator.join(row) for row in rows), encoding="utf-8")
    return path


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
