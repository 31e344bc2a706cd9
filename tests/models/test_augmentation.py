"""The dihedral group: eight transformations, all equally likely."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from hsi_geo.models.augmentation import Dihedral

WINDOW = torch.arange(18.0).reshape(2, 3, 3)
TRANSFORMS = [
    Dihedral(quarter_turns, flipped) for quarter_turns in range(4) for flipped in (False, True)
]


def test_apply_gives_eight_different_windows() -> None:
    expected = [np.rot90(window, q, (1, 2)) for window in (WINDOW, WINDOW.mT) for q in range(4)]
    results = {transform.apply(WINDOW).numpy().tobytes() for transform in TRANSFORMS}
    assert results == {np.ascontiguousarray(window).tobytes() for window in expected}
    assert len(results) == 8


@pytest.mark.parametrize("transform", TRANSFORMS, ids=str)
def test_apply_is_the_same_for_bands_and_validity(transform: Dihedral) -> None:
    results = transform.apply(WINDOW)
    assert results.is_contiguous()
    assert torch.equal(transform.apply(WINDOW[1]), results[1])
    assert torch.equal(transform.apply(WINDOW > 6), results > 6)


def test_sample_is_uniform() -> None:
    generator = np.random.default_rng(0)
    drawn = Counter(Dihedral.sample(generator) for _ in range(8000))
    assert set(drawn) == set(TRANSFORMS)
    assert all(850 < count < 1150 for count in drawn.values())


def test_sample_takes_two_draws() -> None:
    """Rotation first, so that recorded seeds keep their meaning."""
    one, other = np.random.default_rng(3), np.random.default_rng(3)
    for _ in range(20):
        assert Dihedral.sample(one) == Dihedral(int(other.integers(4)), bool(other.integers(2)))
