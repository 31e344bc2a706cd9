"""Class names: normalised, written to every file and read back unchanged."""

from __future__ import annotations

import json
import unicodedata
import xml.etree.ElementTree as ET
import zipfile
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
from builders import NORTH_UP
from hypothesis import example, given
from hypothesis import strategies as st
from shots_cases import GRID, points_in_row

from hsi_geo import adapt, assess, classify
from hsi_geo.io.labels.class_names import clean_name, similar_name_warnings
from hsi_geo.io.labels.class_styles import style_classes
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.shots import LandClass, make_shots
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.class_styles import aux_xml, qgis_style
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Grid

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any

NFC, NFD = "Grünland", unicodedata.normalize("NFD", "Grünland")


# One form of each name ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "name"),
    [
        (NFD, NFC),
        (" a b\t", "a b"),
        ("bare\x0bsoil", "bare soil"),
        ("bare \r\n soil", "bare soil"),
        ("bare\u2028soil", "bare soil"),
        ("wa\x1bter\x00", "water"),
        ("\ufeffwater\uffff", "water"),
        ("wa\ud800ter", "water"),
        ("wa\x85ter", "wa ter"),
        ("\x0b\x01 ", ""),
        ("草地 🌾\u200d", "草地 🌾\u200d"),
        ("a  b", "a  b"),
        (12, "12"),
    ],
)
def test_clean_name_gives_one_form(text: object, name: str) -> None:
    assert clean_name(text) == name


@given(text=st.text())
@example(text="a\u0308\ufeff\u0308 \x0b")
def test_clean_name_is_idempotent_and_valid_xml(text: str) -> None:
    name = clean_name(text)
    assert clean_name(name) == name
    table = (LandClass(1, f"a{text}b", "#0a1b2c"), LandClass(2, "b", "#102030"))
    names = ["", table[0].name, "b"]
    aux = ET.fromstring(aux_xml(table).encode())
    assert [entry.text or "" for entry in aux.iter("Category")] == names
    style = ET.fromstring(qgis_style(table).encode())
    assert [entry.get("label") for entry in style.iter("paletteEntry")] == names[1:]


