"""Windows spread over a scene are read block by block, each block once, and come in the order of the scene."""

from __future__ import annotations

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import numpy as np
import pytest
import xarray as xr

from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.io.scenes.windows import read_window_and_band_mask
from hsi_geo.tasks.inference import scene_statistics
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats, sample_spectra
from hsi_geo.tiling import Window, spread_windows


@pytest.fixture
def view(monkeypatch: pytest.MonkeyPatch) -> xr.DataArray:
    """90 x 140 pixels, of which each has its own value, in blocks of 40 x 50 pixels; the machine has four cores."""
    monkeypatch.delenv("GDAL_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    values = np.arange(1, 1 + 3 * 90 * 140, dtype=np.int32).reshape(3, 90, 140)
    scene = scene_from_array(values, np.array([550.0, 660.0, 800.0]))
    scene.attrs |= {"block_px": (40, 50), "driver": "GTiff"}
    return scene


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, Window]]:
    """Thread and window of each read; the scene does not count as small."""
    noted: list[tuple[int, Window]] = []

    def read(view: xr.DataArray, window: Window) -> Any:
        noted.append((threading.get_ident(), window))
        return read_window_and_band_mask(view, window)

    monkeypatch.setattr(scene_statistics, "read_window_and_band_mask", read)
    monkeypatch.setattr(scene_statistics, "SMALL_BYTES", 0)
    return noted


def test_a_block_is_read_by_one_thread_and_only_once(
    view: xr.DataArray, reads: list[tuple[int, Window]]
) -> None:
    sample_spectra(view, 64, 8)
    blocks: list[tuple[int, int]] = []
    for _, own in groupby(sorted(reads, key=lambda one: one[0]), key=lambda one: one[0]):
        places = [(window.row // 40, window.col // 50) for _, window in own]
        blocks += [block for block, _ in groupby(places)]
    assert len(blocks) == len(set(blocks)) == 9
    assert sorted(window.row for _, window in reads) == sorted(
        window.row for window in spread_windows(90, 140, 8, 64)
    )


def test_pixels_come_in_the_order_of_the_scene(
    view: xr.DataArray, reads: list[tuple[int, Window]]
) -> None:
    expected = [
        view.values[:, rows, cols].reshape(3, -1)
        for rows, cols in (window.slices for window in spread_windows(90, 140, 8, 64))
    ]
    np.testing.assert_array_equal(sample_spectra(view, 64, 8), np.concatenate(expected, axis=1))


@pytest.mark.parametrize(
    ("attributes", "threads"),
    [
        ({"block_px": (40, 1000)}, [2]),
        ({"block_px": (8000, 1000)}, []),
        ({"driver": "VRT"}, []),
        ({"driver": "HDF5"}, []),
        ({"driver": "SENSOR, GTiff"}, [2]),
        ({"source": "https://example.org/scene.tif"}, []),
    ],
    ids=str,
)
def test_threads_read_local_files_of_small_blocks_only(
    view: xr.DataArray,
    monkeypatch: pytest.MonkeyPatch,
    attributes: dict[str, Any],
    threads: list[int],
) -> None:
    """GDAL keeps 64 MiB of blocks: of two that it does not keep together, each would drop the other."""
    monkeypatch.delenv("GDAL_NUM_THREADS", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 4)
    monkeypatch.setattr(scene_statistics, "SMALL_BYTES", 0)
    view.attrs |= attributes
    begun: list[int] = []

    def pool(count: int, name: str) -> ThreadPoolExecutor:
        begun.append(count)
        return ThreadPoolExecutor(count, name)

    monkeypatch.setattr(scene_statistics, "ThreadPoolExecutor", pool)
    learn_spectral_stats([view])
    assert begun == threads


def test_a_cancelled_job_reads_no_further_windows_of_a_block(
    view: xr.DataArray, reads: list[tuple[int, Window]], monkeypatch: pytest.MonkeyPatch
) -> None:
    view.attrs["block_px"] = (1, 140)
    monkeypatch.setenv("GDAL_NUM_THREADS", "2")
    monkeypatch.setattr(scene_statistics, "WINDOW_PX", 4)
    monkeypatch.setattr(scene_statistics, "spread_windows", lambda *_: _WINDOWS)
    begun, left = threading.Event(), threading.Event()

    def read(one: xr.DataArray, window: Window) -> Any:
        reads.append((threading.get_ident(), window))
        if window.row:
            begun.set()
        assert (left if window.row else begun).wait(20)
        return read_window_and_band_mask(one, window)

    class Pool(ThreadPoolExecutor):
        def shutdown(self, *arguments: Any, **options: Any) -> None:
            left.set()
            super().shutdown(*arguments, **options)

    monkeypatch.setattr(scene_statistics, "ThreadPoolExecutor", Pool)
    monkeypatch.setattr(scene_statistics, "read_window_and_band_mask", read)
    with pytest.raises(_Cancelled):
        learn_spectral_stats([view], _CancelsAtThird())
    assert sum(window.row > 0 for _, window in reads) == 1


#: Two windows of one block, and many of another one.
_WINDOWS = [
    *(Window(0, 4 * i, 4, 4) for i in range(2)),
    *(Window(8, 4 * i, 4, 4) for i in range(30)),
]


class _Cancelled(Exception):
    pass


class _CancelsAtThird:
    calls = 0

    def progress(self, *_: object) -> None:
        self.calls += 1
        if self.calls == 3:
            raise _Cancelled

    def log(self, _: str) -> None: ...

    def warning(self, _: str) -> None: ...


def test_a_cancelled_job_reads_no_further_blocks(
    view: xr.DataArray, reads: list[tuple[int, Window]], monkeypatch: pytest.MonkeyPatch
) -> None:
    view.attrs["block_px"] = (1, 1)
    monkeypatch.setattr(scene_statistics, "WINDOW_PX", 4)

    def read(one: xr.DataArray, window: Window) -> Any:
        reads.append((threading.get_ident(), window))
        if len(reads) > 4:
            time.sleep(0.05)  # as a block of a large scene
        return read_window_and_band_mask(one, window)

    monkeypatch.setattr(scene_statistics, "read_window_and_band_mask", read)
    with pytest.raises(_Cancelled):
        learn_spectral_stats([view], _CancelsAtThird())
    assert len(reads) < 16
    assert not [one for one in threading.enumerate() if one.name.startswith("sample")]


def test_an_error_of_a_read_is_raised(view: xr.DataArray, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError("the disk is gone")

    monkeypatch.setattr(scene_statistics, "read_window_and_band_mask", fail)
    with pytest.raises(OSError, match="gone"):
        learn_spectral_stats([view])
