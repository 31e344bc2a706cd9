"""The field of the class in files of this program that are to be filled in, and of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from hsi_geo.errors import ClassFieldError, EmptyShotsError, HsiGeoError
from hsi_geo.io.labels.shot_reading import read_shots

UTM = "EPSG:32633"

SUGGESTED: dict[str, list[Any]] = {
    "rank": [1, 2, 3, 4],
    "guess": list("abab"),
    "confidence": [50, 60, 55, 71],
}


def write(path: Path, fields: dict[str, list[Any]]) -> Path:
    """Four points with some fields."""
    places = [shapely.Point(500_000 + 30 * i, 5_800_000 - 20 * i) for i in range(4)]
    gpd.GeoDataFrame(fields, geometry=places, crs=UTM).to_file(path)
    return path


@pytest.mark.parametrize("suffix", ["gpkg", "geojson", "shp"])
@pytest.mark.parametrize(
    ("fields", "others"),
    [
        pytest.param(SUGGESTED, "", id="suggested"),
        pytest.param({"id": [1, 2, 3, 4]}, "'id'", id="fresh"),
        pytest.param({"id": [1, 2, 3, 4], "name": list("abcd")}, "'id', 'name'", id="several"),
        pytest.param({}, "", id="only"),
    ],
)
@pytest.mark.parametrize(
    ("name", "empty"),
    [("class", None), ("Label", ""), ("class", " ")],
    ids=["none", "text", "blank"],
)
def test_an_empty_class_field_is_said_so(
    tmp_path: Path, suffix: str, fields: dict[str, list[Any]], others: str, name: str, empty: Any
) -> None:
    path = write(tmp_path / f"a.{suffix}", fields | {name: [empty] * 4})
    with pytest.raises(
        EmptyShotsError, match=f"no class yet: the field '{name}' is empty"
    ) as error:
        read_shots(path)
    assert error.value.hint is not None
    assert error.value.hint.startswith(f"fill in the field '{name}'")
    assert ("--class-field" in error.value.hint) == bool(others)
    assert error.value.hint.endswith(others)


@pytest.mark.parametrize("classes", [list("abab"), [3, 3, 5, 5]], ids=["texts", "numbers"])
def test_a_field_with_repeated_values_is_the_class_beside_an_empty_one(
    classes: list[Any], tmp_path: Path
) -> None:
    fields = {"label": [None] * 4, "crop": classes}
    path = write(tmp_path / "a.gpkg", fields)
    assert [c.name for c in read_shots(path).classes] == sorted({str(one) for one in classes})
    other = write(tmp_path / "b.gpkg", {"crop": classes[::-1]})
    assert len(read_shots([path, other]).frame) == 8
    ambiguous = write(tmp_path / "c.gpkg", fields | {"id": [1, 2, 3, 4]})
    with pytest.raises(ClassFieldError, match="2 fields that could hold the class"):
        read_shots(ambiguous)


def test_an_empty_class_field_of_one_of_several_files_leaves_it_out(tmp_path: Path) -> None:
    drawn = write(tmp_path / "drawn.gpkg", {"id": [1, 2, 3, 4], "class": list("abab")})
    waiting = write(tmp_path / "points.gpkg", SUGGESTED | {"class": [None] * 4})
    found = read_shots([drawn, waiting])
    assert len(found.frame) == 4
    (caution,) = found.cautions
    assert "points.gpkg" in caution
    assert caution.endswith("the field 'class' is empty in all rows: it is left out")


def test_guesses_of_the_model_are_no_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "points.gpkg", SUGGESTED | {"class": ["a", None, "c", None]})
    found = read_shots(path)
    assert [c.name for c in found.classes] == ["a", "c"]
    assert (found.cautions, found.other_fields) == ((), ())
    (caution,) = read_shots(path, class_field="guess").cautions
    assert "the model's own guesses" in caution
    own = write(tmp_path / "own.gpkg", {"guess": list("abab"), "owner": list("xxyy")})
    assert read_shots(own, class_field="guess").cautions == ()


SCP_7: dict[str, list[Any]] = {
    "MC_ID": [1, 1, 2, 2],
    "MC_name": list("aabb"),
    "C_ID": [1, 2, 3, 4],
    "C_name": list("pqrs"),
}
SCP_8: dict[str, list[Any]] = {
    "uid": list("wxyz"),
    "macroclass_id": [7, 7, 9, 9],
    "class_id": [1, 2, 3, 4],
}


@pytest.mark.parametrize(
    ("fields", "field", "classes"),
    [
        pytest.param(SCP_7, "MC_name", ["a", "b"], id="scp-7"),
        pytest.param(SCP_7 | {"MC_name": [None] * 4}, "MC_ID", ["1", "2"], id="scp-7-unnamed"),
        pytest.param(SCP_8, "macroclass_id", ["7", "9"], id="scp-8"),
        pytest.param(SCP_8 | {"label": list("efef")}, "label", ["e", "f"], id="own-field"),
        pytest.param(
            {"id": [1, 2, 3, 4], "Class": [3, 3, 5, 5]}, "Class", ["3", "5"], id="dzetsaka"
        ),
        pytest.param(
            {"CODE": [3, 3, 5, 5], "OTB_INDEX": [0, 1, 2, 3], "classname": list("eeff")},
            "classname",
            ["e", "f"],
            id="otb",
        ),
    ],
)
def test_labels_of_other_programs(
    tmp_path: Path, fields: dict[str, list[Any]], field: str, classes: list[str]
) -> None:
    found = read_shots(write(tmp_path / "a.gpkg", fields))
    assert [c.name for c in found.classes] == classes
    assert f"class taken from field '{field}'" in found.notes[0]


def test_both_levels_of_scp(tmp_path: Path) -> None:
    found = read_shots(write(tmp_path / "a.gpkg", SCP_7), class_field="MC_name/C_name")
    assert {c.name: c.parent for c in found.classes} == {"p": "a", "q": "a", "r": "b", "s": "b"}


@pytest.mark.parametrize(
    ("fields", "wanted", "proposed"),
    [
        pytest.param({"class_id": [1, 2, 3, 4], "kind": list("eeff")}, None, "", id="unique"),
        pytest.param(
            {"class_id": [1, 1, 3, 4], "kind": list("eeff")}, None, "class_id", id="repeated"
        ),
        pytest.param(
            {"class_id": [1, 2, 3, 4], "kind": list("efgh")}, None, "class_id", id="all-unique"
        ),
        pytest.param(SCP_8, "class", "", id="wanted"),
        pytest.param(SCP_7, "MCname", "MC_name", id="typo"),
        pytest.param(
            {"Level_1": list("aabb"), "Level_2": list("efgh")},
            "level2",
            "Level_2",
            id="same-letters",
        ),
    ],
)
def test_a_field_that_differs_in_each_feature_is_not_proposed(
    tmp_path: Path, fields: dict[str, list[Any]], wanted: str | None, proposed: str
) -> None:
    with pytest.raises(ClassFieldError) as error:
        read_shots(write(tmp_path / "a.gpkg", fields), class_field=wanted)
    assert isinstance(error.value, HsiGeoError)
    asked = f". Did you mean '{proposed}'?" if proposed else "--class-field"
    assert (error.value.hint or "").endswith(asked)


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        pytest.param([1.1, 1.2, 1.1, 2.1], ["1.1", "1.2", "2.1"], id="decimals"),
        pytest.param([True, False, False, True], ["False", "True"], id="truths"),
        pytest.param(["no", "yes", "no", "yes"], ["no", "yes"], id="words"),
        pytest.param(["1.1", "1.10", "1.1", "1.2"], ["1.1", "1.10", "1.2"], id="codes"),
        pytest.param(["2020-05-01", "2020-06-01"] * 2, ["2020-05-01", "2020-06-01"], id="dates"),
    ],
)
@pytest.mark.parametrize("name", ["class", "Land_Cover"])
@pytest.mark.parametrize("suffix", ["gpkg", "csv"])
def test_a_field_of_a_usual_name_is_not_passed_over(
    suffix: str, name: str, values: list[Any], classes: list[str], tmp_path: Path
) -> None:
    fields = {"crew": ["Anna", "Anna", "Ben", "Ben"], name: values}
    path = tmp_path / f"a.{suffix}"
    if suffix == "csv":
        rows = [f"{3 * n}.5,{n}.25,{fields['crew'][n]},{values[n]}" for n in range(4)]
        path.write_text("\n".join([f"x,y,crew,{name}", *rows]) + "\n")
    else:
        write(path, fields)
    found = read_shots(path)
    assert [c.name for c in found.classes] == classes
    assert f"class taken from field '{name}' (by its name)" in found.notes
    assert found.other_fields == ("crew",)


@pytest.mark.parametrize("other", [list("aabb"), [1, 1, 2, 2]], ids=["texts", "numbers"])
def test_a_usual_name_of_single_measures_is_asked_about(tmp_path: Path, other: list[Any]) -> None:
    fields = {"kind": other, "label": [0.125, 0.25, 0.5, 2.75]}
    with pytest.raises(ClassFieldError, match=r"2 fields .* the class: 'kind', 'label'"):
        read_shots(write(tmp_path / "a.gpkg", fields))
    path = write(tmp_path / "b.gpkg", fields | {"class": list("efef")})
    assert [c.name for c in read_shots(path).classes] == ["e", "f"]


@pytest.mark.parametrize(
    "values", [[0.5, 1.25, 0.5, 3.5], [True, False, True, False]], ids=["decimals", "truths"]
)
def test_measures_of_another_name_are_no_classes(tmp_path: Path, values: list[Any]) -> None:
    path = write(tmp_path / "a.gpkg", {"measured": values, "crop": list("eeff")})
    found = read_shots(path)
    assert [c.name for c in found.classes] == ["e", "f"]
    assert found.other_fields == ()


@pytest.mark.parametrize(
    "second",
    [[0.5, 1.5, 0.5, 1.5], [True, False, True, False], [0.125, 0.25, 0.5, 2.75]],
    ids=["decimals", "truths", "single"],
)
@pytest.mark.parametrize("name", ["label", "land_cover"])
def test_measures_with_a_usual_name_do_not_compete_with_classes(
    tmp_path: Path, name: str, second: list[Any]
) -> None:
    path = write(tmp_path / "a.gpkg", {name: second, "class": list("efef")})
    found = read_shots(path)
    assert [c.name for c in found.classes] == ["e", "f"]


@pytest.mark.parametrize("missing", ["Inf", "-inf", "Infinity"])
def test_measures_that_are_infinite_are_no_classes(tmp_path: Path, missing: str) -> None:
    values = ["0.25", missing, "0.5", missing]
    rows = [f"{3 * n}.5,{n}.25,{values[n]},{'eeff'[n]}" for n in range(4)]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["x,y,ndvi,crop", *rows]) + "\n")
    assert [c.name for c in read_shots(path).classes] == ["e", "f"]


@pytest.mark.parametrize(
    "values",
    [[0.5, 1.25, 8.0, 2.75], list(pd.date_range("2020-05-01", periods=4))],
    ids=["decimals", "dates"],
)
def test_a_file_of_measures_alone_asks_for_classes(tmp_path: Path, values: list[Any]) -> None:
    path = write(tmp_path / "a.gpkg", {"height": values})
    with pytest.raises(ClassFieldError, match="only the field 'height', which holds decimal"):
        read_shots(path)
    assert len(read_shots(path, class_field="height").classes) == 4


@pytest.mark.parametrize(
    "cells",
    [["0.5", "1.25", "", "", "2.75"], ["2020-05-01", "2020-06-01"], ["yes", "no"]],
    ids=["decimals", "dates", "truths"],
)
def test_a_table_of_measures_alone_asks_for_classes(tmp_path: Path, cells: list[str]) -> None:
    path = tmp_path / "a.csv"

    def fill(cells: list[str]) -> None:
        rows = [f"13.{number},50.1,{cell}" for number, cell in enumerate(cells)]
        path.write_text("\n".join(["lon,lat,height", *rows]) + "\n")

    fill(cells)
    with pytest.raises(ClassFieldError, match="only the field 'height', which holds decimal"):
        read_shots(path)
    given = {cell for cell in cells if cell}
    assert {c.name for c in read_shots(path, class_field="height").classes} == given
    fill([*cells, cells[0]])  # a value twice: classes
    assert {c.name for c in read_shots(path).classes} == given


@pytest.mark.parametrize(
    ("fields", "wanted", "cautions"),
    [
        pytest.param({"id": [4, 1, 2, 3]}, None, 1, id="only"),
        pytest.param({"OBJECTID": [4, 1, 2, 3]}, None, 1, id="arcgis"),
        pytest.param({"id": [4, 1, 2, 3], "height": [1.5, 2.5, 0.5, 3.25]}, None, 1, id="measure"),
        pytest.param({"id": [4, 1, 2, 3]}, "id", 0, id="named"),
        pytest.param({"id": [1, 2, 1, 2]}, None, 0, id="classes"),
        pytest.param({"id": list("abcd")}, None, 0, id="text"),
        pytest.param({"code": [4, 1, 2, 3]}, None, 0, id="code"),
    ],
)
def test_an_only_field_that_numbers_the_features_gets_a_warning(
    tmp_path: Path, fields: dict[str, list[Any]], wanted: str | None, cautions: int
) -> None:
    shots = read_shots(write(tmp_path / "a.gpkg", fields), class_field=wanted)
    assert sum("numbers them" in warning for warning in shots.warnings) == cautions


@pytest.mark.parametrize("field", ["id", "fid", "No", "nr", "point"])
@pytest.mark.parametrize(("numbers", "cautions"), [([4, 1, 2, 3], 1), ([1, 2, 1, 3], 0)])
def test_names_of_fields_that_number_the_rows_of_a_table(
    tmp_path: Path, field: str, numbers: list[int], cautions: int
) -> None:
    path = tmp_path / "a.csv"
    rows = [f"13.{place},50.1,{number}" for place, number in enumerate(numbers)]
    path.write_text("\n".join([f"lon,lat,{field}", *rows]) + "\n")
    shots = read_shots(path)
    assert {one.name for one in shots.classes} == set(map(str, numbers))
    assert sum("numbers them" in warning for warning in shots.warnings) == cautions


@pytest.mark.parametrize(
    ("attribute", "labels", "cautions"),
    [
        pytest.param("id", ["oak", "rye", "soil"], 0, id="names"),
        pytest.param("id", ["oak", "2", "4"], 0, id="one name"),
        pytest.param("id", ["1", "2", "4"], 1, id="no names"),
        pytest.param("code", ["oak", "rye", "soil"], 1, id="another field"),
    ],
)
def test_numbers_that_a_style_names_are_classes(
    tmp_path: Path, attribute: str, labels: list[str], cautions: int
) -> None:
    path = write(tmp_path / "a.gpkg", {"id": [4, 1, 2, 9], "height": [0.5, 1.5, 2.25, 3.5]})
    categories = "".join(
        f'<category symbol="0" value="{value}" label="{label}"/>'
        for value, label in zip((1, 2, 4), labels, strict=True)
    )
    path.with_suffix(".qml").write_text(
        f'<qgis><renderer-v2 attr="{attribute}" type="categorizedSymbol"><categories>{categories}</categories>'
        "</renderer-v2></qgis>"
    )
    shots = read_shots(path)
    assert sum("numbers them" in warning for warning in shots.warnings) == cautions
