"""Which variable of a netCDF file or Zarr store is the cube."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from cf_cases import STORES, aviris_cube, dataset, write_netcdf

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.scene import open_scene


def beside(**others: Any) -> xr.Dataset:
    """A scene with the cube `z`, which comes last.

    Args:
        others: Attributes of other variables, which hold ones, or arrays.
    """
    scene = dataset().rename(cube="z")
    for name, other in others.items():
        is_array = isinstance(other, xr.DataArray)
        scene[name] = (
            other if is_array else xr.ones_like(scene["z"].drop_attrs()).assign_attrs(other)
        )
    return scene[[*others, "z"]]


ABOUT: dict[str, dict[str, Any]] = {
    **{
        name: {name: {}}
        for name in (
            *("refl_std", "error", "reflUnc", "RFL_Uncertainty", "cube_err", "a_sigma", "noise"),
            *("SNR", "reflectanceStdDev", "quality", "flags", "data_mask", "stdev_1", "a-error"),
        )
    },
    "long name": {"a": {"long_name": "Standard deviation of the reflectance"}},
    "standard name": {"a": {"standard_name": "surface_reflectance standard_error"}},
    "modifier": {"a": {"standard_name": "surface_reflectance number_of_observations"}},
    "several": {"a_std": {}, "b_unc": {}, "c": {"long_name": "noise"}},
}


@pytest.mark.parametrize("case", ABOUT)
def test_noise_and_masks_are_no_cube(tmp_path: Path, case: str) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", beside(**ABOUT[case])))
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert not opened.attrs.get("warnings")


@pytest.mark.parametrize("store", STORES)
def test_ancillary_variables_are_no_cube(tmp_path: Path, store: str) -> None:
    scene = beside(a={}, b={})
    scene["z"].attrs["ancillary_variables"] = "a b"
    opened = open_scene(STORES[store](tmp_path / "a.nc", scene))
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert not opened.attrs.get("warnings")


def test_the_group_of_a_variable_tells_what_it_is(tmp_path: Path) -> None:
    scene = dataset()
    for group, values in (("errors", aviris_cube() * 0), ("rfl", aviris_cube())):
        part = scene.copy().rename(cube="reflectance")
        part["reflectance"].values = values
        part.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", mode="a", group=group)
    opened = open_scene(tmp_path / "a.nc")
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert not opened.attrs.get("warnings")


@pytest.mark.parametrize(
    "name", ["terrain_corrected", "standard_reflectance", "masked", "unclouded", "reference"]
)
def test_only_whole_words_make_a_variable_noise(tmp_path: Path, name: str) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", beside(y_std={}, **{name: {}})))
    (warning,) = opened.attrs["warnings"]
    assert f"'{name}'" in warning
    assert "'z'" in warning
    assert "y_std" not in warning


def test_a_file_of_noise_is_read(tmp_path: Path) -> None:
    scene = dataset().rename(cube="reflectance_uncertainty")
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert not opened.attrs.get("warnings")


@pytest.mark.parametrize("store", STORES)
def test_equal_candidates_are_named(tmp_path: Path, store: str) -> None:
    scene = beside(**{name: {} for name in "abcdefg"}, small=dataset()["cube"][:, :2].rename(y="v"))
    opened = open_scene(STORES[store](tmp_path / "a.nc", scene))
    (warning,) = opened.attrs["warnings"]
    assert warning.startswith("its variable '")
    assert "and 3 more may be the scene as well" in warning
    assert "small" not in warning


def test_a_variable_with_a_known_name_or_bands_has_no_rival(tmp_path: Path) -> None:
    scene = beside(a=dataset()["cube"].rename(wavelength="time").drop_vars("time"))
    scene["a"].values[:] = 0
    path = write_netcdf(tmp_path / "a.nc", scene)
    opened = open_scene(path)
    np.testing.assert_array_equal(opened.values, aviris_cube())
    known = beside(a={}).rename(z="radiance")
    for one in (opened, open_scene(write_netcdf(tmp_path / "b.nc", known))):
        assert not one.attrs.get("warnings")


def test_a_larger_variable_with_a_doubtful_name_is_named(tmp_path: Path) -> None:
    scene = beside(quality_checked=xr.concat([dataset()["cube"]] * 2, "y").rename(y="v", x="u"))
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene.drop_vars(["u", "v"])))
    assert opened.shape == (4, 5, 7)
    assert "'quality_checked' may be the scene as well" in opened.attrs["warnings"][0]


@pytest.mark.parametrize(
    "name", ["noise_corrected", "error-corrected", "noise_reduced", "noiseRemoved", "errors_free"]
)
def test_values_without_noise_are_none(tmp_path: Path, name: str) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", beside(y_std={}).rename(z=name)))
    assert opened.shape == (4, 5, 7)
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert not opened.attrs.get("warnings")
    opened = open_scene(write_netcdf(tmp_path / "b.nc", beside(**{name: {}})))
    assert name in opened.attrs["warnings"][0]


@pytest.mark.parametrize(
    ("name", "is_doubtful"),
    [("quality_checked", True), ("noise_adjusted", True), ("z_noise", False), ("std_z", False)],
)
def test_a_variable_of_equal_size_with_a_doubtful_name(
    tmp_path: Path, name: str, is_doubtful: bool
) -> None:
    opened = open_scene(write_netcdf(tmp_path / "a.nc", beside(**{name: {}})))
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert bool(opened.attrs.get("warnings")) == is_doubtful


# Further axes ---------------------------------------------------------------------------------

SINGLE: dict[str, list[tuple[str, int]]] = {
    "time first": [("time", 0)],
    "time last": [("time", 3)],
    "time between": [("time", 1)],
    "time and member": [("time", 0), ("member", 0)],
}


def with_axes(axes: list[tuple[str, int]], times: int = 1) -> xr.Dataset:
    scene = dataset()
    for name, at in axes:
        cube = scene["cube"]
        parts = [cube + 1000 * number for number in range(times)]
        scene["cube"] = xr.concat(
            [part.expand_dims({name: [i]}) for i, part in enumerate(parts)], name
        )
        dims = [dim for dim in scene["cube"].dims if dim != name]
        dims.insert(at, name)
        scene["cube"] = scene["cube"].transpose(*dims).assign_attrs(cube.attrs)
    return scene


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize("axes", list(SINGLE.values()), ids=list(SINGLE))
def test_axes_of_length_1_are_left_out(
    tmp_path: Path, store: str, axes: list[tuple[str, int]]
) -> None:
    scene = with_axes(axes)
    angles = xr.zeros_like(scene["cube"].isel(wavelength=0))  # (time, y, x), smaller than the cube
    opened = open_scene(STORES[store](tmp_path / "a.nc", scene.assign(sun_zenith=angles)))
    plain = open_scene(STORES[store](tmp_path / "b.nc", dataset()))
    np.testing.assert_array_equal(opened.values, aviris_cube())
    assert opened.hsi.grid.transform == plain.hsi.grid.transform
    assert opened.hsi.grid.crs.equals(plain.hsi.grid.crs)
    assert opened.hsi.bands.centres_nm.tolist() == plain.hsi.bands.centres_nm.tolist()


def test_one_band_of_one_time_is_a_scene(tmp_path: Path) -> None:
    scene = with_axes([("time", 0)]).isel(wavelength=[2])
    opened = open_scene(write_netcdf(tmp_path / "a.nc", scene))
    np.testing.assert_array_equal(opened.values, aviris_cube()[2:3])


@pytest.mark.parametrize("store", STORES)
def test_several_times_are_refused_with_their_names(tmp_path: Path, store: str) -> None:
    path = STORES[store](tmp_path / "a.nc", with_axes([("time", 0)], times=2))
    with pytest.raises(
        SceneError,
        match=r"'cube' with 4 axes: time \(2\), wavelength \(\d+\), y \(\d+\), x \(\d+\), and a scene "
        r"has three; write one image of it .*isel\(time=0\)",
    ):
        open_scene(path)


@pytest.mark.parametrize("store", STORES)
def test_three_axes_come_before_four(tmp_path: Path, store: str) -> None:
    """A larger table with an axis of length 1 is not the scene."""
    table = ("lut_time", "a", "b", "c"), np.ones((1, 40, 40, 40), np.float32)
    opened = open_scene(STORES[store](tmp_path / "a.nc", dataset().assign(lut=table)))
    np.testing.assert_array_equal(opened.values, aviris_cube())
