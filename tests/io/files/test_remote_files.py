"""Blocks of files on other machines, as h5py asks for them."""

from __future__ import annotations

import threading
from typing import Any

from hsi_geo.io.files.remote_files import _Remote


class Left:
    """An object in a cycle, which closes something when it is collected, as HDF5 files do."""

    def __init__(self, found: list[threading.Thread]) -> None:
        self.itself, self.found = self, found

    def __del__(self) -> None:
        self.found.append(threading.current_thread())


class System:
    """A file system that fetches in another thread, in which there is much to collect."""

    def __init__(self, found: list[threading.Thread]) -> None:
        self.found = found

    def cat_file(self, path: str, start: int, end: int) -> bytes:
        thread = threading.Thread(target=self.fetch)
        thread.start()
        thread.join()
        return bytes(range(start, end))

    def fetch(self) -> None:
        Left(self.found)
        several: list[Any] = [[] for _ in range(100_000)]
        del several


def test_nothing_is_collected_in_the_thread_that_fetches() -> None:
    """A file of HDF5 that is closed there would wait for the lock of the one that waits for the bytes."""
    found: list[threading.Thread] = []

    content = _Remote("https://a.org/b.nc", System(found), "b.nc", 7).read()

    assert content == bytes(range(7))
    assert all(thread is threading.main_thread() for thread in found)
