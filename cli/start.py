"""Start of the program: signals stop it from here on, also while its modules are imported."""

from __future__ import annotations

import importlib
import os
import sys
from contextlib import suppress

from .interrupts import came_from_interrupt, ignore_signals, stop_on_signals, what_was_written

#: Exit code of a command that was interrupted.
INTERRUPTED = 130


def run() -> None:
    """Run ``hsi-geo`` as a program, and exit at once when it is done."""
    try:
        raise_if_waiting = stop_on_signals()
        main = importlib.import_module(".main", __package__)
        raise_if_waiting()  # the program may start itself again now, and a signal that waits would be lost
        main.run()
    except SystemExit:
        raise
    except BaseException as error:
        if not came_from_interrupt(error):
            raise
        ignore_signals()
        if sys.stderr is not None:
            with suppress(OSError):  # a terminal that was closed
                print(f"Error: {what_was_written([])}", file=sys.stderr, flush=True)  # noqa: T201
        os._exit(INTERRUPTED)
