"""Features that another process computes: the same numbers, or none, and no process stays."""

from __future__ import annotations

import io
import os
import pickle
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from builders import random_encoder, regions_of

from hsi_geo import timings
from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import feature_process
from hsi_geo.tasks.adaptation.feature_process import (
    FeatureProcess,
    allow_process,
    serve,
    start_process,
)
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.region_cutting import whole_scenes
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.adaptation.steps import Steps
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

Planted = Any  # defined in conftest, which tests cannot import

CPU = torch.device("cpu")

#: The command line as a program, and as other programs call it. The second one starts no process.
PROGRAMS = {
    "program": "from hsi_geo.cli.main import run; run()",
    "called": "from hsi_geo.cli.main import main; main()",
}


@pytest.fixture
def regions(planted: Planted, tmp_path: Path) -> TrainingRegions:
    return regions_of(planted.path, planted.shots(tmp_path / "shots.gpkg"))


@pytest.fixture
def process(monkeypatch: pytest.MonkeyPatch) -> Iterator[FeatureProcess]:
    monkeypatch.setattr(feature_process, "_allowed", False)
    allow_process()
    started = start_process()
    assert started is not None
    yield started
    started.close()


def assert_same(found: PixelFeatures, expected: PixelFeatures) -> None:
    for one, other in zip(found.inputs, expected.inputs, strict=True):
        assert (one.name, one.share, one.context) == (other.name, other.share, other.context)
        np.testing.assert_array_equal(one.features, other.features)
    for graph, other_graph in zip(found.graphs, expected.graphs, strict=True):
        assert (graph != other_graph).nnz == 0
    np.testing.assert_array_equal(found.positions_px, expected.positions_px)


@pytest.mark.parametrize("has_encoder", [True, False])
@pytest.mark.slow
def test_a_process_computes_the_same_numbers(
    regions: TrainingRegions, process: FeatureProcess, has_encoder: bool
) -> None:
    encoder = random_encoder() if has_encoder else None
    process.begin(regions)
    assert process.same_pixels(regions)
    with timings.recording() as times:
        found = compute_pixel_features(regions, encoder, CPU, ahead=process)
    assert_same(found, compute_pixel_features(regions, encoder, CPU))
    other = f"{timings.SUPERPIXELS}{timings.OTHER_PROCESS}"
    assert times.stages[other].beside
    assert times.process_cpu_s > times.stages[other].cpu_s > 0
    assert process._process.poll() is not None


@pytest.mark.slow
def test_features_that_share_an_array_share_it_afterwards(
    regions: TrainingRegions, process: FeatureProcess
) -> None:
    """They take hundreds of MB."""
    process.begin(regions)
    found = compute_pixel_features(regions, None, CPU, ahead=process)
    assert found.inputs[0].features is next(iter(found.feature_sets.filtered.values()))


@pytest.mark.slow
def test_a_process_that_dies_is_not_needed(
    regions: TrainingRegions, process: FeatureProcess
) -> None:
    process.begin(regions)
    process._process.kill()
    found = compute_pixel_features(regions, None, CPU, ahead=process)
    assert_same(found, compute_pixel_features(regions, None, CPU))


