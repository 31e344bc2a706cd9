"""Fixture: a running server of files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_cases import SERVER, Served

from hsi_geo.io.files import remote_files


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(remote_files, "FIRST_WAIT_S", 0.01)
    (tmp_path / "files").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield Served(f"http://127.0.0.1:{server.stdout.readline().strip()}", tmp_path)
        server.terminate()
