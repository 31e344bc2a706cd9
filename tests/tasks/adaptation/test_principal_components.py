"""What pixels are compared by keeps what tells them apart and drops noise."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from hsi_geo.tasks.adaptation.principal_components import COMPARED, principal_components


@given(seed=st.integers(0, 99), count=st.integers(1, 60), numbers=st.integers(1, COMPARED))
@settings(max_examples=30, deadline=None)
def test_distances_stay_where_nothing_is_dropped(seed: int, count: int, numbers: int) -> None:
    table = np.random.default_rng(seed).normal(size=(count, numbers)).astype(np.float32)
    np.testing.assert_allclose(
        pdist(principal_components(table)), pdist(table), rtol=1e-3, atol=1e-4
    )


def test_neighbours_are_more_often_of_one_kind() -> None:
    """Six kinds of pixels that differ in five directions of 150, under noise in all of them."""
    generator = np.random.default_rng(7)
    kinds = np.repeat(np.arange(6), 70)
    clean = generator.normal(size=(6, 5)) @ generator.normal(size=(5, 150)) / 5.0
    table = (clean[kinds] + generator.normal(size=(420, 150))).astype(np.float32)

    def of_one_kind(numbers: np.ndarray) -> float:
        apart = ((numbers[:, None] - numbers[None]) ** 2).sum(axis=2)
        nearest = np.argsort(apart, axis=1)[:, 1:6]
        return float((kinds[nearest] == kinds[:, None]).mean())

    assert principal_components(table).shape == (420, COMPARED)
    assert of_one_kind(principal_components(table)) > of_one_kind(table) + 0.03


def test_pixels_all_alike() -> None:
    np.testing.assert_array_equal(
        principal_components(np.full((9, 30), 3.0, np.float32)), np.zeros((9, 9))
    )
