"""Areas and accuracy from samples: as papers print them, and as repeated samples spread."""

from __future__ import annotations

import numpy as np
import pytest
from assess_cases import NAMES, damaged, truth

from hsi_geo.arrays import AnyArray
from hsi_geo.tasks.assessment.area_estimates import AreaEstimates, estimate_areas

#: Olofsson et al. 2014, table 8: sampled pixels (rows: map) and mapped pixels of 30 m.
OLOFSSON = np.array([[66, 0, 5, 4], [0, 55, 8, 12], [1, 0, 153, 11], [2, 1, 9, 313]])
MAPPED = np.array([200_000, 150_000, 3_200_000, 6_450_000])
CHANGES = ("deforestation", "forest gain", "stable forest", "stable non-forest")


def spread(matrix: AnyArray) -> tuple[AnyArray, AnyArray]:
    """(N,) mapped and (N,) true class of each pixel that a confusion matrix counts."""
    rows, cols = np.indices(matrix.shape)
    return np.repeat(rows.ravel(), matrix.ravel()), np.repeat(cols.ravel(), matrix.ravel())


@pytest.fixture
def olofsson() -> AreaEstimates:
    """Sampled within the map's classes."""
    mapped, actual = spread(OLOFSSON)
    return estimate_areas(mapped, actual, 4, mapped, dict(zip(CHANGES, MAPPED, strict=True)))


@pytest.fixture
def stehman() -> AreaEstimates:
    """Stehman 2014, table 2: strata, map and reference are three different things."""
    mapped, actual = (
        np.array(["ABCD".index(letter) for letter in letters.replace(" ", "")])
        for letters in (
            "AAAAAAABBB ABBBBBBBBB BBCCCCCCBB DDDDDDDDDD",
            "AAAAACBABC ABBBBBAABB CCCCCDDBBA DDDDDDDCCB",
        )
    )
    sizes = {"A": 40_000, "B": 30_000, "C": 20_000, "D": 10_000}
    return estimate_areas(mapped, actual, 4, np.repeat(np.arange(4), 10), sizes)


@pytest.mark.parametrize(
    ("name", "shares", "half_widths"),
    [
        ("oa", [0.95], [0.02]),
        ("user", [0.88, 0.73, 0.93, 0.96], [0.07, 0.10, 0.04, 0.02]),
        # The paper prints 0.23 and 0.01 for the second and the fourth half width, which its own
        # equation 7 does not give: mapac and mapaccuracy, packages in R, find 0.25 and 0.02 too.
        ("producer", [0.75, 0.85, 0.93, 0.96], [0.21, 0.25, 0.03, 0.02]),
    ],
)
def test_estimate_areas_reproduces_olofsson_accuracies(
    name: str, shares: list[float], half_widths: list[float], olofsson: AreaEstimates
) -> None:
    found = getattr(olofsson, name)
    assert np.round(found.value, 2).tolist() == shares
    assert np.round(1.96 * found.error, 2).tolist() == half_widths


def test_estimate_areas_reproduces_olofsson_areas(olofsson: AreaEstimates) -> None:
    hectares = 0.09 * olofsson.total
    assert np.round(olofsson.share.value * hectares).tolist() == [21158, 11686, 285770, 581386]
    # The paper leaves out the correction for finite populations, which is 4 in 10,000 here.
    np.testing.assert_allclose(
        1.96 * olofsson.share.error * hectares, [6158, 3756, 15510, 16282], rtol=3e-4
    )
    assert round(olofsson.share.error[0], 4) == 0.0035


@pytest.mark.parametrize(
    ("name", "index", "value", "error"),
    [
        ("oa", 0, 0.63, 0.085),
        ("share", 0, 0.35, 0.082),
        ("share", 2, 0.20, 0.064),
        ("user", 1, 0.574, 0.125),
        ("producer", 1, 0.794, 0.117),
    ],
)
def test_estimate_areas_reproduces_stehman(
    name: str, index: int, value: float, error: float, stehman: AreaEstimates
) -> None:
    found = getattr(stehman, name)
    assert found.value[index] == pytest.approx(value, abs=5e-4)
    assert found.error[index] == pytest.approx(error, abs=5e-4)


def test_estimate_areas_does_not_depend_on_order_of_classes(olofsson: AreaEstimates) -> None:
    order = np.array([2, 0, 3, 1])
    mapped, actual = spread(OLOFSSON[np.ix_(order, order)])
    sizes = {CHANGES[i]: int(MAPPED[i]) for i in order}
    other = estimate_areas(mapped, actual, 4, mapped, sizes)
    for name in ("user", "producer", "f1", "share"):
        for part in ("value", "error"):
            one, two = getattr(getattr(olofsson, name), part), getattr(getattr(other, name), part)
            np.testing.assert_allclose(one[order], two)
    np.testing.assert_allclose(other.oa.value, olofsson.oa.value)


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_standard_errors_match_spread_of_repeated_samples(share: float) -> None:
    """Draw many samples of a map with known truth, from the classes of another map. Half of a small map tells most of it."""
    mapped, actual, older = (a.ravel() for a in (damaged(), truth(), damaged(0.4, seed=8)))
    strata = [np.flatnonzero(older == c) for c in (1, 2, 3)]
    sizes = {name: len(stratum) for name, stratum in zip(NAMES, strata, strict=True)}
    generator = np.random.default_rng(3)
    estimates = []
    counts = [int(share * len(stratum)) for stratum in strata]
    for _ in range(500):
        drawn = np.concatenate(
            [generator.choice(one, n, replace=False) for one, n in zip(strata, counts, strict=True)]
        )
        came_from = np.repeat(np.arange(3), counts)
        estimates.append(estimate_areas(mapped[drawn] - 1, actual[drawn] - 1, 3, came_from, sizes))
    area, mapped_px = (np.bincount(values)[1:] for values in (actual, mapped))
    both = np.bincount(actual[actual == mapped])[1:]
    for name, expected in (
        ("share", area / area.sum()),
        ("f1", 2 * both / (area + mapped_px)),
        ("producer", both / area),
        ("user", both / mapped_px),
    ):
        values = np.array([getattr(e, name).value for e in estimates])
        errors = np.array([getattr(e, name).error for e in estimates])
        np.testing.assert_allclose(values.mean(axis=0), expected, atol=0.01)
        np.testing.assert_allclose(errors.mean(axis=0), values.std(axis=0), rtol=0.1)
