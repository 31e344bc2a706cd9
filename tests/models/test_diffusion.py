"""Diffusion: walks over pixels that look alike, their evidence, and the classes' shares."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo.arrays import Float32Array
from hsi_geo.models.diffusion import (
    adjust_priors,
    class_mass_normalization,
    knn_transition_matrix,
    random_walk_with_restart,
)

seeds = st.integers(0, 2**32 - 1)
some = settings(deadline=None, max_examples=40)


def pixels(seed: int, count: int = 31) -> Float32Array:
    """A cloud that is wider along some features than along others, and not at zero."""
    cloud = np.random.default_rng(seed).normal(size=(count, 3)) * [1.0, 3.0, 0.2] + [4.0, 0.0, -1.0]
    return cloud.astype(np.float32)


def dense(walk: scipy.sparse.csr_matrix) -> Float32Array:
    return np.asarray(walk.toarray())


def numbers(seed: int, *shape: int) -> Float32Array:
    return np.random.default_rng(seed).random(shape).astype(np.float32)


# The walk -------------------------------------------------------------------------------------


@some
@given(seed=seeds, count=st.integers(9, 40), neighbours=st.integers(4, 15))
def test_a_walk_goes_somewhere_else_and_to_as_many_as_asked(
    seed: int, count: int, neighbours: int
) -> None:
    walk = dense(knn_transition_matrix(pixels(seed, count), neighbours))
    np.testing.assert_allclose(walk.sum(axis=1), 1.0, rtol=1e-5)
    assert (walk >= 0).all()
    assert not walk.diagonal().any()
    assert ((walk > 0).sum(axis=1) >= min(neighbours, count - 1)).all()


@some
@given(seed=seeds, neighbours=st.integers(1, 6))
def test_who_is_near_to_a_pixel_hears_from_it(seed: int, neighbours: int) -> None:
    walk = dense(knn_transition_matrix(pixels(seed), neighbours))
    np.testing.assert_array_equal(walk > 0, walk.T > 0)


@some
@given(seed=seeds, neighbours=st.integers(1, 15))
def test_permuting_pixels_permutes_the_walk(seed: int, neighbours: int) -> None:
    cloud = pixels(seed)
    order = np.random.default_rng(seed).permutation(len(cloud))
    straight = dense(knn_transition_matrix(cloud, neighbours))
    mixed = dense(knn_transition_matrix(cloud[order], neighbours))
    np.testing.assert_allclose(mixed, straight[np.ix_(order, order)], atol=1e-5)


@some
@given(seed=seeds, power=st.integers(-8, 8))
def test_units_do_not_matter(seed: int, power: int) -> None:
    cloud = pixels(seed)
    scaled = cloud * np.float32(2.0**power)
    np.testing.assert_allclose(
        dense(knn_transition_matrix(scaled)), dense(knn_transition_matrix(cloud)), rtol=1e-4
    )


@some
@given(seed=seeds, sizes=st.tuples(st.integers(14, 20), st.integers(21, 35)))
def test_nothing_ever_walks_between_clusters_far_apart(seed: int, sizes: tuple[int, int]) -> None:
    cloud = pixels(seed, sum(sizes))
    cloud[sizes[0] :] += 1000.0
    starts = np.zeros((len(cloud), 1), np.float32)
    starts[0] = 1.0
    (reached,) = random_walk_with_restart(knn_transition_matrix(cloud), starts, [150])
    assert (reached[: sizes[0]] > 0).all()
    assert not reached[sizes[0] :].any()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_fewer_pixels_than_neighbours_are_all_joined(count: int) -> None:
    walk = dense(knn_transition_matrix(pixels(1, count)))
    np.testing.assert_array_equal(walk > 0, ~np.eye(count, dtype=bool))


def test_joins_weigh_what_the_formula_says() -> None:
    """Of pixels on a line; the last is joined to those near to it, though they have nearer ones."""
    line = np.array([[0.0], [1.0], [3.0], [7.0], [15.0]], np.float32)
    scales = [3.0, 2.0, 3.0, 6.0, 12.0]  # to the second of three neighbours
    joins = np.zeros((5, 5))
    for one, other in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)]:
        squared = float(line[one, 0] - line[other, 0]) ** 2
        joins[one, other] = joins[other, one] = np.exp(-squared / (scales[one] * scales[other]))
    np.testing.assert_allclose(
        dense(knn_transition_matrix(line, 3)), joins / joins.sum(axis=1, keepdims=True), rtol=1e-5
    )


@pytest.mark.parametrize("falls_by", [1.0, 0.2], ids=["all alike", "few count"])
def test_the_nearest_are_joined_whatever_way_they_are_found(falls_by: float) -> None:
    spreads = falls_by ** np.arange(12)
    cloud = (np.random.default_rng(4).normal(size=(70, 12)) * spreads).astype(np.float32)
    apart = np.linalg.norm(cloud[:, None].astype(np.float64) - cloud[None], axis=2)
    nearest = apart.argsort(axis=1)[:, 1:6]
    joined = np.zeros((70, 70), bool)
    np.put_along_axis(joined, nearest, True, axis=1)
    np.testing.assert_array_equal(dense(knn_transition_matrix(cloud, 5)) > 0, joined | joined.T)


@pytest.mark.parametrize("distance", [300.0, 1e4])
def test_a_pixel_like_no_other_walks_on_all_the_same(distance: float) -> None:
    cloud = pixels(5)
    cloud[3] = distance
    walk = dense(knn_transition_matrix(cloud))
    np.testing.assert_allclose(walk.sum(axis=1), 1.0, rtol=1e-5)


# Spreading ------------------------------------------------------------------------------------


@some
@given(seed=seeds, alpha=st.floats(0.0, 1.0), stop=st.integers(0, 30))
def test_what_spreads_stays_between_nothing_and_all(seed: int, alpha: float, stop: int) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    everywhere = np.ones((31, 1), np.float32)
    (reached,) = random_walk_with_restart(walk, np.hstack([starts, everywhere]), [stop], alpha)
    assert reached.dtype == np.float32
    low, high = starts.min(axis=0), starts.max(axis=0)
    assert (reached[:, :2] >= low - 1e-5).all()
    assert (reached[:, :2] <= high + 1e-5).all()
    np.testing.assert_allclose(reached[:, 2], 1.0, rtol=1e-5)


@some
@given(seed=seeds, alpha=st.floats(0.0, 1.0), stop=st.integers(0, 200))
def test_what_spreads_goes_step_by_step(seed: int, alpha: float, stop: int) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    stepwise = starts.astype(np.float64)
    for _ in range(stop):
        stepwise = alpha * (walk @ stepwise) + (1.0 - alpha) * starts
    (reached,) = random_walk_with_restart(walk, starts, [stop], alpha)
    np.testing.assert_allclose(reached, stepwise, atol=2e-6)


def test_many_steps_take_few_products() -> None:
    products = 0

    class Counted:
        def __matmul__(self, other: Float32Array) -> Float32Array:
            nonlocal products
            products += 1
            return np.asarray(walk @ other)

    walk, starts = knn_transition_matrix(pixels(3), 4), numbers(3, 31, 2)
    random_walk_with_restart(Counted(), starts, [10, 40, 150])
    assert products < 70


@some
@given(seed=seeds, factor=st.floats(-3.0, 3.0))
def test_spreading_a_sum_is_the_sum_of_what_spreads(seed: int, factor: float) -> None:
    walk = knn_transition_matrix(pixels(seed), 4)
    one, other = numbers(seed, 31, 2), numbers(seed + 1, 31, 2)
    stops = (2, 9)
    both = random_walk_with_restart(walk, one + np.float32(factor) * other, stops)
    apart = zip(
        random_walk_with_restart(walk, one, stops),
        random_walk_with_restart(walk, other, stops),
        strict=True,
    )
    for together, (first, second) in zip(both, apart, strict=True):
        np.testing.assert_allclose(together, first + factor * second, atol=1e-5)


@some
@given(seed=seeds, stops=st.sets(st.integers(0, 20), min_size=1, max_size=4).map(sorted))
def test_looking_on_the_way_changes_nothing(seed: int, stops: list[int]) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    before = starts.copy()
    seen = list(random_walk_with_restart(walk, starts, stops))
    assert len(seen) == len(stops)
    for stop, reached in zip(stops, seen, strict=True):
        (alone,) = random_walk_with_restart(walk, starts, [stop])
        np.testing.assert_array_equal(reached, alone)
    np.testing.assert_array_equal(starts, before)


def test_a_walk_that_never_goes_on_stays_and_one_that_always_does_forgets_its_start() -> None:
    walk, starts = knn_transition_matrix(pixels(8), 4), numbers(8, 31, 2)
    (stays,) = random_walk_with_restart(walk, starts, [7], alpha=0.0)
    np.testing.assert_array_equal(stays, starts)
    _, once, twice = random_walk_with_restart(walk, starts, [0, 1, 2], alpha=1.0)
    np.testing.assert_allclose(once, dense(walk) @ starts, rtol=1e-5)
    np.testing.assert_allclose(twice, dense(walk) @ dense(walk) @ starts, rtol=1e-5)


def test_after_many_steps_only_restarts_tell_where_a_walk_began() -> None:
    """The fixed point of local and global consistency: (1 - a) (I - a W)^-1 Y."""
    walk, starts = knn_transition_matrix(pixels(8), 4), numbers(8, 31, 2)
    (reached,) = random_walk_with_restart(walk, starts, [400], alpha=0.9)
    settled = 0.1 * np.linalg.solve(np.eye(31) - 0.9 * dense(walk), starts)
    np.testing.assert_allclose(reached, settled, rtol=1e-4)


# Evidence -------------------------------------------------------------------------------------


@some
@given(seed=seeds, absent=st.sets(st.integers(0, 3)), floor=st.floats(0.01, 1.0))
def test_evidence_is_a_posterior_also_without_shots(
    seed: int, absent: set[int], floor: float
) -> None:
    """A class without shots is likely nowhere, and all alike where no class has any."""
    reached = numbers(seed, 29, 4) ** 8
    reached[:, list(absent)] = 0.0
    told = class_mass_normalization(reached, floor)
    assert told.dtype == np.float32
    assert (told >= 0).all()
    np.testing.assert_allclose(told.sum(axis=1), 1.0, rtol=1e-5)
    for column in absent:
        np.testing.assert_array_equal(told[:, column], told.min(axis=1))


@some
@given(seed=seeds, absent=st.booleans())
def test_a_pixel_that_no_walk_reaches_is_told_nothing(seed: int, absent: bool) -> None:
    reached = numbers(seed, 29, 4)
    reached[7] = 0.0
    if absent:
        reached[:, 2] = 0.0
    told = class_mass_normalization(reached)
    np.testing.assert_allclose(told[7], 0.25, rtol=1e-6)
    assert not np.allclose(told[8], 0.25, rtol=1e-3)


@some
@given(seed=seeds)
def test_a_class_with_more_shots_weighs_no_more(seed: int) -> None:
    reached = numbers(seed, 29, 3)
    more = reached * np.array([1.0, 40.0, 0.01], np.float32)
    np.testing.assert_allclose(
        class_mass_normalization(more), class_mass_normalization(reached), rtol=1e-4
    )


def test_evidence_is_a_class_relative_to_its_mean_and_the_floor() -> None:
    reached = np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]], np.float32)
    relative = np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 2.0]]) + 0.5
    expected = relative / relative.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(class_mass_normalization(reached, floor=0.5), expected, rtol=1e-5)


# Shares ---------------------------------------------------------------------------------------

#: Distinct areas of three classes, the largest first.
areas = (
    st.sets(st.integers(1, 60), min_size=3, max_size=3)
    .map(lambda counts: sorted(counts, reverse=True))
    .filter(lambda counts: counts[0] >= counts[1] + 3 and counts[1] >= counts[2] + 3)
)


def one_pixel_undecided(counts: list[int]) -> Float32Array:
    certain = np.repeat(np.eye(3, dtype=np.float32), counts, axis=0)
    return np.vstack([certain, np.full((1, 3), 1 / 3, np.float32)])


@some
@given(counts=areas, strength=st.floats(0.2, 1.0))
def test_an_undecided_pixel_goes_to_the_larger_class(counts: list[int], strength: float) -> None:
    posterior = one_pixel_undecided(counts)
    adapted = adjust_priors(posterior, strength)
    np.testing.assert_allclose(adapted[:-1], posterior[:-1])
    assert adapted[-1, 0] > adapted[-1, 1] > adapted[-1, 2]


@some
@given(counts=areas)
def test_trusted_fully_shares_are_what_an_undecided_pixel_is_told(counts: list[int]) -> None:
    adapted = adjust_priors(one_pixel_undecided(counts), strength=1.0, steps=200)
    np.testing.assert_allclose(adapted[-1], np.array(counts) / sum(counts), rtol=1e-3)


def test_strength_is_how_far_it_goes() -> None:
    posterior = one_pixel_undecided([30, 8, 3])
    told = [adjust_priors(posterior, strength)[-1, 0] for strength in (0.0, 0.25, 0.5, 1.0)]
    assert (np.diff(told) > 0.05).all()


@some
@given(seed=seeds, strength=st.floats(0.0, 1.0))
def test_shares_leave_a_posterior_and_know_no_order(seed: int, strength: float) -> None:
    unequal = numbers(seed, 29, 4) ** np.array([1, 2, 4, 8], np.float32)
    posterior = unequal / unequal.sum(axis=1, keepdims=True)
    before = posterior.copy()
    adapted = adjust_priors(posterior, strength)
    np.testing.assert_allclose(adapted.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(posterior, before)
    turned = adjust_priors(posterior[::-1, ::-1].copy(), strength)[::-1, ::-1]
    np.testing.assert_allclose(turned, adapted, rtol=1e-3, atol=1e-6)
    unmoved = adjust_priors(posterior, strength=0.0)
    np.testing.assert_allclose(unmoved, posterior, rtol=1e-5)
