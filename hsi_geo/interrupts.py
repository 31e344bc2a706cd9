"""Interrupted jobs: what must not end half way is finished first, and what was written by then is known."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # they take long to import
    from collections.abc import Callable
    from pathlib import Path
    from types import CodeType, FrameType

#: Signals that stop a job. A terminal that is closed sends SIGHUP, which Windows does not have.
STOPPING = tuple(
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)

#: See `noting_outputs`.
_OUTPUTS: ContextVar[list[Path] | None] = ContextVar("outputs", default=None)

#: See `finished_first`.
_FINISHED_FIRST: set[CodeType] = set()


def finished_first[**Given, Returned](
    function: Callable[Given, Returned],
) -> Callable[Given, Returned]:
    """Mark a function that makes or removes files which would stay behind if an interrupt ended it half way.

    It is the same function; a handler of signals asks `is_finished_first`, as that of the command line does. Of a generator
    each step is finished, and what uses it between two steps is interrupted as always.

    Args:
        function: A function of Python.
    """
    _FINISHED_FIRST.add(function.__code__)
    return function


def is_finished_first(frame: FrameType) -> bool:
    """Whether a frame is of a function that `finished_first` marked.

    Args:
        frame: Frame of a call.
    """
    return frame.f_code in _FINISHED_FIRST


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
