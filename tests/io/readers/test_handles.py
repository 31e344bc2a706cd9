"""The cache of open files."""

from __future__ import annotations

import multiprocessing
import os
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


class EndsForks(File):
    """A file whose end crashes a process that did not open it, as some of GDAL do."""

    def __init__(self) -> None:
        super().__init__()
        self.process = os.getpid()

    def __del__(self) -> None:
        if os.getpid() != self.process:
            os._exit(11)


def _read_another() -> None:
    handles.opened(("b",), File)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks on Windows")
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("thread", ["other", "same"])
def test_forks_do_not_close_files_of_their_parent(thread: str) -> None:
    is_open, end = threading.Event(), threading.Event()

    def keep_open() -> None:
        handles.opened(("a",), EndsForks)
        is_open.set()
        end.wait(60)

    if thread == "same":
        end.set()
        keep_open()
    else:
        threading.Thread(target=keep_open).start()
    assert is_open.wait(60)
    child = multiprocessing.get_context("fork").Process(target=_read_another)
    child.start()
    child.join(60)
    end.set()
    assert child.exitcode == 0
    assert not handles._inherited
