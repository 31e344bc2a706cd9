"""Text of labels in any encoding, stated, unstated or stated wrongly."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st
from shots_cases import archive_of, points_in_row

from hsi_geo.errors import OptionError
from hsi_geo.io.files.text_encoding import decode, decode_cell, find_codec
from hsi_geo.io.labels.class_styles import style_classes
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.labels.vectors import read_vector
from hsi_geo.io.maps.reader import read_map

GERMAN = ("Gewässer", "Grünland", "Wald")
CZECH = ("Louka", "Žito", "Vřesoviště")
CHINESE = ("水体", "草地", "森林")


def class_field(ending: str) -> str:
    """Field for the class. GDAL without libkml, as in older wheels, writes no other field into a KML than its name."""
    return "Name" if ending == "kml" else "class"


def names(shots: Shots) -> list[str]:
    return [c.name for c in shots.classes]


def about_text(shots: Shots) -> list[str]:
    return [note for note in shots.notes if "text of" in note]


# Shapefiles -----------------------------------------------------------------------------------


def shapefile(
    folder: Path,
    labels: tuple[str, ...],
    encoding: str,
    cpg: str | None,
    language: int,
    field: str = "class",
) -> Path:
    """With a .cpg file that says something, or none, and a language byte in the DBF file."""
    path = folder / "a.shp"
    points_in_row(labels, field).to_file(path, encoding=encoding)
    path.with_suffix(".cpg").unlink(missing_ok=True)
    if cpg is not None:
        path.with_suffix(".cpg").write_text(cpg)
    table = path.with_suffix(".dbf")
    content = bytearray(table.read_bytes())
    content[29] = language
    table.write_bytes(content)
    return path


@pytest.mark.parametrize("language", [0, 0x03, 0x57, 0x02, 0xC8])
@pytest.mark.parametrize("cpg", [None, "", "ISO-8859-1", "1252", "ANSI 1252", "850", "system"])
@pytest.mark.parametrize("labels", [GERMAN, CZECH, CHINESE])
def test_shapefile_text_in_utf8_is_decoded_whatever_is_stated(
    tmp_path: Path, labels: tuple[str, ...], cpg: str | None, language: int
) -> None:
    shots = read_shots(shapefile(tmp_path, labels, "UTF-8", cpg, language))
    assert names(shots) == sorted(labels)
    assert about_text(shots) == ["text of 'a.shp' taken for UTF-8"]


@pytest.mark.parametrize(
    ("labels", "encoding", "cpg", "language"),
    [
        (GERMAN, "UTF-8", "UTF-8", 0),
        (GERMAN, "UTF-8", "utf8", 0x57),
        (GERMAN, "ISO-8859-1", None, 0),
        (GERMAN, "ISO-8859-1", "88591", 0),
        (GERMAN, "CP1252", None, 0x57),
        (GERMAN, "CP850", None, 0x02),
        (GERMAN, "CP850", "850", 0),
        (CZECH, "CP1250", None, 0xC8),
        (CZECH, "CP1250", "1250", 0),
        (CHINESE, "CP936", None, 0x4D),
        (("Wald", "Wiese"), "UTF-8", None, 0),
    ],
)
def test_shapefile_text_is_decoded_as_stated_without_a_note(
    tmp_path: Path, labels: tuple[str, ...], encoding: str, cpg: str | None, language: int
) -> None:
    shots = read_shots(shapefile(tmp_path, labels, encoding, cpg, language))
    assert names(shots) == sorted(labels)
    assert not about_text(shots)


@pytest.mark.parametrize(
    ("labels", "encoding", "cpg", "language", "taken"),
    [
        (GERMAN, "ISO-8859-1", "UTF-8", 0, "Windows-1252"),
        (GERMAN, "CP1252", "UTF-8", 0x57, "Windows-1252"),
        (GERMAN, "CP850", "UTF-8", 0x02, "CP850"),
        (GERMAN, "CP850", "OEM", 0, "CP850"),
        (CZECH, "CP1250", "UTF-8", 0xC8, "CP1250"),
        (("Wald", "Wiese \u2013 naß"), "CP1252", None, 0, "Windows-1252"),
        (("Wald", "Wiese", "Café"), "ISO-8859-1", "UTF-8", 0, "Windows-1252"),
    ],
)
def test_shapefile_text_stated_wrongly_is_decoded_with_a_note(
    tmp_path: Path,
    labels: tuple[str, ...],
    encoding: str,
    cpg: str | None,
    language: int,
    taken: str,
) -> None:
    shots = read_shots(shapefile(tmp_path, labels, encoding, cpg, language))
    assert names(shots) == sorted(labels)
    (note,) = about_text(shots)
    assert note.startswith(f"text of 'a.shp' taken for {taken}: if letters are wrong")


def test_field_names_are_decoded(tmp_path: Path) -> None:
    path = shapefile(tmp_path, ("a", "b"), "UTF-8", None, 0, field="Größe")
    assert names(read_shots(path, class_field="Größe")) == ["a", "b"]


def test_character_cut_at_the_field_width_is_removed(tmp_path: Path) -> None:
    path = shapefile(tmp_path, ("Gewässer", "Grasü"), "UTF-8", None, 0)
    table = path.with_suffix(".dbf")
    content = table.read_bytes()
    assert content.count("Grasü".encode()) == 1
    table.write_bytes(content.replace("Grasü".encode(), b"Gras\xc3 "))
    assert names(read_shots(path)) == ["Gewässer", "Gras"]
    assert decode_cell("Grasü".encode()[:-1], "utf-8") == "Gras"


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize(
    ("labels", "encoding", "cpg", "language"),
    [
        (GERMAN, "UTF-8", None, 0),
        (GERMAN, "UTF-8", "ISO-8859-1", 0x57),
        (GERMAN, "UTF-8", "UTF-8", 0),
        (GERMAN, "ISO-8859-1", None, 0),
        (GERMAN, "ISO-8859-1", "UTF-8", 0),
        (GERMAN, "CP850", None, 0x02),
        (GERMAN, "CP850", "UTF-8", 0x02),
        (CZECH, "CP1250", "UTF-8", 0xC8),
        (CHINESE, "CP936", None, 0x4D),
    ],
)
def test_text_of_shapefile_in_archive_is_decoded_as_outside(
    tmp_path: Path,
    labels: tuple[str, ...],
    encoding: str,
    cpg: str | None,
    language: int,
    name: str,
) -> None:
    path = shapefile(tmp_path, labels, encoding, cpg, language)
    packed = archive_of(
        tmp_path / name, {f"data/{one.name}": one.read_bytes() for one in tmp_path.glob("a.*")}
    )
    inside, outside = read_shots(packed), read_shots(path)
    assert names(inside) == names(outside) == sorted(labels)
    assert about_text(inside) == about_text(outside)


@pytest.mark.parametrize("name", ["a.zip", "a.tar", "a.tgz"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1", "utf-16"])
@pytest.mark.parametrize("ending", ["csv", "geojson", "kml"])
def test_texts_in_archive_are_decoded_as_outside(
    tmp_path: Path, ending: str, encoding: str, name: str
) -> None:
    path = tmp_path / f"a.{ending}"
    field = class_field(ending)
    frame = points_in_row(GERMAN, field)
    if ending == "csv":
        path.write_text(frame.assign(x=frame.geometry.x, y=frame.geometry.y)[["x", "y", "class"]].to_csv(index=False))  # fmt: skip
    else:
        frame.to_crs(4326 if ending == "kml" else 32633).to_file(path, driver=ending.upper())
    path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    packed = archive_of(tmp_path / name, {f"data/{path.name}": path.read_bytes()})
    inside = read_shots(packed, class_field=field)
    outside = read_shots(path, class_field=field)
    assert names(inside) == names(outside) == sorted(GERMAN)
    assert inside.notes == outside.notes
    assert inside.in_scene_frame == outside.in_scene_frame


# Texts ----------------------------------------------------------------------------------------

ENCODINGS = ("utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32")


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ENCODINGS)
def test_tables_are_decoded_in_any_encoding(tmp_path: Path, encoding: str, separator: str) -> None:
    frame = points_in_row(GERMAN)
    rows = [("x", "y", "class")]
    rows += [(str(p.x), str(p.y), name) for p, name in zip(frame.geometry, GERMAN, strict=True)]
    path = tmp_path / "a.csv"
    path.write_bytes("\r\n".join(separator.join(row) for row in rows).encode(encoding))
    path.with_suffix(".csvt").write_text('"Real","Real","String"')
    shots = read_shots(path)
    assert names(shots) == sorted(GERMAN)
    assert bool(about_text(shots)) == (not encoding.startswith("utf-8"))
    assert shots.source == str(path)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("ending", ["geojson", "json", "gml", "kml"])
def test_vector_texts_are_decoded_in_any_encoding(
    tmp_path: Path, ending: str, encoding: str
) -> None:
    path = tmp_path / f"a.{ending}"
    field = class_field(ending)
    if ending.endswith("json"):
        frame = points_in_row(GERMAN)
        path.write_text(frame.to_json(ensure_ascii=False), encoding=encoding)
    else:
        points_in_row(GERMAN, field).to_crs(4326 if ending == "kml" else 32633).to_file(
            path, driver=ending.upper()
        )
        path.write_text(path.read_text(encoding="utf-8"), encoding=encoding)
    shots = read_shots(path, class_field=field)
    assert names(shots) == sorted(GERMAN)
    assert bool(about_text(shots)) == (not encoding.startswith("utf-8"))


def test_xml_is_decoded_as_stated(tmp_path: Path) -> None:
    path = tmp_path / "a.gml"
    points_in_row(GERMAN).to_file(path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("utf-8", "ISO-8859-1"), encoding="latin-1")
    shots = read_shots(path)
    assert names(shots) == sorted(GERMAN)
    assert not about_text(shots)


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_class_file_is_decoded_in_any_encoding(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.gpkg"
    points_in_row(GERMAN).to_file(path)
    styles = tmp_path / "classes.json"
    styles.write_text(
        json.dumps({"Gewässer": {"name": "Weiß"}}, ensure_ascii=False), encoding=encoding
    )
    assert "Weiß" in names(style_classes(read_shots(path), styles))


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "\ud800", "", "{", "nan"])
def test_class_file_that_is_no_json_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "a.gpkg"
    points_in_row(GERMAN).to_file(path)
    styles = tmp_path / "classes.json"
    styles.write_bytes(text.encode("utf-8", "surrogatepass"))
    with pytest.raises(OptionError, match=r"classes\.json' (is no JSON|does not map)"):
        style_classes(read_shots(path), styles)


@pytest.mark.parametrize("encoding", ENCODINGS)
@pytest.mark.parametrize("stated", ["", '<?xml version="1.0" encoding="utf-8"?>'])
def test_qgis_style_is_decoded_in_any_encoding(tmp_path: Path, encoding: str, stated: str) -> None:
    path = tmp_path / "a.gpkg"
    points_in_row(GERMAN).to_file(path)
    path.with_suffix(".qml").write_text(
        f'{stated}<qgis><renderer-v2 attr="class" type="categorizedSymbol"><categories><category '
        'symbol="0" value="Gewässer" label=""/></categories><symbols><symbol name="0"><layer><prop '
        'k="color" v="9,8,7"/></layer></symbol></symbols></renderer-v2></qgis>',
        encoding=encoding,
    )
    assert {c.name: c.color for c in read_shots(path).classes}["Gewässer"] == "#090807"


@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_envi_class_names_are_decoded(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "labels.dat"
    np.array([[1, 2], [0, 1]], "uint8").tofile(path)
    path.with_suffix(".hdr").write_bytes(
        (
            "ENVI\nsamples = 2\nlines = 2\nbands = 1\nheader offset = 0\n"
            "file type = ENVI Classification\ndata type = 1\ninterleave = bsq\nbyte order = 0\n"
            "classes = 3\nclass names = {Unclassified, Gewässer, Grünland}\n"
            "map info = {UTM, 1, 1, 383472.5, 5818302.25, 30, 20, 33, North, WGS-84}\n"
        ).encode(encoding)
    )
    with rasterio.open(path) as file:
        assert file.shape == (2, 2)
    assert read_map(path).names == {1: "Gewässer", 2: "Grünland"}
    assert names(read_shots(path)) == ["Gewässer", "Grünland"]


# The rules ------------------------------------------------------------------------------------


@given(text=st.text(st.characters(exclude_categories=["Cs", "Cc"]), max_size=30))
def test_decode_recognises_utf8(text: str) -> None:
    assert decode(text.encode()) == (text, "UTF-8") or text.startswith("\ufeff")
    cells = [text.encode(), "ü".encode(), text.encode()]
    assert find_codec(cells, None, 0) == "utf-8"
    assert [decode_cell(cell, "utf-8") for cell in cells] == [text, "ü", text]


@given(content=st.binary(max_size=40))
def test_decode_accepts_any_bytes(content: bytes) -> None:
    text, encoding = decode(content)
    assert isinstance(text, str)
    assert encoding
    codec = find_codec([content], None, 0)
    assert codec is not None
    decode_cell(content, codec)


def test_area_file_is_decoded(tmp_path: Path) -> None:
    frame = points_in_row(GERMAN)
    frame.geometry = frame.buffer(40.0)
    path = shapefile(tmp_path, GERMAN, "ISO-8859-1", "UTF-8", 0)
    frame.to_file(path, encoding="ISO-8859-1")
    path.with_suffix(".cpg").write_text("UTF-8")
    read: Any = read_vector(path, what="area", layer=None, missing=OptionError, wrong=OptionError)
    assert read["class"].tolist() == list(GERMAN)
