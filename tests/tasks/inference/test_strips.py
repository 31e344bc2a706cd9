"""Strips: memory budget, reading each pixel once, any block layout, prefetching."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.inference.options import DEFAULT_MEMORY
from hsi_geo.tasks.inference.side_threads import prefetch, write_behind
from hsi_geo.tasks.inference.sliding_window import SlidingWindow, each_window
from hsi_geo.tasks.inference.strips import ReadPlan, Strips, plan_reading
from hsi_geo.tiling import Tiling, Window

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


# The plan -------------------------------------------------------------------------------------


@given(
    shape=st.tuples(st.integers(1, 20_000), st.integers(1, 20_000)),
    block=st.tuples(st.integers(1, 1024), st.integers(1, 20_000)),
    stored_bytes=st.integers(1, 2000),
    output_bytes=st.integers(12, 1000),
    max_memory=st.integers(1, 1 << 32),
    window_px=st.integers(1, 32),
)
def test_plan_reading_stays_within_scene_and_budget(
    shape: tuple[int, int],
    block: tuple[int, int],
    stored_bytes: int,
    output_bytes: int,
    max_memory: int,
    window_px: int,
) -> None:
    plan = plan_reading(shape, block, stored_bytes, output_bytes, max_memory, window_px)
    high, wide = min(block[0], shape[0]), min(block[1], shape[1])
    assert 1 <= plan.rows <= shape[0]
    assert 1 <= plan.cols <= plan.group <= shape[1]
    if plan.cols < shape[1]:  # pieces of a row of blocks
        assert plan.rows == high
        assert plan.cols % wide == 0
        assert plan.cols >= min(window_px, shape[1])
        assert plan.group == shape[1] or plan.group % plan.cols == 0
    # A few blocks and the rows kept of them are the minimum.
    kept = window_px * (2 * stored_bytes + output_bytes)
    few = (wide + window_px) * (high * (3 * stored_bytes + output_bytes) + kept)
    row = shape[1] * (2 * stored_bytes + output_bytes) if wide == shape[1] else 0
    assert plan.bytes <= max(max_memory, row) + few


@pytest.mark.parametrize(
    "block", [(64, 64), (256, 256), (512, 512), (1024, 1024), (1, 10_000), (16, 10_000), (512, 16)]
)
@pytest.mark.parametrize("bands", [200, 426])
def test_plan_reading_of_a_large_scene_has_one_group(block: tuple[int, int], bands: int) -> None:
    """10,000 x 10,000 pixels of 16 bits and 10 classes, with the default budget."""
    plan = plan_reading((10_000, 10_000), block, 2 * bands, 12 * 11, DEFAULT_MEMORY, 16)
    assert plan.group == 10_000
    assert plan.rows % block[0] == 0
    assert plan.cols == 10_000 or plan.cols % block[1] == 0
    three_blocks = 3 * 2 * bands * block[0] * block[1]
    assert plan.bytes <= DEFAULT_MEMORY or three_blocks > DEFAULT_MEMORY // 2


def test_plan_reading_of_a_wide_scene_has_wide_groups() -> None:
    plan = plan_reading((1000, 300_000), (512, 512), 852, 132, DEFAULT_MEMORY, 16)
    assert plan.group < 300_000
    assert (plan.group + 2 * 512) / plan.group < 1.3


@pytest.mark.parametrize(("height", "rows"), [(96, 96), (256, 256), (257, 256), (500, 256)])
def test_plan_reading_of_a_scene_that_ends_within_a_block(height: int, rows: int) -> None:
    """A tile with the margin of its neighbours is read at once."""
    assert plan_reading((height, 96), (64, 64), 400, 132, DEFAULT_MEMORY, 16).rows == rows


# The strips -----------------------------------------------------------------------------------


def first_band_and_one(image: Tensor, valid: Tensor) -> Tensor:
    """A network whose outputs are each pixel's first band, and 1."""
    return torch.stack([image[:, 0], torch.ones_like(image[:, 0])], dim=1)


