"""How QGIS finds the environment that hsi-geo is installed in, and its errors for a wrong one."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


@pytest.mark.slow
def test_check_environment_of_a_complete_environment(call: Call) -> None:
    shown = call("hsi_geo:environment")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    log, results = shown.stdout.split("Results")
    for text in ("torch: ", "memory: ", "driver COG"):
        assert text in log
    *_, place, system, ready = log.strip("-\n ").splitlines()
    assert place.startswith("hsi-geo ")
    assert sys.executable in place
    assert system.startswith(f"Python {sys.version.split()[0]} on ")
    assert ready == "Ready."
    report = results.split("REPORT:")[1].strip()
    assert report == f"{place}. {system}. {ready}"


@pytest.mark.slow
def test_a_python_that_works_is_remembered(
    program: str, environment: dict[str, str], tmp_path: Path
) -> None:
    """In a profile of its own; without the variable, the other algorithms find it."""
    python, profile = tmp_path / "python", tmp_path / "profile"
    answer = {"ok": True, "checks": [{"name": "torch", "ok": True, "found": "9.9", "fix": ""}]}
    python.write_text(f"#!{sys.executable}\nprint({json.dumps(answer)!r})\n", encoding="utf-8")
    python.chmod(0o755)
    shutil.copytree(environment["QGIS_CUSTOM_CONFIG_PATH"], profile)
    variables = {**environment, "QGIS_CUSTOM_CONFIG_PATH": str(profile), "HSI_GEO_PYTHON": ""}
    for parameters in (["--", f"PYTHON={python}"], []):
        shown = subprocess.run(
            [program, "run", "hsi_geo:environment", *parameters],
            env=variables, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert shown.returncode == 0, shown.stdout + shown.stderr
        assert "torch: 9.9" in shown.stdout
    assert "(the provider's setting)" in shown.stdout


def test_the_page_of_the_options(
    case: Case, environment: dict[str, str], fake: Fake, tmp_path: Path
) -> None:
    found = case("settings_page", profile=tmp_path / "profile", python=fake.python)
    assert found == {"shown": str(fake.python), "origin": "the provider's setting"}


#: PYTHON, and a pattern of the message.
WRONG = [
    ("/nowhere/python", "Python '/nowhere/python' of the provider's setting does not exist"),
    ("{folder}", "holds no Python"),
    ("/usr/bin/env", "failed with exit code"),
    ("{notes}", "cannot be started"),
    (
        "{bare}",
        "has no hsi-geo .*Set up hsi-geo|it is Python 3.* needs 3.12 or newer; .*Set up hsi-geo",
    ),
]


def test_a_wrong_environment_is_one_sentence(case: Case, qgis_python: str, tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("no program\n", encoding="utf-8")
    paths = {"folder": tmp_path, "notes": tmp_path / "notes", "bare": qgis_python}
    rows = [{"PYTHON": python.format(**paths)} for python, _ in WRONG]
    found = case("batch", algorithm="environment", rows=rows)["rows"]
    for row, (_, pattern) in zip(found, WRONG, strict=True):
        assert not row["ok"]
        assert re.search(pattern, row["error"]), row["error"]
        assert "\n" not in row["error"]


def test_nothing_runs_without_an_environment(call: Call, job: dict[str, Any]) -> None:
    shown = call(
        "hsi_geo:classify", python="/nowhere/python", LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    assert "Python '/nowhere/python' of $HSI_GEO_PYTHON does not exist" in shown.stderr


def test_an_incomplete_environment_shows_its_command(call: Call, tmp_path: Path) -> None:
    python = tmp_path / "python"
    check = {
        "name": "no-such-package",
        "ok": False,
        "found": "missing",
        "fix": "pip install no-such-package",
    }
    answer = json.dumps({"ok": False, "checks": [check]})
    code = f"#!{sys.executable}\nimport sys\nprint({answer!r})\nsys.exit(1)\n"
    python.write_text(code, encoding="utf-8")
    python.chmod(0o755)
    shown = call("hsi_geo:environment", python=str(python))
    assert shown.returncode == 1
    assert f'"{python}" -m pip install no-such-package' in shown.stderr
