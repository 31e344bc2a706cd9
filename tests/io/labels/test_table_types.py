"""Classes of tables are those that are written: nobody stated that codes, words or dates are something else."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pytest
import shapely

from hsi_geo.io.labels.purposes import REFERENCE, TRAINING
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.labels.table_types import type_columns


def table(path: Path, classes: list[str], separator: str = ",") -> Path:
    """A row for each class, which is the last column."""
    rows = [("x", "y", "class"), *((f"{3 * n}.5", f"{n}.25", c) for n, c in enumerate(classes))]
    path.write_text("\n".join(separator.join(row) for row in rows) + "\n")
    return path


@pytest.mark.parametrize("name", ["a.csv", "a.txt", "a.tsv"])
@pytest.mark.parametrize(
    "classes",
    [
        pytest.param(["1.1", "1.10", "1.2"], id="codes"),
        pytest.param(["10", "100", "1E1", "1E2"], id="exponents"),
        pytest.param(["2E3", "6D1", "7D1"], id="soils"),
        pytest.param(["no", "yes"], id="words"),
        pytest.param(["FALSE", "TRUE"], id="truths"),
        pytest.param(["2020-05-01", "2020-06-01"], id="dates"),
        pytest.param(["10:00", "11:00"], id="times"),
        pytest.param(["01", "02", "1"], id="zeros"),
        pytest.param(["+1", "1", "2"], id="signs"),
        pytest.param(["-0", "0", "2"], id="negative-zero"),
        pytest.param(["1,000", "2,000"], id="thousands"),
        pytest.param(["9007199254740992", "9007199254740993"], id="long"),
        pytest.param(["1", "2", "3a"], id="mixed"),
    ],
)
def test_classes_are_as_written(name: str, classes: list[str], tmp_path: Path) -> None:
    separator = "\t" if name.endswith("tsv") else ";"
    shots = read_shots(table(tmp_path / name, [*classes, classes[0]], separator))
    assert [c.name for c in shots.classes] == classes
    assert [c.value for c in shots.classes] == [None] * len(classes)
    assert sorted(shots.frame["class_id"]) == [1, *range(1, len(classes) + 1)]
    assert shots.skipped == ()


@pytest.mark.parametrize(
    ("classes", "values"),
    [
        pytest.param(["3", "10", "3"], [3, 10], id="plain"),
        pytest.param(["3", "", "10"], [3, 10], id="gap"),
        pytest.param(["-1", "0", "10"], [-1, 0, 10], id="negative"),
        pytest.param(["3.0", "10.0", ""], [3, 10], id="pandas"),
        pytest.param(["3,0", "10,0", ""], [3, 10], id="decimal-comma"),
        pytest.param([" 3", "10 ", "3"], [3, 10], id="blanks"),
        pytest.param(['"3"', '"10"', "3"], [3, 10], id="quoted"),
    ],
)
def test_whole_numbers_are_numbers(classes: list[str], values: list[int], tmp_path: Path) -> None:
    for purpose in (TRAINING, REFERENCE):
        shots = read_shots(table(tmp_path / "a.csv", classes, ";"), purpose=purpose)
        assert [c.value for c in shots.classes] == values
        assert [c.name for c in shots.classes] == [str(value) for value in values]


@pytest.mark.parametrize("later", ["3a", "01", "3.5", "99999999999"])
def test_what_comes_after_the_first_megabyte_counts(later: str, tmp_path: Path) -> None:
    """GDAL's types are those of the beginning."""
    path = tmp_path / "a.csv"
    classes = ["1", "2"] * 600 + [later] * 3
    rows = [f"{3 * n}.5,{n}.25,{c},{'remark ' * 150}" for n, c in enumerate(classes)]
    path.write_text("\n".join(["x,y,class,note", *rows]) + "\n")
    assert path.stat().st_size > 1_200_000
    shots = read_shots(path)
    assert shots.skipped == ()
    assert sorted(c.name for c in shots.classes) == sorted(["1", "2", later])


@pytest.mark.parametrize(
    ("kind", "names", "values"),
    [
        pytest.param("String", ["1", "10"], [None, None], id="text"),
        pytest.param("Integer", ["1", "10"], [1, 10], id="integer"),
        pytest.param("Real", ["1", "10"], [1, 10], id="real"),
    ],
)
def test_types_that_the_user_stated_are_kept(
    kind: str, names: list[str], values: list[int | None], tmp_path: Path
) -> None:
    for name in ("a.csv", "b.txt"):
        path = table(tmp_path / name, ["1", "10", "1"])
        path.with_suffix(".csvt").write_text(f'"Real","Real","{kind}"')
        found = read_shots(path).classes
        assert ([c.name for c in found], [c.value for c in found]) == (names, values)


def test_fields_of_measures_are_no_classes_unless_named(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    rows = [
        "x,y,kind,height,visited,checked",
        "1.5,2,rye,3.25,2026-05-01,yes",
        "2,3,oats,4,2026-05-02,no",
        "3,5,rye,3.25,2026-05-01,no",
    ]
    path.write_text("\n".join(rows) + "\n")
    found = read_shots(path)
    assert "class taken from field 'kind' (the only field that can hold it)" in found.notes
    assert found.other_fields == ()
    chosen = {"height": ["3.25", "4"], "visited": ["2026-05-01", "2026-05-02"]}
    for field, names in chosen.items():
        assert [c.name for c in read_shots(path, class_field=field).classes] == names


def test_files_of_tables_and_layers_share_their_numbers(tmp_path: Path) -> None:
    places = shapely.points([[0.5, 7.25], [9.5, 2.0]])
    frame = gpd.GeoDataFrame({"class": [10, 2]}, geometry=places, crs=32633)
    frame.to_file(tmp_path / "a.gpkg")
    for classes in (["2", "10"], ["2.0", "10.0", ""]):
        found = read_shots([tmp_path / "a.gpkg", table(tmp_path / "b.csv", classes)])
        assert [c.value for c in found.classes] == [2, 10]
        assert found.frame["class_id"].tolist() == [2, 1, 1, 2]


def test_long_integers_of_a_layer_stay_apart(tmp_path: Path) -> None:
    """A float holds both as one number."""
    ids = [2**53 + 1, 2**53]
    frame = gpd.GeoDataFrame(
        {"class": ids}, geometry=shapely.points([[0.5, 7.25], [9.5, 2.0]]), crs=32633
    )
    frame.to_file(tmp_path / "a.gpkg")
    assert [c.value for c in read_shots(tmp_path / "a.gpkg").classes] == sorted(ids)


def test_columns_of_one_name_are_typed_each() -> None:
    frame = gpd.GeoDataFrame({"a": ["7", "8"], "b": ["0.5", "8"]}, geometry=[None, None])
    frame.columns = ["a", "a", "geometry"]
    found, measures = type_columns(frame)
    assert found.iloc[:, 0].tolist() == [7, 8]
    assert found.iloc[:, 1].tolist() == ["0.5", "8"]
    assert measures == {"a"}
