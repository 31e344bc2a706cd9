"""Simple random samples of maps with rare classes: strata that were made too fine for them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import ShotsError
from hsi_geo.tasks.assessment.area_estimates import AreaEstimates, estimate_areas, pool_small

NAMES = ("meadow", "asphalt", "deep water", "scree")


@st.composite
def samples(draw: st.DrawFn) -> tuple[AnyArray, dict[str, int]]:
    """The stratum of each sampled pixel, and the pixels of each stratum."""
    sizes = draw(st.lists(st.integers(1, 10_000), min_size=1, max_size=4))
    strata = draw(st.lists(st.integers(0, len(sizes) - 1), min_size=2, max_size=25))
    return np.array(strata, np.int64), dict(zip(NAMES, sizes, strict=False))


@given(samples())
def test_pool_small_gives_strata_of_two_pixels(sample: tuple[AnyArray, dict[str, int]]) -> None:
    strata, sizes = sample
    moved, merged, pooled = pool_small(strata, sizes)
    assert sum(merged.values()) == sum(sizes.values())
    assert np.bincount(moved, minlength=len(merged)).min() >= 2
    names, kept = list(sizes), list(merged)
    for before, after in zip(strata, moved, strict=True):
        name = names[before]
        assert kept[after] == (pooled[-1] if name in pooled else name)
    assert {name: merged[name] for name in sizes if name not in pooled}.items() <= sizes.items()


@given(samples())
def test_pool_small_leaves_large_strata(sample: tuple[AnyArray, dict[str, int]]) -> None:
    strata, sizes = sample
    everywhere = np.concatenate([strata, *[np.arange(len(sizes))] * 2])
    moved, merged, pooled = pool_small(everywhere, sizes)
    assert pooled == ()
    assert list(merged.items()) == list(sizes.items())
    assert (moved == everywhere).all()


@given(samples(), st.permutations(range(4)))
def test_pool_small_does_not_depend_on_order_of_classes(
    sample: tuple[AnyArray, dict[str, int]], order: list[int]
) -> None:
    strata, sizes = sample
    order = [index for index in order if index < len(sizes)]
    other = {NAMES[index]: sizes[NAMES[index]] for index in order}
    moved, merged, pooled = pool_small(strata, sizes)
    also_moved, also_merged, also_pooled = pool_small(np.argsort(order)[strata], other)
    assert (also_pooled, also_merged) == (pooled, merged)
    names, also_names = np.array(list(merged)), np.array(list(also_merged))
    assert (names[moved] == also_names[also_moved]).all()


def test_estimate_areas_of_one_stratum_are_sample_shares() -> None:
    """The textbook's p and sqrt((1 - n / N) p (1 - p) / (n - 1)), Cochran 1977, eq. 3.8."""
    mapped = np.array([0] * 9 + [2])
    actual = np.array([0] * 6 + [1, 1, 2, 2])
    sizes = {"meadow": 700, "asphalt": 90, "deep water": 200, "scree": 10}
    strata, merged, pooled = pool_small(mapped, sizes)
    assert pooled == ("scree", "asphalt", "deep water", "meadow")
    found = estimate_areas(mapped, actual, 4, strata, merged)
    share = np.array([0.6, 0.2, 0.2, 0.0])
    np.testing.assert_allclose(found.share.value, share)
    np.testing.assert_allclose(found.share.error, np.sqrt(0.99 * share * (1 - share) / 9))
    np.testing.assert_allclose(found.oa.value, 0.7)
    np.testing.assert_allclose(found.oa.error, np.sqrt(0.99 * 0.7 * 0.3 / 9))
    assert found.total == 1000


@given(st.lists(st.integers(3, 10**7), min_size=2, max_size=4), st.integers(2, 60))
def test_no_error_found_is_an_error_of_0_without_rounding(sizes: list[int], places: int) -> None:
    """Means of strata with uneven weights sum to a ratio next to 1, and residuals next to 0."""
    classes = len(sizes)
    mapped = np.repeat(np.arange(classes), places)
    named = dict(zip(NAMES, sizes, strict=False))
    found = estimate_areas(mapped, mapped, classes, mapped, named)
    for ratios in (found.oa, found.user, found.producer, found.f1, found.share):
        assert (ratios.error == 0).all()
    assert (found.alike == (places < max(sizes))).all()
    wrong = np.where(np.arange(len(mapped)) == 0, 1, mapped)
    also = estimate_areas(mapped, wrong, classes, mapped, named)
    assert (also.share.error[:2] > 0).all() == (places < sizes[0])
    assert not also.alike[:2].any()
    assert (also.share.error[2:] == 0).all()


def test_rounding_depends_on_the_size_of_values() -> None:
    """Pixels of square kilometres or of square millimetres, whose areas are not those of one another."""
    mapped, truth = np.repeat([0, 1, 2], 7), np.repeat([0, 1, 2], 7)
    truth[-1] = 1
    errors = []
    for unit in (1e-7, 1e7):
        areas = unit * (1 + np.arange(len(mapped)) / 50)
        found = estimate_areas(
            mapped, truth, 3, mapped, {"rye": 90_001, "oats": 700, "peas": 3_333}, areas
        )
        assert found.user.error[:2].tolist() == [0, 0]
        assert (found.share.error > 0).all()
        errors.append(found.share.error)
    np.testing.assert_allclose(errors[0], errors[1])


def test_estimate_areas_refuses_stratum_of_one_pixel() -> None:
    strata, merged, _ = pool_small(np.array([1]), {"meadow": 700, "asphalt": 90})
    with pytest.raises(ShotsError, match="fewer than two pixels in asphalt"):
        estimate_areas(np.array([1]), np.array([1]), 2, strata, merged)


def test_standard_errors_match_spread_of_samples_that_miss_a_class() -> None:
    """Scree is on 2 % of the map: one sample of 150 in five has fewer than two pixels of it."""
    generator = np.random.default_rng(7)
    mapped = np.repeat(np.arange(4), [5200, 3100, 1500, 200])
    wrong = generator.random(len(mapped)) < 0.15
    actual = np.where(wrong, (mapped + generator.integers(1, 4, len(mapped))) % 4, mapped)
    sizes = dict(zip(NAMES, np.bincount(mapped).tolist(), strict=True))
    estimates: list[AreaEstimates] = []
    often = 0
    for _ in range(1500):
        drawn = generator.choice(len(mapped), 150, replace=False)
        strata, merged, pooled = pool_small(mapped[drawn], sizes)
        often += bool(pooled)
        estimates.append(estimate_areas(mapped[drawn], actual[drawn], 4, strata, merged))
    assert 200 < often < 400
    for name, expected in (
        ("share", np.bincount(actual) / len(actual)),
        ("oa", np.array([(actual == mapped).mean()])),
    ):
        values = np.array([getattr(found, name).value for found in estimates])
        errors = np.array([getattr(found, name).error for found in estimates])
        np.testing.assert_allclose(values.mean(axis=0), expected, atol=0.005)
        np.testing.assert_allclose(errors.mean(axis=0), values.std(axis=0), rtol=0.1)
