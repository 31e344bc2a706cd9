"""Units, widths, water vapour, order of bands, and one sensor's bands on another's."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.wavelength_units import parse_band_name, to_nm
from hsi_geo.wavelengths import (
    WATER_VAPOUR_NM,
    Bands,
    in_water_vapour,
    interpolation_matrix,
    make_bands,
    same_centres,
    spacing,
    usual_spacing,
)

#: Strictly increasing centres in nm with at least 0.5 nm between them.
increasing = st.sets(st.integers(700, 5200), min_size=2, max_size=30).map(
    lambda halves: np.array(sorted(halves)) / 2.0
)
#: Centres in any order, repeats included, as overlapping spectrometers give them.
unordered = st.lists(st.floats(380.0, 2500.0), min_size=1, max_size=30).map(np.array)


def bands(centres_nm: Float64Array, good: list[bool] | None = None) -> Bands:
    flags = None if good is None else np.array(good)
    return make_bands(centres_nm, good=flags, source="a test")


# Units ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "nm"),
    [
        (560.0, "nm", 560.0),
        (560.0, "Nanometers", 560.0),
        (560.0, " NANOMETRES ", 560.0),
        (0.56, "um", 560.0),
        (0.56, "µm", 560.0),  # micro sign
        (0.56, "μm", 560.0),  # Greek letter
        (0.56, "Micrometers", 560.0),
        (0.56, "microns", 560.0),
        (5.6e-4, "mm", 560.0),
        (5.6e-7, "m", 560.0),
        (5.6e-7, "Metres", 560.0),
        (5600.0, "Angstroms", 560.0),
    ],
)
def test_each_unit_becomes_nanometres(value: float, unit: str, nm: float) -> None:
    assert to_nm(np.array([value]), unit)[0] == pytest.approx(nm)


@pytest.mark.parametrize("unit", [None, "", "Unknown"])
@given(centres=unordered)
def test_without_a_unit_the_size_of_the_numbers_tells(
    unit: str | None, centres: Float64Array
) -> None:
    np.testing.assert_array_equal(to_nm(centres, unit), centres)
    np.testing.assert_allclose(to_nm(centres / 1e3, unit), centres)


def test_a_gap_in_the_list_does_not_change_the_guess() -> None:
    np.testing.assert_allclose(to_nm(np.array([np.nan, 0.45, 2.4]), None)[1:], [450.0, 2400.0])


def test_the_guess_follows_the_median_not_the_first_value() -> None:
    np.testing.assert_array_equal(to_nm(np.array([90.0, 450.0, 900.0]), None), [90.0, 450.0, 900.0])


@pytest.mark.parametrize(
    ("name", "nm"),
    [
        ("band 7 (0.5436 Micrometers)", 543.6),
        ("band 7 (.5436 Micrometers)", 543.6),
        ("366.551 nm", 366.551),
        ("B12 2190nm", 2190.0),
        ("1.2e3 Nanometers", 1200.0),
        ("Reflectance at 0.86 μm, west", 860.0),
        ("centre 443 nm, fwhm 10 nm", 443.0),
    ],
)
def test_a_band_name_tells_its_wavelength(name: str, nm: float) -> None:
    found = parse_band_name(name)
    assert found is not None
    assert to_nm(np.array([found[0]]), found[1]) == pytest.approx(nm)


@pytest.mark.parametrize(
    "name", ["", "Band 12", "10 m", "channel_0 (381.0055927)", "NDVI", "7 nmol", "60 minutes"]
)
def test_a_band_name_without_a_wavelength_tells_none(name: str) -> None:
    assert parse_band_name(name) is None


# Widths ---------------------------------------------------------------------------------------


@given(centres=unordered)
def test_spacing_is_the_distance_to_the_nearest_other_centre(centres: Float64Array) -> None:
    distances = np.abs(centres[:, None] - centres)
    distances[distances == 0] = np.inf
    nearest = distances.min(axis=1)
    expected = np.where(np.isfinite(nearest), nearest, 10.0)
    np.testing.assert_allclose(spacing(centres), expected)


def test_given_widths_stay_and_missing_ones_are_guessed_from_the_bands_around() -> None:
    centres = np.r_[np.arange(400.0, 700.0, 10.0), np.arange(694.0, 900.0, 6.0)]
    given = np.full(len(centres), np.nan)
    given[3], given[4], given[5] = 8.0, 0.0, -1.0
    made = make_bands(centres, fwhm_nm=given, source="a test")
    assert made.fwhm_nm[3] == 8.0
    assert (made.fwhm_nm[4:20] == 10.0).all()
    assert (made.fwhm_nm[-20:] == 6.0).all()
    assert made.fwhm_nm.min() >= 6.0  # though two detectors' bands lie 4 and 2 nm apart


@given(centres=unordered)
def test_usual_spacing_belongs_to_the_band_and_not_to_its_place(centres: Float64Array) -> None:
    order = np.argsort(centres, kind="stable")
    np.testing.assert_array_equal(usual_spacing(centres)[order], usual_spacing(centres[order]))
    assert (usual_spacing(centres) > 0).all()


# Bad bands ------------------------------------------------------------------------------------


@given(centres=unordered)
def test_water_vapour_is_bad_unless_nothing_else_is_there(centres: Float64Array) -> None:
    wet = np.array([any(lo <= nm <= hi for lo, hi in WATER_VAPOUR_NM) for nm in centres])
    np.testing.assert_array_equal(in_water_vapour(centres), wet)
    expected = np.ones(len(centres), bool) if wet.all() else ~wet
    np.testing.assert_array_equal(bands(centres).good, expected)


def test_the_files_bad_bands_stay_bad_and_are_left_as_they_were() -> None:
    given = np.array([True, False, True, True])
    made = make_bands(np.array([500.0, 600.0, 1400.0, 1600.0]), good=given, source="a test")
    np.testing.assert_array_equal(made.good, [True, False, False, True])
    np.testing.assert_array_equal(given, [True, False, True, True])


def test_water_vapour_never_revives_a_bad_band() -> None:
    made = bands(np.array([500.0, 1400.0, 1410.0]), [False, True, True])
    np.testing.assert_array_equal(made.good, [False, True, True])


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_an_impossible_centre_is_refused_by_band_and_value(wrong: float) -> None:
    with pytest.raises(WavelengthError, match=f"band 3 has the wavelength {wrong:g} nm"):
        bands(np.array([500.0, 600.0, wrong, 700.0]))


def test_no_good_band_at_all_is_refused() -> None:
    with pytest.raises(WavelengthError, match="all 2 bands are marked bad") as caught:
        bands(np.array([500.0, 600.0]), [False, False])
    assert isinstance(caught.value, ValueError)


@given(data=st.data(), centres=increasing)
def test_permuting_bands_with_their_wavelengths_changes_nothing(
    data: st.DataObject, centres: Float64Array
) -> None:
    good = np.array(
        data.draw(st.lists(st.booleans(), min_size=len(centres), max_size=len(centres)))
    )
    good[0] = True
    shuffled = np.array(data.draw(st.permutations(range(len(centres)))))
    straight = make_bands(centres, good=good, source="a test")
    mixed = make_bands(centres[shuffled], good=good[shuffled], source="a test")
    np.testing.assert_array_equal(shuffled[mixed.in_order()], straight.in_order())
    assert (np.diff(mixed.centres_nm[mixed.in_order()]) > 0).all()
    assert mixed.good[mixed.in_order()].all()


# Placement ------------------------------------------------------------------------------------


@given(centres=increasing)
def test_placing_bands_on_themselves_is_the_identity(centres: Float64Array) -> None:
    np.testing.assert_array_equal(interpolation_matrix(centres, centres), np.eye(len(centres)))


@given(here=increasing, there=unordered)
def test_rows_of_a_placement_sum_to_one_and_take_two_neighbours(
    here: Float64Array, there: Float64Array
) -> None:
    matrix = interpolation_matrix(here, there)
    assert matrix.shape == (len(there), len(here))
    assert (matrix >= 0).all()
    np.testing.assert_allclose(matrix.sum(axis=1), 1.0)
    for row in matrix:
        used = np.flatnonzero(row)
        assert used[-1] - used[0] <= 1


@given(here=increasing, there=unordered)
def test_a_straight_spectrum_stays_straight_and_ends_hold(
    here: Float64Array, there: Float64Array
) -> None:
    inside = np.clip(there, here[0], here[-1])
    np.testing.assert_allclose(
        interpolation_matrix(here, there) @ (3.0 * here + 1.0), 3.0 * inside + 1.0
    )


@given(here=increasing, more=increasing)
def test_a_detour_over_more_bands_comes_back(here: Float64Array, more: Float64Array) -> None:
    both = np.union1d(here, more)
    back_and_forth = interpolation_matrix(both, here) @ interpolation_matrix(here, both)
    np.testing.assert_array_equal(back_and_forth, np.eye(len(here)))


def test_a_single_band_serves_all() -> None:
    np.testing.assert_array_equal(
        interpolation_matrix(np.array([550.0]), np.array([400.0, 900.0])), [[1.0], [1.0]]
    )


def test_centres_a_nanometre_apart_are_of_the_same_bands() -> None:
    """In the same order, and all of them."""
    here = np.array([551.5, 462.0, 1649.0])
    assert same_centres(here, here + np.array([1.0, -0.9, 0.0]))
    assert not same_centres(here, here + np.array([0.0, 0.0, 1.1]))
    assert not same_centres(here, here[::-1])
    assert not same_centres(here, here[:2])
    assert not same_centres(here[:1], here)
