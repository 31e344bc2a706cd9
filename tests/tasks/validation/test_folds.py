"""Folds and spatial blocks: features stay whole, close ones are held out together."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from builders import points_of
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo.arrays import IntArray
from hsi_geo.tasks.validation import folds as folding
from hsi_geo.tasks.validation.accuracy import clopper_pearson, estimate
from hsi_geo.tasks.validation.folds import FOLDS
from hsi_geo.tasks.validation.spatial_blocks import NEAR_PX, spatial_blocks


@settings(deadline=None)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=25),
    seed=st.integers(0, 99),
)
def test_stratified_group_folds_keep_groups_whole(drawn: list[tuple[int, int]], seed: int) -> None:
    """Of features of a class and a number of pixels, all of them mixed."""
    order = np.random.default_rng(seed).permutation(sum(size for _, size in drawn))
    labels = np.repeat([c for c, _ in drawn], [size for _, size in drawn])[order]
    groups = np.repeat(np.arange(len(drawn)), [size for _, size in drawn])[order]
    folds = folding.stratified_group_folds(labels, groups)
    of_group = {int(group): set(folds[groups == group]) for group in groups}
    assert all(len(found) == 1 for found in of_group.values())
    for c in np.unique(labels):
        own = [of_group[group].copy().pop() for group in np.unique(groups[labels == c])]
        if len(own) == 1:
            assert own == [-1]
            continue
        counts = np.bincount(own)
        assert len(counts) == min(FOLDS, len(own))
        assert counts.max() - counts.min() <= 1


@settings(deadline=None)
@given(labels=st.lists(st.integers(0, 3), min_size=1, max_size=30).map(np.array))
def test_contiguous_folds_are_consecutive_pixels(labels: IntArray) -> None:
    folds = folding.contiguous_folds(labels)
    for c in np.unique(labels):
        own = folds[labels == c]
        if len(own) == 1:
            assert own[0] == -1
            continue
        assert (np.diff(own) >= 0).all()
        np.testing.assert_array_equal(np.unique(own), np.arange(min(FOLDS, len(own))))


@settings(deadline=None)
@given(
    drawn=st.lists(st.tuples(st.integers(0, 3), st.integers(1, 4)), min_size=1, max_size=25),
    seed=st.integers(0, 99),
)
def test_evidence_is_the_number_of_places_of_classes_with_several(
    drawn: list[tuple[int, int]], seed: int
) -> None:
    """However many pixels a place has; none if each class has one place."""
    order = np.random.default_rng(seed).permutation(sum(size for _, size in drawn))
    labels = np.repeat([c for c, _ in drawn], [size for _, size in drawn])[order]
    features = np.repeat(np.arange(len(drawn)), [size for _, size in drawn])[order]
    shots = folding.labelled_pixels(labels, features)
    places = {c: sum(one == c for one, _ in drawn) for c, _ in drawn}
    several = {c: count for c, count in places.items() if count > 1}
    assert shots.coverage == pytest.approx(len(several) / len(places))
    assert shots.evidence.sum() == pytest.approx(shots.coverage * sum(several.values()))
    assert (shots.evidence[shots.folds < 0] == 0).all()


# Blocks ---------------------------------------------------------------------------------------


@settings(deadline=None)
@given(
    drawn=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 30), st.integers(0, 40), st.integers(1, 4)),
        min_size=1,
        max_size=20,
    )
)
def test_spatial_blocks_are_complete_linkage_clusters(
    drawn: list[tuple[int, int, int, int]],
) -> None:
    """Features of a class, row, column and length of a row of pixels; by brute force."""
    labels, features, places = [], [], []
    for number, (c, row, col, length) in enumerate(drawn):
        labels += [c] * length
        features += [10 + 3 * number] * length
        places += [(row, col + step) for step in range(length)]
    found = spatial_blocks(np.array(labels), np.array(features), np.array(places, np.float64))
    blocks: dict[int, dict[int, list[tuple[int, int]]]] = {}
    for block, feature, place in zip(found, features, places, strict=True):
        blocks.setdefault(int(block), {}).setdefault(feature, []).append(place)
    assert sorted(blocks) == list(range(len(blocks)))
    assert sum(len(block) for block in blocks.values()) == len(drawn)  # no feature in two

    def close(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> bool:
        return min(math.dist(a, b) for a in one for b in other) <= NEAR_PX

    kinds = {int(block): labels[index] for index, block in enumerate(found)}
    for number, block in blocks.items():
        assert all(close(a, b) for a, b in itertools.combinations(block.values(), 2))
        for other in range(number):  # two blocks that could be one are one
            if kinds[other] == kinds[number]:
                pairs = itertools.product(block.values(), blocks[other].values())
                assert not all(close(a, b) for a, b in pairs)


def test_estimate_weights_pixels_by_mapped_share() -> None:
    """Shots of a class that covers little are as many, and would count as much as all others."""
    shots, named = points_of([0, 0, 1, 2, 2, 2]), np.array([0, 0, 0, 2, 2, 1])
    held = folding.collect_out_of_fold(shots, named, np.array([0.7, 0.1, 0.2]))
    accuracy = estimate(held, ["a", "b", "c"], "by hand")
    # Classes of 2, 1 and 3 shots that count 0.7, 0.1 and 0.2; two folds have all in common.
    by_block = np.array([0.35, 0.35, 0.1, 0.2 / 3, 0.2 / 3, 0.2 / 3])
    trials = 1.0 / (by_block**2).sum() / 3
    assert accuracy.interval95 == pytest.approx(clopper_pearson(0.7 + 0.4 / 3, trials))
    assert accuracy.oa == pytest.approx(0.7 + 0.1 * 0 + 0.2 * 2 / 3)
    assert (accuracy.pixels, accuracy.features) == (6, 6)


def test_estimate_caution_gives_effective_number_of_blocks() -> None:
    """Six places that weigh as 0.35, 0.35, 0.1 and three of 0.067 count as 1 / 0.268 = 3.7."""
    shots, named = points_of([0, 0, 1, 2, 2, 2]), np.array([0, 0, 0, 2, 2, 1])
    uneven = folding.collect_out_of_fold(shots, named, np.array([0.7, 0.1, 0.2]))
    told = estimate(uneven, ["a", "b", "c"], "by hand").caution
    assert told == "too few to tell: 6 places count as 4, no more than a hint"
    alike = folding.collect_out_of_fold(shots, named, np.array([2, 1, 3]) / 6)
    told = estimate(alike, ["a", "b", "c"], "by hand").caution
    assert told == "too few to tell: 6 places are no more than a hint"
