"""Runs in one go, with a network for tests: styles, cancelling, models, scripts."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio

from hsi_geo import stages
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.reprojection import reproject
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

MakeScene = Callable[..., Any]  # defined in conftest, which tests cannot import
Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


PLUGINS = "/usr/share/qgis/python/plugins"


def shots_by_class(job: dict[str, Any]) -> dict[str, int]:
    record = json.loads(Path(job["parameters"]["OUTPUT"]).with_suffix(".json").read_text())
    return {entry["name"]: entry["shots"] for entry in record["classes"]}


@pytest.mark.slow
def test_a_temporary_layer_and_its_style(case: Case, job: dict[str, Any], tmp_path: Path) -> None:
    """Also: GDAL_DATA, PROJ_LIB and PYTHONHOME that suit QGIS do not reach hsi-geo."""
    job["parameters"]["CONFIDENCE"] = str(tmp_path / "sicher.tif")
    job["parameters"]["PROBABILITIES"] = str(tmp_path / "wie wahrscheinlich.tif")
    categories = {
        "water": ("Gewässer", "#112233"), "meadow": ("Wiese", "#aabb00"), "": ("rest", "#000000")
    }  # fmt: skip
    found = case("temporary_and_styled", categories=categories, **job)
    assert found["ok"], found
    assert found["provider"] == "memory"
    assert shots_by_class(job) == {"asphalt": 4, "Wiese": 4, "Gewässer": 4}
    assert found["progress"] == sorted(found["progress"])
    assert found["progress"][-1] == pytest.approx(100)
    layers = found["layers"]
    assert layers["OUTPUT"]["renderer"] == "paletted"
    assert layers["OUTPUT"]["legend"] == [
        ["asphalt", "#8a8a8a"], ["Wiese", "#aabb00"], ["Gewässer", "#112233"]
    ]  # fmt: skip
    assert layers["CONFIDENCE"]["renderer"] == "singlebandpseudocolor"
    assert layers["CONFIDENCE"]["legend"][0] == ["0 %", "#440154"]
    with rasterio.open(tmp_path / "wie wahrscheinlich.tif") as file:
        assert file.descriptions == ("asphalt", "Wiese", "Gewässer")


@pytest.mark.slow
def test_each_run_leaves_one_dated_group_below_its_labels(
    case: Case, job: dict[str, Any], tmp_path: Path
) -> None:
    del job["parameters"]["OUTPUT"]
    outputs = [
        {name: str(tmp_path / f"{number} {name}.tif") for name in names}
        for number, names in enumerate([("OUTPUT", "CONFIDENCE", "PROBABILITIES"), ("OUTPUT",)])
    ]
    found = case("finished", outputs=outputs, plugins=PLUGINS, **job)
    record = json.loads(Path(outputs[0]["OUTPUT"]).with_suffix(".json").read_text())
    accuracy = record["accuracy"]
    low, high = (100 * end for end in accuracy["interval95"])
    percent = f"{100 * accuracy['oa']:.0f} %"
    told = f"accuracy {percent} (95 % interval {low:.0f}-{high:.0f} %)"
    # The newest run is right below the labels; the layer that was above them stays there.
    others, labels, second, first, scene = found["tree"]
    assert (others[0], labels[0], scene[0]) == ("other", "Meine Flächen", "Szene")
    assert labels[1] is True
    for name, _ in (first, second):
        assert re.fullmatch(
            rf"hsi-geo \d{{4}}-\d\d-\d\d \d\d:\d\d — Szene, {re.escape(told)}", name
        )
    class_map = f"Class map, accuracy {percent}"
    assert first[1] == [
        [class_map, True], ["Confidence (per cent)", False],
        ["Probabilities (a band a class)", False],
    ]  # fmt: skip
    assert second[1] == [[class_map, True]]
    assert found["messages"] == [[f"Szene is mapped; estimated {told}."]] * 2
    assert all("held-out pixels correct" in log for log in found["logs"])
    for path in outputs[0].values():
        metadata = found["layers"][path]
        assert metadata["title"].endswith(" of Szene")
        assert metadata["abstract"] == f"Szene is mapped; estimated {told}."
        assert "Labels: Meine Flächen; field with the class: class" in metadata["history"]
        assert metadata["crs"] == "EPSG:32633"
        assert metadata["extent"] == pytest.approx(metadata["corner"])


def test_the_legend_of_a_new_map_is_open(case: Case, make_scene: Any) -> None:
    found = case("group_in_view", raster=str(make_scene("scene.tif").path))
    assert list(found["open"].values()) == [True, True, False, False, False], found


def test_a_temporary_layer_without_crs_is_exported_without(
    case: Case, fake: Fake, job: dict[str, Any]
) -> None:
    found = case("without_crs", python=fake.python, **job)
    assert found["ok"], found
    grid = grid_of(open_scene(job["parameters"]["INPUT"]))
    with pytest.raises(ShotsError, match="no coordinate reference system is set for shots"):
        reproject(fake.given("shots"), grid, name="shots", wrong=ShotsError)


@pytest.mark.slow
def test_cancelling_ends_the_child_and_leaves_no_file(
    case: Case, job: dict[str, Any], tmp_path: Path
) -> None:
    before = sorted(tmp_path.iterdir())
    found = case("cancelled", stage=stages.TRAINING, steps=1_000_000, **job)
    assert found["ok"] is False, found
    assert "cancelled" in found["log"]
    assert found["took"] < 2
    time.sleep(0.1)
    assert not running(job["parameters"]["OUTPUT"])
    written = [path for path in tmp_path.iterdir() if path not in before]
    # QGIS itself notes statistics of a raster that it opened.
    assert [path for path in written if not path.name.endswith(".aux.xml")] == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", [stages.LEARNING, stages.TRAINING, stages.MAPPING])
def test_cancelling_the_real_thing(stage: str, case: Case, berlin: Path, tmp_path: Path) -> None:
    parameters = {
        "INPUT": str(berlin / "EnMAP_BerlinUrbanGradient.bsq"),
        "CLASS_FIELD": "Level_2",
        "OUTPUT": str(tmp_path / "map.tif"),
    }
    found = case(
        "cancelled", stage=stage, labels=str(berlin / "LandCov_BerlinUrbanGradient.shp"),
        parameters=parameters, python=sys.executable,
    )  # fmt: skip
    assert found["ok"] is False, found
    assert found["took"] < 2
    assert not running(parameters["OUTPUT"])
    assert list(tmp_path.iterdir()) == []


def running(text: str) -> list[str]:
    """Command lines of processes that hold a text."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().decode(errors="replace")
        except OSError:  # gone since
            continue
        if text in line:
            found.append(line)
    return found


