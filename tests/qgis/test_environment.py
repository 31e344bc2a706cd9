"""How QGIS finds the environment that hsi-geo is installed in, and what it says of a wrong one."""

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


def test_check_environment_is_content(call: Call) -> None:
    shown = call("hsi_geo:environment")
    assert shown.returncode == 0, shown.stdout + shown.stderr
    for text in ("torch: ", "memory: ", "driver COG", "all is well"):
        assert text in shown.stdout


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
    assert "named in the provider's setting" in shown.stdout


def test_the_page_of_the_options(
    case: Case, environment: dict[str, str], fake: Fake, tmp_path: Path
) -> None:
    found = case("settings_page", profile=tmp_path / "profile", python=fake.python)
    assert found == {"shown": str(fake.python), "origin": "the provider's setting"}


@pytest.mark.parametrize(
    ("python", "said"),
    [
        ("/nowhere/python", "Python '/nowhere/python' of .HSI_GEO_PYTHON does not exist"),
        ("{folder}", "holds no Python"),
        ("/usr/bin/env", "failed with exit code"),
        ("{notes}", "cannot be started"),
        ("{bare}", "has no hsi-geo .*; install it there: .* -m pip install hsi-geo"),
    ],
)
def test_a_wrong_environment_is_one_sentence(
    python: str, said: str, call: Call, qgis_python: str, tmp_path: Path
) -> None:
    (tmp_path / "notes").write_text("no program\n", encoding="utf-8")
    places = {"folder": tmp_path, "notes": tmp_path / "notes", "bare": qgis_python}
    shown = call("hsi_geo:environment", python=python.format(**places))
    assert shown.returncode == 1
    (error,) = [line for line in shown.stderr.splitlines() if line.startswith("ERROR:")]
    assert re.search(said, error), error
    assert "Traceback" not in shown.stderr


def test_nothing_runs_without_an_environment(call: Call, job: dict[str, Any]) -> None:
    shown = call(
        "hsi_geo:classify", python="/nowhere/python", LABELS=job["labels"], **job["parameters"]
    )
    assert shown.returncode == 1
    assert "Python '/nowhere/python' of $HSI_GEO_PYTHON does not exist" in shown.stderr


def test_an_incomplete_environment_is_told_with_its_cure(call: Call, tmp_path: Path) -> None:
    broken = tmp_path / "python"
    broken.write_text(
        f"#!{sys.executable}\n"
        "import hsi_geo.environment as e\n"
        "e.PACKAGES = ('torch', 'no-such-package')\n"
        "import sys\n"
        "sys.argv = ['hsi-geo', *sys.argv[4:]]\n"
        "from hsi_geo.cli.main import main\n"
        "main()\n",
        encoding="utf-8",
    )
    broken.chmod(0o755)
    shown = call("hsi_geo:environment", python=str(broken))
    assert shown.returncode == 1
    assert f'"{broken}" -m pip install no-such-package' in shown.stderr
