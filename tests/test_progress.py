"""Progress: remaining times, bars in notebooks, one bar over all folds."""

from __future__ import annotations

import logging
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from hsi_geo import progress, stages
from hsi_geo.progress import Clock, LoggingReporter, default_reporter
from hsi_geo.tasks.adapt import adapt
from hsi_geo.tasks.adaptation.cross_validation import _FoldReporter
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe

NOTEBOOK = """
import logging
from hsi_geo.progress import default_reporter
reporter = default_reporter()
reporter.INTERVAL_S = 0.0
for done in range(5):
    reporter.progress("Mapping <1>", done, 4)
reporter.progress("Writing the report", 1, 2)
"""


def test_the_clock_knows_the_rate_from_the_second_step(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("hsi_geo.progress.time", SimpleNamespace(monotonic=lambda: now[0]))
    clock, found = Clock(), []
    for time, stage, done in [
        (0, "a", 0), (1, "a", 1), (2, "a", 2), (5, "b", 3), (7, "b", 4), (9, "b", 0), (12, "b", 1),
    ]:  # fmt: skip
        now[0] = float(time)
        found.append(clock.eta_s(stage, done, 10))
    assert found == [None, 9.0, 8.0, None, 12.0, None, 27.0]  # the last two: a second scene


def test_folds_are_one_stage(recorder: Any) -> None:
    """Only steps of the network count; messages of folds are those of the adaptation itself."""
    seen = []
    recorder.progress = lambda *event: seen.append(event)
    for fold in range(3):
        one = _FoldReporter(recorder, fold, 3)
        one.warning("again")
        one.progress(stages.LEARNING, 1, 7)
        for step in (1, 2):
            one.progress(stages.TRAINING, step, 2)
    assert seen == [(stages.ACCURACY, done, 6) for done in range(1, 7)]
    assert not recorder.warnings


def test_scripts_show_no_bar(capfd: pytest.CaptureFixture[str]) -> None:
    reporter = default_reporter()
    assert type(reporter) is LoggingReporter
    reporter.progress(stages.MAPPING, 1, 2)
    assert capfd.readouterr() == ("", "")


def test_a_terminal_of_ipython_is_like_a_script() -> None:
    pytest.importorskip("IPython", reason="IPython is not installed")
    code = "from hsi_geo.progress import default_reporter; print(type(default_reporter()).__name__)"
    shown = subprocess.run(
        [sys.executable, "-m", "IPython", "--no-banner", "-c", code],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    assert shown.stdout.strip() == "LoggingReporter"


def test_a_notebook_shows_a_bar_for_each_stage() -> None:
    """A cell that a real kernel executes."""
    for name in ("ipykernel", "nbclient", "nbformat"):
        pytest.importorskip(name, reason=f"{name} is not installed")
    import nbclient
    import nbformat

    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(NOTEBOOK)])
    nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
    first, second = notebook.cells[0].outputs
    assert first.output_type == "display_data"
    assert first.data["text/plain"] == "Mapping <1>: 100 %"
    assert 'value="4" max="4"' in first.data["text/html"]
    assert "<1>" not in first.data["text/html"]
    assert second.data["text/plain"] == "Writing the report: 50 %"


def test_messages_of_a_notebook_go_to_logging(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "hsi_geo"):
        progress.NotebookReporter().log("12 shots")
    assert caplog.messages == ["12 shots"]


@pytest.mark.slow
def test_an_adaptation_with_folds_reports_each_stage_to_its_end(
    planted: Any, tmp_path: Path, recorder: Any
) -> None:
    seen: dict[str, list[tuple[int, int]]] = {}
    recorder.progress = lambda stage, done, total: seen.setdefault(stage, []).append((done, total))
    recipe = Recipe(fine_tuning=FineTuneConfig(steps=3))
    shots = planted.shots(tmp_path / "shots.gpkg")
    model = adapt(planted.path, shots, cross_validation=True, recipe=recipe, reporter=recorder)
    assert "fitted again" in model.record["accuracy"]["method"]
    assert list(seen) == [stages.READING, stages.LEARNING, stages.TRAINING, stages.ACCURACY]
    for steps in seen.values():
        assert steps[-1][0] == steps[-1][1]
    for stage in (stages.READING, stages.TRAINING, stages.ACCURACY):
        assert seen[stage] == sorted(set(seen[stage]))
    # Inside a long step the same one is reported again, so that a job can be cancelled; folds are not counted here.
    whole = seen[stages.LEARNING]
    assert whole == sorted(whole)
    folds, rest = divmod(len(seen[stages.ACCURACY]), 3)
    assert 2 <= folds <= 5 and not rest
