"""`hsi-geo doctor`: what is installed here, what is missing, and how to install it."""

from __future__ import annotations

import json
import re

import pytest
import torch
from builders import run

from hsi_geo.extras import EXTRAS


def test_doctor_finds_nothing_missing_here() -> None:
    shown = run("doctor")
    assert shown.exit_code == 0
    assert "all is well" in shown.stdout
    listed = json.loads(run("doctor", "--json").stdout)
    assert listed["ok"] is True
    assert {"torch", "GDAL", "driver COG", "device", "weights"} <= {
        c["name"] for c in listed["checks"]
    }


@pytest.mark.parametrize(
    ("built_for", "said"), [(None, "torch is built without CUDA"), ("13.0", "no CUDA device")]
)
def test_doctor_says_why_no_gpu_is_used(
    built_for: str | None, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.version, "cuda", built_for)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert re.search(rf"^device +CPU, \d+ threads \({said}\)$", run("doctor").stdout, re.MULTILINE)


def test_doctor_says_how_to_install_an_extra_and_that_all_is_well(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(EXTRAS, "batch", ("no_such_package",))
    shown = run("doctor")
    assert shown.exit_code == 0
    assert re.search(
        r"^extra batch +not installed; pip install 'hsi-geo\[batch\]'$", shown.stdout, re.MULTILINE
    )


def test_doctor_prints_how_to_install_a_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hsi_geo.environment.PACKAGES", ("torch", "no-such-package"))
    shown = run("doctor")
    assert shown.exit_code == 1
    assert "pip install no-such-package" in shown.stdout
