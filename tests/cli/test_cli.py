"""The command line: arguments, output, exit codes and files."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import rasterio
from builders import run, snapshot
from hsi_geo.cli import reporting
from hsi_geo.cli.main import COMMANDS

from hsi_geo import stages
from hsi_geo.io.labels.zones import FIELDS

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


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


@pytest.mark.parametrize("command", ["zones", "classify", "predict", "batch"])
def test_help_names_all_fields_of_zones_in_their_order(command: str) -> None:
    text = " ".join(run(command, "--help").output.split())
    assert f"the first of {', '.join(FIELDS[:-1])} and {FIELDS[-1]} that tells them apart" in text


@pytest.mark.parametrize(
    ("command", "wanted", "unwanted"),
    [
        ("predict", "with MAP.tif beside them. [default", "several scenes a folder"),
        ("classify", "for several scenes a folder", "-"),
        ("classify", "the same seed give the same map", "-"),
        ("adapt", "the same seed give the same model", "the same map"),
        ("pretrain", "the same seed give the same weights", "the same map"),
        ("sample", "the same seed give the same places", "the same map"),
        ("suggest", "the same seed give the same places", "the same map"),
        ("batch", "writes polygons.gpkg for all maps together", "-"),
    ],
)
def test_help_says_what_a_command_makes(command: str, wanted: str, unwanted: str) -> None:
    text = " ".join(run(command, "--help").output.split())
    assert wanted in text
    assert unwanted == "-" or unwanted not in text


def test_version() -> None:
    assert "0." in run("--version").output


def test_wrong_usage_exits_with_2() -> None:
    assert run("classfy").exit_code == 2
    assert run("classify", "scene.tif").exit_code == 2
    assert run("classify", "scene.tif", "--shots", "a", "--max-memory", "lots").exit_code == 2


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
    assert [(band["band"], band["why"]) for band in bad] == [
        (5, "constant"),
        (9, "by bbl"),
        (11, "in water vapour"),
    ]
    assert bad[2]["centre_nm"] == 1400.0


@pytest.mark.usefixtures("quick")
def test_classify_writes_the_files_of_its_options(
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
    record = json.loads((tmp_path / "scene_classes.json").read_text(encoding="utf-8"))
    assert (
        record["bad_bands"]
        == json.loads(run("info", planted.path, "--json").stdout)["scene"]["bad_bands"]
    )
    assert "Mapping: done" in shown.stderr


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_adapt_and_predict_commands_write_the_bytes_of_classify(
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
@pytest.mark.slow
def test_classify_writes_maps_of_several_scenes_to_a_folder(
    make_scene: MakeScene, planted: Planted, shots: Path, tmp_path: Path
) -> None:
    other = make_scene("other.tif", seed=8)
    shown = run("classify", planted.path, other.path, "--shots", shots, "-o", tmp_path / "maps")
    assert shown.exit_code == 0, shown.output
    assert (tmp_path / "maps" / "scene_classes.tif").is_file()
    assert (tmp_path / "maps" / "other_classes.tif").is_file()


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_jsonl_writes_events_of_the_protocol(planted: Planted, shots: Path, tmp_path: Path) -> None:
    shown = run(
        "classify", planted.path, "--shots", shots, "-o", tmp_path / "m.tif", "--progress", "jsonl"
    )
    assert shown.exit_code == 0, shown.output
    events = [json.loads(line) for line in shown.stderr.splitlines()]
    assert all(event["v"] == 1 for event in events)
    steps = [event for event in events if event["type"] == "progress"]
    assert set(steps[0]) == {"v", "type", "stage", "done", "total", "eta_s"}
    assert [e["stage"] for e in steps if e["done"] == e["total"]] == [
        stages.READING,
        stages.LEARNING,
        stages.TRAINING,
        stages.MAPPING,
    ]
    assert events[-1]["type"] == "result"
    assert events[-1]["outputs"]["map"] == str(tmp_path / "m.tif")


@pytest.mark.parametrize("terminal", [True, False])
def test_terminal_reporter_prints_the_rate_of_mapping(
    terminal: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seconds = iter([10.0, 10.0, 12.0, 12.0, 14.0, 14.0, 20.0, 21.0])
    # Only for this module: threads of a cluster call time.monotonic too.
    clock = SimpleNamespace(monotonic=lambda: next(seconds))
    monkeypatch.setattr("hsi_geo.progress.time", clock)
    monkeypatch.setattr("sys.stderr.isatty", lambda: terminal, raising=False)
    reporter = reporting.TerminalReporter()
    for done in (10_000, 190_000, 370_000):
        reporter.progress(stages.MAPPING, done, 370_000)
    reporter.progress(stages.LEARNING, 1, 2)
    lines = capsys.readouterr().err.replace("\r\x1b[K", "\n").split("\n")
    if terminal:
        assert lines[1:4] == [
            "Mapping: 2 %",
            "Mapping: 51 %, 90 kpx/s, 2 s left",
            "Mapping: 100 %, 90 kpx/s",
        ]
        assert "Learning from the shots: 50 %" in lines
    else:
        assert lines == ["Mapping: done, 90 kpx/s", ""]


def test_jsonl_writes_errors_as_events(tmp_path: Path) -> None:
    shown = run("info", tmp_path / "none.tif", "--progress", "jsonl")
    assert shown.exit_code == 1
    (event,) = [json.loads(line) for line in shown.stderr.splitlines()]
    assert event["type"] == "error"
    assert event["code"] == "scene-not-found"
    assert event["hint"]


def test_a_closed_pipe_prints_no_error(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with `hsi-geo info scene.tif | head`."""
    command = [sys.executable, "-m", "hsi_geo", "info", str(planted.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == b""
    process.stderr.close()
    assert process.wait() == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_overwrite_replaces_an_output(planted: Planted, shots: Path, tmp_path: Path) -> None:
    out = tmp_path / "map.tif"
    out.write_bytes(b"precious")
    args = ("classify", planted.path, "--shots", shots, "-o", out)
    assert run(*args).exit_code == 1
    assert out.read_bytes() == b"precious"
    assert run(*args, "--overwrite").exit_code == 0
    with rasterio.open(out) as file:
        assert file.count == 1


@pytest.mark.usefixtures("quick")
def test_classify_refuses_a_folder_without_write_permission(
    planted: Planted, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may write anywhere, so the system call is replaced."""

    def refuse(*args: Any, **kwargs: Any) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("hsi_geo.io.files.scratch.tempfile.mkdtemp", refuse)
    shown = run("classify", planted.path, "--shots", shots)
    assert shown.exit_code == 1
    assert "cannot be written to (Permission denied); choose another folder" in shown.stderr


@pytest.mark.usefixtures("quick")
def test_unexpected_errors_are_reported_as_defects(
    planted: Planted, shots: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: Any, **kwargs: Any) -> None:
        raise ZeroDivisionError("division\nby zero")

    monkeypatch.setattr("hsi_geo.tasks.adaptation.fitting.fine_tune", broken)
    shown = run("classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif")
    assert shown.exit_code == 1
    assert "Error: unexpected ZeroDivisionError: division by zero; this is a defect" in shown.stderr
    assert not (tmp_path / "map.tif").exists()


#: The program with a small network and many steps: it reaches each stage soon, and stays in it.
SLOW_PROGRAM = """
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import adapt
small = S2FormerConfig(window_px=8, width=16, depth=1, heads=2)
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe
adapt.DEFAULT_RECIPE = Recipe(network=small, stride_px=4, fine_tuning=FineTuneConfig(steps=60, batch=8), budget_px=4000)
adapt.DEFAULT_WEIGHTS = "none"
from hsi_geo.cli.main import main
main()
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("stage", [stages.TRAINING, stages.MAPPING])
@pytest.mark.slow
def test_interrupted_commands_leave_no_file(
    make_scene: MakeScene, tmp_path: Path, how: signal.Signals, stage: str
) -> None:
    scene = make_scene("big.tif", height=1500, width=700, bands=4)
    shots = scene.shots(tmp_path / "shots.gpkg")
    before = snapshot(tmp_path)
    command = [sys.executable, "-c", SLOW_PROGRAM, "classify", scene.path, "--shots", shots]
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
        sent = time.monotonic()
        child.send_signal(how)
        rest = child.stderr.read().splitlines()
        assert child.wait(timeout=10) == 130
    assert time.monotonic() - sent < 5
    assert json.loads(rest[-1])["code"] == "interrupted"
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".hsi-geo-*"))
