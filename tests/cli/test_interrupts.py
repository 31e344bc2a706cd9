"""Ctrl-C and SIGTERM, also where an exception would be lost."""

from __future__ import annotations

import ctypes
import importlib
import logging
import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hsi_geo.cli import interrupts
from hsi_geo.cli.interrupts import stop_on_signals

NUMBERS = [signal.SIGINT, signal.SIGTERM]

#: Sends itself a signal, as a user may at any moment, and says whether an exception came before its end.
MODULE = """
import signal, time
whole = False
try:
    signal.raise_signal({number})
    time.sleep(0.1)
    import interrupted_inner
    whole = True
except BaseException as error:
    raise ImportError("as modules in C++ do") from error
"""


@pytest.fixture(autouse=True)
def _handlers() -> Iterator[None]:
    """Put the handlers back that pytest has."""
    before = {number: signal.getsignal(number) for number in NUMBERS}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """File of a module that can be imported."""
    (tmp_path / "interrupted_inner.py").write_text("import time; time.sleep(0.1)")
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "interrupted_module.py"
    for name in ("interrupted_module", "interrupted_inner"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("number", NUMBERS)
def test_signals_stop_a_command(number: int) -> None:
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", NUMBERS)
def test_imports_are_finished_first(module: Path, number: int) -> None:
    module.write_text(MODULE.format(number=int(number)))
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_module")
        time.sleep(10)
    assert sys.modules["interrupted_module"].whole


def test_one_that_waited_ends_waiting_for_a_lock(module: Path) -> None:
    module.write_text(MODULE.format(number=int(signal.SIGINT)))
    stop_on_signals()
    lock = threading.Lock()
    lock.acquire()
    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_module")
        lock.acquire(timeout=20)
    assert time.monotonic() - began_s < 10


def test_an_import_that_does_not_end_is_stopped(
    module: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "LONGEST_WAIT_S", 0.05)
    module.write_text("import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(20)")
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        importlib.import_module("interrupted_module")


def _interrupt(*_: object) -> None:
    signal.raise_signal(signal.SIGINT)


class _Interrupting(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        _interrupt()


class _InterruptsWhenItGoes:
    def __del__(self) -> None:
        _interrupt()


class _Watched:
    pass


def _log_from_c() -> None:
    """Log a message as GDAL does, through a function that C calls."""
    logger, handler = logging.getLogger(__name__), _Interrupting()
    logger.addHandler(handler)
    ctypes.CFUNCTYPE(None)(lambda: logger.warning("a message"))()
    logger.removeHandler(handler)


def _object_goes() -> None:
    _InterruptsWhenItGoes()


def _watched_object_goes() -> None:
    watched = _Watched()
    weakref.finalize(watched, _interrupt)


@pytest.mark.parametrize("lost_in", [_log_from_c, _object_goes, _watched_object_goes])
def test_functions_that_c_calls_are_finished_first(
    lost_in: Callable[[], None], capfd: pytest.CaptureFixture[str]
) -> None:
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        lost_in()
        time.sleep(10)
    assert not capfd.readouterr().err


def test_an_import_of_another_thread_does_not_wait(module: Path) -> None:
    module.write_text("import time\ntime.sleep(0.5)")
    stop_on_signals()
    thread = threading.Thread(target=importlib.import_module, args=("interrupted_module",))
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert thread.is_alive()
    finally:
        thread.join()


def test_background_jobs_ignore_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    stop_on_signals()
    assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    signal.raise_signal(signal.SIGINT)
