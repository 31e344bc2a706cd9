"""Ctrl-C, and SIGTERM of other programs, stop a command; where an exception would be lost they wait a little."""

from __future__ import annotations

import _thread
import logging
import signal
import threading
import time
import weakref
from types import FrameType

#: Seconds after which a signal that came in a wrong moment is sent again.
INTERVAL_S = 0.02

#: Seconds after which a command stops in any case, as if it imports modules from a very slow disk.
LONGEST_WAIT_S = 20.0

#: Files of Python functions that libraries in C call. Each import runs in the first one. Modules in C++, such as torch's,
#: end the process with SIGABRT if an import that they begin raises an exception. GDAL's messages are logged, and an
#: exception meanwhile is printed and lost, as in functions that are called when an object goes.
CALLED_FROM_C = frozenset(
    {
        "<frozen importlib._bootstrap>",
        logging.__file__,
        weakref.__file__,
    }
)


def stop_on_signals() -> None:
    """Raise KeyboardInterrupt in the main thread on SIGINT and SIGTERM.

    A signal that arrives where an exception would not reach the command is sent again a little later. SIGINT stays ignored
    where it is, as in background jobs of a shell.
    """
    handler = _Handler()
    signal.signal(signal.SIGTERM, handler)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, handler)


class _Handler:
    """Handler of both signals; Python calls it in the main thread."""

    def __init__(self) -> None:
        self._first_s: float | None = None

    def __call__(self, number: int, frame: FrameType | None) -> None:
        now_s = time.monotonic()
        self._first_s = now_s if self._first_s is None else self._first_s
        if not _is_lost_in(frame) or now_s - self._first_s > LONGEST_WAIT_S:
            raise KeyboardInterrupt
        # Not `threading.Thread`: its start takes locks that the main thread may hold now.
        _thread.start_new_thread(_send_later, (number,))


def _send_later(number: int) -> None:
    """Send a signal to the main thread once more."""
    time.sleep(INTERVAL_S)
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, number)  # ends waiting for a lock or a file, too
    else:  # Windows
        _thread.interrupt_main(signal.Signals(number))


def _is_lost_in(frame: FrameType | None) -> bool:
    """Whether a library in C called a frame, or one of its callers, and would not pass an exception on."""
    while frame is not None:
        if frame.f_code.co_filename in CALLED_FROM_C or frame.f_code.co_name == "__del__":
            return True
        frame = frame.f_back
    return False
