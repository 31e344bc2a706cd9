"""Wavelengths from every place GDAL keeps them in, and from the option that replaces them."""

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

from hsi_geo.errors import OptionError, WavelengthError
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


def test_a_unit_for_the_whole_scene_serves_its_band_tags(tmp_path: Path) -> None:
    scene = write_tif(
        tmp_path / "a.tif",
        cube_of(2),
        tags={"Wavelength_Units": "Angstroms"},
        band_tags=[{"Wavelength": "4620"}, {"Wavelength": "5515"}],
    )
    np.testing.assert_allclose(open_scene(scene)["wavelength"], [462.0, 551.5])


@pytest.mark.parametrize("gzipped", [False, True])
def test_an_envi_header_gives_micrometres_widths_bad_bands_and_nodata(
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


def test_an_envi_header_without_a_unit_is_understood(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq", cube_of(2), "wavelength = {0.462, 2.2}", "fwhm = {0.006, 0.012}"
    )
    bands = bands_of(open_scene(path))
    np.testing.assert_allclose(bands.centres_nm, [462.0, 2200.0])
    np.testing.assert_allclose(bands.fwhm_nm, [6.0, 12.0])


def test_gdals_imagery_domain_is_in_micrometres(tmp_path: Path) -> None:
    imagery = [
        {"CENTRAL_WAVELENGTH_UM": "0.462", "FWHM_UM": "0.006"},
        {"CENTRAL_WAVELENGTH_UM": "1.649", "FWHM_UM": "0.012"},
    ]
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(2), imagery=imagery))
    np.testing.assert_allclose(scene["wavelength"], [462.0, 1649.0])
    np.testing.assert_allclose(scene["fwhm"], [6.0, 12.0])
    assert "IMAGERY" in scene.attrs["wavelength_source"]


def test_band_names_carry_wavelengths(tmp_path: Path) -> None:
    names = ["band 8 (0.4620 Micrometers)", "band 9 (551.5 nm)"]
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(2), names=names))
    np.testing.assert_allclose(scene["wavelength"], [462.0, 551.5])


@pytest.mark.parametrize(
    "text", ["{462, 551.5, 640.25}", "462,551.5,640.25", "{462 ,551.5,\n640.25}"]
)
def test_a_list_for_the_whole_scene_gives_centres(tmp_path: Path, text: str) -> None:
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


def test_an_incomplete_list_gives_way_to_a_complete_one(tmp_path: Path) -> None:
    scene = write_tif(
        tmp_path / "a.tif",
        cube_of(3),
        tags={"wavelength": "{462, 551.5}"},
        band_tags=nm_tags(CENTRES[:2]),
        names=["1649 nm", "640.25 nm", "462 nm"],
    )
    np.testing.assert_allclose(open_scene(scene)["wavelength"], [1649.0, 640.25, 462.0])


def test_no_wavelengths_at_all_names_the_three_ways_to_give_them(make_scene: MakeScene) -> None:
    path = make_scene(bands=6, wavelengths=False).path
    with pytest.raises(WavelengthError, match="has 6 bands and no wavelengths") as caught:
        open_scene(path)
    for way in ("--wavelengths FILE", "--wavelengths START:STOP", "--wavelengths index"):
        assert way in str(caught.value)


@pytest.mark.parametrize("centre", ["0", "-5"])
def test_a_centre_that_is_no_wavelength_is_refused(tmp_path: Path, centre: str) -> None:
    path = write_envi(
        tmp_path / "cube.bsq",
        cube_of(3),
        "wavelength units = Nanometers",
        f"wavelength = {{462, {centre}, 640}}",
        "fwhm = {6, 6, 6}",
    )
    with pytest.raises(WavelengthError, match="band 2 has the wavelength"):
        open_scene(path)


# The wavelengths option -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "462\n551.5\n640.25\n",
        "# nm\n462\n\n 551.5 \n640.25",
        "\ufeff462\n551.5\n640.25\n",
        "band,wavelength,fwhm\n1,462,6\n2,551.5,7\n3,640.25,8\n",
        "Wavelength, name\n462, blue\n551.5, green\n640.25, red\n",
    ],
)
def test_a_file_of_centres_replaces_the_scenes_own(tmp_path: Path, text: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags((700.0, 800.0, 900.0)))
    centres = tmp_path / "centres.csv"
    centres.write_text(text, encoding="utf-8")
    scene = open_scene(path, wavelengths=str(centres))
    np.testing.assert_array_equal(scene["wavelength"], [462.0, 551.5, 640.25])


def test_start_and_stop_spread_bands_evenly(tmp_path: Path) -> None:
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(4)), wavelengths="400:1000")
    np.testing.assert_allclose(scene["wavelength"], [400.0, 600.0, 800.0, 1000.0])
    np.testing.assert_allclose(scene["fwhm"], 200.0)


def test_index_spreads_bands_and_says_that_it_means_nothing(tmp_path: Path) -> None:
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(30)), wavelengths="index")
    assert (np.diff(scene["wavelength"]) > 0).all()
    assert scene["good"].all()  # no water vapour where there are no wavelengths
    assert "no physical meaning" in scene.attrs["wavelength_source"]


@pytest.mark.parametrize(
    "option", ["1000:400", "400:400", "400", "400:", ":400", "-5:400", "nan:nan", "0:inf", "x.csv"]
)
def test_a_wavelength_option_that_makes_no_sense_is_refused(tmp_path: Path, option: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    with pytest.raises(OptionError, match="is neither a file, nor START:STOP"):
        open_scene(path, wavelengths=option)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b"462\n551.5\n", "has 2 centres and the scene 3 bands"),
        (b"", "has 0 centres"),
        (b"462\nblue\n640\n", "blue"),
        (b"band,wavelength\n1,462\n2\n3,640\n", "not a number"),
        (b"\xff\xfe\x00\x81\x8f", "centres.txt"),
    ],
)
def test_a_wavelength_file_that_does_not_fit_is_refused(
    tmp_path: Path, text: bytes, message: str
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    centres = tmp_path / "centres.txt"
    centres.write_bytes(text)
    with pytest.raises(OptionError, match=message):
        open_scene(path, wavelengths=str(centres))


def test_a_folder_is_no_wavelength_file(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    with pytest.raises(OptionError):
        open_scene(path, wavelengths=str(tmp_path))


@pytest.mark.parametrize("option", ["400:1000", "index"])
def test_the_option_rescues_a_scene_whose_own_centres_are_wrong(
    tmp_path: Path, option: str
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags((462.0, 0.0, 640.0)))
    assert (open_scene(path, wavelengths=option)["wavelength"] > 0).all()


@pytest.mark.parametrize("own", [True, False])
def test_the_option_replaces_centres_and_keeps_the_bad_bands(tmp_path: Path, own: bool) -> None:
    tags = {"bbl": "{1, 0, 1}"}
    centres = nm_tags((700.0, 800.0, 900.0)) if own else ()
    path = write_tif(tmp_path / "a.tif", cube_of(3), tags=tags, band_tags=centres)
    scene = open_scene(path, wavelengths="400:1000")
    np.testing.assert_array_equal(scene["good"], [True, False, True])
