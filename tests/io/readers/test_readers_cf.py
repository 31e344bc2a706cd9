"""AVIRIS in netCDF, Zarr stores and files that follow CF; lazy reading of these and of EMIT."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from builders import check_travels, cube_of, physical, watch_reads
from cf_cases import (
    STORES,
    UTM,
    aviris_cube,
    dataset,
    write_aviris,
    write_aviris_raw,
    write_netcdf,
    write_zarr,
)
from emit_cases import FWHM, NM, emit_lookup, emit_swath, write_emit

from hsi_geo.errors import MissingPackageError, SceneError, WavelengthError
from hsi_geo.io.readers.cf import CfPixels
from hsi_geo.io.scenes.properties import bands_of, grid_of, select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import block_shape, read_window
from hsi_geo.tiling import Window


def test_aviris_cube_in_a_group_is_read(tmp_path: Path) -> None:
    scene = open_scene(write_aviris(tmp_path / "AV3_RFL_ORT.nc"))
    np.testing.assert_array_equal(scene.values, aviris_cube())
    bands = bands_of(scene)
    np.testing.assert_array_equal(bands.centres_nm, NM)
    np.testing.assert_array_equal(bands.fwhm_nm, FWHM)
    assert np.argwhere(~physical(scene)[1]).tolist() == [[1, 2]]
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(30, 0, 383472.5, 0, -20, 3818302.25))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32611


def test_a_line_of_aviris_5_lies_where_its_lookup_table_says(tmp_path: Path) -> None:
    path = write_aviris_raw(tmp_path / "AV520250101t000000_000_L1B_RDN.nc")
    scene = open_scene(path)
    assert scene.attrs["driver"] == "AVIRIS-5 L1B Calibrated Radiance, netCDF"
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(3, 0, 383472.5, 0, -3, 3818302.25))
    assert grid.crs == UTM
    columns, rows = emit_lookup()
    covered = columns > 0
    line = emit_swath()[rows - 1, columns - 1].transpose(2, 0, 1)
    covered &= line[0] != -9999
    np.testing.assert_array_equal(physical(scene)[1], covered)
    np.testing.assert_array_equal(scene.values[:, covered], line[:, covered])
    with_grid = open_scene(path, grid="native")
    np.testing.assert_array_equal(with_grid.values, scene.values)


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "order", [("wavelength", "y", "x"), ("y", "x", "wavelength"), ("x", "wavelength", "y")]
)
def test_axes_are_found_by_their_names(
    tmp_path: Path, store: str, order: tuple[str, str, str]
) -> None:
    values = dataset(order, _FillValue=np.float32(-9999), scale_factor=0.5, add_offset=1.0)
    scene = open_scene(STORES[store](tmp_path / "a.nc", values))
    np.testing.assert_array_equal(scene.values, aviris_cube())
    np.testing.assert_allclose(scene["wavelength"], NM)
    image, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]
    np.testing.assert_allclose(image[:, valid], aviris_cube()[:, valid] * 0.5 + 1)
    grid = grid_of(scene)  # south up, as its coordinates are
    assert grid.transform.almost_equals(Affine(30, 0, 500000, 0, 20, 3800000))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 32611


@pytest.mark.parametrize("store", ["netcdf", "zarr 3"])
def test_a_scene_that_xarray_saved_opens_as_it_was(tmp_path: Path, store: str) -> None:
    first = open_scene(write_aviris(tmp_path / "a.nc"))
    saved = first.rename(None).to_dataset(name="cube").drop_attrs()
    saved["good"] = ("band", [True, True, False, True])
    again = open_scene(STORES[store](tmp_path / "b.nc", saved.rio.write_crs(UTM)))
    np.testing.assert_array_equal(again.values, first.values)
    np.testing.assert_array_equal(again["wavelength"], first["wavelength"])
    np.testing.assert_array_equal(again["good"], [True, True, False, True])
    assert grid_of(again).transform.almost_equals(grid_of(first).transform)


def test_degrees_without_a_grid_mapping_are_wgs_84(tmp_path: Path) -> None:
    scene = dataset().drop_vars("spatial_ref").rename(y="lat", x="lon")
    scene["lat"] = ("lat", 50 - 0.01 * np.arange(5), {"units": "degrees_north"})
    scene["lon"] = ("lon", 10 + 0.02 * np.arange(7), {"units": "degrees_east"})
    scene["cube"].encoding.clear()
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326
    assert grid.transform.almost_equals(Affine(0.02, 0, 9.99, 0, -0.01, 50.005))


@pytest.mark.parametrize(
    ("first", "left"), [(250.0, -110.0), (180.0, -180.0), (170.0, 170.0), (-20.0, -20.0)]
)
def test_longitudes_from_0_to_360_lie_where_shots_do(
    tmp_path: Path, first: float, left: float
) -> None:
    scene = xr.Dataset(
        {"reflectance": (("wavelength", "lat", "lon"), cube_of(3).astype("float32"))},
        coords={
            "wavelength": ("wavelength", [450.0, 550.0, 660.0], {"units": "nm"}),
            "lat": ("lat", 50.0 + 0.5 * np.arange(5) + 0.25),
            "lon": ("lon", first + 0.5 * np.arange(7) + 0.25),
        },
    )
    scene.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    transform = open_scene(tmp_path / "a.nc").hsi.grid.transform
    assert transform.to_gdal() == pytest.approx((left, 0.5, 0.0, 50.0, 0.0, 0.5))


def test_a_cube_without_coordinates_has_no_crs(tmp_path: Path) -> None:
    scene = dataset().drop_vars(["x", "y", "spatial_ref"])
    scene["cube"].encoding.clear()
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.crs is None
    assert grid.transform == Affine.identity()


# Lazy, and in every process -------------------------------------------------------------------


def write_dataset(path: Path) -> Path:
    return write_zarr(path, dataset())


EVERY = pytest.mark.parametrize("write", [write_emit, write_aviris, write_dataset])


@EVERY
def test_only_the_window_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Path]
) -> None:
    seen = watch_reads(monkeypatch, CfPixels)
    view = select_good_bands(open_scene(write(tmp_path / "a.nc")))
    assert seen == []
    read_window(view.isel(band=[1]), Window(3, 4, 2, 2))
    names = {"glt_x", "glt_y", "reflectance", "cube"}
    assert {reader.name for reader, _, _ in seen} <= names
    assert all(len(bands) == 1 and w.height <= 2 and w.width <= 3 for _, bands, w in seen)


@pytest.mark.parametrize(
    ("write", "block"), [(write_emit, (2, 8)), (write_aviris, (3, 7)), (write_dataset, (5, 7))]
)
def test_block_shape_is_that_of_the_chunks(
    tmp_path: Path, write: Callable[[Path], Path], block: tuple[int, int]
) -> None:
    assert block_shape(open_scene(write(tmp_path / "a.nc"))) == block


# Python 3.12 warns of any fork beside threads; this is what DataLoader does on Linux, too.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@EVERY
def test_pickled_and_forked_readers_open_the_file_anew(
    tmp_path: Path, write: Callable[[Path], Path]
) -> None:
    scene = open_scene(write(tmp_path / "a.nc"))
    # Zarr reads in an event loop, which no fork survives.
    check_travels(scene, forks=scene.attrs["driver"] == "netCDF")


# What is refused ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda s: s.isel(wavelength=0), "holds no three-dimensional variable"),
        (lambda s: s.rename(wavelength="depth"), "the axes depth, y, x, and none of them is known"),
        (lambda s: s.assign_coords(x=[0, 1, 2, 3, 4, 5, 9]), "'x' that are not evenly spaced"),
        (lambda s: s.assign_coords(y=[0, 0, 0, 0, 0]), "'y' that are not evenly spaced"),
        (lambda s: s.assign_coords(spatial_ref=((), 0, {"crs_wkt": "no"})), "PROJ does not know"),
        (
            lambda s: s.assign_coords(spatial_ref=((), 0, {"grid_mapping_name": "odd"})),
            "grid mapping that PROJ does not know",
        ),
    ],
)
@pytest.mark.parametrize("store", ["netcdf", "zarr 3"])
def test_files_without_a_scene_are_refused(
    tmp_path: Path, store: str, spoil: Callable[[xr.Dataset], xr.Dataset], message: str
) -> None:
    path = STORES[store](tmp_path / "a.nc", spoil(dataset()))
    with pytest.raises(SceneError, match=message):
        open_scene(path)


def test_a_cube_without_wavelengths_names_the_ways_to_give_them(tmp_path: Path) -> None:
    path = write_netcdf(
        tmp_path / "a.nc", dataset().drop_vars("wavelength").rename(wavelength="band")
    )
    with pytest.raises(WavelengthError, match="4 bands and no wavelengths"):
        open_scene(path)
    assert open_scene(path, wavelengths="400:1000").shape == (4, 5, 7)


@pytest.mark.parametrize(
    ("write", "package", "install"),
    [(write_aviris, "h5netcdf", "h5py h5netcdf"), (write_dataset, "zarr", "hsi-geo.zarr.")],
)
def test_a_missing_package_error_names_the_pip_command(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    write: Callable[[Path], Path],
    package: str,
    install: str,
) -> None:
    path = write(tmp_path / "a.nc")
    monkeypatch.setattr(
        xr, "open_groups", lambda *_, engine, **__: xr.backends.plugins.get_backend("no-" + engine)
    )
    with pytest.raises(MissingPackageError, match=f"package {package}, .*pip install '?{install}"):
        open_scene(path)
    assert package in sys.modules


def test_a_zarr_store_is_read_through_fsspec() -> None:
    pytest.importorskip("zarr", reason="needs the extra zarr")
    dataset().to_zarr("memory://scene.zarr", zarr_format=2, consolidated=True)
    scene = open_scene("memory://scene.zarr")
    np.testing.assert_array_equal(scene.values, aviris_cube())


@pytest.mark.parametrize("version", [2, 3])
@pytest.mark.parametrize("folder", ["a#b", "a?b", "a b", "a%20b"])
def test_a_zarr_store_may_lie_in_a_folder_of_any_name(
    tmp_path: Path, folder: str, version: int
) -> None:
    write_zarr(tmp_path / "a", dataset(), version)
    other = dataset()
    other["cube"] = other["cube"] + 1
    write_zarr(tmp_path / "s.zarr", other, version)
    (tmp_path / "s.zarr").rename(tmp_path / folder)
    np.testing.assert_array_equal(physical(open_scene(tmp_path / folder))[0], aviris_cube() + 1)
