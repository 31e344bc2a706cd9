"""Windows are laid in the eight ways there are, each as often."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from hsi_geo.models.augmentation import Dihedral

WINDOW = torch.arange(18.0).reshape(2, 3, 3)
TURNS = [Dihedral(quarters, mirrored) for quarters in range(4) for mirrored in (False, True)]


def test_the_eight_ways_differ_and_are_all_there_are() -> None:
    expected = [np.rot90(window, q, (1, 2)) for window in (WINDOW, WINDOW.mT) for q in range(4)]
    laid = {turn.of(WINDOW).numpy().tobytes() for turn in TURNS}
    assert laid == {np.ascontiguousarray(way).tobytes() for way in expected}
    assert len(laid) == 8


@pytest.mark.parametrize("turn", TURNS, ids=str)
def test_bands_and_validity_turn_alike(turn: Dihedral) -> None:
    laid = turn.of(WINDOW)
    assert laid.is_contiguous()
    assert torch.equal(turn.of(WINDOW[1]), laid[1])
    assert torch.equal(turn.of(WINDOW > 6), laid > 6)


def test_all_ways_are_drawn_as_often() -> None:
    generator = np.random.default_rng(0)
    drawn = Counter(Dihedral.draw(generator) for _ in range(8000))
    assert set(drawn) == set(TURNS)
    assert all(850 < count < 1150 for count in drawn.values())


def test_a_turn_takes_two_draws() -> None:
    """Quarters first: recorded seeds must go on meaning what they meant."""
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        assert Dihedral.draw(one) == Dihedral(int(other.integers(4)), bool(other.integers(2)))
