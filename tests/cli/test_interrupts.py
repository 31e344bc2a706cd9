"""Ctrl-C and SIGTERM, also where an exception would be lost."""

from __future__ import annotations

import _imp
import ctypes
import importlib
import logging
import signal
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import click
import pytest
from click.testing import CliRunner
from hsi_geo.cli import interrupts
from hsi_geo.cli.interrupts import stop_on_signals, what_was_written
from hsi_geo.cli.main import LazyGroup, group

from hsi_geo.errors import HsiGeoError, OutputError
from hsi_geo.io.outputs.atomic import atomic_outputs

NUMBERS = [signal.SIGINT, signal.SIGTERM, getattr(signal, "SIGHUP", signal.SIGTERM)]

#: A part of torch, as far as its name tells, and another module.
TORCH, OTHER = "torch.interrupted", "interrupted_module"

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
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], None]]:
    """Writes a module of a name, and imports it."""
    (tmp_path / "interrupted_inner.py").write_text("import time; time.sleep(0.1)")
    (tmp_path / "torch").mkdir()
    (tmp_path / "torch" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in sys.modules if name.split(".")[0] == "torch"]:
        monkeypatch.delitem(sys.modules, name)

    def write_and_import(name: str, text: str) -> None:
        (tmp_path / f"{name.replace('.', '/')}.py").write_text(text)
        importlib.import_module(name)

    yield write_and_import
    for name in ("torch", TORCH, OTHER, "interrupted_inner"):
        sys.modules.pop(name, None)


@pytest.mark.parametrize("number", NUMBERS)
def test_signals_stop_a_command(number: int) -> None:
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        signal.raise_signal(number)


@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("name", [TORCH, OTHER])
def test_imports_are_finished_first(
    module: Callable[[str, str], None], name: str, number: int
) -> None:
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        module(name, MODULE.format(number=int(number)))
        time.sleep(10)
    assert sys.modules[name].whole


@pytest.mark.skipif(sys.platform == "win32", reason="Windows interrupts the main thread otherwise")
def test_a_signal_that_did_not_end_a_wait_is_sent_again(
    module: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one that arrives just before the thread begins to wait."""
    send = signal.pthread_kill
    lost: list[int] = []

    def lose_first(thread: int, number: int) -> None:
        if lost:
            send(thread, number)
        lost.append(number)

    monkeypatch.setattr(signal, "pthread_kill", lose_first)
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        module(OTHER, MODULE.format(number=int(signal.SIGINT)))
        time.sleep(10)
    assert len(lost) > 1


def test_the_lock_of_the_import_system_is_free_afterwards(
    module: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception just after it was taken would leave it so, and the import of another thread would wait for ever."""
    monkeypatch.setattr(interrupts, "LONGEST_WAIT_S", 0)
    stop_on_signals()
    sent: list[bool] = []

    def profile(frame: FrameType, event: str, argument: object) -> None:
        if event == "c_return" and argument is _imp.acquire_lock and not sent:
            sent.append(True)
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        try:
            sys.setprofile(profile)
            module(OTHER, "")
        finally:
            sys.setprofile(None)
        time.sleep(10)
    assert sent
    thread = threading.Thread(
        target=importlib.import_module, args=("interrupted_inner",), daemon=True
    )
    thread.start()
    thread.join(20)
    assert not thread.is_alive()


def test_one_that_waited_ends_waiting_for_a_lock(module: Callable[[str, str], None]) -> None:
    stop_on_signals()
    lock = threading.Lock()
    lock.acquire()
    began_s = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        module(TORCH, MODULE.format(number=int(signal.SIGINT)))
        lock.acquire(timeout=20)
    assert time.monotonic() - began_s < 10


def test_an_import_that_does_not_end_is_stopped(
    module: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(interrupts, "LONGEST_WAIT_S", 0.05)
    stop_on_signals()
    with pytest.raises(KeyboardInterrupt):
        module(TORCH, "import signal, time\nsignal.raise_signal(signal.SIGINT)\ntime.sleep(20)")


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


def test_an_import_of_another_thread_does_not_wait(module: Callable[[str, str], None]) -> None:
    stop_on_signals()
    thread = threading.Thread(target=module, args=(TORCH, "import time\ntime.sleep(0.5)"))
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        assert thread.is_alive()
    finally:
        thread.join()


@pytest.mark.parametrize("number", [NUMBERS[0], NUMBERS[2]], ids=["background", "nohup"])
def test_signals_stay_ignored(number: int) -> None:
    if number == signal.SIGTERM:
        pytest.skip("Windows has no SIGHUP")
    signal.signal(number, signal.SIG_IGN)
    stop_on_signals()
    assert signal.getsignal(number) is signal.SIG_IGN
    signal.raise_signal(number)


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        ([], "interrupted, nothing was written"),
        (["z.csv"], "interrupted after 'z.csv' was written"),
        (["z.csv", "z.csv"], "interrupted after 'z.csv' was written"),
        (["a", "b", "c"], "interrupted after 'a', 'b' and 'c' were written"),
        ([*"abcdef"], "interrupted after 'a', 'b', 'c', 'd' and 2 other files were written"),
    ],
)
def test_the_sentence_names_what_was_written(names: list[str], sentence: str) -> None:
    assert what_was_written(names) == sentence


