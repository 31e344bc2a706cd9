"""Fixture: an engine whose sessions compute nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from serving_cases import Served

from hsi_geo.io.files import scratch


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    client = Served(tmp_path)
    yield client
    for session in client.made:
        session.gate.set()
    assert client.engine.end()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(scratch.PREFIX)]
    assert all(session.closed and session.most_users == 1 for session in client.made)
