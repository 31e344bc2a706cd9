"""Options of GDAL that hold while files are read."""

from __future__ import annotations

import multiprocessing
import os
import sys
import warnings
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import numpy as np
import pytest
import rasterio
from builders import write_tif
from rasterio.env import get_gdal_config
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.io.readers import gdal
from hsi_geo.io.readers.gdal import quiet_gdal, unpacking_threads
from hsi_geo.io.readers.raster import read_raster
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.scenes.scene import open_scene

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
    cache = gdal._OfProcess()
    before = get_gdal_config("GDAL_CACHEMAX")
    cache.inside = 1
    cache.lock.acquire()
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with cache:
        assert (cache.inside, get_gdal_config("GDAL_CACHEMAX")) == (1, SMALL)
    assert (cache.inside, get_gdal_config("GDAL_CACHEMAX")) == (0, before)


def test_the_warning_about_places_is_silent_in_threads_that_overlap() -> None:
    """The first thread that enters is the first that leaves, and the filters are those of before then."""
    first_inside, second_inside, first_left = Barrier(2), Barrier(2), Barrier(2)

    def first() -> None:
        with quiet_gdal():
            first_inside.wait(20)
            second_inside.wait(20)
        first_left.wait(20)

    def second() -> None:
        first_inside.wait(20)
        with quiet_gdal():
            second_inside.wait(20)
            first_left.wait(20)
            warnings.warn("no geotransform", NotGeoreferencedWarning, stacklevel=1)

    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        before = list(warnings.filters)
        threads = [Thread(target=first), Thread(target=second)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert (told, warnings.filters) == ([], before)


@pytest.mark.parametrize(
    ("mebibytes", "stated", "expected"),
    [
        (0, "", 4),
        (1, "", 4),
        (25, "", 2),
        (32, "", 1),  # two of them, and what GDAL notes of them, are more than the cache
        (200, "", 1),
        (0, "7", 7),
        (25, "7", 2),
        (0, "ALL_CPUS", 64),
        (25, "ALL_CPUS", 2),
    ],
    ids=str,
)
def test_no_more_blocks_are_unpacked_at_once_than_the_cache_holds(
    mebibytes: int, stated: str, expected: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    monkeypatch.setenv("GDAL_NUM_THREADS", stated)
    assert unpacking_threads(mebibytes << 20) == expected
    with quiet_gdal(block_bytes=mebibytes << 20):
        option = get_gdal_config("GDAL_NUM_THREADS", normalize=False)
    assert option == str(expected)


@pytest.mark.parametrize(
    ("options", "bands"),
    [({"interleave": "pixel"}, 3), ({"interleave": "band"}, 1)],
    ids=["pixel", "band"],
)
def test_readers_know_how_large_blocks_are(
    tmp_path: Path, options: dict[str, Any], bands: int
) -> None:
    tiles = {"tiled": True, "blockxsize": 32, "blockysize": 16, **options}
    values = np.arange(1, 1 + 3 * 40 * 70, dtype=np.int16).reshape(3, 40, 70)
    pixels = read_raster(write_tif(tmp_path / "scene.tif", values, **tiles)).pixels
    assert isinstance(pixels, RasterPixels)
    assert pixels.block_bytes == 32 * 16 * 2 * bands


def _sum_of(path: Path) -> int:
    return int(open_scene(path, wavelengths="450:900").sum())


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no fork")
# Python 3.12 warns of any fork beside threads.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_forked_process_reads_without_the_threads_of_its_parent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the workers of a DataLoader do. GDAL waited for threads that only the parent has."""
    monkeypatch.setenv("GDAL_NUM_THREADS", "3")
    values = np.arange(4 * 96 * 64, dtype=np.uint16).reshape(4, 96, 64)
    layout = {"tiled": True, "blockxsize": 16, "blockysize": 16, "compress": "deflate"}
    size = {"count": 4, "height": 96, "width": 64, "dtype": "uint16"}
    place = rasterio.Affine(30.0, 0.0, 5000.0, 0.0, -20.0, 9000.0)
    with rasterio.open(tmp_path / "a.tif", "w", transform=place, **size, **layout) as file:
        file.write(values)
    assert _sum_of(tmp_path / "a.tif") == values.sum()
    with multiprocessing.get_context("fork").Pool(1) as pool:
        found = pool.apply_async(_sum_of, [tmp_path / "a.tif"])
        assert found.get(timeout=60) == values.sum()


def test_only_a_forked_process_unpacks_blocks_on_one_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GDAL_NUM_THREADS", "3")
    with quiet_gdal():
        assert get_gdal_config("GDAL_NUM_THREADS") == 3
    monkeypatch.setattr(os, "getpid", lambda: -1)
    with quiet_gdal():
        assert get_gdal_config("GDAL_NUM_THREADS") == 1
