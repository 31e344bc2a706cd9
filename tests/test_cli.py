"""The command line: what users type, what they read, and what they find on disk."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from click.testing import CliRunner, Result
from hsi_geo.cli.main import COMMANDS, group

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


def run(*args: object) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(group, [str(arg) for arg in args])


def snapshot(folder: Path) -> dict[str, str]:
    """Every file under a folder with a hash of its bytes."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.fixture
def shots(planted: Planted, tmp_path: Path) -> Path:
    path: Path = planted.shots(tmp_path / "shots.gpkg")
    return path


def test_every_command_has_help() -> None:
    assert run("--help").exit_code == 0
    for name in COMMANDS:
        shown = run(name, "--help")
        assert shown.exit_code == 0
        assert shown.output.startswith("Usage:")


def test_version() -> None:
    assert "0." in run("--version").output


def test_wrong_use_is_exit_2() -> None:
    assert run("classfy").exit_code == 2
    assert run("classify", "scene.tif").exit_code == 2
    assert run("classify", "scene.tif", "--shots", "a", "--max-memory", "lots").exit_code == 2


def test_foreign_gdal_settings_are_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    from hsi_geo.environment import drop_foreign_variables

    monkeypatch.setenv("PROJ_LIB", "/nowhere")
    monkeypatch.setenv("GDAL_DATA", "/nowhere")
    drop_foreign_variables()
    assert "PROJ_LIB" not in os.environ
    assert "GDAL_DATA" not in os.environ


def test_doctor_is_content_here() -> None:
    shown = run("doctor")
    assert shown.exit_code == 0
    assert "all is well" in shown.stdout
    listed = json.loads(run("doctor", "--json").stdout)
    assert listed["ok"] is True
    assert {"torch", "GDAL", "driver COG", "device", "weights"} <= {
        c["name"] for c in listed["checks"]
    }


def test_doctor_names_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsi_geo.environment.PACKAGES", ("torch", "no-such-package"))
    shown = run("doctor")
    assert shown.exit_code == 1
    assert "pip install no-such-package" in shown.stdout


def test_info_describes_scene_and_shots(planted: Planted, shots: Path) -> None:
    shown = run("info", planted.path, "--shots", shots)
    assert shown.exit_code == 0, shown.output
    for text in (
        "53 x 37 px, 40 bands",
        "EPSG:32633",
        "30 x 20 metre",
        "420-13",
        "1.0 % of pixels",
    ):
        assert text in shown.stdout
    found = json.loads(run("info", planted.path, "--shots", shots, "--json").stdout)
    assert found["scene"]["nodata_share"] == pytest.approx(20 / (37 * 53))
    assert {c["name"]: c["pixels"] for c in found["shots"]["classes"]} == dict.fromkeys(
        planted.names, 4
    )


def test_info_finds_bad_bands(planted: Planted) -> None:
    with rasterio.open(planted.path, "r+") as file:
        file.write(np.full(file.shape, 17, np.int16), 5)
        file.update_tags(9, bbl="0")
        file.update_tags(11, wavelength="1400.0")
    bad = json.loads(run("info", planted.path, "--json").stdout)["scene"]["bad_bands"]
    assert bad == [
        {"band": 5, "why": "constant"},
        {"band": 9, "why": "by bbl"},
        {"band": 11, "why": "in water vapour"},
    ]


