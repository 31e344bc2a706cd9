"""Options of GDAL that hold while files are read."""

from __future__ import annotations

import os
from threading import Barrier, Thread

import pytest
import rasterio
from rasterio.env import get_gdal_config

from hsi_geo.io.readers import gdal
from hsi_geo.io.readers.gdal import quiet_gdal

SMALL, OTHER = 64 << 20, 96 << 20


def test_the_size_of_the_block_cache_is_restored_after_threads_that_overlap() -> None:
    """The first thread that enters is the first that leaves."""
    before = get_gdal_config("GDAL_CACHEMAX")
    both_inside, first_left = Barrier(2), Barrier(2)
    seen: list[int] = []

    def first() -> None:
        with quiet_gdal():
            both_inside.wait(20)
        first_left.wait(20)

    def second() -> None:
        with quiet_gdal():
            both_inside.wait(20)
            first_left.wait(20)
            seen.append(get_gdal_config("GDAL_CACHEMAX"))

    threads = [Thread(target=first), Thread(target=second)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == [SMALL]
    assert get_gdal_config("GDAL_CACHEMAX") == before != SMALL


def test_the_size_that_a_program_set_is_restored() -> None:
    with rasterio.Env(GDAL_CACHEMAX=OTHER):
        with quiet_gdal(), quiet_gdal():
            assert get_gdal_config("GDAL_CACHEMAX") == SMALL
        assert get_gdal_config("GDAL_CACHEMAX") == OTHER


def test_a_forked_process_starts_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    """Threads of its parent are not in it, and one of them may have held the lock."""
    cache = gdal._SmallCache()
    before = get_gdal_config("GDAL_CACHEMAX")
    cache.inside = 1
    cache.lock.acquire()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with cache:
        assert (cache.inside, get_gdal_config("GDAL_CACHEMAX")) == (1, SMALL)
    assert (cache.inside, get_gdal_config("GDAL_CACHEMAX")) == (0, before)
