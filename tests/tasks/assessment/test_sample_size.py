"""Sizes of samples: published examples, and properties of every allocation."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo import assess, sample
from hsi_geo.tasks.assessment.sample_size import allocate, needed_places, places_to_halve


@pytest.mark.parametrize(
    ("weights", "accuracies", "target", "wanted"),
    [
        # Strata of Olofsson et al. 2014, section 5.1.1, allocated in proportion: the sum of W p (1 - p) / se^2.
        ([0.020, 0.015, 0.320, 0.645], [0.70, 0.60, 0.90, 0.95], 0.01, 672),
        ([1.0], [0.5], 0.05, 100),  # a simple random sample: p (1 - p) / se^2
        ([1.0], [0.9], 0.01, 900),
    ],
)
def test_textbook_sizes(
    weights: list[float], accuracies: list[float], target: float, wanted: int
) -> None:
    sizes = [round(10_000_000 * w) for w in weights]
    assert needed_places(sizes, accuracies, target, 2) == pytest.approx(wanted, abs=1)


def test_a_small_map_needs_fewer_places() -> None:
    """The correction for finite populations: never more than there are pixels."""
    sizes = [needed_places([pixels], [0.5], 0.02, 2) for pixels in (10, 500, 5000, 10**9)]
    assert sizes == sorted(sizes)
    assert sizes[0] == 10
    assert sizes[-1] == 625


@given(
    strata=st.lists(
        st.tuples(st.integers(1, 10**6) | st.integers(1, 60), st.floats(0.5, 0.95)),
        min_size=1,
        max_size=8,
    ),
    target=st.floats(0.005, 0.2),
    least=st.integers(2, 50),
)
def test_needed_places_give_the_wanted_standard_error(
    strata: list[tuple[int, float]], target: float, least: int
) -> None:
    """With the allocation that is drawn, and not with one place less; by the textbook's formula."""
    sizes, accuracies = [size for size, _ in strata], [p for _, p in strata]

    def error(places: int) -> float:
        found = 0.0
        for size, p, n in zip(sizes, accuracies, allocate(sizes, places, least), strict=True):
            found += (size / sum(sizes)) ** 2 * p * (1 - p) / n * (1 - n / size)
        return float(np.sqrt(found))

    places = needed_places(sizes, accuracies, target, least)
    assert 1 <= places <= sum(sizes)
    assert error(places) <= target * (1 + 1e-6)
    assert places == 1 or error(places - 1) > target * (1 - 1e-6)


@pytest.mark.parametrize("target", [0.05, 0.03])
def test_sample_of_classes_that_differ_has_the_wanted_standard_error(
    tmp_path: Path, target: float
) -> None:
    """Half of the pixels are as good as guessed, the others nearly certain."""
    path = write_class_map(tmp_path, damaged(), NAMES)
    with rasterio.open(path) as file:
        profile, classes = file.profile, file.read(1)
    with rasterio.open(tmp_path / "map_confidence.tif", "w", **profile | {"nodata": 255}) as file:
        file.write(np.array([255, 50, 95, 60], np.uint8)[classes][None])
    found = sample(path, tmp_path / "v.gpkg", target_se=target, least=2)
    assert sorted({one.expected for one in found.strata}) == [0.5, 0.6, 0.95]
    assert 0.98 * target < found.expected_se <= target


@given(
    sizes=st.lists(st.integers(1, 5000), min_size=1, max_size=12),
    places=st.integers(2, 800),
    least=st.integers(2, 60),
)
def test_every_allocation_keeps_the_least_numbers(
    sizes: list[int], places: int, least: int
) -> None:
    found = allocate(sizes, places, least)
    lower = [min(least, size) for size in sizes]
    assert all(low <= n <= size for low, n, size in zip(lower, found, sizes, strict=True))
    assert sum(found) == min(max(places, sum(lower)), sum(found) if sum(sizes) < places else 10**9)
    # A larger stratum never has fewer places.
    order = np.argsort(sizes, kind="stable")
    assert (np.diff(np.array(found)[order]) >= -1).all()


@given(
    rights=st.lists(st.tuples(st.integers(0, 40), st.integers(2, 40)), min_size=1, max_size=5),
    pixels=st.lists(st.integers(40, 10**6) | st.integers(40, 90), min_size=5, max_size=5),
)
def test_further_places_halve_the_standard_error(
    rights: list[tuple[int, int]], pixels: list[int]
) -> None:
    right, strata = [], []
    for number, (hits, n) in enumerate(rights):
        right += [i < min(hits, n) for i in range(n)]
        strata += [number] * n
    sizes = {f"s{number}": pixels[number] for number in range(len(rights))}
    more = places_to_halve(np.array(right), np.array(strata), sizes)

    def variance(further: dict[str, int]) -> float:
        total = sum(sizes.values())
        found = 0.0
        for number, (hits, n) in enumerate(rights):
            p = (min(hits, n) + 1) / (n + 2)
            count, size = n + further.get(f"s{number}", 0), sizes[f"s{number}"]
            assert count <= size
            found += (size / total) ** 2 * p * (1 - p) / count * (1 - count / size)
        return found

    assert variance(more) <= variance({}) / 4 * (1 + 1e-9)
    if more:
        fewer = {name: n - 1 for name, n in more.items()}  # no place is wasted
        assert variance(fewer) > variance({}) / 4 * (1 - 1e-9)
    else:  # all pixels were visited
        assert variance({}) == pytest.approx(0, abs=1e-15)


@pytest.mark.parametrize(("scale", "factor"), [(10**6, 4.0), (2, 1.6)])
def test_further_places_of_a_simple_sample_lie_anywhere(scale: int, factor: float) -> None:
    """They cannot be drawn where most errors are: of a large map it takes four times the places; 1 / n - 1 / N counts."""
    counts, hits = [90, 60, 30], [88, 30, 20]
    right = np.concatenate([np.arange(n) < k for n, k in zip(counts, hits, strict=True)])
    sizes = {name: scale * n for name, n in zip("abc", counts, strict=True)}
    strata = np.repeat(np.arange(3), counts)
    more = places_to_halve(right, strata, sizes, at_random=True)
    assert more == {"whole map": round(180 * (factor - 1))}


def test_expected_and_found_standard_errors_are_one(tmp_path: Path) -> None:
    """Of half of a small map; the same accuracy is expected as is found."""
    path = write_class_map(tmp_path, damaged())
    frame = gpd.read_file(sample(path, tmp_path / "v.gpkg", count=900).path, layer="v")
    cols, rows = (np.floor(c).astype(int) for c in ~GRID @ (frame.geometry.x, frame.geometry.y))
    frame["class"] = np.array(["", *NAMES])[truth()[rows, cols]]
    frame.to_file(tmp_path / "a.gpkg")
    found = assess(path, tmp_path / "a.gpkg", design="stratified")
    error = (found.oa.high - found.oa.value) / 1.96
    expected = sample(path, tmp_path / "w.gpkg", count=900, expected=found.oa.value).expected_se
    assert error == pytest.approx(expected, rel=0.03)
    assert 900 + found.further_places < np.count_nonzero(damaged())
