"""Wavelengths in the names of bands, as programs and people write them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, write_tif

from hsi_geo.io.readers.band_names import parse_band_name
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.wavelength_units import to_nm


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
        ("Band 500 - 800 nm", 800.0),
        ("Band 430-450 nm", 440.0),
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
        ("Band 2,443.5 nm", 443.5),
        ("refl_443p5nm_clean", 443.5),
    ],
)
def test_parse_band_name_finds_a_wavelength(name: str, nm: float) -> None:
    found = parse_band_name(name)
    assert found is not None
    assert to_nm(np.array([found[0]]), found[1]) == pytest.approx(nm)


@pytest.mark.parametrize(
    "name", ["", "Band 12", "10 m", "channel_0 (381.0055927)", "NDVI", "7 nmol", "60 minutes"]
)
def test_parse_band_name_without_a_wavelength_is_none(name: str) -> None:
    assert parse_band_name(name) is None


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
