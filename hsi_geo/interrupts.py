"""Interrupted jobs: what must not end half way is finished first, and what was written by then is known."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # it takes long to import
    from pathlib import Path

#: Signals that stop a job. A terminal that is closed sends SIGHUP, which Windows does not have.
STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

#: See `noting_outputs`.
_OUTPUTS: ContextVar[list[Path] | None] = ContextVar("outputs", default=None)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let Ctrl-C and other signals that stop a job wait for the end of a ``with`` block.

    Their handlers are called then, each once. Signals without a handler of Python act as always. Python handles signals in
    the main thread only, so in other threads there is nothing to do. Blocks may be nested.

    >>> try:
    ...     with uninterrupted():
    ...         signal.raise_signal(signal.SIGINT)
    ...         print("done")
    ... except KeyboardInterrupt:
    ...     print("stopped")
    done
    stopped
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: dict[int, None] = {}  # in this order

    def note(number: int, _: object) -> None:
        came[number] = None

    with ExitStack() as calls, ExitStack() as handlers:  # none of them is left out if one raises
        for number in STOPPING:
            handler = signal.getsignal(number)
            if callable(handler):
                handlers.callback(signal.signal, number, handler)
                signal.signal(number, note)
        try:
            yield
        finally:
            handlers.close()
            for number in reversed(came):
                calls.callback(_handle, number)


def _handle(number: int) -> None:
    """Call the handler of a signal, as Python does."""
    handler = signal.getsignal(number)
    if callable(handler):
        handler(number, sys._getframe())


@contextmanager
def noting_outputs() -> Iterator[list[Path]]:
    """Note which files appear inside a ``with`` block; an inner block keeps its own to itself.

    Yields:
        List of the files, which grows.

    >>> from pathlib import Path
    >>> with noting_outputs() as written:
    ...     note_outputs([Path("map.tif")])
    >>> [path.name for path in written]
    ['map.tif']
    """
    written: list[Path] = []
    token = _OUTPUTS.set(written)
    try:
        yield written
    finally:
        _OUTPUTS.reset(token)


def note_outputs(paths: Iterable[Path]) -> None:
    """Note that files have appeared under their final names.

    Args:
        paths: The files.
    """
    written = _OUTPUTS.get()
    if written is not None:
        written += paths
