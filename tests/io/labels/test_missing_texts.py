"""Words that stand for a missing class in tables of text."""

from __future__ import annotations

import io
import json
from pathlib import Path

import geopandas as gpd
import pandas as pd
import pytest
import shapely

from hsi_geo.io.labels.missing_texts import MISSING_TEXTS
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.drawn_strata import read_drawn_strata


def table(path: Path, classes: list[str], header: str = "x,y,class", separator: str = ",") -> Path:
    rows = [header, *(f"{n}.5,{2 * n}.25,{one}" for n, one in enumerate(classes))]
    path.write_text("\n".join(rows).replace(",", separator) + "\n")
    return path


def test_words_are_those_of_pandas() -> None:
    cases = {
        case for word in MISSING_TEXTS for case in (word, word.upper(), word.lower(), word.title())
    }
    words = sorted({*cases, "rye", "unknown", "-", "?", "99"})
    read = pd.read_csv(io.StringIO("\n".join(["class", *words])))["class"]
    assert {word for word, gone in zip(words, read.isna(), strict=True) if gone} == MISSING_TEXTS


@pytest.mark.parametrize("word", sorted(MISSING_TEXTS))
def test_word_in_a_table_is_no_class(word: str, tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["rye", word, "oats", word, "", "oats"])
    shots = read_shots(path)
    assert [c.name for c in shots.classes] == ["oats", "rye"]
    assert shots.frame["class_id"].tolist() == [2, 1, 1]
    assert shots.skipped == ("3 without a class in 'class'",)
    assert any(f"2 rows have '{word}' in 'class'" in note for note in shots.notes)


@pytest.mark.parametrize("word", ["na", "Na", "none", "NONE", "NAN", "Null", "NA2", "unknown", "-"])
def test_other_words_are_classes(word: str, tmp_path: Path) -> None:
    shots = read_shots(table(tmp_path / "a.csv", ["rye", word, "oats"]))
    assert sorted(c.name for c in shots.classes) == sorted(["rye", word, "oats"])
    assert not any("taken for no value" in note for note in shots.notes)


@pytest.mark.parametrize(
    ("name", "separator"), [("a.csv", ";"), ("a.tsv", "\t"), ("a.psv", "|"), ("a.txt", ",")]
)
@pytest.mark.parametrize("quote", ["", '"'], ids=["bare", "quoted"])
def test_forms_of_tables(name: str, separator: str, quote: str, tmp_path: Path) -> None:
    classes = [f"{quote}{one}{quote}" for one in ("rye", "NA", "oats")]
    shots = read_shots(table(tmp_path / name, classes, separator=separator))
    assert [c.name for c in shots.classes] == ["oats", "rye"]


@pytest.mark.parametrize(
    ("classes", "values"),
    [
        (["3", "NA", "10"], [3, 10]),
        (["3.0", "NA", "10"], [3, 10]),
        (["3", "NULL", "N/A", "10"], [3, 10]),
        (["03", "NA", "10"], [None, None]),  # GDAL reads 03 as text
        (["3a", "NA", "10"], [None, None]),
    ],
    ids=["whole", "float", "two_words", "zero_first", "text"],
)
def test_numbers_beside_a_word_are_numbers(
    classes: list[str], values: list[int | None], tmp_path: Path
) -> None:
    shots = read_shots(table(tmp_path / "a.csv", classes))
    assert [c.value for c in shots.classes] == values


@pytest.mark.parametrize(
    "entry", [{"NA": {"color": "#112233"}}, {"7": {"name": "NA"}}], ids=["key", "name"]
)
def test_word_that_a_file_of_classes_names_is_a_class(
    entry: dict[str, dict[str, str]], tmp_path: Path
) -> None:
    named = tmp_path / "classes.json"
    named.write_text(json.dumps(entry))
    path = table(tmp_path / "a.csv", ["rye", "NA", "None", "oats"])
    shots = read_shots(path, classes=named)
    assert [c.name for c in shots.classes] == ["NA", "oats", "rye"]
    assert any("1 row has 'None'" in note for note in shots.notes)


def test_word_in_the_field_of_parents_is_no_parent(tmp_path: Path) -> None:
    rows = ["crop/rye", "NA/water", "crop/oats"]
    path = table(tmp_path / "a.csv", [r.replace("/", ",") for r in rows], "x,y,upper,class")
    shots = read_shots(path, class_field="upper/class")
    parents = {c.name: c.parent for c in shots.classes}
    assert parents["rye"] == "crop"
    assert "NA" not in parents.values()
    assert any("1 row has 'NA' in 'upper'" in note for note in shots.notes)


def test_column_of_such_words_holds_no_class(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["rye,NA", "oats,NA"], "x,y,crop,remark")
    assert (
        "class taken from field 'crop' (the only field that can hold it)" in read_shots(path).notes
    )


def test_references_are_read_alike(tmp_path: Path) -> None:
    shots = read_shots(table(tmp_path / "a.csv", ["rye", "NaN", "rye"]), purpose=REFERENCE)
    assert [c.name for c in shots.classes] == ["rye"]


def test_text_of_a_geopackage_is_a_class(tmp_path: Path) -> None:
    """It has a missing value of its own. In QGIS, NA is what somebody typed."""
    points = shapely.points([[0.0, 1.0], [2.0, 3.0]])
    frame = gpd.GeoDataFrame({"class": ["rye", "NA"]}, geometry=points, crs=32633)
    frame.to_file(tmp_path / "a.gpkg")
    assert [c.name for c in read_shots(tmp_path / "a.gpkg").classes] == ["NA", "rye"]


def test_strata_of_a_sample_keep_such_names(tmp_path: Path) -> None:
    """`sample` writes them: they are classes of a map."""
    header = "x,y,class,stratum,stratum_px"
    rows = ["rye,None,500", "None,None,500", "rye,rye,300"]
    path = table(tmp_path / "a.csv", rows, header)
    drawn = read_drawn_strata(read_shots(path, class_field="class", purpose=REFERENCE))
    assert drawn is not None
    assert drawn.sizes == {"None": 500, "rye": 300}


def test_classes_of_the_map_are_kept(tmp_path: Path) -> None:
    path = table(tmp_path / "a.csv", ["None", "oats", "NA", "oats", "None"])
    shots = read_shots(path, purpose=REFERENCE.keeping(["None", "oats"]))
    assert [c.name for c in shots.classes] == ["None", "oats"]
    assert shots.skipped == ("1 without a class in 'class'",)
