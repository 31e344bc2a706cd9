"""EMIT through its lookup table, AVIRIS in netCDF, Zarr stores, and what keeps to CF."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from affine import Affine
from builders import Array, check_travels, cube_of, physical, watch_reads
from hypothesis import given, settings
from hypothesis import strategies as st
from pyproj import CRS

from hsi_geo.errors import MissingPackageError, SceneError, WavelengthError
from hsi_geo.io.readers.cf import CfPixels, _fill_value
from hsi_geo.io.readers.glt import GltPixels
from hsi_geo.io.scene import bands_of, block_of, grid_of, open_scene, read_window, spectral_view
from hsi_geo.tiling import Window

NM = [381.0, 900.0, 1380.0, 2400.0]
FWHM = [8.4, 8.5, 8.6, 8.7]
UTM = CRS.from_epsg(32611)


# EMIT -----------------------------------------------------------------------------------------


def emit_swath() -> Array:
    """(downtrack 6, crosstrack 5, bands 4); -9999 where the swath itself has no data."""
    swath = cube_of(4, 6, 5, "float32").transpose(1, 2, 0).copy()
    swath[2, 3] = -9999.0
    return swath


def emit_lookup() -> tuple[Array, Array]:
    """(9, 8) columns and rows from 1, of a swath that lies askew on the map; 0 is none."""
    rows, cols = np.indices((9, 8))
    line, sample = rows + cols // 3 - 1, cols - rows // 3 - 1
    inside = (line >= 0) & (line < 6) & (sample >= 0) & (sample < 5)
    return np.where(inside, sample + 1, 0), np.where(inside, line + 1, 0)


def write_emit(path: Path) -> Path:
    """The groups and names of EMIT L2A RFL, written with HDF5's own means."""
    glt_x, glt_y = emit_lookup()
    with h5py.File(path, "w") as file:
        file.attrs["geotransform"] = [10.0, 0.001, -0.0, 50.0, -0.0, -0.002]
        file.attrs["spatial_ref"] = CRS.from_epsg(4326).to_wkt()
        data = file.create_dataset("reflectance", data=emit_swath(), chunks=(2, 5, 4))
        data.attrs["_FillValue"] = np.float32(-9999)
        location = file.create_group("location")
        location["glt_x"], location["glt_y"] = glt_x.astype("int32"), glt_y.astype("int32")
        location["lat"] = location["lon"] = np.zeros((6, 5))
        bands = file.create_group("sensor_band_parameters")
        bands["wavelengths"], bands["fwhm"] = np.array(NM, "float32"), np.array(FWHM, "float32")
        bands["wavelengths"].attrs["units"] = "nm"
        bands["good_wavelengths"] = np.array([1, 0, 0, 1], "uint8")
        axes = {"downtrack": 6, "crosstrack": 5, "bands": 4, "ortho_y": 9, "ortho_x": 8}
        for name, size in axes.items():
            file[name] = np.arange(size)
            file[name].make_scale(name)
        for dataset, names in (
            (data, ("downtrack", "crosstrack", "bands")),
            (location["glt_x"], ("ortho_y", "ortho_x")),
            (location["glt_y"], ("ortho_y", "ortho_x")),
            (location["lat"], ("downtrack", "crosstrack")),
            (bands["wavelengths"], ("bands",)),
            (bands["fwhm"], ("bands",)),
            (bands["good_wavelengths"], ("bands",)),
        ):
            for axis, name in enumerate(names):
                dataset.dims[axis].attach_scale(file[name])
    return path


def emit_map() -> Array:
    """(4, 9, 8) what the map has to show, spelt out pixel by pixel."""
    glt_x, glt_y = emit_lookup()
    expected = np.full((4, 9, 8), -9999.0, np.float32)
    for row, col in np.argwhere(glt_x):
        expected[:, row, col] = emit_swath()[glt_y[row, col] - 1, glt_x[row, col] - 1]
    return expected


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int8", "int16", "float32", "float64"])
def test_what_a_swath_leaves_empty_is_missing(dtype: str) -> None:
    """-9999 would wrap around to data where it cannot be held."""
    fill = _fill_value(None, np.dtype(dtype))
    assert np.full(1, fill, dtype)[0] == fill
    assert _fill_value(-1.0, np.dtype(dtype)) == -1.0


