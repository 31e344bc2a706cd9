"""The waiting policy of torch's threads, which the package sets for the command line and Python."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
import torch

from hsi_geo import Compute
from hsi_geo.progress import SilentReporter, WarningRecorder
from hsi_geo.tasks import runtime
from hsi_geo.threads import SPINNING, yield_when_waiting


def test_yield_when_waiting_sets_the_waiting_policy_unless_it_is_set(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")
    for variables, set_to in (
        ({}, ("passive", "1000")),
        ({"OMP_WAIT_POLICY": "active"}, ("active", None)),
        ({"GOMP_SPINCOUNT": "7"}, ("passive", "7")),
    ):
        for name in names:
            if name in variables:
                monkeypatch.setenv(name, variables[name])
            else:  # what is set below goes again when the test ends
                monkeypatch.setenv(name, "")
                monkeypatch.delenv(name)
        yield_when_waiting()
        assert tuple(os.environ.get(name) for name in names) == set_to


#: How Python is begun, and what it finds of OpenMP's policy, and of torch having come first.
STARTS = {
    "a job": ("from hsi_geo import classify", {}, ("passive", False)),
    "a module inside": ("import hsi_geo.tasks.runtime", {}, ("passive", False)),
    "the command": ("import hsi_geo.cli.main", {}, ("passive", False)),
    "a choice": ("import hsi_geo", {"OMP_WAIT_POLICY": "active"}, ("active", False)),
    "torch first": ("import torch, hsi_geo", {}, ("passive", True)),
    "torch first, with a choice": (
        "import torch, hsi_geo", {"OMP_WAIT_POLICY": "active"}, ("active", False)
    ),
}  # fmt: skip


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
@pytest.mark.slow
def test_importing_the_package_sets_the_waiting_policy(
    start: tuple[str, dict[str, str], tuple[str, bool]],
) -> None:
    code, chosen, expected = start
    ask = "import json, os; from hsi_geo.threads import TORCH_CAME_FIRST as first; "
    ask += "print(json.dumps([os.environ['OMP_WAIT_POLICY'], first]))"
    env = {k: v for k, v in os.environ.items() if k not in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT")}
    completed = subprocess.run(
        [sys.executable, "-c", f"{code}; {ask}"],
        env={**env, **chosen},
        capture_output=True,
        text=True,
        check=True,
    )
    assert tuple(json.loads(completed.stdout)) == expected


@pytest.mark.parametrize(
    ("came_first", "threads", "warns"), [(True, 2, True), (True, 1, False), (False, 2, False)]
)
def test_computing_reports_threads_that_torch_started_before(
    came_first: bool, threads: int, warns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    messages: list[str] = []
    reporter = SilentReporter()
    monkeypatch.setattr(reporter, "log", messages.append)
    monkeypatch.setattr(runtime, "TORCH_CAME_FIRST", came_first)
    before = torch.get_num_threads()
    with runtime.computing(Compute(device="cpu", threads=threads), reporter):
        assert torch.get_num_threads() == threads
    assert messages == ([SPINNING] if warns else [])
    assert torch.get_num_threads() == before


def test_computing_reports_it_once_in_a_job_of_several_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`classify` adapts and then maps, and reports through one WarningRecorder."""
    notes: list[str] = []
    reporter = SilentReporter()
    monkeypatch.setattr(reporter, "log", notes.append)
    monkeypatch.setattr(runtime, "TORCH_CAME_FIRST", True)
    recorder = WarningRecorder(reporter)
    for _ in range(2):
        with runtime.computing(Compute(device="cpu", threads=2), WarningRecorder(recorder)):
            pass
    assert notes == [SPINNING]
