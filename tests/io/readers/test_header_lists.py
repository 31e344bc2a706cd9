"""Lists in headers: read where they can be interpreted, with one warning where they cannot."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from hypothesis import given
from hypothesis import strategies as st

from hsi_geo.errors import WavelengthError
from hsi_geo.io.readers.header_lists import FLAG_KEYS, HeaderList, UnusableListError
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.info import info

GOOD = [True, False, True, True]
NM = ("wavelength units = nm", "wavelength = {462, 551.5, 640.25, 1649}")


def envi(folder: Path, *lines: str, own: tuple[str, ...] = NM) -> xr.DataArray:
    return open_scene(write_envi(folder / "cube.bsq", cube_of(4), *own, *lines))


def warnings_of(scene: xr.DataArray) -> list[str]:
    return list(scene.attrs.get("warnings", ()))


# Bad bands ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{1, 0, 1, 1}",
        "{1.0, 0.0, 1.0, 1.}",
        "{True, False, True, True}",
        "{true,FALSE,TRUE,true}",
        "{'True', 'False', 'True', 'True'}",
        "{T, F, T, T}",
        "{yes, no, yes, yes}",
        "{Y; N; Y; Y}",
        "{good, bad, good, good}",
        "{Good\tBad\tGood\tGood}",
        "{1; 0; 1; 1}",
        "{1 0 1 1}",
        "{1,\n 0,\n 1,\n 1}",
        "{1, 0, 1, 1,}",
        "(1, 0, 1, 1)",
        "[1 0 1 1]",
        "[True, False, True, True]",
        "1 0 1 1",
        "1|0|1|1",
        "{valid, invalid, valid, valid}",
        "{2}",  # the number of the bad band
        "{2-2}",
    ],
)
@pytest.mark.parametrize(
    "key", ["bbl", "BBL", "bad bands list", "Bad Band List", "bad_band_list", "badbandlist"]
)
def test_bad_band_lists_in_all_spellings(tmp_path: Path, key: str, text: str) -> None:
    scene = envi(tmp_path, f"{key} = {text}")
    np.testing.assert_array_equal(scene["good"], GOOD)
    assert not warnings_of(scene)
    (bad,) = info(scene)["scene"]["bad_bands"]
    assert bad["band"] == 2


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("bad bands", "{False, True, False, False}"),
        ("bad bands", "{good, bad, good, good}"),
        ("bad_bands", "{2}"),
        ("badbands", "{2, 2}"),
        ("good bands", "{1, 3-4}"),
        ("good bands", "{1, 3:4}"),
        ("good_wavelengths", "{1, 0, 1, 1}"),
        ("good bands", "{True, False, True, True}"),
        ("bad band multiplier", "{1, 0, 1, 1}"),
    ],
)
def test_meaning_of_flags_depends_on_the_name_of_the_list(
    tmp_path: Path, key: str, text: str
) -> None:
    scene = envi(tmp_path, f"{key} = {text}")
    np.testing.assert_array_equal(scene["good"], GOOD)
    assert not warnings_of(scene)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("bbl = {1, 0, 1}", "'bbl' has 3 entries and the scene 4 bands"),
        ("bbl = {1, 0, 1, 1, 1}", "'bbl' has 5 entries and the scene 4 bands"),
        ("bbl = {1}", "'bbl' has 1 entries"),
        ("bbl = {True, False}", "'bbl' has 2 entries and the scene 4 bands"),
        ("Bad Bands List = {0, 1}", "'Bad Bands List' has 2 entries"),
        ("bbl = {1, x, 1, 1}", "'bbl' has the entry 'x'"),
        ("bbl = {1, maybe, 1, 1}", "'bbl' has the entry 'maybe'"),
        ("bbl = {1, nan, 1, 1}", "'bbl' has the entry 'nan'"),
        ("bbl = array(1, 0, 1, 1)", "'bbl' has the entry 'array'"),
        ("bbl = {2, 9}", "'bbl' names band 9, and the scene has the bands 1 to 4"),
        ("bad bands = {0, 2}", "'bad bands' names band 0"),
        ("bad bands = {0, 1, 0, 0}", "1 may mean good or bad"),
    ],
)
def test_an_unusable_list_gives_one_warning(tmp_path: Path, line: str, message: str) -> None:
    scene = envi(tmp_path, line)
    (warning,) = warnings_of(scene)
    assert message in warning
    assert warning.endswith((": not used", "(call it bbl, where 1 means good)"))
    assert scene["good"].all()
    assert info(scene)["scene"]["warnings"] == [warning]


@pytest.mark.parametrize("text", ["{}", "none", "{None}", ""])
def test_an_empty_list_is_ignored(tmp_path: Path, text: str) -> None:
    scene = envi(tmp_path, f"bad bands = {text}")
    assert scene["good"].all()
    assert not warnings_of(scene)


@pytest.mark.parametrize(
    ("key", "values", "good"),
    [
        ("bbl", ("1", "0", "1", "1"), GOOD),
        ("bbl", ("True", "False", "True", "True"), GOOD),
        ("BadBandMultiplier", ("1.0", "0.0", "1.0", "1.0"), GOOD),
        ("bad_band", ("0", "1", "0", "0"), GOOD),
        ("is_bad", ("no", "yes", "no", "no"), GOOD),
        ("bad_band", (None, "true", None, None), GOOD),
        ("bbl", (None, "bad", None, None), GOOD),
    ],
)
def test_flags_of_single_bands(
    tmp_path: Path, key: str, values: tuple[str | None, ...], good: list[bool]
) -> None:
    tags = nm_tags(CENTRES)
    for one, value in zip(tags, values, strict=True):
        if value is not None:
            one[key] = value
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags))
    np.testing.assert_array_equal(scene["good"], good)
    assert not warnings_of(scene)


def test_an_unusable_flag_of_a_band_gives_one_warning(tmp_path: Path) -> None:
    tags = nm_tags(CENTRES)
    tags[1]["bbl"], tags[2]["bbl"], tags[3]["bbl"] = "maybe", "perhaps", "0"
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags))
    np.testing.assert_array_equal(scene["good"], [True, True, True, False])
    (warning,) = warnings_of(scene)
    assert "the tag 'bbl' of band 2 is 'maybe'" in warning


def test_a_usable_list_is_used_beside_an_unusable_one(tmp_path: Path) -> None:
    scene = envi(tmp_path, "bbl = {1, 0}", "bad bands = {2}")
    np.testing.assert_array_equal(scene["good"], GOOD)
    assert len(warnings_of(scene)) == 1


@pytest.mark.parametrize("value", [0, False, "False", "0", "bad"])
@pytest.mark.parametrize("wavelengths", [True, False])
def test_flags_of_a_stac_item(tmp_path: Path, value: Any, wavelengths: bool) -> None:
    tags = () if wavelengths else nm_tags(CENTRES)
    path = write_tif(tmp_path / "a.tif", cube_of(4), band_tags=tags)
    bands: list[dict[str, Any]] = [
        {"center_wavelength": centre / 1e3} if wavelengths else {} for centre in CENTRES
    ]
    bands[1]["enmapbox:bad_band_multiplier"] = value
    bands[2]["enmapbox:bad_band_multiplier"] = None
    item = {"properties": {"eo:bands": bands}}
    path.with_suffix(".stac.json").write_text(json.dumps(item))
    scene = open_scene(path)
    np.testing.assert_array_equal(scene["good"], GOOD)
    assert not warnings_of(scene)


def netcdf(folder: Path, name: str, values: Any) -> xr.DataArray:
    data = xr.Dataset(
        {
            "reflectance": (("wavelength", "y", "x"), cube_of(4).astype("float32")),
            name: (("other",) if len(values) != 4 else ("wavelength",), np.asarray(values)),
        },
        coords={
            "wavelength": ("wavelength", list(CENTRES), {"units": "nm"}),
            "y": np.arange(5.0)[::-1],
            "x": np.arange(7.0),
        },
    )
    data.to_netcdf(folder / "a.nc", engine="h5netcdf")
    return open_scene(folder / "a.nc")


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("good_wavelengths", [1, 0, 1, 1]),
        ("good_wavelengths", [1.0, 0.0, np.nan, 1.0]),
        ("good_wavelengths", [True, False, True, True]),
        ("bbl", ["True", "False", "True", "True"]),
        ("bbl", ["good", "bad", "good", "good"]),
        ("bad_band_list", [1, 0, 1, 1]),
        ("bad_bands", [False, True, False, False]),
    ],
)
def test_flags_of_netcdf(tmp_path: Path, name: str, values: list[Any]) -> None:
    scene = netcdf(tmp_path, name, values)
    np.testing.assert_array_equal(scene["good"], GOOD)
    assert not warnings_of(scene)


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("good_wavelengths", [1, 0, 1], "'good_wavelengths' has 3 entries and the scene 4 bands"),
        ("bad_bands", [0, 1, 0, 0], "1 may mean good or bad"),
        ("bbl", ["1", "0", "x", "1"], "'bbl' has the entry 'x'"),
        ("fwhm", [6.0, 7.0, 8.0], "'fwhm' has 3 entries and the scene 4 bands"),
    ],
)
def test_unusable_lists_of_netcdf_give_a_warning(
    tmp_path: Path, name: str, values: list[Any], message: str
) -> None:
    scene = netcdf(tmp_path, name, values)
    assert scene["good"].all()
    (warning,) = warnings_of(scene)
    assert message in warning


@given(
    flags=st.lists(st.booleans(), min_size=2, max_size=30).filter(any),
    words=st.sampled_from([("1", "0"), ("1.0", "0."), ("True", "False"), ("yes", "NO")]),
    separator=st.sampled_from([", ", ",", ";", "\t", "\n", " ", " ,\n"]),
    brackets=st.sampled_from(["{}", "[]", "()", "  "]),
    key=st.sampled_from(sorted(k for k, meaning in FLAG_KEYS.items() if meaning == "good")),
)
def test_written_flags_are_read_back(
    flags: list[bool], words: tuple[str, str], separator: str, brackets: str, key: str
) -> None:
    entries = separator.join(words[0] if flag else words[1] for flag in flags)
    listed = HeaderList(key, f"{brackets[0]}{entries}{brackets[1]}", len(flags))
    np.testing.assert_array_equal(listed.good(), flags)
    for count in (len(flags) - 1, len(flags) + 1):
        with pytest.raises(UnusableListError, match=f"has {len(flags)} entries"):
            HeaderList(key, listed.text, count).good()


# Wavelengths and widths -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "{462; 551.5; 640.25; 1649}",
        "{462,0; 551,5; 640,25; 1649,0}",
        "[462 551.5 640.25 1649]",
        "(462, 551.5, 640.25, 1649)",
        "462 551.5 640.25 1.649e3",
        "{462,\n551.5,\n640.25,\n1649,\n}",
    ],
)
def test_wavelength_lists_with_other_separators(tmp_path: Path, text: str) -> None:
    scene = envi(tmp_path, "wavelength units = nm", f"wavelength = {text}", own=())
    np.testing.assert_allclose(scene["wavelength"], CENTRES)
    assert not warnings_of(scene)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("wavelength = {462, 551.5, 640.25}", "'wavelength' has 3 entries and the scene 4 bands"),
        ("wavelength = {462, 551.5, 640.25, 1649, 2}", "'wavelength' has 5 entries"),
        ("wavelength = {462, blue, 640.25, 1649}", "'wavelength' has the entry 'blue'"),
        ("wavelength = {}", "'wavelength' has 0 entries"),
    ],
)
def test_unusable_wavelength_lists_give_a_warning(tmp_path: Path, line: str, message: str) -> None:
    lines = ("wavelength units = nm", line)
    with pytest.raises(WavelengthError, match="has 4 bands and no wavelengths") as caught:
        envi(tmp_path, *lines, own=())
    assert message in str(caught.value)
    path = write_tif(tmp_path / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES))
    write_envi(tmp_path / "a.bsq", cube_of(4), *lines, header=tmp_path / "a.hdr")
    scene = open_scene(path)
    np.testing.assert_allclose(scene["wavelength"], CENTRES)
    (warning,) = warnings_of(scene)
    assert message in warning


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("fwhm = {6, 7, 8}", "'fwhm' has 3 entries and the scene 4 bands"),
        ("fwhm = {6, 7, 8, 12, 9}", "'fwhm' has 5 entries"),
        ("fwhm = {6, 7, wide, 12}", "'fwhm' has the entry 'wide'"),
        ("fwhm = {0, 0, 0, 0}", "no numbers above 0"),
    ],
)
def test_unusable_widths_give_a_warning(tmp_path: Path, line: str, message: str) -> None:
    scene = envi(tmp_path, line)
    np.testing.assert_array_equal(scene["fwhm"], envi(tmp_path)["fwhm"])
    (warning,) = warnings_of(scene)
    assert message in warning


def test_one_width_is_that_of_all_bands(tmp_path: Path) -> None:
    scene = envi(tmp_path, "fwhm = {9.5}")
    np.testing.assert_array_equal(scene["fwhm"], 9.5)
    assert not warnings_of(scene)


def test_names_of_some_bands_only(tmp_path: Path) -> None:
    names = ["462 nm", "551.5 nm", "blue", "1649 nm"]
    with pytest.raises(WavelengthError, match="names of 3 of its 4 bands"):
        open_scene(write_tif(tmp_path / "a.tif", cube_of(4), names=names))


def test_tags_of_some_bands_only(tmp_path: Path) -> None:
    with pytest.raises(WavelengthError, match="'wavelength' is a number on 3 of 4 bands"):
        open_scene(write_tif(tmp_path / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES[:3])))


def test_a_stac_item_of_some_bands_only(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(4), band_tags=nm_tags(CENTRES))
    bands = [{"center_wavelength": nm / 1e3} for nm in CENTRES[:3]]
    item = {"properties": {"eo:bands": [*bands, {"center_wavelength": None}]}}
    path.with_suffix(".stac.json").write_text(json.dumps(item))
    scene = open_scene(path)
    np.testing.assert_allclose(scene["wavelength"], CENTRES)
    (warning,) = warnings_of(scene)
    assert "has 3 entries and the scene 4 bands" in warning