def test_emit_is_put_on_its_map(tmp_path: Path) -> None:
    scene = open_scene(write_emit(tmp_path / "EMIT_L2A_RFL.nc"))
    np.testing.assert_array_equal(scene.values, emit_map())
    bands = bands_of(scene)
    np.testing.assert_allclose(bands.centres_nm, NM)
    np.testing.assert_allclose(bands.fwhm_nm, FWHM)
    np.testing.assert_array_equal(bands.good, [True, False, False, True])
    assert scene.attrs["bad_band_source"] == "good_wavelengths"
    _, valid = physical(scene)
    np.testing.assert_array_equal(valid, emit_map()[0] != -9999)
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(0.001, 0, 10, 0, -0.002, 50))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326


class _Cube:
    """Pixels in memory, which remember what was read of them."""

    def __init__(self, cube: Array) -> None:
        self.cube, self.seen = cube, list[Window]()

    def read(self, bands: Any, window: Window) -> Array:
        self.seen.append(window)
        return np.asarray(self.cube[bands][:, *window.slices])


@settings(deadline=None, max_examples=60)
@given(seed=st.integers(0, 999), rows_at_once=st.integers(1, 400), data=st.data())
def test_any_window_of_a_map_is_that_part_of_it(
    seed: int, rows_at_once: int, data: st.DataObject
) -> None:
    generator = np.random.default_rng(seed)
    swath = generator.integers(1, 999, (3, 300, 7))
    lookup = np.stack(
        [generator.integers(-8, 9, (11, 13)), generator.integers(-310, 311, (11, 13))]
    )
    pixels = GltPixels(_Cube(swath), (300, 7), _Cube(lookup), -1, swath.dtype, rows_at_once)
    top, left = data.draw(st.integers(0, 10)), data.draw(st.integers(0, 12))
    window = Window(
        top, left, data.draw(st.integers(1, 11 - top)), data.draw(st.integers(1, 13 - left))
    )
    bands = np.array(data.draw(st.permutations(range(3)))[: data.draw(st.integers(1, 3))])
    expected = np.full((3, 11, 13), -1)
    for row, col in np.ndindex(11, 13):
        x, y = np.abs(lookup[:, row, col])
        if 0 < x <= 7 and 0 < y <= 300:
            expected[:, row, col] = swath[:, y - 1, x - 1]
    np.testing.assert_array_equal(pixels.read(bands, window), expected[bands][:, *window.slices])


def test_a_window_of_a_map_reads_its_part_of_the_swath() -> None:
    rows, cols = np.indices((1000, 20))
    swath = _Cube(np.zeros((2, 1000, 20), np.float32))
    pixels = GltPixels(swath, (1000, 20), _Cube(np.stack([cols, rows]) + 1), 0, swath.cube.dtype)
    pixels.read(np.array([0]), Window(640, 3, 64, 5))
    assert swath.seen == [Window(640, 3, 64, 5)]


# AVIRIS and CF --------------------------------------------------------------------------------


def aviris_cube() -> Array:
    cube = cube_of(4, 5, 7, "float32")
    cube[:, 1, 2] = -9999.0
    return cube


def write_aviris(path: Path) -> Path:
    """The groups and names of AVIRIS-3 L2A RFL_ORT."""
    mapping = {
        "grid_mapping_name": "transverse_mercator",
        "crs_wkt": UTM.to_wkt(),
        "spatial_ref": UTM.to_wkt(),
        "GeoTransform": "383472.5 30 0 3818302.25 0 -20",
    }
    root = xr.Dataset(
        {"transverse_mercator": ((), b"", mapping)},
        {
            "easting": ("easting", 383472.5 + 30 * (np.arange(7) + 0.5), {"units": "m"}),
            "northing": ("northing", 3818302.25 - 20 * (np.arange(5) + 0.5), {"units": "m"}),
        },
    )
    group = xr.Dataset(
        {
            "reflectance": (
                ("wavelength", "northing", "easting"),
                aviris_cube(),
                {"grid_mapping": "transverse_mercator"},
            ),
            "fwhm": ("wavelength", np.array(FWHM), {"units": "nm"}),
        },
        {"wavelength": ("wavelength", np.array(NM), {"units": "nm"})},
    )
    root.to_netcdf(path, engine="h5netcdf")
    group.to_netcdf(
        path,
        engine="h5netcdf",
        mode="a",
        group="reflectance",
        encoding={"reflectance": {"_FillValue": -9999.0, "chunksizes": (2, 3, 7)}},
    )
    return path


def test_aviris_stands_in_a_group_of_its_own(tmp_path: Path) -> None:
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