@given(text=st.text(min_size=1).filter(clean_name))
def test_class_names_are_read_back_by_gdal(
    text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("names") / "map.tif"
    grid = Grid(2, 3, NORTH_UP, None)
    table = (LandClass(1, text, "#0a1b2c"), LandClass(2, "another class", "#102030"))
    with MapWriter(MapPaths.of(path), grid, table) as writer:
        writer.write(grid.window, np.ones((2, 2, 3), np.float32))
    assert read_map(path).names == {1: table[0].name, 2: "another class"}


# Shots ----------------------------------------------------------------------------------------


def test_make_shots_merges_forms_of_a_name_with_a_note() -> None:
    frame = points_in_row([NFC, NFD, "bare\x0bsoil", "bare soil", " water "])
    shots = make_shots(frame.geometry, frame["class"])
    assert [c.name for c in shots.classes] == [NFC, "bare soil", "water"]
    assert shots.frame["class_id"].tolist() == [1, 1, 2, 2, 3]
    (note,) = shots.notes
    assert note.endswith(f"are normalised: '{NFC}', 'bare soil'")
    assert not shots.warnings


def test_make_shots_gives_no_note_on_usual_names() -> None:
    frame = points_in_row(["Wald", " water ", "草地", "soil 1", "soil 11", "soil 1 1", "-1", "1"])
    shots = make_shots(frame.geometry, frame["class"])
    assert not shots.notes
    assert not shots.warnings


@pytest.mark.parametrize("ending", ["gpkg", "geojson", "csv", "shp", "fgb"])
def test_read_shots_cleans_names_of_any_format(tmp_path: Path, ending: str) -> None:
    frame = points_in_row([NFC, NFD, "bare\x0bsoil", "\x0b"])
    path = tmp_path / f"shots.{ending}"
    if ending == "csv":
        table = pd.DataFrame({"x": frame.geometry.x, "y": frame.geometry.y, **frame[["class"]]})
        table.to_csv(path, index=False)
    else:
        frame.to_file(path)
    shots = read_shots(path)
    assert [c.name for c in shots.classes] == [NFC, "bare soil"]
    assert shots.skipped == ("1 without a class in 'class'",)


@pytest.mark.parametrize("field", [NFC, NFD])
@pytest.mark.parametrize("wanted", [NFC, NFD])
def test_read_shots_finds_class_field_in_either_unicode_form(
    tmp_path: Path, field: str, wanted: str
) -> None:
    frame = points_in_row(["a", "b"]).rename(columns={"class": field})
    frame["other"] = ["c", "d"]
    frame.to_file(tmp_path / "shots.gpkg")
    shots = read_shots(tmp_path / "shots.gpkg", class_field=wanted)
    assert [c.name for c in shots.classes] == ["a", "b"]


@pytest.mark.parametrize(("stored", "wanted"), [(NFC, NFD), (NFD, NFC)])
def test_names_that_a_user_types_are_found_in_either_unicode_form(
    tmp_path: Path, stored: str, wanted: str
) -> None:
    """Layers of a file and of an archive, fields of zones and libraries, and a field with a slash in its name."""
    frame = points_in_row(["a", "b"])
    for layer in (stored, "other"):
        (tmp_path / layer).mkdir()
        frame.to_file(tmp_path / "shots.gpkg", layer=layer)
        frame.to_file(tmp_path / layer / f"{layer}.shp")
    with zipfile.ZipFile(tmp_path / "shots.zip", "w") as archive:
        for file in sorted(tmp_path.glob("*/*.*")):
            archive.write(file, file.relative_to(tmp_path))
    for name in ("shots.gpkg", "shots.zip"):
        assert len(read_shots(tmp_path / name, layer=wanted).classes) == 2
    areas = frame.rename(columns={"class": stored}).set_geometry(frame.buffer(20.0))
    areas.to_file(tmp_path / "zones.gpkg")
    assert read_zones(tmp_path / "zones.gpkg", GRID, field=wanted).field == stored
    split = frame.rename(columns={"class": f"{stored}/{stored}"}).assign(other="x")
    split.to_file(tmp_path / "split.geojson")
    whole = read_shots(tmp_path / "split.geojson", class_field=f"{wanted}/{wanted}")
    assert [c.name for c in whole.classes] == ["a", "b"]
    columns = [f"{nm}" for nm in range(400, 1000, 100)]
    rows = [[*line, *(["0.1"] * 6)] for line in (["a", "x"], ["b", "y"])]
    lines = [[stored, "other", *columns], *rows]
    (tmp_path / "library.csv").write_text("\n".join(map(",".join, lines)), encoding="utf-8")
    library = read_shots(tmp_path / "library.csv", class_field=wanted)
    assert [c.name for c in library.classes] == ["a", "b"]


@pytest.mark.parametrize("value", [NFC, NFD])
@pytest.mark.parametrize("key", [NFC, NFD])
def test_styles_match_classes_in_either_unicode_form(tmp_path: Path, value: str, key: str) -> None:
    path = tmp_path / "shots.gpkg"
    points_in_row([value, "b"]).to_file(path)
    styles = tmp_path / "classes.json"
    styles.write_text(json.dumps({key: {"name": "na\x0bss", "color": "#010203"}}))
    styled = style_classes(read_shots(path), styles)
    assert [(c.name, c.color) for c in styled.classes if c.name != "b"] == [("na ss", "#010203")]
    path.with_suffix(".qml").write_text(
        f'<qgis><renderer-v2 attr="class" type="categorizedSymbol"><categories><category symbol="0" '
        f'value="{key}" label="x"/></categories><symbols><symbol name="0"><layer><prop k="color" '
        'v="9,8,7,255"/></layer></symbol></symbols></renderer-v2></qgis>'
    )
    assert {c.name: c.color for c in read_shots(path).classes}[NFC] == "#090807"


# Names that may be one class ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "expected"),
    [
        (["Water", "water", "soil"], [["Water", "water"]]),
        (["bare soil", "bare  soil", "bare_soil", "baresoil"], 1),
        (["STRASSE", "Straße"], 1),
        (["a\u200bb", "ab"], 1),
        (["a\u00a0b", "a b"], 1),
        (["ﬁeld", "field"], 1),
        (["Water", "water", "SOIL", "Soil"], 2),
        (["soil 1", "soil 2", "soil 11", "soil 1 1", "-1", "1"], []),
        (["soil-1-1", "soil 1 1"], 1),
        (["water", "waters"], []),
        (["-1", "1", "-22", "22", "\u22123", "3"], []),
        (["-1,5", "1,5", "-1.5", "1.5", "-.5", ".5", "- 7", "7"], []),
        (["\u22121", "-1", "- 1", "1"], [["\u22121", "-1", "- 1"]]),
        (["-crop", "crop"], 1),
        (["", "a"], []),
    ],
)
def test_similar_name_warnings_groups_similar_names(names: list[str], expected: Any) -> None:
    found = similar_name_warnings(names)
    if isinstance(expected, int):
        assert len(found) == expected
        return
    assert len(found) == len(expected)
    for group, warning in zip(expected, found, strict=True):
        assert warning.startswith("classes " + ", ".join(f"'{name}'" for name in group))