@pytest.mark.usefixtures("quick")
def test_classify_writes_all_that_was_asked_for(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    before = snapshot(tmp_path)
    shown = run("classify", planted.path, "--shots", shots, "--confidence", "--probabilities")
    assert shown.exit_code == 0, shown.output
    names = {
        "scene_classes.tif",
        "scene_classes.tif.aux.xml",
        "scene_classes.qml",
        "scene_classes.json",
        "scene_classes_confidence.tif",
        "scene_classes_probabilities.tif",
    }
    after = snapshot(tmp_path)
    assert set(after) - set(before) == names
    assert {name: after[name] for name in before} == before
    assert all(name in shown.stdout for name in names | {"asphalt", "meadow", "water"})
    assert "map: done" in shown.stderr


@pytest.mark.usefixtures("quick")
def test_adapt_and_predict_give_the_map_of_classify(
    planted: Planted, shots: Path, tmp_path: Path
) -> None:
    model, one, two = tmp_path / "m.safetensors", tmp_path / "one.tif", tmp_path / "two.tif"
    for args in (
        ("classify", planted.path, "--shots", shots, "-o", one, "--seed", 3),
        ("adapt", planted.path, "--shots", shots, "-o", model, "--seed", 3),
        ("predict", planted.path, "--model", model, "-o", two),
    ):
        shown = run(*args)
        assert shown.exit_code == 0, shown.output
    assert one.read_bytes() == two.read_bytes()
    assert one.with_suffix(".json").read_bytes() == two.with_suffix(".json").read_bytes()


@pytest.mark.usefixtures("quick")
def test_several_scenes_go_to_a_folder(
    make_scene: MakeScene, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    other = make_scene("other.tif", seed=8)
    shown = run("classify", planted.path, other.path, "--shots", shots, "-o", tmp_path / "maps")
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "maps" / "scene_classes.tif").is_file()
    assert (tmp_path / "maps" / "other_classes.tif").is_file()


@pytest.mark.usefixtures("quick")
def test_jsonl_speaks_the_protocol(planted: Planted, shots: Path, tmp_path: Path) -> None:
    shown = run(
        "classify", planted.path, "--shots", shots, "-o", tmp_path / "m.tif", "--progress", "jsonl"
    )
    assert shown.exit_code == 0, shown.output
    events = [json.loads(line) for line in shown.stderr.splitlines()]
    assert all(event["v"] == 1 for event in events)
    steps = [event for event in events if event["type"] == "progress"]
    assert set(steps[0]) == {"v", "type", "stage", "done", "total", "eta_s"}
    assert [e["stage"] for e in steps if e["done"] == e["total"]] == [
        "teacher",
        "adapt",
        "map",
    ]
    assert events[-1]["type"] == "result"
    assert events[-1]["outputs"]["map"] == str(tmp_path / "m.tif")


def test_jsonl_tells_errors_too(tmp_path: Path) -> None:
    shown = run("info", tmp_path / "none.tif", "--progress", "jsonl")
    assert shown.exit_code == 1
    (event,) = [json.loads(line) for line in shown.stderr.splitlines()]
    assert event["type"] == "error"
    assert event["code"] == "scene-not-found"
    assert event["hint"]


@pytest.mark.usefixtures("quick")
def test_overwrite_replaces(planted: Planted, shots: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.tif"
    out.write_bytes(b"precious")
    args = ("classify", planted.path, "--shots", shots, "-o", out)
    assert run(*args).exit_code == 1
    assert out.read_bytes() == b"precious"
    assert run(*args, "--overwrite").exit_code == 0
    with rasterio.open(out) as file:
        assert file.count == 1


# Bad input: one sentence, exit 1, nothing on disk changed ------------------------------------


def rewrite(shots: Path, change: Callable[[gpd.GeoDataFrame], gpd.GeoDataFrame]) -> Path:
    change(gpd.read_file(shots)).to_file(shots, driver="GPKG")
    return shots


def one_class(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frame["class"] = "meadow"
    return frame


def far_away(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    frame.geometry = frame.geometry.translate(1e6, 0)
    return frame


def in_the_hole(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame:
    """Each class on a nodata pixel of its own."""
    column = frame["class"].map({"meadow": 5, "asphalt": 7, "water": 9}).to_numpy() + 0.5
    frame.geometry = [shapely.Point(383472.5 + 30 * c, 5818302.25 - 20 * 4.5) for c in column]
    return frame


Bad = tuple[Callable[[Path, Path, Path], tuple[object, ...]], str]


def classify_with(**changes: object) -> Callable[[Path, Path, Path], tuple[object, ...]]:
    """Arguments of classify, some replaced by paths relative to the folder."""

    def build(folder: Path, scene: Path, shots: Path) -> tuple[object, ...]:
        paths = {"scene": scene, "shots": shots, "out": folder / "map.tif"}
        paths |= {key: folder / str(name) for key, name in changes.items() if key in paths}
        extra = changes.get("extra", ())
        assert isinstance(extra, tuple)
        return ("classify", paths["scene"], "--shots", paths["shots"], "-o", paths["out"], *extra)

    return build


BAD: dict[str, Bad] = {
    "scene missing": (classify_with(scene="none.tif"), "scene '.*none.tif' does not exist"),
    "scene is text": (classify_with(scene="notes.txt"), "is not a raster"),
    "scene is a folder": (classify_with(scene="folder"), "is not a raster"),
    "scene cut short": (classify_with(scene="short.tif"), "short.tif'"),
    "scene without wavelengths": (classify_with(scene="plain.tif"), "40 bands and no wavelengths"),
    "scene rotated": (classify_with(scene="rotated.tif"), "rotated by .* gdalwarp"),
    "shots missing": (classify_with(shots="none.gpkg"), "shots file '.*none.gpkg' does not exist"),
    "shots are text": (classify_with(shots="notes.txt"), "is not a vector file"),
    "shots empty": (classify_with(shots="empty.gpkg"), "is empty"),
    "shots outside": (classify_with(shots="far.gpkg"), "none of the 12 shots .* lies in the scene"),
    "shots without CRS": (
        classify_with(shots="nowhere.gpkg"),
        "no coordinate reference system is set",
    ),
    "shots of one class": (classify_with(shots="one.gpkg"), "only one class, 'meadow'"),
    "shots on nodata": (classify_with(shots="hole.gpkg"), "all 3 pixels .* are nodata"),
    "no such field": (
        classify_with(extra=("--class-field", "clas")),
        "no field 'clas', only 'class'",
    ),
    "no such layer": (classify_with(extra=("--layer", "two")), "no layer 'two', only 'shots'"),
    "output there": (classify_with(out="there.tif"), "already there.*--overwrite"),
    "output's style there": (classify_with(out="styled.tif"), "styled.qml' is already there"),
    "output folder missing": (classify_with(out="none/map.tif"), "folder '.*none' does not exist"),
    "output is a folder": (classify_with(out="folder.tif"), "is a folder"),
    "output is no GeoTIFF": (classify_with(out="map.png"), "does not end in .tif"),
    "wavelengths descend": (
        classify_with(extra=("--wavelengths", "2500:400")),
        "neither a file, nor START:STOP",
    ),
    "wavelengths of other count": (
        classify_with(extra=("--wavelengths", "three.txt")),
        "has 3 centres and the scene 40 bands",
    ),
    "area missing": (
        classify_with(extra=("--aoi", "none.gpkg")),
        "area 'none.gpkg' does not exist",
    ),
    "model missing": (
        lambda folder, scene, shots: ("predict", scene, "--model", folder / "none"),
        "model '.*none' does not exist",
    ),
    "model is text": (
        lambda folder, scene, shots: ("predict", scene, "--model", folder / "notes.txt"),
        "not a safetensors file",
    ),
    "several scenes, no folder": (
        lambda folder, scene, shots: ("classify", scene, scene, "--shots", shots),
        "need a folder",
    ),
    "demo onto a file": (
        lambda folder, scene, shots: ("demo", folder / "notes.txt"),
        "cannot be made",
    ),
}


@pytest.fixture
def bad_files(make_scene: MakeScene, planted: Planted, shots: Path, tmp_path: Path) -> None:
    """Everything the table above names."""
    (tmp_path / "notes.txt").write_text("no data here\n", encoding="utf-8")
    (tmp_path / "three.txt").write_text("400\n500\n600\n", encoding="utf-8")
    for name in ("folder", "folder.tif"):
        (tmp_path / name).mkdir()
    (tmp_path / "there.tif").write_bytes(b"precious")
    (tmp_path / "styled.qml").write_bytes(b"precious")
    make_scene("plain.tif", wavelengths=False)
    turned = rasterio.Affine(20.0, 10.0, 383472.5, 10.0, -20.0, 5818302.25)
    make_scene("rotated.tif", transform=turned)
    whole = planted.path.read_bytes()
    (tmp_path / "short.tif").write_bytes(whole[: len(whole) // 3])
    frame = gpd.read_file(shots)
    frame.iloc[:0].to_file(tmp_path / "empty.gpkg", driver="GPKG")
    for name, change in (("far", far_away), ("one", one_class), ("hole", in_the_hole)):
        change(frame.copy()).to_file(tmp_path / f"{name}.gpkg", driver="GPKG")
    with pytest.warns(UserWarning, match="crs"):
        frame.set_crs(None, allow_override=True).to_file(tmp_path / "nowhere.gpkg", driver="GPKG")


@pytest.mark.usefixtures("quick", "bad_files")
@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_sentence_and_changes_nothing(
    case: str,
    planted: Planted,
    shots: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    build, expected = BAD[case]
    before = snapshot(tmp_path)
    shown = run(*build(tmp_path, planted.path, shots))
    assert shown.exit_code == 1, shown.output
    assert "Traceback" not in shown.output
    assert shown.stdout == ""
    said = [line for line in shown.stderr.splitlines() if not line.startswith("Warning: ")]
    assert len([line for line in said if line.startswith("Error: ")]) == 1
    message = said[-1]
    assert message.startswith("Error: ")
    assert "; " in message, "no cure is named"
    assert re.search(expected, message), message
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".hsi-geo-*"))


@pytest.mark.usefixtures("quick")
def test_folder_that_cannot_be_written(
    planted: Planted, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the refusal is the system call's own."""

    def refuse(*args: Any, **kwargs: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hsi_geo.io.staging.tempfile.mkdtemp", refuse)
    shown = run("classify", planted.path, "--shots", shots)
    assert shown.exit_code == 1
    assert "cannot be written to (Permission denied); choose another folder" in shown.stderr


@pytest.mark.usefixtures("quick")
def test_defects_are_told_as_such(
    planted: Planted, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("hsi_geo.tasks.adapt.fine_tune", broken)
    shown = run("classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif")
    assert shown.exit_code == 1
    assert "Error: unexpected ZeroDivisionError: division by zero; this is a defect" in shown.stderr
    assert not (tmp_path / "map.tif").exists()


#: The program with a small network that learns for long: quick to reach any stage of.
SLOW_LEARNER = """
from hsi_geo.models.s2former import S2FormerConfig
from hsi_geo.tasks import adapt
small = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
from hsi_geo.tasks.daft import Lesson
adapt.DEFAULT_RECIPE = adapt.Recipe(network=small, stride_px=4, lesson=Lesson(steps=60, batch=8), budget_px=4000)
adapt.DEFAULT_WEIGHTS = "none"
from hsi_geo.cli.main import main
main()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", ["adapt", "map"])
def test_stopping_leaves_no_file(
    make_scene: MakeScene, tmp_path: Path, how: signal.Signals, stage: str
) -> None:
    scene = make_scene("big.tif", height=1500, width=700, bands=4)
    shots = scene.shots(tmp_path / "shots.gpkg")
    before = snapshot(tmp_path)
    command = [sys.executable, "-c", SLOW_LEARNER, "classify", scene.path, "--shots", shots]
    with subprocess.Popen(
        [*map(str, command), "--progress", "jsonl", "--threads", "1"],
        stderr=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        text=True,
    ) as child:
        assert child.stderr is not None
        for line in child.stderr:
            event = json.loads(line)
            assert event["type"] != "error", event
            if event["type"] == "progress" and event["stage"] == stage:
                break
        asked = time.monotonic()
        child.send_signal(how)
        rest = child.stderr.read().splitlines()
        assert child.wait(timeout=10) == 130
    assert time.monotonic() - asked < 5
    assert json.loads(rest[-1])["code"] == "interrupted"
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".hsi-geo-*"))
