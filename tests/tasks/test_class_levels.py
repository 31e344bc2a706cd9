"""Classes of two levels: both agree in the map, and the upper one is the sum of its classes."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import torch
from batch_cases import COLS, ROWS, cut, ids_in
from builders import model_for, run

from hsi_geo import (
    MapOptions,
    Session,
    assess,
    batch,
    classify,
    predict,
    read_shots,
    sample,
    suggest,
)
from hsi_geo.errors import OptionError, ShotsError
from hsi_geo.io.labels.class_values import read_class_values
from hsi_geo.io.labels.parents import parent_indices, parent_table, with_parents
from hsi_geo.io.labels.purposes import REFERENCE
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.maps.hierarchy import Hierarchy
from hsi_geo.io.maps.record import is_complete
from hsi_geo.tasks.artifacts.model import AdaptedModel, load_model, save_model

Planted = Any  # defined in conftest, which tests cannot import
PARENTS = {1: "open", 2: "sealed", 3: "open"}


@pytest.fixture
def levelled(scene: Planted, tmp_path: Path) -> Path:
    """A model of three unsure classes, two of which have one parent."""
    model: AdaptedModel = model_for(scene.path)
    with torch.no_grad():
        model.classifier.head.weight.mul_(3.0)
    path = tmp_path / "levels.safetensors"
    save_model(
        dataclasses.replace(
            model, classes=with_parents(model.classes, PARENTS, {"open": "#123456"})
        ),
        path,
    )
    return path


def raster(path: Path | None) -> np.ndarray[Any, Any]:
    assert path is not None
    with rasterio.open(path) as file:
        return np.asarray(file.read())


def test_both_levels_agree_and_the_upper_one_is_the_sum(
    scene: Planted, levelled: Path, tmp_path: Path
) -> None:
    options = MapOptions(confidence=True, probabilities=True, parents=True)
    paths = predict(scene.path, levelled, out=tmp_path / "map.tif", options=options).paths
    ids, parents = raster(paths.classes)[0], raster(paths.parents)[0]
    steps = raster(paths.probabilities).astype(int)
    valid = ids > 0
    assert (parents == np.array([0, 1, 2, 1])[ids]).all()
    sums = np.stack([steps[0] + steps[2], steps[1]])
    clear = valid & (np.abs(sums[0] - sums[1]) > 4)  # steps are rounded
    assert (parents == sums.argmax(axis=0) + 1)[clear].all()
    assert clear.sum() > 100
    np.testing.assert_allclose(
        raster(paths.parents_confidence)[0][valid], sums.max(axis=0)[valid] / 2.5, atol=1.1
    )
    shown = np.take_along_axis(steps, np.maximum(ids.astype(int) - 1, 0)[None], axis=0)[0]
    np.testing.assert_allclose(raster(paths.confidence)[0][valid], shown[valid] / 2.5, atol=0.8)
    # Somewhere the most probable class is not of the most probable parent.
    assert (steps.argmax(axis=0) + 1 != ids)[valid].any()
    assert is_complete(paths)


def test_suggested_places_have_the_class_of_the_map(
    scene: Planted, levelled: Path, tmp_path: Path
) -> None:
    options = MapOptions(confidence=True)
    paths = predict(scene.path, levelled, out=tmp_path / "map.tif", options=options).paths
    found = suggest(scene.path, levelled, count=300).points
    assert len(found) > 100
    cols, rows = ~scene.transform @ (np.array([p.x for p in found]), np.array([p.y for p in found]))
    spot = np.floor(rows).astype(int), np.floor(cols).astype(int)
    assert [p.guess for p in found] == [f"class {i}" for i in raster(paths.classes)[0][spot]]
    assert [p.confidence for p in found] == raster(paths.confidence)[0][spot].tolist()


@pytest.mark.usefixtures("quick")
def test_the_preview_chooses_classes_as_the_map(scene: Planted, tmp_path: Path) -> None:
    frame = gpd.read_file(scene.shots(tmp_path / "shots.gpkg", per_class=9))
    frame["class"] = np.random.default_rng(3).permutation(frame["class"])  # nothing is sure
    frame["up"] = frame["class"].map({"meadow": "open", "water": "open", "asphalt": "sealed"})
    with Session(scene.path) as session:
        preview = session.update(read_shots(frame, class_field="up/class"))
        places = session.suggest(40)
    levels = Hierarchy.of(preview.classes)
    assert levels is not None
    _, chosen, shown = levels.choose(preview.probabilities)
    valid = preview.class_ids > 0
    assert (preview.class_ids == chosen + 1)[valid].all()
    assert (preview.confidence == np.rint(100 * shown))[valid].all()
    assert (preview.probabilities.argmax(axis=0) != chosen)[valid].any()
    for place in places:
        col, row = ~scene.transform @ (place.x, place.y)
        assert preview.classes[preview.class_ids[int(row), int(col)] - 1].name == place.guess


def test_files_name_both_levels(scene: Planted, levelled: Path, tmp_path: Path) -> None:
    options = MapOptions(parents=True, min_confidence=0.5)
    result = predict(scene.path, levelled, out=tmp_path / "map.tif", options=options)
    assert result.paths.parents is not None
    with rasterio.open(result.paths.parents) as file:
        names = dict(read_class_values(file).names)
        assert file.colormap(1)[1][:3] == (0x12, 0x34, 0x56)
    assert names == {1: "open", 2: "sealed", 4: "too uncertain"}
    assert "<F>sealed</F>" in result.paths.aux.read_text(encoding="utf-8")
    assert 'label="sealed"' in result.paths.parents.with_suffix(".qml").read_text(encoding="utf-8")
    record = result.record
    assert [c["parent"] for c in record["classes"]] == ["open", "sealed", "open"]
    parents = ids_in(result.paths.parents)
    for one in (*record["parents"], *record["rejected_parents"]):
        assert one["pixels"] == (parents == one["id"]).sum()
    # A pixel whose class is too uncertain may have a parent.
    uncertain = ids_in(result.paths.classes) == 5
    assert (parents[uncertain] == 1).any()
    assert not (parents[~uncertain & (parents > 0)] > 2).any()


@pytest.mark.slow
def test_tiles_and_cleaning_keep_both_levels(
    scene: Planted, levelled: Path, tmp_path: Path, scheduler: str
) -> None:
    options = MapOptions(parents=True, confidence=True, min_area=4)
    whole = predict(scene.path, levelled, out=tmp_path / "whole.tif", options=options).paths
    ids, parents = ids_in(whole.classes), raster(whole.parents)[0]
    assert (parents == np.array([0, 1, 2, 1])[ids]).all()
    tiles = cut(scene.path, tmp_path / "tiles", ROWS, COLS)
    result = batch(tiles, levelled, tmp_path / "maps", scheduler=scheduler, options=options)
    for tile, path in result.maps.items():
        row, col = map(int, Path(tile).stem.split("_"))
        own = ids_in(path.with_stem(f"{path.stem}_parents"))
        assert (own == parents[row : row + own.shape[0], col : col + own.shape[1]]).all()
    again = batch(tiles, levelled, tmp_path / "maps", scheduler=scheduler, options=options)
    assert again.count("unchanged") == len(tiles)


def test_one_level_has_no_upper_raster(scene: Planted, model: Path, tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="one level"):
        predict(scene.path, model, out=tmp_path / "m.tif", options=MapOptions(parents=True))
    assert not list(tmp_path.glob("m*.tif"))
    assert b'"parent' not in model.read_bytes()
    assert load_model(model).classes[0].parent is None


@pytest.mark.usefixtures("quick")
def test_fields_of_two_levels(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "plain.gpkg")
    frame = gpd.read_file(shots)
    frame["Level_1"] = frame["class"].map({"meadow": "green", "water": "blue", "asphalt": "grey"})
    frame.to_file(tmp_path / "levels.gpkg")
    labels = read_shots(tmp_path / "levels.gpkg", class_field="Level_1/class")
    assert {c.name: c.parent for c in labels.classes} == {
        "asphalt": "grey", "meadow": "green", "water": "blue",
    }  # fmt: skip
    result = classify(planted.path, labels, out=tmp_path / "m.tif", options=MapOptions(parents=True, report=True))  # fmt: skip
    # Each parent has one class: both levels are the same map, and have the same accuracy.
    assert result.parents_accuracy is not None
    assert result.parents_accuracy.oa == result.accuracy.oa
    assert result.paths.parents is not None
    upper = assess(
        result.paths.parents, read_shots(tmp_path / "levels.gpkg", class_field="Level_1")
    )
    lower = assess(result.paths.classes, labels)
    assert upper.oa == lower.oa
    frame.loc[0, "Level_1"] = "red"
    frame.to_file(tmp_path / "two.gpkg")
    with pytest.raises(ShotsError, match="below"):
        read_shots(tmp_path / "two.gpkg", class_field="Level_1/class")


def test_parents_of_a_class_file(planted: Planted, tmp_path: Path) -> None:
    shots = planted.shots(tmp_path / "plain.gpkg")
    style = tmp_path / "classes.json"
    entries = {
        "meadow": {"parent": "land"},
        "asphalt": {"parent": "land", "color": "#333333"},
        "land": {"color": "#AABBCC"},
    }
    style.write_text(json.dumps(entries), encoding="utf-8")
    classes = read_shots(shots, classes=style).classes
    assert [(c.name, c.parent) for c in classes] == [
        ("asphalt", "land"), ("meadow", "land"), ("water", "water"),
    ]  # fmt: skip
    table = parent_table(classes)
    assert [(c.id, c.name) for c in table] == [(1, "land"), (2, "water")]
    assert table[0].color == "#aabbcc"
    assert table[1].color == classes[2].color


@pytest.mark.parametrize("seed", range(5))
def test_the_chosen_class_is_the_best_of_the_best_parent(seed: int) -> None:
    """In any order of the outputs."""
    rng = np.random.default_rng(seed)
    parents = [f"p{p}" for p in rng.integers(0, 3, 7)]
    table: ClassTable = tuple(LandClass(i + 1, f"c{i}", "#000000", None, p, "#000000") for i, p in enumerate(parents))  # fmt: skip
    probabilities = rng.dirichlet(np.ones(8), (5, 6)).transpose(2, 0, 1)[:7].astype(np.float32)
    order = rng.permutation(7)
    levels = Hierarchy.of(table, order.tolist())
    assert levels is not None
    sums, chosen, shown = levels.choose(probabilities[order])
    of_class = parent_indices(table)
    for row, col in np.ndindex(5, 6):
        own = np.bincount(of_class, probabilities[:, row, col])
        np.testing.assert_allclose(sums[:, row, col], own, rtol=1e-5)
        among = np.where(of_class == own.argmax(), probabilities[:, row, col], -1)
        assert order[chosen[row, col]] == among.argmax()
        assert shown[row, col] == among.max()


@pytest.mark.parametrize("design", [None, "stratified"])
def test_one_assessment_has_both_levels(
    scene: Planted, levelled: Path, tmp_path: Path, design: Any
) -> None:
    """The upper level is that of MAP_parents.tif with the parents of the reference; strata stay those of the classes."""
    options = MapOptions(parents=True)
    paths = predict(scene.path, levelled, out=tmp_path / "map.tif", options=options).paths
    sample(paths.classes, out=tmp_path / "visit.gpkg", count=90)
    frame = gpd.read_file(tmp_path / "visit.gpkg", layer="visit")
    frame["class"] = [f"class {i % 3 + 1}" for i in range(len(frame))]
    frame["parent"] = [PARENTS[i % 3 + 1] for i in range(len(frame))]
    frame.to_file(tmp_path / "answered.gpkg", layer="visit")
    places = read_shots(tmp_path / "answered.gpkg", class_field="class", purpose=REFERENCE)
    found = assess(paths.classes, places, design=design, out=tmp_path / "page.html")
    assert found.parents is not None
    assert found.parents.parents is None
    assert [score.name for score in found.parents.scores] == ["open", "sealed"]
    assert found.parents.oa.value > found.oa.value
    assert found.parents.pixels == found.pixels
    assert found.as_dict()["parents"]["matrix"] == found.parents.matrix.tolist()
    assert "Upper level: confusion matrix" in (tmp_path / "page.html").read_text(encoding="utf-8")
    assert paths.parents is not None
    upper = read_shots(tmp_path / "answered.gpkg", class_field="parent", purpose=REFERENCE)
    alone = assess(paths.parents, upper, design=design)
    assert found.parents.matrix.tolist() == alone.matrix.tolist()
    assert found.parents.oa.value == pytest.approx(alone.oa.value)
    if design is not None:
        for score, other in zip(found.parents.scores, alone.scores, strict=True):
            assert score.area is not None
            assert other.area is not None
            assert dataclasses.astuple(score.area) == pytest.approx(dataclasses.astuple(other.area))
        total = sum(score.area.share for score in found.scores if score.area is not None)
        assert total == pytest.approx(1)
    shown = run("assess", paths.classes, "--reference", tmp_path / "answered.gpkg",
                "--class-field", "class", "--layer", "visit")  # fmt: skip
    assert "of the parents\n\noverall accuracy" in shown.stdout
