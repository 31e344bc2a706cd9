"""Calls on several threads at the same time."""

from __future__ import annotations

import threading

import pytest
import torch

from hsi_geo.tasks.inference.side_threads import MOST_CALLS, side_by_side


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    with side_by_side(threads) as run_each:
        assert list(run_each(lambda number: number**2, list(range(20)))) == [
            n**2 for n in range(20)
        ]


def test_calls_run_at_the_same_time() -> None:
    meeting = threading.Barrier(2, timeout=20)  # broken if one call waits for the end of the other
    with side_by_side(2) as run_each:
        assert sorted(run_each(lambda _: meeting.wait(), [None, None])) == [0, 1]


@pytest.mark.parametrize("threads", [1, 3])
def test_an_exception_reaches_the_caller(threads: int) -> None:
    with side_by_side(threads) as run_each, pytest.raises(ZeroDivisionError):
        list(run_each(lambda number: 1 // number, [1, 0, 2]))


def test_torch_shares_the_cores_among_the_calls() -> None:
    before = torch.get_num_threads()
    with side_by_side(2 * MOST_CALLS) as run_each:
        assert set(run_each(lambda _: torch.get_num_threads(), [None] * 4)) == {2}
    assert torch.get_num_threads() == before
