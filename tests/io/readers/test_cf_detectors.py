"""NetCDF files and Zarr stores with several cubes, each with wavelengths of its own."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import xarray as xr
from builders import cube_of
from cf_cases import UTM

from hsi_geo.io.scenes.scene import open_scene

VNIR, SWIR = [462.0, 860.0], [1602.0, 2201.0]


def cube(centres: list[float], shape: tuple[int, int], **lists: list[float]) -> xr.Dataset:
    """A cube with its wavelengths, its place, and other lists along its bands."""
    values = cube_of(len(centres), *shape, dtype="float32") + centres[0]
    places = {
        "wavelength": ("wavelength", centres, {"units": "nm"}),
        "y": 3_800_010.0 - 20 * np.arange(shape[0]),
        "x": 500_015.0 + 30 * np.arange(shape[1]),
    }
    about = {"grid_mapping": "crs"}
    return xr.Dataset(
        {
            "reflectance": (("wavelength", "y", "x"), values, about),
            **{name: ("wavelength", values) for name, values in lists.items()},
        },
        places,
    )


@pytest.fixture(params=["netcdf", "zarr"])
def written(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """Path of a file that does not exist yet, whose ending tells its format."""
    if request.param == "zarr":
        pytest.importorskip("zarr", reason="needs the extra zarr")
    return tmp_path / f"a.{'nc' if request.param == 'netcdf' else 'zarr'}"


def write(path: Path, groups: Mapping[str, xr.Dataset]) -> Path:
    mapping = xr.Dataset({"crs": ((), 0, {"crs_wkt": UTM.to_wkt()})})
    for number, (group, dataset) in enumerate({"/": mapping, **groups}.items()):
        mode: Literal["a", "w"] = "a" if number else "w"
        if path.suffix == ".zarr":
            dataset.to_zarr(path, group=group, mode=mode, consolidated=False)
        else:
            dataset.to_netcdf(path, group=group, mode=mode, engine="h5netcdf")
    return path


@pytest.mark.parametrize("read", ["vnir", "swir"])
def test_each_cube_has_the_lists_of_its_own_group(written: Path, read: str) -> None:
    shapes = {"vnir": (3, 4), "swir": (3, 4), read: (5, 7)}  # the larger one is the scene
    groups = {
        "vnir": cube(VNIR, shapes["vnir"], fwhm=[5.0, 6.0], good_wavelengths=[1, 0]),
        "swir": cube(SWIR, shapes["swir"], fwhm=[15.0, 16.0], good_wavelengths=[0, 1]),
    }
    scene = open_scene(write(written, groups))
    np.testing.assert_array_equal(scene.values, groups[read]["reflectance"].values)
    assert scene["wavelength"].values.tolist() == (VNIR if read == "vnir" else SWIR)
    assert scene["fwhm"].values.tolist() == ([5, 6] if read == "vnir" else [15, 16])
    assert scene["good"].values.tolist() == [read == "vnir", read == "swir"]


@pytest.mark.parametrize("read", ["vnir", "swir"])
def test_widths_and_flags_of_another_cube_are_not_taken(written: Path, read: str) -> None:
    other = "swir" if read == "vnir" else "vnir"
    centres = {"vnir": VNIR, "swir": SWIR}
    groups = {
        read: cube(centres[read], (5, 7)),
        other: cube(centres[other], (3, 4), fwhm=[25.0, 26.0], bbl=[0, 1]),
    }
    scene = open_scene(write(written, groups))
    assert scene["wavelength"].values.tolist() == centres[read]
    assert scene["good"].values.all()
    np.testing.assert_allclose(scene["fwhm"], np.diff(centres[read])[0])


def test_a_list_along_another_axis_is_not_that_of_the_bands(written: Path) -> None:
    scene = cube(VNIR, (5, 7)).rename(wavelength="centre_wavelength")
    scene["wavelength"] = ("lamp", [436.0, 546.0], {"units": "nm"})
    assert open_scene(write(written, {"a": scene}))["wavelength"].values.tolist() == VNIR


@pytest.mark.parametrize("shape", [(5, 7), (3, 4)])
def test_a_cube_of_fewer_bands_is_named_if_it_has_the_same_pixels(
    written: Path, shape: tuple[int, int]
) -> None:
    groups = {"a": cube(VNIR, (5, 7)), "b": cube([2300.0], shape)}
    scene = open_scene(write(written, groups))
    assert scene["wavelength"].values.tolist() == VNIR
    warnings = [text for text in scene.attrs.get("warnings", ()) if "'b/reflectance'" in text]
    assert len(warnings) == (shape == (5, 7))


def test_other_cubes_without_wavelengths_are_not_named(written: Path) -> None:
    angles = cube_of(5, 5, 7, dtype="float32")
    scene = cube([*VNIR, *SWIR, 2300.0, 2350.0], (5, 7))
    scene["angles"] = ("angle", "y", "x"), angles
    assert not open_scene(write(written, {"a": scene})).attrs.get("warnings")


def spectral(centres: list[float], dim: str = "band", **lists: list[float]) -> xr.Dataset:
    """Lists along bands, without a cube."""
    return xr.Dataset(
        {
            "wavelength": (dim, centres, {"units": "nm"}),
            **{name: (dim, values) for name, values in lists.items()},
        }
    )


def bare(shape: tuple[int, int], dim: str = "band") -> xr.Dataset:
    """A cube without wavelengths."""
    about = {"wavelength": dim}
    return cube(VNIR, shape).drop_vars("wavelength").rename_dims(about)


def test_a_list_of_another_group_along_an_axis_of_the_same_name_comes_last(written: Path) -> None:
    own = bare((5, 7))
    own["wavelength"] = ("channel", VNIR, {"units": "nm"})
    groups = {"data": own, "lamp": spectral([253.7, 546.1], fwhm=[1.0, 2.0], bbl=[0, 1])}
    scene = open_scene(write(written, groups))
    assert scene["wavelength"].values.tolist() == VNIR
    np.testing.assert_allclose(scene["fwhm"], np.diff(VNIR)[0])
    assert scene["good"].values.all()
    assert not scene.attrs.get("warnings")


@pytest.mark.parametrize("read", ["vnir", "swir"])
@pytest.mark.parametrize("with_widths", [False, True])
def test_lists_in_the_group_of_a_detector_are_those_of_its_cube(
    written: Path, read: str, with_widths: bool
) -> None:
    shapes = {"vnir": (3, 4), "swir": (3, 4), read: (5, 7)}
    lists: dict[str, list[float]] = {"fwhm": [5.0, 6.0], "bbl": [0, 1]}
    other = "swir" if read == "vnir" else "vnir"
    has: dict[str, dict[str, list[float]]] = {other: lists, read: lists if with_widths else {}}
    groups = {
        "swir/data": bare(shapes["swir"]),
        "swir/spectral": spectral(SWIR, "band", **has["swir"]),
        "vnir/data": bare(shapes["vnir"]),
        "vnir/spectral": spectral(VNIR, "band", **has["vnir"]),
    }
    scene = open_scene(write(written, groups))
    centres = VNIR if read == "vnir" else SWIR
    assert scene["wavelength"].values.tolist() == centres
    assert scene["good"].values.tolist() == ([False, True] if with_widths else [True, True])
    widths = [5.0, 6.0] if with_widths else np.diff(centres)[0]
    np.testing.assert_allclose(scene["fwhm"], widths)
    assert not scene.attrs.get("warnings")


@pytest.mark.parametrize("differ", [False, True])
def test_two_lists_that_are_equally_near_are_told(written: Path, differ: bool) -> None:
    others = SWIR if differ else VNIR
    groups = {"data": bare((5, 7)), "p": spectral(VNIR), "q": spectral(others)}
    scene = open_scene(write(written, groups))
    assert scene["wavelength"].values.tolist() == VNIR
    warnings = [text for text in scene.attrs.get("warnings", ()) if "'/q' has others" in text]
    assert len(warnings) == differ


@pytest.mark.parametrize("name", ["band_flags", "response"])
@pytest.mark.parametrize("with_wavelengths", [False, True])
def test_lists_beside_masks_by_band_are_used(
    written: Path, name: str, with_wavelengths: bool
) -> None:
    quality = spectral(VNIR, "wavelength", good_wavelengths=[1, 0], fwhm=[5.0, 6.0])
    quality[name] = ("wavelength", "y", "x"), np.zeros((2, 3, 4), "u1")
    if not with_wavelengths:
        quality = quality.drop_vars("wavelength")
    scene = open_scene(write(written, {"data": cube(VNIR, (5, 7)), "quality": quality}))
    assert scene["good"].values.tolist() == [True, False]
    assert scene["fwhm"].values.tolist() == [5.0, 6.0]
