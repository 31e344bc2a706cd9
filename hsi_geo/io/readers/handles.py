"""A cache of open files: opening a cube for each window takes longer than reading the window."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

#: Largest number of files that a thread keeps open. A tile of a batch is read with its eight neighbours, and most of these
#: with the next tile again.
MAX_OPEN = 24


class Closable(Protocol):
    """An open file of any library."""

    def close(self) -> None:
        """Close the file."""


#: Handles of this thread, by process and file. Those of GDAL and HDF5 must not be shared between threads,
#: or between a process and its fork.
_open = threading.local()


def opened[H: Closable](file: tuple[Any, ...], open_: Callable[[], H]) -> H:
    """The handle of a file in this process and thread. The `MAX_OPEN` files that were used last stay open.

    Args:
        file: Key of the file and of how it is opened. It includes the file's `stamp`, so that a file that
            was written again is opened again.
        open_: Function that opens the file.

    Returns:
        The open file. It must not be closed by the caller.
    """
    cache: dict[Any, H] = _open.__dict__.setdefault("cache", {})
    key = (os.getpid(), *file)
    if key in cache:
        cache[key] = cache.pop(key)  # the file that was used last is the last one
        return cache[key]
    # A fork copies the entries of its parent, which closes its files itself.
    for old in [old for old in cache if old[0] != os.getpid()]:
        cache.pop(old)
    while len(cache) >= MAX_OPEN:
        cache.pop(next(iter(cache))).close()
    cache[key] = open_()
    return cache[key]


@atexit.register
def _close_all() -> None:
    """Close files before the interpreter shuts down, when GDAL no longer can."""
    for key, handle in _open.__dict__.pop("cache", {}).items():
        if key[0] == os.getpid():
            handle.close()