@pytest.mark.usefixtures("quick")
def test_adapt_and_info_warn_of_similar_names(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    frame.loc[frame["class"] == "asphalt", "class"] = "Water"
    frame.to_file(tmp_path / "alike.gpkg")
    adapt(planted.path, tmp_path / "alike.gpkg", reporter=recorder)
    warned = "classes 'Water', 'water' differ only by case or blanks"
    assert [w.startswith(warned) for w in recorder.warnings] == [True]
    described = info(planted.path, tmp_path / "alike.gpkg")["shots"]
    assert described["warnings"] == recorder.warnings


# From shots to the assessment -----------------------------------------------------------------


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_assess_matches_classes_of_unusual_names(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    """Whatever is in names, map and shots have the same classes."""
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    odd = {"meadow": NFD, "asphalt": "as\x0bphalt\x1b", "water": "water & <ice> \"'"}
    frame["class"] = frame["class"].map(odd)
    frame.to_file(tmp_path / "odd.gpkg")
    result = classify(planted.path, tmp_path / "odd.gpkg", out=tmp_path / "map.tif")
    assert {c.name for c in result.classes} == {NFC, "as phalt", "water & <ice> \"'"}
    found = assess(result.paths.classes, tmp_path / "odd.gpkg", reporter=SilentReporter())
    assert not found.only_in_map + found.only_in_reference
    assert found.oa.value == 1.0
    frame["class"] = frame["class"].str.upper()
    frame.to_file(tmp_path / "upper.gpkg")
    frame.loc[0, "class"] = "as phalt"
    frame.to_file(tmp_path / "upper.gpkg")
    assess(result.paths.classes, tmp_path / "upper.gpkg", reporter=recorder)
    assert any("'as phalt', 'AS PHALT' differ only by case" in text for text in recorder.warnings)


def test_read_map_cleans_names_of_other_programs(tmp_path: Path) -> None:
    """Maps of earlier versions, and of other programs: names in two forms, bytes that XML forbids."""
    import rasterio

    path = tmp_path / "map.tif"
    profile = {"height": 2, "width": 2, "count": 1, "dtype": "uint8", "driver": "GTiff"}
    with rasterio.open(path, "w", **profile, transform=NORTH_UP) as file:
        file.write(np.array([[[1, 2], [0, 1]]], "uint8"))
    names = f"<Category/><Category>{NFD}</Category><Category>Gew\xe4sser\x0b</Category>"
    text = f'<PAMDataset><PAMRasterBand band="1"><CategoryNames>{names}</CategoryNames></PAMRasterBand></PAMDataset>'  # fmt: skip
    path.with_name("map.tif.aux.xml").write_bytes(text.encode())
    assert read_map(path).names == {1: NFC, 2: "Gewässer"}
    plain = text.replace(NFD, "x").encode("latin-1")
    path.with_name("map.tif.aux.xml").write_bytes(plain)
    assert read_map(path).names == {1: "x", 2: "Gewässer"}


def test_pyogrio_writes_names_unchanged(tmp_path: Path) -> None:
    """What these tests write is what they mean to write."""
    points_in_row([NFD, "a\x0bb"]).to_file(tmp_path / "a.gpkg")
    assert pyogrio.read_dataframe(tmp_path / "a.gpkg")["class"].tolist() == [NFD, "a\x0bb"]
