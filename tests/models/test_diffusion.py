"""Label propagation: transition matrix, random walk, class mass normalization, priors."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hsi_geo.arrays import Float32Array
from hsi_geo.models.diffusion import (
    adjust_priors,
    class_mass_normalization,
    random_walk_with_restart,
)
from hsi_geo.models.neighbour_graph import knn_transition_matrix

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


# Transition matrix ----------------------------------------------------------------------------


@some
@given(seed=seeds, count=st.integers(9, 40), neighbours=st.integers(4, 15))
def test_knn_transition_matrix_has_no_self_loops_and_enough_neighbours(
    seed: int, count: int, neighbours: int
) -> None:
    walk = dense(knn_transition_matrix(pixels(seed, count), neighbours))
    np.testing.assert_allclose(walk.sum(axis=1), 1.0, rtol=1e-5)
    assert (walk >= 0).all()
    assert not walk.diagonal().any()
    assert ((walk > 0).sum(axis=1) >= min(neighbours, count - 1)).all()


@some
@given(seed=seeds, neighbours=st.integers(1, 6))
def test_knn_transition_matrix_has_a_symmetric_graph(seed: int, neighbours: int) -> None:
    walk = dense(knn_transition_matrix(pixels(seed), neighbours))
    np.testing.assert_array_equal(walk > 0, walk.T > 0)


@some
@given(seed=seeds, neighbours=st.integers(1, 15))
def test_knn_transition_matrix_follows_permutations(seed: int, neighbours: int) -> None:
    cloud = pixels(seed)
    order = np.random.default_rng(seed).permutation(len(cloud))
    straight = dense(knn_transition_matrix(cloud, neighbours))
    mixed = dense(knn_transition_matrix(cloud[order], neighbours))
    np.testing.assert_allclose(mixed, straight[np.ix_(order, order)], atol=1e-5)


@some
@given(seed=seeds, power=st.integers(-8, 8))
def test_knn_transition_matrix_does_not_depend_on_units(seed: int, power: int) -> None:
    cloud = pixels(seed)
    scaled = cloud * np.float32(2.0**power)
    np.testing.assert_allclose(
        dense(knn_transition_matrix(scaled)), dense(knn_transition_matrix(cloud)), rtol=1e-4
    )


@some
@given(seed=seeds, sizes=st.tuples(st.integers(14, 20), st.integers(21, 35)))
def test_random_walk_stays_in_a_distant_cluster(seed: int, sizes: tuple[int, int]) -> None:
    cloud = pixels(seed, sum(sizes))
    cloud[sizes[0] :] += 1000.0
    starts = np.zeros((len(cloud), 1), np.float32)
    starts[0] = 1.0
    (reached,) = random_walk_with_restart(knn_transition_matrix(cloud), starts, [150])
    assert (reached[: sizes[0]] > 0).all()
    assert not reached[sizes[0] :].any()


@pytest.mark.parametrize("count", [2, 3, 7])
def test_knn_transition_matrix_connects_all_of_few_pixels(count: int) -> None:
    walk = dense(knn_transition_matrix(pixels(1, count)))
    np.testing.assert_array_equal(walk > 0, ~np.eye(count, dtype=bool))


def test_knn_transition_matrix_follows_the_formula() -> None:
    """Pixels on a line; the last one is connected to its neighbours, although they have nearer ones."""
    line = np.array([[0.0], [1.0], [3.0], [7.0], [15.0]], np.float32)
    scales = [3.0, 2.0, 3.0, 6.0, 12.0]  # to the second of three neighbours
    edges = np.zeros((5, 5))
    for one, other in [(0, 1), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (1, 4), (2, 4), (3, 4)]:
        squared = float(line[one, 0] - line[other, 0]) ** 2
        edges[one, other] = edges[other, one] = np.exp(-squared / (scales[one] * scales[other]))
    np.testing.assert_allclose(
        dense(knn_transition_matrix(line, 3)), edges / edges.sum(axis=1, keepdims=True), rtol=1e-5
    )


@pytest.mark.parametrize("decay", [1.0, 0.2], ids=["equal variances", "few variances"])
def test_knn_transition_matrix_is_exact_with_both_searches(decay: float) -> None:
    scales = decay ** np.arange(12)
    cloud = (np.random.default_rng(4).normal(size=(70, 12)) * scales).astype(np.float32)
    distances = np.linalg.norm(cloud[:, None].astype(np.float64) - cloud[None], axis=2)
    nearest = distances.argsort(axis=1)[:, 1:6]
    connected = np.zeros((70, 70), bool)
    np.put_along_axis(connected, nearest, True, axis=1)
    np.testing.assert_array_equal(
        dense(knn_transition_matrix(cloud, 5)) > 0, connected | connected.T
    )


@pytest.mark.parametrize("distance", [300.0, 1e4])
def test_knn_transition_matrix_keeps_outliers_connected(distance: float) -> None:
    cloud = pixels(5)
    cloud[3] = distance
    walk = dense(knn_transition_matrix(cloud))
    np.testing.assert_allclose(walk.sum(axis=1), 1.0, rtol=1e-5)


# Random walk ----------------------------------------------------------------------------------


@some
@given(seed=seeds, alpha=st.floats(0.0, 1.0), stop=st.integers(0, 30))
def test_random_walk_stays_within_the_range_of_its_start(
    seed: int, alpha: float, stop: int
) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    ones = np.ones((31, 1), np.float32)
    (reached,) = random_walk_with_restart(walk, np.hstack([starts, ones]), [stop], alpha)
    assert reached.dtype == np.float32
    low, high = starts.min(axis=0), starts.max(axis=0)
    assert (reached[:, :2] >= low - 1e-5).all()
    assert (reached[:, :2] <= high + 1e-5).all()
    np.testing.assert_allclose(reached[:, 2], 1.0, rtol=1e-5)


@some
@given(seed=seeds, alpha=st.floats(0.0, 1.0), stop=st.integers(0, 200))
def test_random_walk_equals_single_steps(seed: int, alpha: float, stop: int) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    stepwise = starts.astype(np.float64)
    for _ in range(stop):
        stepwise = alpha * (walk @ stepwise) + (1.0 - alpha) * starts
    (reached,) = random_walk_with_restart(walk, starts, [stop], alpha)
    np.testing.assert_allclose(reached, stepwise, atol=2e-6)


def test_random_walk_needs_fewer_products_than_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    products, multiply = 0, torch.addmm

    def counted(*arguments: Any, **keywords: Any) -> torch.Tensor:
        nonlocal products
        products += 1
        return multiply(*arguments, **keywords)

    monkeypatch.setattr(torch, "addmm", counted)
    walk, starts = knn_transition_matrix(pixels(3), 4), numbers(3, 31, 2)
    random_walk_with_restart(walk, starts, [10, 40, 150])
    assert 40 < products < 70


@some
@given(seed=seeds, factor=st.floats(-3.0, 3.0))
def test_random_walk_is_linear(seed: int, factor: float) -> None:
    walk = knn_transition_matrix(pixels(seed), 4)
    one, other = numbers(seed, 31, 2), numbers(seed + 1, 31, 2)
    stops = (2, 9)
    of_sum = random_walk_with_restart(walk, one + np.float32(factor) * other, stops)
    separate = zip(
        random_walk_with_restart(walk, one, stops),
        random_walk_with_restart(walk, other, stops),
        strict=True,
    )
    for result, (first, second) in zip(of_sum, separate, strict=True):
        np.testing.assert_allclose(result, first + factor * second, atol=1e-5)


@some
@given(seed=seeds, stops=st.sets(st.integers(0, 20), min_size=1, max_size=4).map(sorted))
def test_random_walk_with_many_stops_equals_single_runs(seed: int, stops: list[int]) -> None:
    walk, starts = knn_transition_matrix(pixels(seed), 4), numbers(seed, 31, 2)
    before = starts.copy()
    results = list(random_walk_with_restart(walk, starts, stops))
    assert len(results) == len(stops)
    for stop, reached in zip(stops, results, strict=True):
        (single,) = random_walk_with_restart(walk, starts, [stop])
        np.testing.assert_array_equal(reached, single)
    np.testing.assert_array_equal(starts, before)


def test_random_walk_with_alpha_0_and_1() -> None:
    walk, starts = knn_transition_matrix(pixels(8), 4), numbers(8, 31, 2)
    (stays,) = random_walk_with_restart(walk, starts, [7], alpha=0.0)
    np.testing.assert_array_equal(stays, starts)
    _, once, twice = random_walk_with_restart(walk, starts, [0, 1, 2], alpha=1.0)
    np.testing.assert_allclose(once, dense(walk) @ starts, rtol=1e-5)
    np.testing.assert_allclose(twice, dense(walk) @ dense(walk) @ starts, rtol=1e-5)


def test_random_walk_converges_to_the_fixed_point() -> None:
    """The closed form of local and global consistency: (1 - a) (I - a W)^-1 Y."""
    walk, starts = knn_transition_matrix(pixels(8), 4), numbers(8, 31, 2)
    (reached,) = random_walk_with_restart(walk, starts, [400], alpha=0.9)
    expected = 0.1 * np.linalg.solve(np.eye(31) - 0.9 * dense(walk), starts)
    np.testing.assert_allclose(reached, expected, rtol=1e-4)


# Class mass normalization ---------------------------------------------------------------------


@some
@given(seed=seeds, absent=st.sets(st.integers(0, 3)), floor=st.floats(0.01, 1.0))
def test_class_mass_normalization_handles_classes_without_shots(
    seed: int, absent: set[int], floor: float
) -> None:
    """A class without shots is likely nowhere; without any shots all classes are equally likely."""
    reached = numbers(seed, 29, 4) ** 8
    reached[:, list(absent)] = 0.0
    posterior = class_mass_normalization(reached, floor)
    assert posterior.dtype == np.float32
    assert (posterior >= 0).all()
    np.testing.assert_allclose(posterior.sum(axis=1), 1.0, rtol=1e-5)
    for column in absent:
        np.testing.assert_array_equal(posterior[:, column], posterior.min(axis=1))


@some
@given(seed=seeds, absent=st.booleans())
def test_class_mass_normalization_is_uniform_where_no_walk_arrives(seed: int, absent: bool) -> None:
    reached = numbers(seed, 29, 4)
    reached[7] = 0.0
    if absent:
        reached[:, 2] = 0.0
    posterior = class_mass_normalization(reached)
    np.testing.assert_allclose(posterior[7], 0.25, rtol=1e-6)
    assert not np.allclose(posterior[8], 0.25, rtol=1e-3)


@some
@given(seed=seeds)
def test_class_mass_normalization_ignores_the_number_of_shots(seed: int) -> None:
    reached = numbers(seed, 29, 3)
    more = reached * np.array([1.0, 40.0, 0.01], np.float32)
    np.testing.assert_allclose(
        class_mass_normalization(more), class_mass_normalization(reached), rtol=1e-4
    )


def test_class_mass_normalization_follows_the_formula() -> None:
    reached = np.array([[3.0, 0.0], [0.0, 1.0], [0.0, 0.0], [1.0, 1.0]], np.float32)
    relative = np.array([[3.0, 0.0], [0.0, 2.0], [0.0, 0.0], [1.0, 2.0]]) + 0.5
    expected = relative / relative.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(class_mass_normalization(reached, floor=0.5), expected, rtol=1e-5)


# Priors ---------------------------------------------------------------------------------------

#: Distinct areas of three classes, the largest first.
areas = (
    st.sets(st.integers(1, 60), min_size=3, max_size=3)
    .map(lambda counts: sorted(counts, reverse=True))
    .filter(lambda counts: counts[0] >= counts[1] + 3 and counts[1] >= counts[2] + 3)
)


def with_one_ambiguous_pixel(counts: list[int]) -> Float32Array:
    certain = np.repeat(np.eye(3, dtype=np.float32), counts, axis=0)
    return np.vstack([certain, np.full((1, 3), 1 / 3, np.float32)])


@some
@given(counts=areas, strength=st.floats(0.2, 1.0))
def test_adjust_priors_favours_larger_classes(counts: list[int], strength: float) -> None:
    posterior = with_one_ambiguous_pixel(counts)
    adapted = adjust_priors(posterior, strength)
    np.testing.assert_allclose(adapted[:-1], posterior[:-1])
    assert adapted[-1, 0] > adapted[-1, 1] > adapted[-1, 2]


@some
@given(counts=areas)
def test_adjust_priors_at_full_strength_gives_the_priors(counts: list[int]) -> None:
    adapted = adjust_priors(with_one_ambiguous_pixel(counts), strength=1.0, steps=200)
    np.testing.assert_allclose(adapted[-1], np.array(counts) / sum(counts), rtol=1e-3)


def test_adjust_priors_grows_with_strength() -> None:
    posterior = with_one_ambiguous_pixel([30, 8, 3])
    adapted = [adjust_priors(posterior, strength)[-1, 0] for strength in (0.0, 0.25, 0.5, 1.0)]
    assert (np.diff(adapted) > 0.05).all()


@some
@given(seed=seeds, strength=st.floats(0.0, 1.0))
def test_adjust_priors_does_not_depend_on_the_order_of_classes(seed: int, strength: float) -> None:
    unequal = numbers(seed, 29, 4) ** np.array([1, 2, 4, 8], np.float32)
    posterior = unequal / unequal.sum(axis=1, keepdims=True)
    before = posterior.copy()
    adapted = adjust_priors(posterior, strength)
    np.testing.assert_allclose(adapted.sum(axis=1), 1.0, rtol=1e-5)
    np.testing.assert_array_equal(posterior, before)
    reversed_ = adjust_priors(posterior[::-1, ::-1].copy(), strength)[::-1, ::-1]
    np.testing.assert_allclose(reversed_, adapted, rtol=1e-3, atol=1e-6)
    unmoved = adjust_priors(posterior, strength=0.0)
    np.testing.assert_allclose(unmoved, posterior, rtol=1e-5)
