"""Open files, kept for a while: opening a cube anew for each window takes longer than reading it."""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable
from typing import Any, Protocol

#: Most files that a thread keeps open.
MAX_OPEN = 8


class Closable(Protocol):
    """Whatever a library calls an open file."""

    def close(self) -> None:
        """Let go of the file."""


#: Of this thread, by process and file. Handles of GDAL and HDF5 must be shared neither between
#: threads nor across a fork.
_open = threading.local()


def opened[H: Closable](file: tuple[Any, ...], open_: Callable[[], H]) -> H:
    """The handle that this process and thread has of a file; only the latest few are kept.

    Args:
        file: What identifies the file and how it is opened; with its `stamp`, so that a file
            written anew is opened anew.
        open_: Opens it.
    """
    cache: dict[Any, H] = _open.__dict__.setdefault("cache", {})
    key = (os.getpid(), *file)
    if key not in cache:
        # Entries of another process came with the fork: forget them, closing them is its job.
        for old in [old for old in cache if old[0] != os.getpid()]:
            cache.pop(old)
        while len(cache) >= MAX_OPEN:
            cache.pop(next(iter(cache))).close()
        cache[key] = open_()
    return cache[key]


@atexit.register
def _close_all() -> None:
    """GDAL can no longer close files once the interpreter is half gone."""
    for key, handle in _open.__dict__.pop("cache", {}).items():
        if key[0] == os.getpid():
            handle.close()