def dataset(order: tuple[str, str, str] = ("wavelength", "y", "x"), **cube: Any) -> xr.Dataset:
    """A small scene as xarray and rioxarray would write it."""
    values = xr.DataArray(
        aviris_cube(),
        dims=("wavelength", "y", "x"),
        coords={
            "wavelength": ("wavelength", np.array(NM) / 1e3, {"units": "um"}),
            "x": 500015.0 + 30 * np.arange(7),
            "y": 3800010.0 + 20 * np.arange(5),
        },
        attrs=cube,
    )
    placed: xr.Dataset = values.transpose(*order).to_dataset(name="cube").rio.write_crs(UTM)
    return placed


def write_netcdf(path: Path, scene: xr.Dataset) -> Path:
    scene.to_netcdf(path, engine="h5netcdf")
    return path


@pytest.mark.filterwarnings("ignore:Consolidated metadata is currently not part")
def write_zarr(path: Path, scene: xr.Dataset, version: int = 3) -> Path:
    path = path.with_suffix(".zarr")
    scene.to_zarr(path, zarr_format=version, consolidated=version == 2)
    return path


Write = Callable[[Path, xr.Dataset], Path]
STORES: dict[str, Write] = {
    "netcdf": write_netcdf,
    "zarr 3": write_zarr,
    "zarr 2": lambda path, scene: write_zarr(path, scene, 2),
}


@pytest.mark.parametrize("store", STORES)
@pytest.mark.parametrize(
    "order", [("wavelength", "y", "x"), ("y", "x", "wavelength"), ("x", "wavelength", "y")]
)
def test_axes_are_known_by_their_names(
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


def test_degrees_without_more_words_are_wgs_84(tmp_path: Path) -> None:
    scene = dataset().drop_vars("spatial_ref").rename(y="lat", x="lon")
    scene["lat"] = ("lat", 50 - 0.01 * np.arange(5), {"units": "degrees_north"})
    scene["lon"] = ("lon", 10 + 0.02 * np.arange(7), {"units": "degrees_east"})
    scene["cube"].encoding.clear()
    grid = grid_of(open_scene(write_netcdf(tmp_path / "a.nc", scene)))
    assert grid.crs is not None
    assert grid.crs.to_epsg() == 4326
    assert grid.transform.almost_equals(Affine(0.02, 0, 9.99, 0, -0.01, 50.005))


def test_a_cube_without_coordinates_has_no_place(tmp_path: Path) -> None:
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
def test_only_what_is_asked_for_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[[Path], Path]
) -> None:
    seen = watch_reads(monkeypatch, CfPixels)
    view = spectral_view(open_scene(write(tmp_path / "a.nc")))
    assert seen == []
    read_window(view.isel(band=[1]), Window(3, 4, 2, 2))
    names = {"glt_x", "glt_y", "reflectance", "cube"}
    assert {reader.name for reader, _, _ in seen} <= names
    assert all(len(bands) == 1 and w.height <= 2 and w.width <= 3 for _, bands, w in seen)


@pytest.mark.parametrize(
    ("write", "block"), [(write_emit, (2, 8)), (write_aviris, (3, 7)), (write_dataset, (5, 7))]
)
def test_the_pieces_a_file_is_stored_in_are_known(
    tmp_path: Path, write: Callable[[Path], Path], block: tuple[int, int]
) -> None:
    assert block_of(open_scene(write(tmp_path / "a.nc"))) == block


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
def test_what_is_no_scene_is_refused(
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


def test_a_lookup_table_needs_a_place(tmp_path: Path) -> None:
    path = write_emit(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file.attrs["geotransform"]
    with pytest.raises(SceneError, match="lookup table of 8 x 9 pixels and no geotransform"):
        open_scene(path)


@pytest.mark.parametrize(
    ("write", "package", "install"),
    [(write_aviris, "h5netcdf", "h5py h5netcdf"), (write_dataset, "zarr", "hsi-geo.zarr.")],
)
def test_without_its_package_the_command_that_installs_it_is_named(
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


@pytest.mark.parametrize("name", ["/vsicurl/https://example.org/a.nc", "s3://bucket/b.he5"])
def test_hdf5_afar_has_to_be_downloaded(name: str) -> None:
    with pytest.raises(SceneError, match="not on this machine; download it first"):
        open_scene(name)


def test_a_zarr_store_may_lie_where_fsspec_reaches() -> None:
    dataset().to_zarr("memory://scene.zarr", zarr_format=2, consolidated=True)
    scene = open_scene("memory://scene.zarr")
    np.testing.assert_array_equal(scene.values, aviris_cube())
