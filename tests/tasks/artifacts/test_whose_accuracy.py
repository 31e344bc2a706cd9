"""The accuracy estimate of the scene that a model was adapted to is not reported for other maps."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from builders import run
from planted import write_planted

from hsi_geo import adapt, classify, open_scene, predict

pytestmark = pytest.mark.usefixtures("quick")


@pytest.fixture
def here(tmp_path: Path) -> Any:
    return write_planted(tmp_path / "here.tif")


@pytest.fixture
def there(tmp_path: Path) -> Any:
    return write_planted(tmp_path / "there.tif", seed=8)


@pytest.fixture
def shots(here: Any, tmp_path: Path) -> Path:
    return Path(here.shots(tmp_path / "shots.gpkg"))


@pytest.fixture
def model(here: Any, shots: Path, tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    adapt(here.path, shots, out=path)
    return path


def events(stderr: str) -> dict[str, Any]:
    found = [json.loads(line) for line in stderr.splitlines()]
    return next(event for event in found if event["type"] == "result")


def test_accuracy_of_another_scene_is_unknown(
    here: Any, there: Any, model: Path, tmp_path: Path
) -> None:
    own = predict(here.path, model, out=tmp_path / "own.tif")
    other = predict(there.path, model, out=tmp_path / "other.tif")
    assert own.accuracy.oa is not None
    assert own.adapted_accuracy is None
    assert other.accuracy.oa is None
    assert other.adapted_accuracy == own.accuracy
    record = json.loads((tmp_path / "other.json").read_text())
    assert record["accuracy"]["oa"] is None
    assert record["accuracy"]["method"] == "not estimated: the model was adapted to another scene"
    assert record["adaptation"]["accuracy"]["oa"] == own.accuracy.oa
    assert not record["scene_adapted_to"]
    assert json.loads((tmp_path / "own.json").read_text())["accuracy"]["oa"] == own.accuracy.oa


def test_command_prints_accuracy_of_the_training_scene_separately(
    here: Any, there: Any, model: Path, tmp_path: Path
) -> None:
    command = ["--model", model, "--overwrite", "-o", tmp_path / "map.tif"]
    own = run("predict", here.path, *command)
    line = next(line for line in own.stdout.splitlines() if line.startswith("accuracy"))
    assert "held-out pixels correct" in line
    other = run("predict", there.path, *command)
    printed = dict(
        re.split(r"  +", line, maxsplit=1) for line in other.stdout.splitlines() if "  " in line
    )
    assert "held-out" not in printed["accuracy"]
    assert "held-out pixels correct" in printed["in the model's scene"]
    assert re.fullmatch(r"[0-9] % of the pixels", printed["unlike the shots"])
    assert "caution" not in printed
    event = events(run("predict", there.path, *command, "--progress", "jsonl").stderr)
    assert event["accuracy"]["oa"] is None
    assert event["adapted_accuracy"]["oa"] is not None
    assert event["drifts"] is False
    event = events(run("predict", here.path, *command, "--progress", "jsonl").stderr)
    assert event["accuracy"]["oa"] is not None
    assert "adapted_accuracy" not in event


def test_drift_is_a_warning_that_the_estimate_does_not_hold(
    there: Any, model: Path, tmp_path: Path
) -> None:
    generator = np.random.default_rng(0)
    with rasterio.open(there.path, "r+") as file:
        values = file.read()
        moved = values + 70 * generator.standard_normal((len(values), 1, 1))
        file.write(np.where(values == -999, -999, moved).astype(np.int16))
    done = run("predict", there.path, "--model", model, "-o", tmp_path / "map.tif")
    assert done.exit_code == 0, done.stderr
    assert "the estimate does not hold here" in done.stdout
    assert "Warning: scene" in done.stderr
    assert "looks unlike what the model was adapted to" in done.stderr
    record = json.loads((tmp_path / "map.json").read_text())
    assert record["drifts"]
    assert "does not hold here" in "".join(record["warnings"])


@pytest.mark.slow
def test_arrays_are_not_recognised_as_the_training_scene(
    here: Any, there: Any, shots: Path, tmp_path: Path
) -> None:
    """Arrays have no hash that could be compared."""
    arrays = [open_scene(p.path).load().assign_attrs(source="array") for p in (here, there)]
    model = adapt(arrays[0], shots)
    assert predict(arrays[1], model, out=tmp_path / "a.tif").accuracy.oa is None
    found = classify(arrays[0], shots, out=tmp_path / "b.tif")
    assert found.accuracy.oa is not None
    assert found.record["scene_adapted_to"]


def test_replaced_file_is_another_scene(here: Any, model: Path, tmp_path: Path) -> None:
    write_planted(here.path, seed=9)
    assert predict(here.path, model, out=tmp_path / "map.tif").accuracy.oa is None


@pytest.mark.slow
def test_accuracy_of_several_scenes_is_reported_for_all(
    here: Any, there: Any, shots: Path, tmp_path: Path
) -> None:
    results = classify([here.path, there.path], shots, out=tmp_path / "maps")
    assert {str(result.accuracy) for result in results} == {str(results[0].accuracy)}
    folder = tmp_path / "again"
    done = run("classify", here.path, there.path, "--shots", shots, "-o", folder)
    assert done.stdout.count("(of the 2 scenes together)") == 2, done.stderr
