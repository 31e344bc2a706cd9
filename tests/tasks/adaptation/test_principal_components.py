"""Principal components keep distances and drop noise."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import pdist

from hsi_geo.tasks.adaptation.principal_components import COMPONENTS, principal_components


@given(seed=st.integers(0, 99), count=st.integers(1, 60), numbers=st.integers(1, COMPONENTS))
@settings(max_examples=30, deadline=None)
def test_principal_components_keep_distances_of_few_features(
    seed: int, count: int, numbers: int
) -> None:
    features = np.random.default_rng(seed).normal(size=(count, numbers)).astype(np.float32)
    np.testing.assert_allclose(
        pdist(principal_components(features)), pdist(features), rtol=1e-3, atol=1e-4
    )


def test_principal_components_improve_nearest_neighbours() -> None:
    """Six kinds of pixels that differ in 5 of 150 directions, with noise in all directions."""
    generator = np.random.default_rng(7)
    kinds = np.repeat(np.arange(6), 70)
    clean = generator.normal(size=(6, 5)) @ generator.normal(size=(5, 150)) / 5.0
    features = (clean[kinds] + generator.normal(size=(420, 150))).astype(np.float32)

    def of_one_kind(numbers: np.ndarray) -> float:
        squared = ((numbers[:, None] - numbers[None]) ** 2).sum(axis=2)
        nearest = np.argsort(squared, axis=1)[:, 1:6]
        return float((kinds[nearest] == kinds[:, None]).mean())

    assert principal_components(features).shape == (420, COMPONENTS)
    assert of_one_kind(principal_components(features)) > of_one_kind(features) + 0.03


def test_principal_components_of_equal_pixels_are_zero() -> None:
    np.testing.assert_array_equal(
        principal_components(np.full((9, 30), 3.0, np.float32)), np.zeros((9, 9))
    )
