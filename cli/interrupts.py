"""Ctrl-C, SIGTERM of other programs and a closed terminal stop a command; where an exception would be lost or leave files behind they wait a little."""

from __future__ import annotations

import _thread
import signal
import time
from collections.abc import Callable, Iterable
from types import FrameType

from hsi_geo.interrupts import STOPPING, is_finished_first

#: Seconds after which a signal that came in a wrong moment is sent again.
INTERVAL_S = 0.02

#: Seconds after which a command no longer waits for an import or a function that C called, as if it imports torch from a very slow disk.
LONGEST_WAIT_S = 20.0

#: Modules whose functions libraries in C call. GDAL's messages are logged, and an exception meanwhile is printed and lost, as
#: in functions that are called when an object goes.
CALLED_FROM_C = ("logging", "weakref")

#: Module that makes and removes temporary folders, which would stay behind.
TEMPORARY_FILES = "tempfile"

#: Module that calls the end of ``with`` blocks. An exception in its own lines leaves this out; what it calls may raise one.
BLOCKS = "contextlib"

#: Most files that the sentence of an interrupt names.
MOST_NAMES = 4


def stop_on_signals() -> Callable[[], None]:
    """Raise KeyboardInterrupt in the main thread on SIGINT, SIGTERM and SIGHUP.

    A signal that arrives where an exception would not reach the command, or would leave files behind, is sent again a little
    later. SIGINT and SIGHUP stay
    ignored where they are, as in background jobs of a shell, and with nohup.

    Returns:
        Function that raises KeyboardInterrupt at once if a signal waits.
    """
    handler = _Handler()
    for number in STOPPING:
        if number == signal.SIGTERM or signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, handler)
    return handler.raise_if_waiting


def ignore_signals() -> None:
    """Ignore the signals that stop a command: it is at its end."""
    for number in STOPPING:
        signal.signal(number, signal.SIG_IGN)


def came_from_interrupt(error: BaseException) -> bool:
    """Whether an interrupt led to an error. Modules that were made with pybind11 turn it into an ImportError.

    Args:
        error: The error.
    """
    seen: set[int] = set()
    causes: list[BaseException | None] = [error]
    while causes:
        one = causes.pop()
        if isinstance(one, KeyboardInterrupt):
            return True
        if one is not None and id(one) not in seen:
            seen.add(id(one))
            causes += [one.__cause__, one.__context__]
    return False


def what_was_written(outputs: Iterable[object]) -> str:
    """Sentence for an interrupted command.

    Args:
        outputs: Files that it had written.

    >>> what_was_written([])
    'interrupted, nothing was written'
    >>> what_was_written(["map.tif", "map.json"])
    "interrupted after 'map.tif' and 'map.json' were written"
    """
    names = [f"'{name}'" for name in dict.fromkeys(map(str, outputs))]
    if not names:
        return "interrupted, nothing was written"
    if len(names) > MOST_NAMES:
        names[MOST_NAMES:] = [f"{len(names) - MOST_NAMES} other files"]
    listed = " and ".join(filter(None, [", ".join(names[:-1]), names[-1]]))
    return f"interrupted after {listed} {'was' if len(names) == 1 else 'were'} written"


class _Handler:
    """Handler of all these signals; Python calls it in the main thread."""

    def __init__(self) -> None:
        self._first_s: float | None = None
        self._calls = 0
        self._main = _thread.get_ident()

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self._calls += 1
        now_s = time.monotonic()
        self._first_s = now_s if self._first_s is None else self._first_s
        is_late = now_s - self._first_s > LONGEST_WAIT_S
        if not _must_wait_in(frame) or (is_late and not _is_import_system(frame)):
            raise KeyboardInterrupt
        # Not `threading.Thread`: its start takes locks that the main thread may hold now.
        _thread.start_new_thread(self._send_later, (number, self._calls, signal.getsignal(number)))

    def raise_if_waiting(self) -> None:
        """Raise KeyboardInterrupt if a signal has come that was not raised yet."""
        if self._first_s is not None:
            raise KeyboardInterrupt

    def _send_later(self, number: int, calls: int, handler: object) -> None:
        """Send a signal to the main thread until Python calls its handler again, or it has another one.

        One that arrives just before the thread begins to read a file or to wait for a lock does not end the wait, and
        Python would not see it before that ends.
        """
        time.sleep(INTERVAL_S)
        self._send(number)
        time.sleep(INTERVAL_S)
        while self._calls == calls and signal.getsignal(number) is handler:
            self._send(number)
            time.sleep(INTERVAL_S)

    def _send(self, number: int) -> None:
        """Send a signal to the main thread."""
        if hasattr(signal, "pthread_kill"):
            signal.pthread_kill(self._main, number)  # ends waiting for a lock or a file, too
        else:  # Windows
            _thread.interrupt_main(signal.Signals(number))


def _must_wait_in(frame: FrameType | None) -> bool:
    """Whether an exception in a frame might do harm, because of the frame or one of its callers.

    Nobody gets it in functions that a library in C calls. While a module is imported, parts in C drop it or end the process
    with SIGABRT (those of torch), and Python's import system keeps a lock for ever if it comes between two of its lines.
    Files stay behind if it comes when they were made and nobody knows them yet, or are about to be removed.
    """
    if frame is not None and _module_of(frame) == BLOCKS:
        return True
    while frame is not None:
        if _is_called_from_c(frame) or _is_import_system(frame) or _leaves_files(frame):
            return True
        frame = frame.f_back
    return False


def _module_of(frame: FrameType) -> object:
    return frame.f_globals.get("__name__")


def _is_called_from_c(frame: FrameType) -> bool:
    return _module_of(frame) in CALLED_FROM_C or frame.f_code.co_name == "__del__"


def _leaves_files(frame: FrameType) -> bool:
    return _module_of(frame) == TEMPORARY_FILES or is_finished_first(frame)


def _is_import_system(frame: FrameType | None) -> bool:
    return frame is not None and frame.f_code.co_filename.startswith("<frozen importlib")
