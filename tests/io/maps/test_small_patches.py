"""Small patches go to the neighbour that their own probabilities prefer, wherever the map is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rasterio.features import sieve

from hsi_geo.io.maps.small_patches import label_patches, merge_small_patches, reach_px

CLASSES = 3


def random_map(seed: int, height: int, width: int, grain: int) -> tuple[np.ndarray, np.ndarray]:
    """(H, W) ids of 3 classes, of no class, and rejected (4, 5), and (3, H, W) probabilities in steps."""
    rng = np.random.default_rng(seed)
    coarse = rng.choice([0, 1, 2, 3, 4, 5], (height // grain + 1, width // grain + 1),
                        p=[0.05, 0.35, 0.25, 0.25, 0.05, 0.05])  # fmt: skip
    ids = np.kron(coarse, np.ones((grain, grain), np.int64))[:height, :width]
    noisy = rng.random(ids.shape) < 0.15
    ids = np.where(noisy & (ids > 0), rng.integers(1, CLASSES + 1, ids.shape), ids)
    return ids, rng.integers(0, 251, (CLASSES, *ids.shape)).astype(np.uint8)


def sizes(ids: np.ndarray) -> np.ndarray:
    """(H, W) size in pixels of the patch of each pixel."""
    patches = label_patches(ids)
    return np.bincount(patches.ravel())[patches]


def test_a_patch_goes_to_the_class_its_pixels_prefer_and_not_to_the_largest() -> None:
    """The patch of class 3 has a long border with class 1, and is more like class 2."""
    ids = np.full((5, 8), 1)
    ids[:, 6:] = 2
    ids[2, 4:6] = 3
    steps = np.zeros((3, 5, 8), np.uint8)
    steps[2], steps[1], steps[0] = 120, 90, 40
    ones = np.ones((5, 1), np.int64)
    cleaned = merge_small_patches(ids, steps, ones, 3)
    assert (cleaned[2, 4:6] == 2).all()
    assert (sieve(ids.astype(np.uint8), 3)[2, 4:6] == 1).all()  # GDAL takes the largest
    assert (np.delete(cleaned.ravel(), [20, 21]) == np.delete(ids.ravel(), [20, 21])).all()
    steps[0] = 91
    assert (merge_small_patches(ids, steps, ones, 3)[2, 4:6] == 1).all()
    assert (merge_small_patches(ids, steps, ones, 2) == ids).all()  # the patch has two pixels


@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(1, 12))
def test_what_has_no_class_or_is_rejected_stays(seed: int, grain: int, least: int) -> None:
    ids, steps = random_map(seed, 21, 34, grain)
    cleaned = merge_small_patches(ids, steps, np.ones((21, 1), np.int64), least)
    stays = (ids == 0) | (ids > CLASSES) | (sizes(ids) >= least)
    assert (cleaned[stays] == ids[stays]).all()
    assert ((cleaned >= 1) & (cleaned <= CLASSES))[~stays].all()


@given(st.integers(0, 10_000), st.integers(1, 4), st.integers(1, 7), st.sampled_from([1, 57]))
def test_tiles_with_a_margin_are_cleaned_as_the_whole(
    seed: int, grain: int, least: int, columns: int
) -> None:
    """Areas of pixels differ by row, as in degrees, or along rows as well."""
    height, width = 40, 57
    ids, steps = random_map(seed, height, width, grain)
    areas = np.arange(100, 100 + height)[:, None] + np.arange(columns)
    whole = merge_small_patches(ids, steps, areas, 100 * least)
    margin = reach_px(100 * least, 100)
    for top, bottom in pairwise((0, 13, 27, height)):
        for left, right in pairwise((0, 19, 22, width)):
            rows = slice(max(0, top - margin), bottom + margin)
            cols = slice(max(0, left - margin), right + margin)
            own = np.broadcast_to(areas, ids.shape)[rows, cols]
            part = merge_small_patches(ids[rows, cols], steps[:, rows, cols], own, 100 * least)
            inner = part[top - rows.start :][: bottom - top, left - cols.start :][:, : right - left]
            assert (inner == whole[top:bottom, left:right]).all()


@pytest.mark.parametrize("least", [2, 5, 9])
def test_no_small_patch_remains_beside_a_larger_one(least: int) -> None:
    """On a map of land: large patches with small ones in them."""
    ids, steps = random_map(3, 60, 75, 15)
    ids = np.where(ids == 0, 1, np.where(ids > CLASSES, 2, ids))
    cleaned = merge_small_patches(ids, steps, np.ones((60, 1), np.int64), least)
    assert (sizes(ids) < least).any()
    assert not (sizes(cleaned) < least).any()


def test_patches_are_connected_by_sides() -> None:
    ids = np.array([[1, 2, 1], [2, 1, 2], [0, 0, 0]])
    assert len(np.unique(label_patches(ids))) == 7  # six pixels, and no class
    assert label_patches(np.zeros((0, 3), np.int64)).shape == (0, 3)
