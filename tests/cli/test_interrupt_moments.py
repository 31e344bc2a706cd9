"""A signal at any moment leaves no file behind of what makes some for a while."""

from __future__ import annotations

import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from hsi_geo.cli import interrupts

from hsi_geo.interrupts import STOPPING
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.outputs.folder_lock import locked


def _lock(folder: Path) -> None:
    with locked(folder, print):
        pass


def _scratch(folder: Path) -> None:
    with scratch_folder(folder) as scratch:
        (scratch / "half").touch()


def _outputs(folder: Path) -> None:
    with atomic_outputs([folder / "a.txt"], overwrite=False) as temporary:
        for path in temporary.values():
            path.write_text(path.name)


def _temporary(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        (Path(temporary) / "half").touch()


#: Each, and the sets of names that it may leave.
BLOCKS: dict[str, tuple[Callable[[Path], None], list[set[str]]]] = {
    "lock": (_lock, [set()]),
    "scratch": (_scratch, [set()]),
    "outputs": (_outputs, [set(), {"a.txt"}]),
    "temporary": (_temporary, [set()]),
}

#: Modules that are interrupted.
MODULES = (
    "hsi_geo.interrupts",
    "hsi_geo.io.files.scratch",
    "hsi_geo.io.outputs",
    "contextlib",
    "tempfile",
)


class _Interrupt:
    """Sends SIGINT before a line, or at a call or a return, of this package, of blocks and of temporary files.

    Lines of this module are left out: Python interrupts none between the end of a block and the call of what ends it.

    Attributes:
        moments: How many there were.
    """

    def __init__(self, at: int) -> None:
        self.at = at
        self.moments = 0

    def __call__(self, frame: FrameType, event: str, _: Any) -> _Interrupt:
        if event != "exception" and frame.f_globals.get("__name__", "").startswith(MODULES):
            self.moments += 1
            if self.moments == self.at:
                signal.raise_signal(signal.SIGINT)
        return self


def _handle_as_the_program() -> None:
    """Handle signals as the program does; the call by which this module sends one does not count."""
    interrupts.stop_on_signals()
    handler: Any = signal.getsignal(signal.SIGINT)

    def handle(number: int, frame: FrameType | None) -> None:
        is_sent_here = frame is not None and frame.f_code is _Interrupt.__call__.__code__
        handler(number, frame.f_back if frame is not None and is_sent_here else frame)

    signal.signal(signal.SIGINT, handle)


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Put the handlers back that pytest has."""
    before = {number: signal.getsignal(number) for number in STOPPING}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _interrupted(block: Callable[[Path], None], folder: Path, at: int) -> int:
    """Run a block that is interrupted at a moment; how many moments there were."""
    _handle_as_the_program()
    interrupt, tracing = _Interrupt(at), sys.gettrace()
    with pytest.raises(KeyboardInterrupt):
        try:
            sys.settrace(interrupt)
            block(folder)
        finally:
            sys.settrace(tracing)
        if interrupt.moments < at:
            raise KeyboardInterrupt  # the block was shorter
        time.sleep(10)  # a signal that waits comes
    return interrupt.moments


# Files that are open at that moment are closed later, which is too late for pytest.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize(
    "name", [*sorted(BLOCKS.keys() - {"outputs"}), pytest.param("outputs", marks=pytest.mark.slow)]
)
def test_no_moment_leaves_files(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "INTERVAL_S", 0.001)
    block, allowed = BLOCKS[name]
    threads = threading.active_count()
    at = 1
    while True:
        folder = tmp_path / str(at)
        folder.mkdir()
        moments = _interrupted(block, folder, at)
        assert {path.name for path in folder.iterdir()} in allowed, f"moment {at}"
        if moments < at:
            break
        at += 1
    assert at > 20
    assert threading.active_count() == threads
