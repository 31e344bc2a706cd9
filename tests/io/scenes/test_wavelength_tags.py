"""Wavelengths, widths and bad bands from tags, headers and band names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builders import (
    CENTRES,
    NORTH_UP,
    cube_of,
    nm_tags,
    write_envi,
    write_tif,
)

from hsi_geo.errors import WavelengthError
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene

if TYPE_CHECKING:
    from planted import MakeScene

# Where wavelengths are found ------------------------------------------------------------------


def test_band_tags_give_centres_and_widths(tmp_path: Path) -> None:
    tags = [
        {"wavelength": str(nm / 1e3), "wavelength_units": "Micrometers", "fwhm": str(width / 1e3)}
        for nm, width in zip(CENTRES, (6.0, 7.0, 8.0, 12.0), strict=True)
    ]
    bands = bands_of(open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)))
    np.testing.assert_allclose(bands.centres_nm, CENTRES)
    np.testing.assert_allclose(bands.fwhm_nm, [6.0, 7.0, 8.0, 12.0])


def test_unit_of_the_whole_scene_applies_to_band_tags(tmp_path: Path) -> None:
    scene = write_tif(
        tmp_path / "a.tif",
        cube_of(2),
        tags={"Wavelength_Units": "Angstroms"},
        band_tags=[{"Wavelength": "4620"}, {"Wavelength": "5515"}],
    )
    np.testing.assert_allclose(open_scene(scene)["wavelength"], [462.0, 551.5])


@pytest.mark.parametrize("gzipped", [False, True])
def test_envi_header_gives_centres_widths_bad_bands_and_nodata(
    tmp_path: Path, gzipped: bool
) -> None:
    cube = cube_of(4)
    path = write_envi(
        tmp_path / "cube.bsq",
        cube,
        "wavelength units = Micrometers",
        "wavelength = { 0.462, 0.5515,\n 0.64025, 1.649 }",
        "fwhm = { 0.006, 0.007, 0.008, 0.012 }",
        "bbl = { 1, 0, 1, 1 }",
        "data ignore value = -99",
        gzipped=gzipped,
    )
    scene = open_scene(path)
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, CENTRES)
    np.testing.assert_allclose(bands.fwhm_nm, [6.0, 7.0, 8.0, 12.0])
    np.testing.assert_array_equal(bands.good, [True, False, True, True])
    assert scene.attrs["_FillValue"] == -99
    assert scene.attrs["driver"] == "ENVI"
    np.testing.assert_array_equal(scene.values, cube)
    assert grid_of(scene).transform.almost_equals(NORTH_UP)


def test_envi_header_without_a_unit_depends_on_the_size_of_the_numbers(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq", cube_of(2), "wavelength = {0.462, 2.2}", "fwhm = {0.006, 0.012}"
    )
    bands = bands_of(open_scene(path))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 2200.0])
    np.testing.assert_allclose(bands.fwhm_nm, [6.0, 12.0])


def test_gdal_imagery_domain_is_in_micrometres(tmp_path: Path) -> None:
    imagery = [
        {"CENTRAL_WAVELENGTH_UM": "0.462", "FWHM_UM": "0.006"},
        {"CENTRAL_WAVELENGTH_UM": "1.649", "FWHM_UM": "0.012"},
    ]
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(2), imagery=imagery))
    np.testing.assert_allclose(scene["wavelength"], [462.0, 1649.0])
    np.testing.assert_allclose(scene["fwhm"], [6.0, 12.0])
    assert "IMAGERY" in scene.attrs["wavelength_source"]


def test_band_names_give_centres(tmp_path: Path) -> None:
    names = ["band 8 (0.4620 Micrometers)", "band 9 (551.5 nm)"]
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(2), names=names))
    np.testing.assert_allclose(scene["wavelength"], [462.0, 551.5])


@pytest.mark.parametrize(
    "text", ["{462, 551.5, 640.25}", "462,551.5,640.25", "{462 ,551.5,\n640.25}"]
)
def test_list_of_the_whole_scene_gives_centres(tmp_path: Path, text: str) -> None:
    tags = {"wavelength": text, "wavelength_units": "nm", "bbl": "{1, 1, 0}"}
    bands = bands_of(open_scene(write_tif(tmp_path / "a.tif", cube_of(3), tags=tags)))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 551.5, 640.25])
    np.testing.assert_array_equal(bands.good, [True, True, False])


def test_bad_band_tags_mark_single_bands(tmp_path: Path) -> None:
    tags = nm_tags(CENTRES[:3])
    tags[1]["bbl"] = "0"
    tags[2]["bbl"] = "1"
    bands = bands_of(open_scene(write_tif(tmp_path / "a.tif", cube_of(3), band_tags=tags)))
    np.testing.assert_array_equal(bands.good, [True, False, True])


def test_complete_source_is_used_instead_of_an_incomplete_one(tmp_path: Path) -> None:
    scene = write_tif(
        tmp_path / "a.tif",
        cube_of(3),
        tags={"wavelength": "{462, 551.5}"},
        band_tags=nm_tags(CENTRES[:2]),
        names=["1649 nm", "640.25 nm", "462 nm"],
    )
    np.testing.assert_allclose(open_scene(scene)["wavelength"], [1649.0, 640.25, 462.0])


def test_scene_without_wavelengths_is_refused_with_three_ways_to_give_them(
    make_scene: MakeScene,
) -> None:
    path = make_scene(bands=6, wavelengths=False).path
    with pytest.raises(WavelengthError, match="has 6 bands and no wavelengths") as caught:
        open_scene(path)
    for value in ("FILE", "START:STOP", "index"):
        assert f"--wavelengths {value}" in caught.value.sentence
        assert f'wavelengths="{value}"' in str(caught.value)


@pytest.mark.parametrize("centre", ["0", "-5"])
def test_centre_that_is_not_positive_is_refused(tmp_path: Path, centre: str) -> None:
    path = write_envi(
        tmp_path / "cube.bsq",
        cube_of(3),
        "wavelength units = Nanometers",
        f"wavelength = {{462, {centre}, 640}}",
        "fwhm = {6, 6, 6}",
    )
    with pytest.raises(WavelengthError, match="band 2 has the wavelength"):
        open_scene(path)
