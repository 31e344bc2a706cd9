"""The root conftest skips modules that need an extra, and no others."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    ("statement", "exit_code", "expected"),
    [
        ("from hsi_geo import nothing_of_this_name", 2, "1 error"),
        ("import nothing_of_this_name", 2, "1 error"),
        ("""raise ModuleNotFoundError("No module named 'zarr.codecs'")""", 5, "1 skipped"),
    ],
)
@pytest.mark.slow
def test_failed_import_is_an_error_unless_an_extra_is_missing(
    tmp_path: Path, statement: str, exit_code: int, expected: str
) -> None:
    shutil.copy(ROOT / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_one.py").write_text(f"{statement}\n")
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == exit_code, done.stdout
    assert expected in done.stdout
