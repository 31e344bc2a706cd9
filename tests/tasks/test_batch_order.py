"""The order in which tiles are mapped: neighbours together, all workers busy to the end."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from hsi_geo.tasks.tiles import order
from hsi_geo.tasks.tiles.order import along_curve, in_runs
from hsi_geo.tiling import Grid

ZONES = CRS.from_epsg(32633), CRS.from_epsg(32634)


def grid(row: int, col: int, zone: int | None = 0, size: tuple[int, int] = (64, 48)) -> Grid:
    height, width = size
    corner = Affine(30.0, 0.0, 30.0 * width * col, 0.0, -20.0, 9e6 - 20.0 * height * row)
    return Grid(height, width, corner, None if zone is None else ZONES[zone])


@given(
    st.lists(
        st.none() | st.tuples(*[st.integers(-9, 40)] * 2, st.sampled_from([0, 1, None])),
        max_size=30,
    ),
    st.data(),
)
def test_each_chosen_tile_comes_once(
    tiles: list[tuple[int, int, int | None] | None], data: st.DataObject
) -> None:
    grids = [None if tile is None else grid(*tile) for tile in tiles]
    places = list(range(len(grids)))
    chosen = data.draw(st.lists(st.sampled_from(places), unique=True)) if places else []
    assert sorted(along_curve(grids, chosen)) == sorted(chosen)


@pytest.mark.parametrize("size", [(64, 48), (1, 300)])
def test_sixteen_tiles_that_follow_each_other_are_a_square(size: tuple[int, int]) -> None:
    """Whatever their order was, and beside tiles of another zone."""
    cells = [(row, col) for row in range(8) for col in range(8)]
    shuffled = np.random.default_rng(0).permutation(cells).tolist()
    grids = [grid(row, col, zone, size) for row, col in shuffled for zone in (0, 1)]
    found = along_curve(grids, range(len(grids)))
    for first in range(0, 128, 16):
        part = [(found[i] % 2, *shuffled[found[i] // 2]) for i in range(first, first + 16)]
        zones, rows, cols = map(set, zip(*part, strict=True))
        assert (len(zones), len(rows), len(cols)) == (1, 4, 4)


@given(st.lists(st.integers(1, 1 << 22), max_size=200), st.integers(0, 20))
def test_runs_are_all_tiles_and_leave_work_for_every_worker(
    sizes_px: list[int], workers: int
) -> None:
    runs = in_runs(sizes_px, workers)
    assert [place for run in runs for place in run] == list(range(len(sizes_px)))
    left_px = sum(sizes_px)
    for run in runs:
        px = sum(sizes_px[place] for place in run)
        if len(run) > 1:
            assert len(run) <= order.RUN_TILES
            assert px <= order.RUN_PX
            assert 2 * workers * px <= left_px
            assert workers
        left_px -= px


def test_many_small_tiles_are_in_long_runs_and_large_ones_alone() -> None:
    assert len(in_runs([64 * 64] * 300, 2)[0]) == 16
    assert {len(run) for run in in_runs([1024 * 1024] * 300, 2)} == {1}