def _stop() -> None:
    raise KeyboardInterrupt


def _import_from_c() -> None:
    try:
        _stop()
    except KeyboardInterrupt as interrupt:
        raise ImportError("initialization failed") from interrupt


def _missing_extra() -> None:
    try:
        _import_from_c()
    except ImportError:
        raise HsiGeoError("the package is not installed", hint="install it") from None


def _lost_files() -> None:
    try:
        raise OutputError("the earlier files are now in 'x'", hint="move them back")
    finally:
        _stop()


def _own_sentence() -> None:
    raise KeyboardInterrupt("interrupted: 2 of 3 tiles are mapped")


#: What an interrupted command raises, and what the program prints.
ENDS: dict[str, tuple[Callable[[], None], int, str]] = {
    "interrupt": (_stop, 130, "interrupted after '{out}' was written"),
    "module in C++": (_import_from_c, 130, "interrupted after '{out}' was written"),
    "missing package": (_missing_extra, 130, "interrupted after '{out}' was written"),
    "own sentence": (_own_sentence, 130, "interrupted: 2 of 3 tiles are mapped"),
    "lost files": (_lost_files, 1, "the earlier files are now in 'x'; move them back"),
}


@pytest.mark.parametrize("end", ENDS)
def test_interrupted_commands_say_what_was_written(
    end: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    how, code, sentence = ENDS[end]
    out = tmp_path / "z.csv"

    @click.command()
    def command() -> None:
        with atomic_outputs([out], overwrite=False) as where:
            where[out].write_text("1")
        how()

    monkeypatch.setattr(LazyGroup, "get_command", lambda *_: command)
    shown = CliRunner().invoke(group, ["info"])
    assert (shown.exit_code, shown.stderr) == (code, f"Error: {sentence.format(out=out)}\n")


#: What an interrupted program prints.
NOTHING_WRITTEN = "Error: interrupted, nothing was written\n"

#: Sends a signal to itself at the first import of a module, and runs the program.
EARLY_PROGRAM = """
import os, signal, sys, time
class Sends:
    def find_spec(self, name, path=None, target=None):
        if name == "{module}":
            sys.meta_path.remove(self)
            os.kill(os.getpid(), {number})
sys.meta_path.insert(0, Sends())
sys.argv = ["hsi-geo", "serve"]
from hsi_geo.cli.start import run
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes otherwise")
@pytest.mark.parametrize("number", NUMBERS)
@pytest.mark.parametrize("module_name", ["hsi_geo.cli.main", "click", "hsi_geo.cli.serve"])
def test_signals_while_the_program_starts(module_name: str, number: int) -> None:
    program = EARLY_PROGRAM.format(module=module_name, number=int(number))
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdin=subprocess.PIPE,  # the command waits for messages
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.wait(60) == 130
        assert started.stderr is not None
        printed = started.stderr.read()
    # `serve` says nothing when it has begun.
    assert printed == NOTHING_WRITTEN or (not printed and module_name == "hsi_geo.cli.serve")


#: Sends itself a signal when the program has done all, and functions are called that libraries left.
LATE_PROGRAM = """
import atexit, os, signal, sys, time
def late():
    os.kill(os.getpid(), {number})
    time.sleep(0.1)
    print("all done", flush=True)
atexit.register(late)
sys.argv = ["hsi-geo", "--help"]
from hsi_geo.cli.start import run
run()
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends processes otherwise")
@pytest.mark.parametrize("number", NUMBERS)
def test_signals_at_the_end_of_the_program(number: int) -> None:
    program = LATE_PROGRAM.format(number=int(number))
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("all done\n")
