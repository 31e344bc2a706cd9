"""Several layers of labels, and rasters of classes, in a real QGIS."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import rasterio.features

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


def values_of(fake: Fake, option: str) -> list[str]:
    """Values of an option that may be repeated, of the last call."""
    pairs = itertools.pairwise(fake.arguments)
    return [value for name, value in pairs if name == option]


@pytest.fixture
def spread(job: dict[str, Any], tmp_path: Path) -> dict[str, Any]:
    """The points of the job in three layers: points, squares with another field, and a raster of numbers."""
    points = gpd.read_file(job["labels"])
    by_class = points.groupby("class").cumcount()
    codes = {name: code for code, name in enumerate(sorted(set(points["class"])), start=1)}
    first, second, third = (points[by_class == number] for number in range(3))
    paths = [tmp_path / name for name in ("points.gpkg", "squares.gpkg", "painted.tif")]
    first.to_file(paths[0])
    squares = second.set_geometry(second.buffer(1.0, cap_style="square"))
    squares.rename(columns={"class": "Klasse"}).to_crs(4326).to_file(paths[1])
    with rasterio.open(job["parameters"]["INPUT"]) as scene:
        shapes = [
            (shape, codes[name]) for shape, name in zip(third.geometry, third["class"], strict=True)
        ]
        ids = rasterio.features.rasterize(shapes, scene.shape, transform=scene.transform)
        profile = {"transform": scene.transform, "crs": scene.crs, "count": 1, "dtype": "uint8"}
        with rasterio.open(
            paths[2], "w", driver="GTiff", height=scene.height, width=scene.width, **profile
        ) as file:
            file.write(ids.astype(np.uint8), 1)
    names = ["Punkte", "Quadrate (neu)", "Gemalt"]
    return {
        "algorithm": "classify",
        "parameter": "LABELS",
        "main": True,
        "selected": "",
        "layers": [[str(path), name] for path, name in zip(paths, names, strict=True)],
        "drawn": [[code, name, f"#0{code}0{code}0{code}"] for name, code in codes.items()],
        "parameters": job["parameters"],
    }


@pytest.mark.slow
def test_points_polygons_and_a_raster_are_shots_together(
    case: Case, spread: dict[str, Any]
) -> None:
    found = case("several_labels", **spread)
    assert found["ok"], found
    record = json.loads(Path(spread["parameters"]["OUTPUT"]).with_suffix(".json").read_text())
    classes = {one["name"]: (one["shots"], one["color"]) for one in record["classes"]}
    assert {name: color for name, (_, color) in classes.items()} == {
        name: color for _, name, color in spread["drawn"]
    }
    assert all(shots >= 3 for shots, _ in classes.values())
    parameters = record["adaptation"]["parameters"]
    assert parameters["shot_files"] == ["Punkte.gpkg", "Quadrate _neu_.gpkg", "painted.tif"]
    assert parameters["class_field"] == ["class", "Klasse", None]
    assert "The class of 'Quadrate (neu)' is in the field 'Klasse'." in found["log"]


@pytest.mark.slow
def test_a_raster_alone_is_enough(case: Case, spread: dict[str, Any]) -> None:
    spread["layers"] = spread["layers"][2:]
    del spread["parameters"]["CLASS_FIELD"]
    found = case("several_labels", **{**spread, "main": False})
    assert found["ok"], found
    record = json.loads(Path(spread["parameters"]["OUTPUT"]).with_suffix(".json").read_text())
    assert [one["name"] for one in record["classes"]] == ["asphalt", "meadow", "water"]
    assert [one["value"] for one in record["classes"]] == [1, 2, 3]


@pytest.mark.parametrize("algorithm", ["adapt", "assess"])
def test_other_algorithms_take_them_too(
    algorithm: str, case: Case, fake: Fake, spread: dict[str, Any], tmp_path: Path
) -> None:
    scene, name = spread["parameters"]["INPUT"], "LABELS"
    parameters = {"INPUTS": [scene], "OUTPUT": str(tmp_path / "m.safetensors")}
    if algorithm == "assess":
        parameters, name = {"INPUT": scene}, "REFERENCE"
    given = {"algorithm": algorithm, "parameter": name, "parameters": parameters}
    case("several_labels", python=fake.python, **{**spread, **given})
    option = "--reference" if algorithm == "assess" else "--shots"
    assert [Path(path).name for path in values_of(fake, option)] == [
        "Punkte.gpkg", "Quadrate _neu_.gpkg", "painted.tif"
    ]  # fmt: skip
    assert values_of(fake, "--class-field") == ["class", "Klasse", ""]


def test_only_selected_features_of_the_first_layer_are_taken(
    case: Case, fake: Fake, spread: dict[str, Any]
) -> None:
    found = case("several_labels", python=fake.python, **{**spread, "selected": "class = 'water'"})
    assert found["ok"], found
    assert set(fake.given("shots")["class"]) == {"water"}
    assert len(fake.given("shots2")) == 3


@pytest.mark.slow
def test_messages_name_the_layers(case: Case, spread: dict[str, Any]) -> None:
    for path, _ in spread["layers"][:2]:
        frame = gpd.read_file(path)
        frame[frame.iloc[:, 0] == "water"].to_file(path)
    found = case("several_labels", **{**spread, "layers": spread["layers"][:2]})
    assert not found["ok"]
    assert "shots 'Punkte, Quadrate (neu)' have only one class, 'water'" in found["error"]
    assert "/processing_" not in found["error"] + found["log"]


@pytest.mark.slow
def test_an_empty_layer_and_names_that_differ_by_case_are_told(
    case: Case, spread: dict[str, Any], tmp_path: Path
) -> None:
    points, squares, _ = (path for path, _ in spread["layers"])
    empty = tmp_path / "empty.gpkg"
    gpd.read_file(points).iloc[:0].to_file(empty, geometry_type="Point")
    frame = gpd.read_file(squares)
    frame["Klasse"] = frame["Klasse"].str.title()
    frame.to_file(squares)
    spread["layers"] = [*spread["layers"][:2], [str(empty), "Noch leer"]]
    found = case("several_labels", **spread)
    assert found["ok"], found
    assert "shots file 'Noch leer' is empty: it is left out" in found["log"]
    assert "classes 'Water', 'water' differ only by case" in found["log"]
    assert "/processing_" not in found["log"]
    record = json.loads(Path(spread["parameters"]["OUTPUT"]).with_suffix(".json").read_text())
    assert len(record["classes"]) == 6


def test_without_labels_the_dialog_says_so(case: Case, fake: Fake, job: dict[str, Any]) -> None:
    found = case("checked", algorithm="classify", rows=[job["parameters"]], python=fake.python)
    assert found["rows"] == [{"ok": False, "reason": found["rows"][0]["reason"]}]
    assert found["rows"][0]["reason"].startswith("no labels are given; choose a layer")


@pytest.mark.parametrize(
    ("layer", "said"),
    [("INPUT", "one band of class ids"), ("none.gpkg", "none.gpkg")],
)
@pytest.mark.slow
def test_what_holds_no_labels_is_named(
    layer: str, said: str, case: Case, job: dict[str, Any]
) -> None:
    given = {**job["parameters"], "MORE_LABELS": job["parameters"].get(layer, layer)}
    found = case("batch", algorithm="classify", rows=[given])["rows"][0]
    assert not found["ok"], found
    assert said in found.get("error", "") + found["log"]
    assert "--" not in found.get("error", "")


def test_layers_that_cannot_be_opened_are_named(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """QGIS leaves them out of a list without a word; a broken layer has no CRS and no fields."""
    found = case("broken_layers", python=fake.python, folder=str(tmp_path), **job)
    lists = {"path of labels": "a.gpkg", "path of a scene": "b.tif", "path of a tile": "c.tif"}
    for name, (ok, text) in found.items():
        assert not ok, name
        if name in lists:
            assert f"'/nowhere/{lists[name]}' in '" in text, name
            assert "cannot be opened" in text, name
        else:
            title = "Punkte" if name in ("labels", "more labels") else "Szene"
            assert f"layer '{title}' cannot be read: its file '{tmp_path}/gone." in text, name
            assert "correct it with 'Repair Data Source'" in text, name
    assert not (fake.folder / "calls.jsonl").exists()
