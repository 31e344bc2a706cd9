"""Fixture: a running server of files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from remote_cases import SERVER, Served, running

from hsi_geo.io.files import remote_files


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(remote_files, "FIRST_WAIT_S", 0.01)
    (tmp_path / "files").mkdir()
    with running(SERVER, tmp_path) as url:
        yield Served(url, tmp_path)