def test_an_answer_that_is_cut_off_is_none(regions: TrainingRegions, tmp_path: Path) -> None:
    """As if the process had been killed while it answered."""
    pipe, answers = io.BytesIO(), io.BytesIO()
    for message in (regions.without_scenes(), (None, 1)):
        pickle.dump(message, pipe)
    pipe.seek(0)
    with timings.recording():
        serve(pipe, answers)
    whole, half = answers.getvalue(), tmp_path / "half"
    half.write_bytes(whole[: len(whole) // 2])
    program = (
        f"import shutil, sys; shutil.copyfileobj(open({str(half)!r}, 'rb'), sys.stdout.buffer)"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert FeatureProcess(child).finish(None, 1, lambda: None) is None


def test_what_else_is_printed_to_the_pipe_is_no_answer() -> None:
    """As a start-up file of Python may do."""
    child = subprocess.Popen(
        [sys.executable, "-c", "print('Welcome to this cluster')"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert FeatureProcess(child).finish(None, 1, lambda: None) is None


def test_an_error_of_the_process_comes_here(process: FeatureProcess, tmp_path: Path) -> None:
    """It says nothing; the same computation fails here, with its sentence."""
    values = np.tile(np.arange(1.0, 7.0)[:, None, None], (1, 20, 30))
    scene = scene_from_array(values, np.linspace(500.0, 900.0, 6))
    regions = whole_scenes([scene], SceneReads([scene]), SilentReporter())
    process.begin(regions)
    with pytest.raises(SceneError, match="all the same"):
        compute_pixel_features(regions, None, CPU, ahead=process)


class Cancelled(Exception):
    """Raised by a reporter to end a job."""


def test_a_cancelled_job_ends_the_process(
    regions: TrainingRegions, process: FeatureProcess
) -> None:
    class Reporter:
        calls = 0

        def progress(self, stage: str, done: int, total: int) -> None:
            self.calls += 1
            if self.calls == 2:  # the first one is the step of the encoder
                raise Cancelled

    process.begin(regions)
    with pytest.raises(Cancelled):
        compute_pixel_features(regions, None, CPU, Steps(Reporter(), "", 4, 0), process)  # type: ignore[arg-type]
    process._process.wait(10)


def test_a_library_starts_no_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(feature_process, "_allowed", False)
    assert start_process() is None


@pytest.mark.parametrize("why", ["no program", "no memory"])
def test_a_process_that_cannot_start_is_not_needed(
    why: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feature_process, "_allowed", True)
    if why == "no program":  # as where Python is part of another program
        monkeypatch.setattr(sys, "executable", "")
    else:

        def refuse(*_: object, **__: object) -> None:
            raise BlockingIOError

        monkeypatch.setattr(subprocess, "Popen", refuse)
    assert start_process() is None


def test_the_process_ends_when_nobody_asks(process: FeatureProcess) -> None:
    """As if the other program had been killed: its end of the pipe is closed then."""
    assert process._process.stdin is not None
    process._process.stdin.close()
    assert process._process.wait(60) == 0


@pytest.mark.slow
def test_the_command_maps_the_same_with_and_without_a_process(
    planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    maps = []
    for name, program in PROGRAMS.items():
        out = tmp_path / f"{name}.tif"
        arguments = ["classify", planted.path, "--shots", shots, "-o", out, "--timings"]
        assert (timings.OTHER_PROCESS in printed_by(program, arguments)) == (name == "program")
        maps.append(out.read_bytes())
    assert maps[0] == maps[1]


@pytest.mark.slow
def test_the_command_imports_no_scikit_learn(planted: Planted, tmp_path: Path) -> None:
    """It takes half a second; the process imports it meanwhile."""
    program = (
        "import atexit, sys; from hsi_geo.cli.main import run;"
        "atexit.register(lambda: print('found', 'sklearn' in sys.modules, 'torch' in sys.modules)); run()"
    )
    shots = planted.shots(tmp_path / "shots.gpkg")
    arguments = ["classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif"]
    assert "found False True" in printed_by(program, arguments)


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_process_stays_when_the_command_ends(
    number: signal.Signals, planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    mark = f"feature_process_of_{os.getpid()}_{int(number)}"  # found in the environment of both
    arguments = ["classify", planted.path, "--shots", shots, "-o", tmp_path / "map.tif"]
    with subprocess.Popen(
        [sys.executable, "-P", "-c", PROGRAMS["program"], *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "MARK": mark},
    ) as command:
        try:
            wait_until(lambda: len(processes_with(mark)) == 2)
            command.send_signal(number)
            assert command.wait(60) != 0
        finally:
            command.kill()
    wait_until(lambda: not processes_with(mark))


def printed_by(program: str, arguments: list[Any]) -> str:
    """What a program prints, with its messages."""
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
        timeout=120,
    )
    return done.stdout


def processes_with(mark: str) -> list[int]:
    """Processes of this machine with a text in their environment."""
    import psutil

    found = []
    for process in psutil.process_iter():
        try:
            if process.environ().get("MARK") == mark and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process.pid)
        except psutil.Error:
            continue  # of another user, or ended
    return found


def wait_until(holds: Any, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.02)
