"""The cache of open files."""

from __future__ import annotations

import threading

import pytest

from hsi_geo.io.readers import handles


class File:
    """A file that knows whether it was closed."""

    def __init__(self) -> None:
        self.closed = False

    def close(self) -> None:
        """Close it."""
        self.closed = True


@pytest.fixture(autouse=True)
def _three_files(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handles, "MAX_OPEN", 3)
    monkeypatch.setattr(handles, "_open", threading.local())


def test_files_that_were_used_last_stay_open() -> None:
    found = {name: handles.opened((name,), File) for name in "abc"}
    assert handles.opened(("a",), File) is found["a"]
    handles.opened(("d",), File)
    assert [name for name, file in found.items() if file.closed] == ["b"]
    assert handles.opened(("c",), File) is found["c"]
    assert handles.opened(("b",), File) is not found["b"]
    assert [name for name, file in found.items() if file.closed] == ["a", "b"]
