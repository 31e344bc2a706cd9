"""Reading small scenes while modules are imported: the same numbers, and errors where they belong."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scenes, scene_from_array
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.adaptation import scene_reads
from hsi_geo.tasks.adaptation.scene_reads import SceneReads
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tiling import Window

Planted = Any  # defined in conftest, which tests cannot import


def test_reading_ahead_has_the_same_numbers(planted: Planted, tmp_path: Path) -> None:
    scenes = open_scenes([planted.path])
    place = (0, Window(0, 0, *scenes[0].shape[-2:]))
    plain, ahead = SceneReads(scenes), SceneReads(scenes)
    with ahead.reading():
        pass
    first, second = plain.spectral(SilentReporter()), ahead.spectral(SilentReporter())
    assert np.array_equal(first.whitening.matrix, second.whitening.matrix)
    for one, other in zip(plain.windows([place])[0], ahead.windows([place])[0], strict=True):
        assert np.array_equal(one, other)


def test_what_was_read_ahead_is_not_read_again(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    scenes = open_scenes([planted.path])
    reads = SceneReads(scenes)
    with reads.reading():
        pass
    for name in ("read_window", "learn_spectral_stats"):
        monkeypatch.setattr(scene_reads, name, None)
    reads.spectral(SilentReporter())
    reads.windows([(0, Window(0, 0, *scenes[0].shape[-2:]))])


def test_other_work_goes_on_while_scenes_are_read(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    inside = threading.Event()
    real = learn_spectral_stats

    def wait_for_the_block(*args: Any) -> Any:
        assert inside.wait(60.0)
        return real(*args)

    monkeypatch.setattr(scene_reads, "learn_spectral_stats", wait_for_the_block)
    with SceneReads(open_scenes([planted.path])).reading():
        inside.set()  # would never be reached if the block waited


def test_a_large_scene_is_not_read_ahead(planted: Planted, monkeypatch: pytest.MonkeyPatch) -> None:
    scenes = open_scenes([planted.path])
    monkeypatch.setattr(scene_reads, "SMALL_PX", scenes[0][0].size - 1)
    monkeypatch.setattr(scene_reads, "learn_spectral_stats", None)  # would raise TypeError
    with SceneReads(scenes).reading():
        pass


def test_an_error_comes_where_the_statistics_are_asked_for() -> None:
    empty = scene_from_array(np.full((3, 20, 30), np.nan), np.array([500.0, 600.0, 700.0]))
    reads = SceneReads([empty])
    with reads.reading():
        pass
    with pytest.raises(SceneError, match="no data"):
        reads.spectral(SilentReporter())
    good: xr.DataArray = scene_from_array(
        np.random.default_rng(0).random((3, 20, 30)), np.array([500.0, 600.0, 700.0])
    )
    with pytest.raises(ZeroDivisionError), SceneReads([good]).reading():
        raise ZeroDivisionError  # an error of the block is not replaced
