"""Ctrl-C while files get their names: all are there then, and it acts when the temporary folder is gone."""

from __future__ import annotations

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from hsi_geo.errors import OutputError
from hsi_geo.interrupts import noting_outputs, uninterrupted
from hsi_geo.io.outputs.atomic import atomic_outputs

NAMES = ("map.tif", "map.qml", "map.json")

#: Functions of the system at whose calls signals come.
CALLS = [(os, "link"), (os, "replace"), (Path, "unlink"), (os, "mkdir"), (shutil, "rmtree")]


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """SIGTERM stops the test as Ctrl-C does, as in the command line."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in before:
        signal.signal(number, signal.default_int_handler)
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


class _Calls:
    """Sends signals at some calls, from the first call inside a block on; fails at one call."""

    def __init__(self, patch: pytest.MonkeyPatch, at: Mapping[int, int], fails: int = -1) -> None:
        self.count = 0
        for owner, name in CALLS:
            patch.setattr(owner, name, self._watched(getattr(owner, name), at, fails))

    def _watched(
        self, call: Callable[..., Any], at: Mapping[int, int], fails: int
    ) -> Callable[..., Any]:
        def watched(*args: Any, **how: Any) -> Any:
            number, self.count = self.count, self.count + 1
            if number in at:
                signal.raise_signal(at[number])
            if number == fails:
                raise OSError(5, "Input/output error")
            return call(*args, **how)

        return watched


def _write(folder: Path, text: str, at: Mapping[int, int], fails: int = -1) -> int:
    """Write files; how many calls of the system that took after the last byte."""
    finals = [folder / name for name in NAMES]
    with pytest.MonkeyPatch.context() as patch, atomic_outputs(finals, overwrite=True) as where:
        for path in where.values():
            path.write_text(text)
        calls = _Calls(patch, at, fails)
    return calls.count


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def _state(text: str) -> dict[str, str]:
    return dict.fromkeys(NAMES, text)


@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "sigterm"])
@pytest.mark.parametrize("apart", [1, 2, 3])
def test_signals_wait_until_all_files_are_there(tmp_path: Path, second: int, apart: int) -> None:
    _write(tmp_path, "old", {})
    total = _write(tmp_path, "old", {})
    assert total > 2 * len(NAMES)
    for first in range(total - apart):
        text = f"new {first}"
        with noting_outputs() as written, pytest.raises(KeyboardInterrupt):
            _write(tmp_path, text, {first: signal.SIGINT, first + apart: second})
        assert _texts(tmp_path) == _state(text)
        assert [path.name for path in written] == list(NAMES)


def test_signals_wait_until_earlier_files_are_back(tmp_path: Path) -> None:
    _write(tmp_path, "old", {})
    total = _write(tmp_path, "old", {})
    for fails in range(1, total - 1):  # not the removal of the temporary folder
        at = dict.fromkeys(range(fails, fails + 8), signal.SIGINT)
        with noting_outputs() as written, pytest.raises(KeyboardInterrupt) as caught:
            _write(tmp_path, "new", at, fails)
        whole = isinstance(caught.value.__context__, OutputError)
        assert _texts(tmp_path) == _state("old" if whole else "new"), fails
        assert bool(written) != whole
        _write(tmp_path, "old", {})


def test_files_in_a_temporary_folder_are_not_noted(tmp_path: Path) -> None:
    with noting_outputs() as written, atomic_outputs([tmp_path / "a"], overwrite=False) as where:
        (stage,) = {path.parent for path in where.values()}
        _write(stage, "inner", {})
    assert not written


def test_nested_blocks_wait_for_the_outer_one() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt):  # what the block does is the test
        with uninterrupted():
            with uninterrupted():
                signal.raise_signal(signal.SIGINT)
            done.append("outer")
        done.append("not reached")
    assert done == ["outer"]


def test_each_handler_is_called_once_and_is_back() -> None:
    calls: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: calls.append(number))
    mine = signal.getsignal(signal.SIGINT)
    with uninterrupted():
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
            signal.raise_signal(number)
        assert not calls
    assert calls == [signal.SIGTERM, signal.SIGINT]
    assert signal.getsignal(signal.SIGINT) is mine


def test_ignored_signals_and_other_threads_stay_as_they_are() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    with uninterrupted():
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    signal.signal(signal.SIGINT, signal.default_int_handler)
    found = []

    def look() -> None:
        with uninterrupted():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert found == [signal.default_int_handler]