@pytest.mark.parametrize("max_memory", [1, 20_000, 40_000, 1 << 20])
@pytest.mark.parametrize("block", [(1, 33), (8, 8), (16, 16), (7, 5), (41, 3)])
@pytest.mark.parametrize("stride", [8, 6])
def test_strips_cover_the_scene_once(
    make_scene: MakeScene,
    monkeypatch: pytest.MonkeyPatch,
    block: tuple[int, int],
    stride: int,
    max_memory: int,
) -> None:
    scene = make_scene(height=41, width=33, bands=6)
    view = select_good_bands(open_scene(scene.path))
    tiling = Tiling(8, stride)
    sliding = SlidingWindow(view, tiling, each_window(first_band_and_one, tiling), 2)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.block_shape", lambda view: block)
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.MIN_ROWS", 1)
    seen = np.zeros((41, 33), int)
    values = np.zeros((41, 33), np.float32)
    has_data = np.zeros((41, 33), bool)
    for window, outputs, valid in Strips(sliding, max_memory, lambda window: None):
        seen[window.slices] += 1
        values[window.slices] = outputs[0]
        has_data[window.slices] = valid
    assert (seen == 1).all()
    whole, valid = sliding.block(Window(0, 0, 41, 33))
    np.testing.assert_array_equal(has_data, valid)
    np.testing.assert_allclose(values, whole[0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("threads", [2, 3])
def test_groups_of_windows_side_by_side_give_the_same(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch, threads: int
) -> None:
    """Outputs, validity and ranges of bands; slow groups among fast ones."""
    monkeypatch.setattr("hsi_geo.tasks.inference.strips.GRID_WINDOWS", 4)
    scene = make_scene(height=41, width=33, bands=6)
    view = select_good_bands(open_scene(scene.path))
    tiling = Tiling(8, 6)

    def slow(image: Tensor, valid: Tensor) -> Tensor:
        time.sleep(0.01 * float(image[0, 0, 0, 0] % 3))
        return first_band_and_one(image, valid)

    found = []
    for count in (1, threads):
        sliding = SlidingWindow(view, tiling, each_window(slow, tiling), 2)
        strips = Strips(sliding, 1 << 20, lambda window: None, threads=count)
        values = np.zeros((3, 41, 33), np.float32)
        for window, outputs, valid in strips:
            values[(slice(None), *window.slices)] = [*outputs, valid]
        found.append((values, strips.ranges.minimum, strips.ranges.maximum, strips.ranges.pixels))
    for alone, beside in zip(*found, strict=True):
        np.testing.assert_array_equal(alone, beside)


@pytest.mark.parametrize(("rows", "cols"), [(1, 33), (8, 8), (3, 16), (16, 10), (41, 9)])
def test_strips_read_each_pixel_once(
    make_scene: MakeScene, monkeypatch: pytest.MonkeyPatch, rows: int, cols: int
) -> None:
    """For any blocks of the file."""
    scene = make_scene(height=41, width=33, bands=6)
    view = select_good_bands(open_scene(scene.path))
    read = np.zeros((41, 33), int)
    original = type(view).__getitem__

    def spied(self: Any, key: Any) -> Any:
        if isinstance(key, tuple) and len(key) == 3 and isinstance(key[1], slice):
            read[key[1], key[2]] += 1
        return original(self, key)

    monkeypatch.setattr(type(view), "__getitem__", spied)
    tiling = Tiling(8, 6)
    sliding = SlidingWindow(view, tiling, each_window(first_band_and_one, tiling), 2)
    strips = Strips(sliding, 1, lambda window: None)
    strips.plan = ReadPlan(rows, cols, group=33, bytes=0)
    assert sum(window.height * window.width for window, _, _ in strips) == 41 * 33
    assert (read == 1).all()


def test_strips_skip_windows_without_requested_pixels(make_scene: MakeScene) -> None:
    scene = make_scene(height=41, width=33, bands=6)
    view = select_good_bands(open_scene(scene.path))
    tiling, ran = Tiling(8, 8), []

    def network(image: Tensor, valid: Tensor) -> Tensor:
        ran.append(len(image))
        return first_band_and_one(image, valid)

    def corner(window: Window) -> np.ndarray[Any, np.dtype[np.bool_]]:
        rows, cols = np.indices(window.shape)
        return np.asarray((rows + window.row < 1) & (cols + window.col < 1))

    sliding = SlidingWindow(view, tiling, each_window(network, tiling), 2)
    for _ in Strips(sliding, 1 << 20, corner):
        pass
    assert sum(ran) == 1


@pytest.mark.parametrize("message", ["DefaultCPUAllocator: not enough memory", None])
def test_sliding_window_halves_batches_that_do_not_fit(
    make_scene: MakeScene, message: str | None
) -> None:
    scene = make_scene(height=41, width=33, bands=6)
    view = select_good_bands(open_scene(scene.path))
    tiling, sizes = Tiling(8, 6), []

    def tight(image: Tensor, valid: Tensor) -> Tensor:
        if len(image) > 5:
            raise RuntimeError(message) if message else torch.OutOfMemoryError()
        sizes.append(len(image))
        return first_band_and_one(image, valid)

    roomy = SlidingWindow(view, tiling, each_window(first_band_and_one, tiling), 2)
    sliding = SlidingWindow(view, tiling, each_window(tight, tiling), 2)
    window = Window(0, 0, 41, 33)
    np.testing.assert_array_equal(sliding.block(window)[0], roomy.block(window)[0])
    assert max(sizes) == 4


def test_sliding_window_raises_other_errors(make_scene: MakeScene) -> None:
    view = select_good_bands(open_scene(make_scene(bands=6).path))

    def broken(image: Tensor, valid: Tensor) -> Tensor:
        raise RuntimeError("shapes cannot be multiplied")

    tiling = Tiling(8, 6)
    with pytest.raises(RuntimeError, match="multiplied"):
        SlidingWindow(view, tiling, each_window(broken, tiling), 2).block(Window(0, 0, 9, 9))


# Threads -------------------------------------------------------------------------------------


def test_prefetch_keeps_the_order_and_uses_another_thread() -> None:
    threads = []

    def job(number: int) -> int:
        threads.append(threading.current_thread())
        return number

    with prefetch([lambda n=n: job(n) for n in range(5)]) as results:  # type: ignore[misc]
        assert list(results) == [0, 1, 2, 3, 4]
    assert threading.current_thread() not in threads
    with prefetch([]) as results:
        assert list(results) == []


def test_write_behind_raises_errors_of_the_job() -> None:
    def job(number: int) -> None:
        if number == 1:
            raise OSError("disk full")

    done = []
    with pytest.raises(OSError, match="disk full"), write_behind(job) as call:
        for number in range(3):
            call(number)
            done.append(number)
    assert done == [0, 1]
    with pytest.raises(OSError, match="disk full"), write_behind(job) as call:
        call(1)


def test_write_behind_waits_for_all_calls(tmp_path: Path) -> None:
    seen: list[int] = []
    with write_behind(seen.append) as call:
        for number in range(20):
            call(number)
    assert seen == list(range(20))
