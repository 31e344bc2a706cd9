"""A cache of open files: opening a cube for each window takes longer than reading the window."""

from __future__ import annotations

import atexit
import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

#: Largest number of files that a thread keeps open. A tile of a batch is read with its eight neighbours, and most of these
#: with the next tile again.
MAX_OPEN = 24


class Closable(Protocol):
    """An open file of any library."""

    def close(self) -> None:
        """Close the file."""


@dataclass(slots=True)
class _Entry:
    """An open file, and the ids of the objects that read it; none for a file that is nobody's own."""

    handle: Any
    users: set[int] = field(default_factory=set)


class _Cache(dict[Any, _Entry]):
    """Open files by their keys. Unlike a plain dictionary it can be referred to weakly."""


#: Handles of this thread, by process and file. Those of GDAL and HDF5 must not be shared between threads,
#: or between a process and its fork.
_open = threading.local()


#: Caches of all threads, by their ids.
_caches: weakref.WeakValueDictionary[int, _Cache] = weakref.WeakValueDictionary()

#: Handles of the process that this one was forked from, and during a fork those of this process.
_inherited: list[Any] = []


def opened[H: Closable](
    file: tuple[Any, ...], open_: Callable[[], H], user: object | None = None
) -> H:
    """The handle of a file in this process and thread. The `MAX_OPEN` files that were used last stay open.

    Args:
        file: Key of the file and of how it is opened. It includes the file's `stamp`, so that a file that
            was written again is opened again.
        open_: Function that opens the file.
        user: Object that reads the file. The file is let go when all its users are gone; None keeps it. HDF5 lets
            nobody write a file that is open.

    Returns:
        The open file. It must not be closed by the caller.
    """
    cache: _Cache = _open.__dict__.setdefault("cache", _Cache())
    _caches[id(cache)] = cache
    key = (os.getpid(), *file)
    entry = cache.pop(key, None)
    if entry is None:
        # A fork copies the entries of its parent, which closes its files itself.
        for old in [old for old in list(cache) if old[0] != os.getpid()]:
            cache.pop(old, None)
        while len(cache) >= MAX_OPEN:
            if (oldest := cache.pop(next(iter(cache)), None)) is not None:
                oldest.handle.close()
        entry = _Entry(open_())
    cache[key] = entry  # the file that was used last is the last one
    if user is not None and id(user) not in entry.users:
        entry.users.add(id(user))
        weakref.finalize(user, _let_go, weakref.ref(cache), key, id(user)).atexit = False
    handle: H = entry.handle
    return handle


def _let_go(cache: weakref.ref[_Cache], key: tuple[Any, ...], user: int) -> None:
    """Forget a file whose last user is gone, maybe in another thread.

    It is not closed, as somebody may have taken it just before: h5py and xarray close what nobody refers to.
    """
    files = cache()
    entry = None if files is None else files.get(key)
    if files is None or entry is None:
        return
    entry.users.discard(user)
    if not entry.users:
        files.pop(key, None)


def _hold_all() -> None:
    """Keep the handles of all threads, just before this process is forked.

    A fork has none of the other threads, and Python lets go what these had. GDAL would close files of its parent then, and
    wait for threads that it has started for them: the fork would crash.
    """
    _inherited.extend(entry.handle for cache in _caches.values() for entry in list(cache.values()))


if hasattr(os, "register_at_fork"):  # not on Windows
    os.register_at_fork(before=_hold_all, after_in_parent=_inherited.clear)


@atexit.register
def _close_all() -> None:
    """Close files before the interpreter shuts down, when GDAL no longer can."""
    for key, entry in _open.__dict__.pop("cache", {}).items():
        if key[0] == os.getpid():
            entry.handle.close()
