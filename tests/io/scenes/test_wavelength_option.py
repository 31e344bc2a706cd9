"""The option --wavelengths: files, START:STOP and index, for files and for arrays."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from builders import cube_of, nm_tags, write_envi, write_tif

from hsi_geo.errors import OptionError, SceneError, WavelengthError
from hsi_geo.io.scenes.properties import bands_of, remarks_of
from hsi_geo.io.scenes.scene import open_scene, scene_from_array

NM = np.array([462.0, 551.5, 640.25, 865.0])
FWHM = np.array([6.0, 7.0, 8.0, 12.0])


# The wavelengths option -----------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8-sig", "cp1252", "utf-16"])
def test_wavelength_file_may_have_any_usual_encoding(tmp_path: Path, encoding: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    centres = tmp_path / "centres.csv"
    text = "Gerät,Wavelength (µm)\nä,0.462\nö,0.5515\nü,0.64025\n"
    centres.write_bytes(text.encode(encoding))
    scene = open_scene(path, wavelengths=str(centres))
    np.testing.assert_allclose(scene["wavelength"], [462.0, 551.5, 640.25])


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
def test_wavelength_file_replaces_the_centres_of_the_scene(tmp_path: Path, text: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags((700.0, 800.0, 900.0)))
    centres = tmp_path / "centres.csv"
    centres.write_text(text, encoding="utf-8")
    scene = open_scene(path, wavelengths=str(centres))
    np.testing.assert_array_equal(scene["wavelength"], [462.0, 551.5, 640.25])


def test_start_and_stop_spread_bands_evenly(tmp_path: Path) -> None:
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(4)), wavelengths="400:1000")
    np.testing.assert_allclose(scene["wavelength"], [400.0, 600.0, 800.0, 1000.0])
    np.testing.assert_allclose(scene["fwhm"], 200.0)


def test_index_spreads_bands_without_physical_meaning(tmp_path: Path) -> None:
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(30)), wavelengths="index")
    assert (np.diff(scene["wavelength"]) > 0).all()
    assert scene["good"].all()  # no water vapour where there are no wavelengths
    assert "no physical meaning" in scene.attrs["wavelength_source"]


@pytest.mark.parametrize(
    "option", ["1000:400", "400:400", "400", "400:", ":400", "-5:400", "nan:nan", "0:inf", "x.csv"]
)
def test_invalid_wavelength_option_is_refused(tmp_path: Path, option: str) -> None:
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
        (b"\x89PNG\r\n\x1a\n\x00\x00", "cannot be read as text"),
        (b"SQLite format 3\x00\x10", "cannot be read as text"),
    ],
)
def test_wavelength_file_that_does_not_match_the_scene_is_refused(
    tmp_path: Path, text: bytes, message: str
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    centres = tmp_path / "centres.txt"
    centres.write_bytes(text)
    with pytest.raises(OptionError, match=message):
        open_scene(path, wavelengths=str(centres))


def test_folder_as_wavelength_file_is_refused(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3))
    with pytest.raises(OptionError):
        open_scene(path, wavelengths=str(tmp_path))


@pytest.mark.parametrize("option", ["400:1000", "index"])
def test_wavelength_option_replaces_wrong_centres(tmp_path: Path, option: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags((462.0, 0.0, 640.0)))
    assert (open_scene(path, wavelengths=option)["wavelength"] > 0).all()


@pytest.mark.parametrize("own", [True, False])
def test_wavelength_option_keeps_bad_bands(tmp_path: Path, own: bool) -> None:
    tags = {"bbl": "{1, 0, 1}"}
    centres = nm_tags((700.0, 800.0, 900.0)) if own else ()
    path = write_tif(tmp_path / "a.tif", cube_of(3), tags=tags, band_tags=centres)
    scene = open_scene(path, wavelengths="400:1000")
    np.testing.assert_array_equal(scene["good"], [True, False, True])


def test_wavelength_option_removes_warnings_on_the_replaced_centres(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "cube.bsq",
        cube_of(4),
        "wavelength units = Micrometers",
        "wavelength = {462, 551.5, 640.25, 865}",
    )
    assert "warnings" in open_scene(path).attrs
    assert "warnings" not in open_scene(path, wavelengths="400:900").attrs


# Units -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "warnings"),
    [
        ("wavelength_um\n0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("wavelength_um\n462\n551.5\n640.25\n865\n", 1),
        ("wavelength_nm\n0.462\n0.5515\n0.64025\n0.865\n", 1),
        ("band,Wavelength (µm)\n1,0.462\n2,0.5515\n3,0.64025\n4,0.865\n", 0),
        ("band;centre [nm];fwhm\n1;462,0;6\n2;551,5;7\n3;640,25;8\n4;865,0;12\n", 0),
        ("band\tcenter_wavelength\n1\t462\n2\t551.5\n3\t640.25\n4\t865\n", 0),
        ("# wavelength_um\n0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("# band,wavelength (nm)\n1,462\n2,551.5\n3,640.25\n4,865\n", 0),
        ("# made of 6 nm pieces\n0.462\n0.5515\n0.64025\n0.865\n", 1),
        ("0.462\n0.5515\n0.64025\n0.865\n", 0),
        ("nm\n462\n551.5\n640.25\n865\n", 0),
    ],
)
def test_wavelength_file_states_its_unit(tmp_path: Path, content: str, warnings: int) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    (tmp_path / "centres.csv").write_text(content, encoding="utf-8")
    scene = open_scene(path, wavelengths=str(tmp_path / "centres.csv"))
    np.testing.assert_allclose(scene["wavelength"], NM)
    assert len(remarks_of(scene).warnings) == warnings
    if "fwhm" in content:
        np.testing.assert_allclose(scene["fwhm"], FWHM)


@pytest.mark.parametrize("content", ["1,462\n2,551.5\n3,640\n4,865\n", "band,nr\n1,1\n2,2\n"])
def test_wavelength_file_with_band_numbers_is_refused(tmp_path: Path, content: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    (tmp_path / "centres.csv").write_text(content)
    with pytest.raises(OptionError):
        open_scene(path, wavelengths=str(tmp_path / "centres.csv"))


def test_start_and_stop_in_micrometres_get_a_warning(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    scene = open_scene(path, wavelengths="0.4:1.0")
    np.testing.assert_allclose(scene["wavelength"], [400.0, 600.0, 800.0, 1000.0])
    assert "--wavelengths 0.4:1.0" in scene.attrs["warnings"][0]
    with pytest.raises(WavelengthError, match="no optical wavelengths"):
        open_scene(path, wavelengths="1:300")


# Widths ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "factor", "warnings"),
    [
        ("wavelength,fwhm", 1.0, 0),
        ("wavelength_nm,FWHM (nm)", 1.0, 0),
        ("wavelength,fwhm_um", 1e-3, 0),
        ("wavelength,width", 1.0, 0),
        ("wavelength,full width half max", 1.0, 0),
        ("wavelength,FWHM [nm]", 1e-3, 1),
        ("wavelength,fwhm", 1e-3, 1),
        ("wavelength,fwhm_um", 1.0, 1),
    ],
)
def test_wavelength_file_gives_widths_in_a_checked_unit(
    tmp_path: Path, header: str, factor: float, warnings: int
) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    lines = [f"{nm},{width * factor:.6g}" for nm, width in zip(NM, FWHM, strict=True)]
    (tmp_path / "centres.csv").write_text("\n".join([header, *lines]))
    scene = open_scene(path, wavelengths=str(tmp_path / "centres.csv"))
    np.testing.assert_allclose(scene["wavelength"], NM)
    np.testing.assert_allclose(scene["fwhm"], FWHM)
    assert len(remarks_of(scene).warnings) == warnings


@pytest.mark.parametrize("cell", ["", "-", "n/a", "0"])
def test_wavelength_file_may_lack_some_widths(tmp_path: Path, cell: str) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    text = f"wavelength,fwhm\n462,6\n551.5,{cell}\n640.25,8\n865,12\n"
    (tmp_path / "centres.csv").write_text(text)
    scene = open_scene(path, wavelengths=str(tmp_path / "centres.csv"))
    np.testing.assert_allclose(scene["fwhm"][[0, 2, 3]], FWHM[[0, 2, 3]])
    assert float(scene["fwhm"][1]) > 50  # the distance between the bands
    assert not remarks_of(scene).warnings


def test_wavelength_file_with_impossible_widths_gets_a_warning(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4))
    text = "wavelength,fwhm\n462,-6\n551.5,-7\n640.25,-8\n865,-12\n"
    (tmp_path / "centres.csv").write_text(text)
    scene = open_scene(path, wavelengths=str(tmp_path / "centres.csv"))
    (warning,) = remarks_of(scene).warnings
    assert "widths of bands" in warning


# Arrays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("checked", [True, False])
def test_wavelength_option_replaces_the_centres_of_an_array(tmp_path: Path, checked: bool) -> None:
    scene = scene_from_array(cube_of(4), np.array([700.0, 710.0, 720.0, 730.0]))
    if not checked:
        scene = scene.drop_attrs(deep=True).drop_vars(["wavelength", "fwhm", "good"])
    (tmp_path / "centres.csv").write_text("wavelength\n462\n551.5\n640.25\n865\n")
    option = str(tmp_path / "centres.csv")
    opened = open_scene(scene, wavelengths=option)
    np.testing.assert_array_equal(opened["wavelength"], NM)
    np.testing.assert_array_equal(opened.values, scene.values)
    assert opened["wavelength"].attrs["units"] == "nm"
    assert opened.attrs["wavelength_source"] == f"the file '{option}'"
    assert opened.attrs["wavelength_file"] == option
    assert open_scene(opened) is opened
    assert bands_of(opened).good.all()


def test_wavelength_option_keeps_the_bad_bands_of_an_array() -> None:
    scene = scene_from_array(cube_of(4), NM)
    scene = scene.assign_coords(good=("band", [True, False, True, True]))
    opened = open_scene(scene, wavelengths="500:900")
    np.testing.assert_array_equal(opened["good"], [True, False, True, True])
    np.testing.assert_array_equal(scene["wavelength"], NM)


def test_wavelength_option_removes_warnings_on_the_replaced_centres_of_an_array() -> None:
    scene = scene_from_array(cube_of(4), NM / 1e3)
    assert len(remarks_of(scene).warnings) == 1
    scene.attrs["warnings"] = (*scene.attrs["warnings"], "its mask is torn")
    opened = open_scene(scene, wavelengths="500:900")
    assert remarks_of(opened).warnings == ("its mask is torn",)
    assert len(remarks_of(scene).warnings) == 2


def test_wavelength_option_given_twice_is_the_same_as_once(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4), tags={"bbl": "{1, 0, 1, 1}"})
    once = open_scene(path, wavelengths="0.9:1.5")
    assert open_scene(once, wavelengths="0.9:1.5").identical(once)


def test_wavelength_option_refuses_arrays_that_it_does_not_match() -> None:
    scene = scene_from_array(cube_of(4), NM)
    with pytest.raises(OptionError, match="is neither a file"):
        open_scene(scene, wavelengths="no.csv")
    with pytest.raises(SceneError, match="has the axes"):
        open_scene(xr.DataArray(cube_of(4), dims=("c", "y", "lon")), wavelengths="400:900")
