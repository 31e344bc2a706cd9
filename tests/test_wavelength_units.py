"""Units of wavelengths: spellings, conversion, and units that contradict the numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sensor_cases import NUMBERS, SENSORS, declared

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import WavelengthError
from hsi_geo.wavelength_units import are_band_numbers, parse_unit, to_nm
from hsi_geo.wavelengths import resolve_bands

#: Centres in any order, repeats included, as overlapping spectrometers give them.
unordered = st.lists(st.floats(380.0, 2500.0), min_size=1, max_size=30).map(np.array)


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
def test_to_nm_converts_each_unit(value: float, unit: str, nm: float) -> None:
    assert to_nm(np.array([value]), unit)[0] == pytest.approx(nm)


@pytest.mark.parametrize("unit", [None, "", "Unknown"])
@given(centres=unordered)
def test_to_nm_without_a_unit_depends_on_the_size_of_the_numbers(
    unit: str | None, centres: Float64Array
) -> None:
    np.testing.assert_array_equal(to_nm(centres, unit), centres)
    np.testing.assert_allclose(to_nm(centres / 1e3, unit), centres)


def test_to_nm_without_a_unit_ignores_gaps() -> None:
    np.testing.assert_allclose(to_nm(np.array([np.nan, 0.45, 2.4]), None)[1:], [450.0, 2400.0])


def test_to_nm_without_a_unit_uses_the_median() -> None:
    np.testing.assert_array_equal(to_nm(np.array([90.0, 450.0, 900.0]), None), [90.0, 450.0, 900.0])


# Declared units --------------------------------------------------------------------------------


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("unit", NUMBERS)
def test_resolve_bands_keeps_a_plausible_unit(sensor: str, unit: str) -> None:
    bands = resolve_bands(declared(NUMBERS[unit](SENSORS[sensor]), unit))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    assert not bands.warnings


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("unit_text", ["Micrometers", "Millimeters", "Meters", "m", "µm"])
def test_resolve_bands_finds_nanometres_with_a_wrong_unit(sensor: str, unit_text: str) -> None:
    bands = resolve_bands(declared(SENSORS[sensor], unit_text))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    (warning,) = bands.warnings
    assert f"cannot be in the unit '{unit_text}': taken for nanometres" in warning


@pytest.mark.parametrize("sensor", SENSORS)
@pytest.mark.parametrize("unit_text", ["nm", "Millimeters", "Meters", "Angstroms"])
def test_resolve_bands_finds_micrometres_with_a_wrong_unit(sensor: str, unit_text: str) -> None:
    bands = resolve_bands(declared(SENSORS[sensor] / 1e3, unit_text))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    (warning,) = bands.warnings
    assert f"cannot be in the unit '{unit_text}': taken for micrometres" in warning


@pytest.mark.parametrize("sensor", ["VNIR", "VNIR and SWIR", "SWIR", "four bands", "a single band"])
@pytest.mark.parametrize(
    ("unit_text", "true"),
    [
        ("Nanometers", "Meters"),
        ("Micrometers", "Meters"),
        ("Micrometers", "Millimeters"),
        ("Meters", "Millimeters"),
        ("Wavenumber", "Micrometers"),
        ("GHz", "Nanometers"),
        ("GHz", "Micrometers"),
        ("", "Meters"),
    ],
)
def test_resolve_bands_finds_rare_units_with_a_wrong_unit(
    sensor: str, unit_text: str, true: str
) -> None:
    bands = resolve_bands(declared(NUMBERS[true](SENSORS[sensor]), unit_text))
    np.testing.assert_allclose(bands.centres_nm, SENSORS[sensor])
    assert len(bands.warnings) == 1


def test_resolve_bands_finds_angstroms_and_wavelengths_said_to_be_wavenumbers() -> None:
    nm = SENSORS["VNIR and SWIR"]
    for unit_text, values in (("nm", nm * 10), ("Wavenumber", nm)):
        bands = resolve_bands(declared(values, unit_text))
        np.testing.assert_allclose(bands.centres_nm, nm)
        assert len(bands.warnings) == 1


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.linspace(400.0, 4000.0, 30), "cm-1"),  # an interferometer, 2.5 to 25 micrometres
        (np.linspace(645.0, 2760.0, 30), "Wavenumber"),  # IASI
        (np.linspace(6.0, 50.0, 20), "um"),  # an orbiter of Mars
        (np.linspace(120.0, 180.0, 20), "nm"),  # a vacuum chamber
        (np.array([9000.0, 10000.0]), "nm"),
    ],
)
def test_resolve_bands_keeps_units_of_exotic_sensors(values: Float64Array, unit: str) -> None:
    bands = resolve_bands(declared(values, unit))
    expected = 1e7 / values if "1" in unit or unit == "Wavenumber" else values
    np.testing.assert_allclose(bands.centres_nm, expected * (1e3 if unit == "um" else 1))
    assert not bands.warnings


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (np.arange(1.0, 201.0), "Micrometers"),
        (np.arange(1.0, 201.0), "Nanometers"),
        (np.array([420.0, 560.0, 99_999_999.0]), "nm"),
        (np.array([0.42, 560.0, 2400.0]), "um"),  # half of it in nm
        (np.array([1e-20, 1e20]), ""),
        (np.array([5.4e9]), "nm"),
    ],
)
def test_resolve_bands_refuses_numbers_that_fit_no_unit(values: Float64Array, unit: str) -> None:
    with pytest.raises(WavelengthError, match="are no optical wavelengths"):
        resolve_bands(declared(values, unit))


@given(
    centres=st.lists(st.floats(300.0, 14_000.0), min_size=1, max_size=20).map(np.array),
    true=st.sampled_from(["Nanometers", "Micrometers"]),
    unit_text=st.sampled_from(["Nanometers", "Micrometers", "", "Unknown"]),
)
def test_resolve_bands_never_confuses_nanometres_and_micrometres(
    centres: Float64Array, true: str, unit_text: str
) -> None:
    bands = resolve_bands(declared(NUMBERS[true](centres), unit_text))
    np.testing.assert_allclose(bands.centres_nm, centres)
    contradictions = [warning for warning in bands.warnings if "cannot be in" in warning]
    assert len(contradictions) == (unit_text in NUMBERS and unit_text != true)


@pytest.mark.parametrize("unused", [0.0, -1.0, np.nan, 9999.0])
@pytest.mark.parametrize("unit", ["um", "nm"])
def test_resolve_bands_ignores_the_numbers_of_bad_bands(unused: float, unit: str) -> None:
    values = np.array([unused, 462.0, 551.5, 640.0])
    bands = resolve_bands(declared(values, unit), good=np.array([False, True, True, True]))
    np.testing.assert_allclose(bands.centres_nm[1:], values[1:])
    assert bool(bands.warnings) == (unit == "um")
    assert not bands.good[0]
    assert np.isfinite(bands.centres_nm).all()
    assert (bands.fwhm_nm > 0).all()


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("NANOMETERS", "nanometres"),
        (" nanometre ", "nanometres"),
        ("(nm)", "nanometres"),
        ("Wavelength (nm)", "nanometres"),
        ("1e-9 m", "nanometres"),
        ("10^-6 m", "micrometres"),
        ("[µm]", "micrometres"),
        ("μm", "micrometres"),
        ("Micron", "micrometres"),
        ("wavelength_um", "micrometres"),
        ("Micrometers (um)", "micrometres"),
        ("Å", "angstroms"),
        ("cm⁻¹", "wavenumbers per cm"),
        ("1/cm", "wavenumbers per cm"),
        ("Wavenumber (cm-1)", "wavenumbers per cm"),
        ("THz", "terahertz"),
        ("Centimeters", "centimetres"),
        ("Unknown", None),
        ("Index", None),
        ("W m-2 sr-1", None),
        ("nm or um", None),
        ("", None),
        (None, None),
    ],
)
def test_parse_unit_knows_the_spellings_of_files(text: str | None, name: str | None) -> None:
    unit = parse_unit(text)
    assert (None if unit is None else unit.name) == name


@pytest.mark.parametrize(
    ("values", "unit", "counts"),
    [
        (np.arange(1.0, 31.0), "", True),
        (np.arange(30.0), "Unknown", True),
        (np.arange(1.0, 31.0), "um", False),
        (np.arange(301.0, 427.0), "Index", True),  # bands 301 to 426 of NEON
        (np.array([5.0, 17.0, 30.0]), "Bands", True),
        (np.array([462.0, 551.5, 640.0]), "Index", False),
        (np.array([450.0, 550.0, 650.0, 850.0]), "Index", False),
        (np.array([0.46, 0.55]), "Index", False),
        (np.array([462.0, 551.5]), "", False),
    ],
)
def test_are_band_numbers(values: Float64Array, unit: str, counts: bool) -> None:
    assert are_band_numbers(values, unit) == counts


# Ambiguous units ------------------------------------------------------------------------------


@pytest.mark.parametrize("unit", ["nm", "Nanometers", "", "Unknown"])
@pytest.mark.parametrize(
    "values",
    [
        np.linspace(4_000.0, 10_000.0, 60),  # the visible and near infrared in angstroms
        np.linspace(4_000.0, 17_500.0, 90),
        np.linspace(9_000.0, 18_000.0, 90),
        np.array([4_850.0, 5_600.0, 6_600.0, 8_300.0]),
    ],
)
def test_resolve_bands_warns_of_nanometres_that_may_be_angstroms(
    values: Float64Array, unit: str
) -> None:
    bands = resolve_bands(declared(values, unit))
    np.testing.assert_array_equal(bands.centres_nm, values)
    (warning,) = bands.warnings
    assert "may be angstroms" in warning
    assert "taken for nanometres" in warning


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (SENSORS["thermal"], "nm"),
        (SENSORS["a single thermal band"], "nm"),
        (SENSORS["VNIR, SWIR and thermal"], "nm"),
        (np.linspace(3_050.0, 5_200.0, 30), "nm"),  # the mid infrared
        (np.r_[np.linspace(3_100, 5_300, 10), np.linspace(7_700, 13_000, 10)], "nm"),  # MASTER
        (np.linspace(3.6, 15.5, 100), "um"),  # a sounder
        (np.linspace(4_000.0, 10_000.0, 60), "Angstroms"),
        (SENSORS["VNIR"], "nm"),
    ],
)
def test_resolve_bands_does_not_warn_of_units_that_are_clear(
    values: Float64Array, unit: str
) -> None:
    assert not resolve_bands(declared(values, unit)).warnings


def test_resolve_bands_takes_angstroms_beyond_thermal_wavelengths_for_angstroms() -> None:
    nm = np.linspace(400.0, 2_500.0, 200)
    bands = resolve_bands(declared(nm * 10, "nm"))
    np.testing.assert_allclose(bands.centres_nm, nm)
    assert "taken for angstroms" in bands.warnings[0]
