"""Wavelengths in the names of bands, as programs and people write them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, write_tif
from hypothesis import example, given
from hypothesis import strategies as st

from hsi_geo.io.readers.band_names import parse_band_names
from hsi_geo.io.readers.spectral_tags import find_bands
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.wavelength_units import to_nm


def in_nm(names: list[str]) -> list[float]:
    found = parse_band_names(names)
    assert found is not None
    return [float(to_nm(np.array([one[0]]), one[1])[0]) for one in found if one is not None]


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
        ("FWHM: 300 nm, 443 nm", 443.0),
        ("443.5±250 nm", 443.5),
        ("443.5 +/- 5 nm", 443.5),
        ("443 nm ± 5 nm", 443.0),
        ("450-460 nm", 455.0),
        ("450.5nm-460.5nm", 455.5),
        ("Blue (430 to 450 nm)", 440.0),
        ("0.45\u20130.46 um", 455.0),
        ("443 nm - 10 nm", 443.0),
        ("B12-2190nm", 2190.0),
        ("2021-450nm", 450.0),
        ("Band 100: 1,234.50 nm", 1234.5),
        ("1,234 nm", 1234.0),
        ("443,5 nm", 443.5),
        ("443,125 nm", 443.125),
        ("0,4435 um", 443.5),
        ("1,234 um", 1234.0),
        ("0,443 um", 443.0),
        ("Band 21,443.5 nm", 443.5),
        ("Band 1,2,443.5 nm", 443.5),
        ("Band 450,5 nm", 450.5),
        ("1\u00a0230,5 nm", 1230.5),
        ("1\u202f230,5 nm", 1230.5),
        ("1\u00a0230 nm", 1230.0),
        ("B1 1.050,5 nm", 1050.5),
        ("1'234.5 nm", 1234.5),
        ("Band 1 450 nm", 450.0),
        ("Band 1 450.5 nm", 450.5),
        ("300 - 450 nm", 375.0),
        ("450 nm - 460 NM", 455.0),
        ("0.45 \u00b5m \u2013 0.46 \u03bcm", 455.0),
        ("450 nanometer - 460 nm", 455.0),
        ("450 nm - 0.46 um", 455.0),
        ("10 nm - 443 nm", 443.0),
        ("8-14 um", 11000.0),
        ("Band 1 450-460 nm", 455.0),
        ("b1p450nm", 450.0),
        ("0p443um", 443.0),
        ("refl_443p5nm_clean", 443.5),
    ],
)
def test_a_name_has_a_wavelength(name: str, nm: float) -> None:
    assert in_nm([name]) == pytest.approx([nm])


@pytest.mark.parametrize(
    "name", ["", "Band 12", "10 m", "channel_0 (381.0055927)", "NDVI", "7 nmol", "60 minutes"]
)
def test_a_name_without_a_wavelength_has_none(name: str) -> None:
    assert parse_band_names([name]) == [None]


@pytest.mark.parametrize(
    "form",
    [
        lambda nm: f"{nm - 5:g}-{nm + 5:g} nm",
        lambda nm: f"Band 3: {nm:,.2f} nm",
        lambda nm: f"{nm:.2f} nm".replace(".", ","),
        lambda nm: f"{nm / 1000:.4f} um".replace(".", ","),
    ],
)
def test_wavelengths_of_a_scene_are_those_that_its_names_mean(
    tmp_path: Path, form: Callable[[float], str]
) -> None:
    centres = [450.5, 660.25, 1230.5, 1655.75]
    path = write_tif(tmp_path / "a.tif", cube_of(4), names=[form(nm) for nm in centres])
    found = bands_of(open_scene(path)).centres_nm
    np.testing.assert_allclose(found, centres, atol=0.06)


@pytest.mark.parametrize(
    ("names", "nm"),
    [
        ([f"IMG_0301-{nm}nm" for nm in (450, 560, 650, 840)], [450, 560, 650, 840]),
        ([f"IMG_401-{nm}nm" for nm in (450, 560, 650, 740)], [450, 560, 650, 740]),
        ([f"IMG_{nr}-{nm}nm" for nr, nm in ((401, 450), (402, 560), (403, 650))], [450, 560, 650]),
        (
            ["200 - 700.5 nm", "300 - 800.5 nm", "600 - 900.5 nm", "800 - 1000.5 nm"],
            [700.5, 800.5, 900.5, 1000.5],
        ),
        (["600 - 900.5 nm", "800 - 1000.5 nm"], [900.5, 1000.5]),
        ([f"b1p{nm}nm" for nm in (450, 560, 650, 840)], [450, 560, 650, 840]),
        (["430-450 nm", "450-515 nm", "525-605 nm", "520-900 nm"], [440, 482.5, 565, 710]),
        (["Blue (430 to 450 nm)", "Red (630 to 690 nm)", "NIR 865 nm"], [440, 660, 865]),
        (["Band 1: 430-450 nm", "Band 2: 450-520 nm"], [440, 485]),
        (["450-490 nm", "455-495 nm", "460-500 nm"], [470, 475, 480]),
        (["400-401 nm", "401-402 nm", "402-403 nm"], [400.5, 401.5, 402.5]),
        (["8-9 um", "9-10 um", "10-11 um"], [8500, 9500, 10500]),
        (
            [f"Band {n} - {nm} nm" for n, nm in enumerate((450, 490, 560, 650, 840), 1)],
            [450, 490, 560, 650, 840],
        ),
        ([f"B{n}-{380 + 5 * n}.5nm" for n in range(1, 91)], [380.5 + 5 * n for n in range(1, 91)]),
        ([f"Band {n} - {8 + n / 10:.1f} um" for n in range(1, 5)], [8100, 8200, 8300, 8400]),
        (["VNIR 1 450.5 nm", "VNIR 1 560.2 nm"], [450.5, 560.2]),
        (["Landsat 8 443 nm", "Landsat 8 1609 nm"], [443, 1609]),
        (["3 650 nm", "2 560 nm", "1 450 nm"], [650, 560, 450]),
        (["450,5 nm", "660,25 nm", "1 230,5 nm"], [450.5, 660.25, 1230.5]),
        (["Band 21 557 nm", "Band 91 1 264 nm"], [557, 1264]),
        (["1 450 nm", "2 550 nm", "3 650 nm"], [450, 550, 650]),
        ([f"{n} {400 + 10 * n} nm" for n in range(1, 99)], [400 + 10 * n for n in range(1, 99)]),
        ([f"Band {n} {300 + 99 * n} nm" for n in (2, 5, 9)], [498, 795, 1191]),
        (["Band 1,443.5 nm", "Band 2,453.5 nm", "Band 3,463.5 nm"], [443.5, 453.5, 463.5]),
        (["Band 20,643.5 nm", "Band 9,453.5 nm"], [643.5, 453.5]),
        (["950 nm", "1 050 nm", "1 450 nm", "2 250 nm"], [950, 1050, 1450, 2250]),
        (["1,600 nm", "2,200 nm", "3,700 nm"], [1600, 2200, 3700]),
    ],
)
def test_all_names_of_a_scene_tell_what_is_before_its_wavelengths(
    tmp_path: Path, names: list[str], nm: list[float]
) -> None:
    assert in_nm(names) == pytest.approx(nm)
    path = write_tif(tmp_path / "a.tif", cube_of(len(names)), names=names)
    np.testing.assert_allclose(bands_of(open_scene(path)).centres_nm, nm)


@pytest.mark.parametrize(
    "names",
    [
        ["1 450 nm"],
        ["1 230,5 nm"],
        ["1 450 nm", "1 550 nm", "2 250 nm"],
        ["Band 2,443.5 nm"],
        ["Band 430-450 nm", "Band 450-520 nm"],
        ["B300-450nm", "B340-560nm"],
        ["1 650 nm", "2 200 nm"],
        ["3 560 nm", "5 850 nm", "8 865 nm"],
        ["Channel 1,234.5 nm", "Channel 2,234.5 nm"],
        ["430-450 nm", "450-520 nm", "400-1000 nm"],
        ["3-4 um", "4-5.5 um"],
    ],
)
def test_names_that_can_be_read_in_two_ways_are_not_used(names: list[str]) -> None:
    assert parse_band_names(names) is None
    found = find_bands({}, [{}] * len(names), [{}] * len(names), names)
    assert found.found is None
    assert "can be read as different wavelengths" in found.found_warnings[0]


@given(
    st.lists(st.text("0123456789.,'pe +-\u00a0nmuBand±", max_size=30).map(lambda one: one + " nm"))
)
@example(["1.2.3 nm"])
@example(["443. nm", "1e5.5nm"])
def test_any_names_can_be_read(names: list[str]) -> None:
    found = parse_band_names(names)
    assert found is None or len(found) == len(names)


@pytest.mark.parametrize(
    "name", ["1" * 9000, "1," * 4000, "1 " * 4000, "1 111" * 2000, "1.1-" * 2000]
)
def test_long_names_are_read_in_no_time(name: str) -> None:
    begin = time.perf_counter()
    assert parse_band_names([name]) == [None]
    assert time.perf_counter() - begin < 0.5
