"""The order in which tiles are mapped: all of them, and neighbours by one worker."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.tasks.tiles.jobs import in_runs


@given(st.integers(1, 60), st.integers(1, 9))
def test_workers_that_take_turns_get_runs_of_all_tiles(tiles: int, workers: int) -> None:
    order = in_runs(range(tiles), workers)
    assert sorted(order) == list(range(tiles))
    length = -(-tiles // workers)
    runs = -(-tiles // length)
    shortest = tiles - length * (runs - 1)
    for worker in range(runs):  # until the shortest run is over
        mapped = order[: shortest * runs][worker::runs]
        assert all(after == before + 1 for before, after in pairwise(mapped))


def test_one_worker_maps_tiles_in_their_order() -> None:
    assert in_runs([4, 7, 9], 1) == in_runs([4, 7, 9], 0) == [4, 7, 9]
    assert in_runs([], 2) == []
