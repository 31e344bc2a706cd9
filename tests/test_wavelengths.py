"""Bands: widths, water vapour, order, and interpolation between sensors."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_cases import SENSORS, declared

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.wavelengths import (
    WATER_VAPOUR_NM,
    Bands,
    in_water_vapour,
    interpolation_matrix,
    make_bands,
    resolve_bands,
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


# Estimated widths ---------------------------------------------------------------------------------------


@given(centres=unordered)
def test_spacing_is_the_distance_to_the_nearest_other_centre(centres: Float64Array) -> None:
    distances = np.abs(centres[:, None] - centres)
    distances[distances == 0] = np.inf
    nearest = distances.min(axis=1)
    expected = np.where(np.isfinite(nearest), nearest, 10.0)
    np.testing.assert_allclose(spacing(centres), expected)


def test_make_bands_estimates_missing_widths_from_neighbouring_bands() -> None:
    centres = np.r_[np.arange(400.0, 700.0, 10.0), np.arange(694.0, 900.0, 6.0)]
    given = np.full(len(centres), np.nan)
    given[3], given[4], given[5] = 8.0, 0.0, -1.0
    made = make_bands(centres, fwhm_nm=given, source="a test")
    assert made.fwhm_nm[3] == 8.0
    assert (made.fwhm_nm[4:20] == 10.0).all()
    assert (made.fwhm_nm[-20:] == 6.0).all()
    assert made.fwhm_nm.min() >= 6.0  # though two detectors' bands lie 4 and 2 nm apart


@given(centres=unordered)
def test_usual_spacing_does_not_depend_on_the_order(centres: Float64Array) -> None:
    order = np.argsort(centres, kind="stable")
    np.testing.assert_array_equal(usual_spacing(centres)[order], usual_spacing(centres[order]))
    assert (usual_spacing(centres) > 0).all()


# Bad bands ------------------------------------------------------------------------------------


@given(centres=unordered)
def test_make_bands_marks_water_vapour_bad_unless_no_other_band_is_left(
    centres: Float64Array,
) -> None:
    wet = np.array([any(lo <= nm <= hi for lo, hi in WATER_VAPOUR_NM) for nm in centres])
    np.testing.assert_array_equal(in_water_vapour(centres), wet)
    expected = np.ones(len(centres), bool) if wet.all() else ~wet
    np.testing.assert_array_equal(bands(centres).good, expected)


def test_make_bands_keeps_bad_bands_and_does_not_change_its_input() -> None:
    given = np.array([True, False, True, True])
    made = make_bands(np.array([500.0, 600.0, 1400.0, 1600.0]), good=given, source="a test")
    np.testing.assert_array_equal(made.good, [True, False, False, True])
    np.testing.assert_array_equal(given, [True, False, True, True])


def test_make_bands_never_makes_a_bad_band_good() -> None:
    made = bands(np.array([500.0, 1400.0, 1410.0]), [False, True, True])
    np.testing.assert_array_equal(made.good, [False, True, True])


@pytest.mark.parametrize("wrong", [0.0, -1.0, np.nan, np.inf])
def test_bands_refuse_an_impossible_centre_with_band_and_value(wrong: float) -> None:
    with pytest.raises(WavelengthError, match=f"band 3 has the wavelength {wrong:g} nm"):
        bands(np.array([500.0, 600.0, wrong, 700.0]))


def test_bands_refuse_a_list_without_good_bands() -> None:
    with pytest.raises(WavelengthError, match="all 2 bands are marked bad") as caught:
        bands(np.array([500.0, 600.0]), [False, False])
    assert isinstance(caught.value, ValueError)


@given(data=st.data(), centres=increasing)
def test_in_order_does_not_depend_on_the_order_of_the_file(
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


# Interpolation ------------------------------------------------------------------------------------


@given(centres=increasing)
def test_interpolation_matrix_to_the_same_bands_is_the_identity(centres: Float64Array) -> None:
    np.testing.assert_array_equal(interpolation_matrix(centres, centres), np.eye(len(centres)))


@given(here=increasing, there=unordered)
def test_interpolation_matrix_has_two_weights_a_row_that_sum_to_one(
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
def test_interpolation_matrix_is_exact_for_linear_spectra(
    here: Float64Array, there: Float64Array
) -> None:
    inside = np.clip(there, here[0], here[-1])
    np.testing.assert_allclose(
        interpolation_matrix(here, there) @ (3.0 * here + 1.0), 3.0 * inside + 1.0
    )


@given(here=increasing, more=increasing)
def test_interpolation_to_more_bands_and_back_is_the_identity(
    here: Float64Array, more: Float64Array
) -> None:
    both = np.union1d(here, more)
    back_and_forth = interpolation_matrix(both, here) @ interpolation_matrix(here, both)
    np.testing.assert_array_equal(back_and_forth, np.eye(len(here)))


def test_interpolation_matrix_of_a_single_band_is_constant() -> None:
    np.testing.assert_array_equal(
        interpolation_matrix(np.array([550.0]), np.array([400.0, 900.0])), [[1.0], [1.0]]
    )


def test_same_centres_allows_one_nanometre() -> None:
    """In the same order, and all of them."""
    here = np.array([551.5, 462.0, 1649.0])
    assert same_centres(here, here + np.array([1.0, -0.9, 0.0]))
    assert not same_centres(here, here + np.array([0.0, 0.0, 1.1]))
    assert not same_centres(here, here[::-1])
    assert not same_centres(here, here[:2])
    assert not same_centres(here[:1], here)


# Declared widths ---------------------------------------------------------------------------------------

WIDTHS = {
    "a spectrometer": (SENSORS["VNIR and SWIR"], np.full(224, 9.6)),
    "fine": (np.linspace(670.0, 780.0, 400), np.full(400, 0.3)),
    "thermal": (SENSORS["thermal"], np.full(32, 110.0)),
    "four wide bands": (SENSORS["four bands"], np.array([65.0, 60.0, 60.0, 130.0])),
    "bands picked out of many": (SENSORS["four bands"], np.full(4, 5.0)),
    "a single band": (SENSORS["a single band"], np.array([20.0])),
    "some unknown": (np.linspace(420.0, 900.0, 49), np.where(np.arange(49) % 5, 10.0, 0.0)),
}


@pytest.mark.parametrize("sensor", WIDTHS)
@pytest.mark.parametrize("unit", ["nm", "um", "m"])
def test_plausible_widths_have_the_unit_of_the_centres(sensor: str, unit: str) -> None:
    factor = {"nm": 1.0, "um": 1e-3, "m": 1e-9}[unit]
    centres, widths = WIDTHS[sensor]
    bands = resolve_bands(declared(centres * factor, unit, widths=widths * factor))
    np.testing.assert_allclose(bands.fwhm_nm[widths > 0], widths[widths > 0])
    assert not bands.warnings


@pytest.mark.parametrize("sensor", [name for name in WIDTHS if name != "fine"])
@pytest.mark.parametrize("own", [None, "as the centres"])
@pytest.mark.parametrize("unit", ["nm", "um"])
def test_widths_in_another_unit_are_converted_with_a_warning(
    sensor: str, unit: str, own: str | None
) -> None:
    """Widths in nm beside centres in micrometres and vice versa, with and without a unit of their own."""
    centres, widths = WIDTHS[sensor]
    centre_factor, width_factor = (1.0, 1e-3) if unit == "nm" else (1e-3, 1.0)
    given = declared(
        centres * centre_factor,
        unit,
        widths=widths * width_factor,
        widths_unit=unit if own else None,
    )
    bands = resolve_bands(given)
    np.testing.assert_allclose(bands.fwhm_nm[widths > 0], widths[widths > 0])
    assert ["widths of bands" in warning for warning in bands.warnings] == [True]


def test_widths_with_a_correct_unit_of_their_own_need_no_warning() -> None:
    centres, widths = WIDTHS["a spectrometer"]
    bands = resolve_bands(declared(centres / 1e3, "um", widths=widths, widths_unit="nm"))
    np.testing.assert_allclose(bands.fwhm_nm, widths)
    assert not bands.warnings


def test_widths_follow_centres_with_a_wrong_unit() -> None:
    centres, widths = WIDTHS["a spectrometer"]
    bands = resolve_bands(declared(centres, "Micrometers", widths=widths))
    np.testing.assert_allclose(bands.fwhm_nm, widths)
    assert len(bands.warnings) == 1


def test_widths_in_wavenumbers_are_converted_with_their_centres() -> None:
    centres = np.linspace(700.0, 1300.0, 40)
    bands = resolve_bands(declared(centres, "cm-1", widths=np.full(40, 4.0)))
    ends = 1e7 / (centres - 2.0) - 1e7 / (centres + 2.0)
    np.testing.assert_allclose(bands.fwhm_nm, ends, rtol=1e-3)
    assert not bands.warnings


@pytest.mark.parametrize("width", [-1.0, 0.0, 1e30, 1e-30, 31.0e6])
def test_widths_that_fit_no_unit_are_ignored_with_a_warning(width: float) -> None:
    centres = SENSORS["VNIR and SWIR"]
    bands = resolve_bands(declared(centres, "nm", widths=np.full(224, width)))
    np.testing.assert_allclose(bands.fwhm_nm, resolve_bands(declared(centres, "nm")).fwhm_nm)
    assert ["widths of bands" in warning for warning in bands.warnings] == [True]
