"""Gains, offsets, scale factors and nodata in ENVI headers, of a cube and beside a GeoTIFF."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from builders import cube_of, physical, write_envi, write_tif

from hsi_geo.io.scenes.declared_values import OFFSET, SCALE, declared
from hsi_geo.io.scenes.properties import bands_of
from hsi_geo.io.scenes.scene import open_scene

NM = ("wavelength units = nm", "wavelength = {462, 551.5, 640.25, 1649}")


def warnings_of(scene: xr.DataArray) -> list[str]:
    return list(scene.attrs.get("warnings", ()))


@pytest.mark.parametrize(
    ("lines", "scale", "offset"),
    [
        (["data gain values = {0.5, 0.25, 2, 4}"], [0.5, 0.25, 2, 4], 0.0),
        (["data gain values = {0.5; 0.25; 2; 4}"], [0.5, 0.25, 2, 4], 0.0),
        (["data gain values = {0.5}", "data offset values = 3"], 0.5, 3.0),
        (["data offset values = {1, 2, 3, 4}"], 1.0, [1, 2, 3, 4]),
        (["reflectance scale factor = 10000"], 1e-4, 0.0),
        (["reflectance scale factor = {10000.0}"], 1e-4, 0.0),
        (["reflectance scale factor = {10000, 5000, 2000, 1000}"], [1e-4, 2e-4, 5e-4, 1e-3], 0.0),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_gains_and_offsets(
    tmp_path: Path, lines: list[str], scale: Any, offset: Any, beside: bool
) -> None:
    scene = opened(tmp_path, lines, beside)
    np.testing.assert_allclose(np.asarray(declared(scene, SCALE), float), scale)
    np.testing.assert_allclose(np.asarray(declared(scene, OFFSET), float), offset)
    assert not warnings_of(scene)


def opened(folder: Path, lines: list[str], beside: bool) -> xr.DataArray:
    """An ENVI cube, or a GeoTIFF with an ENVI header beside it."""
    cube = write_envi(folder / "a.bsq", cube_of(4), *NM, *lines)
    return open_scene(write_tif(folder / "a.tif", cube_of(4)) if beside else cube)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("data gain values = {0.5, 0.25, 2}", "'{}' has 3 entries and the scene 4 bands"),
        ("data gain values = {0.5, 0.25, 2, much}", "'{}' has the entry 'much'"),
        ("data offset values = {1, 2, 3, 4, 5}", "'{}' has 5 entries"),
        ("data offset values = {a, b, c, d}", "'{}' has the entry 'a'"),
        ("data ignore value = {-99, -98}", "'{}' has 2 entries"),
        ("data ignore value = missing", "'{}' has the entry 'missing'"),
        ("reflectance scale factor = 0", "is 0"),
        ("reflectance scale factor = -10000", "is -10000"),
        ("reflectance scale factor = {10000, 5000}", "'{}' has 2 entries"),
        ("reflectance scale factor = percent", "'{}' has the entry 'percent'"),
    ],
)
@pytest.mark.parametrize("beside", [False, True])
def test_unusable_gains_and_offsets_give_a_warning(
    tmp_path: Path, line: str, message: str, beside: bool
) -> None:
    scene = opened(tmp_path, [line], beside)
    (warning,) = warnings_of(scene)
    key = line.partition(" =")[0]
    assert message.format(key) in warning.replace("_", " ")
    assert (scene.attrs["scale_factor"], scene.attrs["add_offset"]) == (1.0, 0.0)
    assert "_FillValue" not in scene.attrs


@pytest.mark.parametrize("text", ["-99", "{-99}", " -99.0 ", "-9.9e1", "{ -99, -99, -99, -99 }"])
@pytest.mark.parametrize("beside", [False, True])
def test_data_ignore_value_is_nodata(tmp_path: Path, text: str, beside: bool) -> None:
    scene = opened(tmp_path, [f"data ignore value = {text}"], beside)
    assert scene.attrs["_FillValue"] == -99
    assert not warnings_of(scene)


@pytest.mark.parametrize("text", ["NaN", "None", "", "inf"])
@pytest.mark.parametrize("beside", [False, True])
def test_data_ignore_value_without_a_number_is_ignored(
    tmp_path: Path, text: str, beside: bool
) -> None:
    scene = opened(tmp_path, [f"data ignore value = {text}"], beside)
    assert "_FillValue" not in scene.attrs
    assert not warnings_of(scene)


@pytest.mark.parametrize(
    "line",
    [
        "reflectance scale factor = 10000",
        "data gain values = {2, 2, 2, 2}",
        "data ignore value = 5",
    ],
)
def test_a_header_of_other_numbers_beside_a_geotiff_does_not_decode_it(
    tmp_path: Path, line: str
) -> None:
    """Reflectance that was written from a cube of integers, whose header has stayed beside it."""
    write_envi(tmp_path / "a.dat", cube_of(4), *NM, line)
    scene = open_scene(write_tif(tmp_path / "a.tif", cube_of(4, dtype="float32")))
    np.testing.assert_array_equal(physical(scene)[0], cube_of(4))
    assert physical(scene)[1].all()
    assert "the header beside it describes int16, and it holds float32" in str(scene.attrs)
    assert bands_of(scene).centres_nm.size == 4


def test_values_of_a_geotiff_precede_those_of_a_header_beside(tmp_path: Path) -> None:
    lines = ["data ignore value = -99", "data gain values = {2}", "bbl = {1, 0, 1, 1}"]
    write_envi(tmp_path / "a.bsq", cube_of(4), *NM, *lines)
    path = write_tif(tmp_path / "a.tif", cube_of(4), scales=[0.5] * 4, nodata=-7)
    scene = open_scene(path)
    assert (scene.attrs["_FillValue"], scene.attrs["scale_factor"]) == (-7, 0.5)
    np.testing.assert_array_equal(bands_of(scene).good, [True, False, True, True])
