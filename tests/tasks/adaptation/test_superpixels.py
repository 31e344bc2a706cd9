"""Superpixels: connected, nested, within images, and aligned with the edges of fields."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy.ndimage import label

from hsi_geo.tasks.adaptation.feature_sets import superpixel_means
from hsi_geo.tasks.adaptation.superpixels import grow_superpixels

Masks = list[np.ndarray]


def random_features(masks: Masks, bands: int = 5, seed: int = 0) -> np.ndarray:
    count = sum(int(mask.sum()) for mask in masks)
    return np.random.default_rng(seed).normal(size=(count, bands)).astype(np.float32)


def to_images(masks: Masks, superpixels: np.ndarray) -> list[np.ndarray]:
    """Superpixels in their images, -1 elsewhere."""
    images, first = [], 0
    for mask in masks:
        image = np.full(mask.shape, -1)
        image[mask] = superpixels[first : first + mask.sum()]
        first += int(mask.sum())
        images.append(image)
    return images


masks = st.lists(
    hnp.arrays(bool, st.tuples(st.integers(1, 7), st.integers(1, 9))), min_size=1, max_size=3
).filter(lambda found: any(mask.any() for mask in found))


@given(masks)
def test_grow_superpixels_are_connected_and_nested(images: Masks) -> None:
    small, large = grow_superpixels(random_features(images), images, (3, 9))
    for found in (small, large):
        np.testing.assert_array_equal(np.unique(found), np.arange(found.max() + 1))
        seen: set[int] = set()
        for image in to_images(images, found):
            own = set(np.unique(image[image >= 0]).tolist())
            assert not own & seen  # none is in two images
            seen |= own
            assert all(label(image == one)[1] == 1 for one in own)
    for one in np.unique(small):
        assert len(np.unique(large[small == one])) == 1


@pytest.mark.parametrize("size", [1, 4, 25, 10_000])
def test_grow_superpixels_have_the_requested_mean_size(size: int) -> None:
    images = [np.ones((17, 23), bool)]
    (found,) = grow_superpixels(random_features(images), images, (size,))
    assert found.max() + 1 == max(1, round(17 * 23 / size))


def test_grow_superpixels_follow_the_edges_of_fields() -> None:
    truth = np.zeros((20, 31), int)
    truth[:, 13:] = 1
    truth[7:, 22:] = 2
    noisy = np.eye(3)[truth] + 0.2 * np.random.default_rng(1).normal(size=(20, 31, 3))
    (found,) = grow_superpixels(noisy.reshape(-1, 3).astype(np.float32), [truth >= 0], (200,))
    for one in np.unique(found):
        assert len(np.unique(truth.ravel()[found == one])) == 1


def test_grow_superpixels_of_equal_pixels() -> None:
    images = [np.ones((6, 5), bool)]
    (found,) = grow_superpixels(np.ones((30, 4), np.float32), images, (10,))
    assert found.max() + 1 == 3


def test_superpixel_means_are_the_means_of_members() -> None:
    images = [np.ones((6, 8), bool), np.ones((3, 2), bool)]
    features = random_features(images)
    (found,) = grow_superpixels(features, images, (5,))
    blurred = superpixel_means(features, found)
    assert blurred.dtype == np.float32
    for one in np.unique(found):
        own = found == one
        expected = np.broadcast_to(features[own].mean(axis=0), features[own].shape)
        np.testing.assert_allclose(blurred[own], expected, atol=1e-6)
    np.testing.assert_allclose(blurred.mean(axis=0), features.mean(axis=0), atol=1e-6)