@pytest.mark.slow
def test_a_model_of_two_steps(
    case: Case, call: Call, job: dict[str, Any], quick_python: str, make_scene: MakeScene,
    tmp_path: Path,
) -> None:  # fmt: skip
    model = tmp_path / "two steps.model3"
    assert case("two_steps", path=str(model), field="class")["ok"]
    truth = make_scene("again.tif").shots(tmp_path / "truth.gpkg", per_class=9)
    numbers, out = tmp_path / "numbers.json", job["parameters"]["OUTPUT"]
    shown = call(
        str(model),
        python=quick_python,
        SCENE=job["parameters"]["INPUT"],
        SHOTS=job["labels"],
        TRUTH=truth,
        **{"first:Map": out, "second:Numbers": numbers},
    )
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert json.loads(numbers.read_text(encoding="utf-8"))["pixels"] == 27
    assert shots_by_class(job) == {"asphalt": 4, "meadow": 4, "water": 4}


def test_parameters_as_json_on_stdin(
    program: str, environment: dict[str, str], quick_python: str, job: dict[str, Any]
) -> None:
    told = subprocess.run(
        [program, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    if "STDIN" not in told.stdout:
        pytest.skip("this QGIS takes no JSON on stdin (3.24 and newer do)")
    inputs = {**job["parameters"], "LABELS": job["labels"], "SEED": 3, "THREADS": None}
    shown = subprocess.run(
        [program, "--json", "run", "hsi_geo:classify", "-"],
        env={**environment, "HSI_GEO_PYTHON": quick_python},
        input=json.dumps({"inputs": inputs}), capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert json.loads(shown.stdout)["results"]["OUTPUT"] == job["parameters"]["OUTPUT"]
