"""What is no place: coordinates that number pixels, corners that do not fit, a CRS without a geotransform."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest
import rasterio
import xarray as xr
from builders import cube_of, physical
from emit_cases import emit_swath, write_emit
from product_cases import write_prisma_l2d
from rasterio.errors import NotGeoreferencedWarning
from swath_cases import UTM, expected_map, make_swath

from hsi_geo.io.scenes.scene import open_scene


@pytest.mark.parametrize("first", [0, 1])
def test_numbers_of_rows_are_no_places(first: int, tmp_path: Path) -> None:
    """EMIT without its lookup table has longitudes and latitudes, and numbers its rows and columns."""
    swath = make_swath(6, 5)
    path = write_emit(tmp_path / "a.nc")
    with h5py.File(path, "r+") as file:
        del file["location/glt_x"], file["location/glt_y"]
        file["location/lat"][...], file["location/lon"][...] = swath.lat, swath.lon
        for name in ("downtrack", "crosstrack"):
            file[name][...] = file[name][()] + first
    scene = open_scene(path)
    grid = scene.hsi.grid
    assert grid.crs.equals(UTM)
    cube = np.moveaxis(emit_swath(), -1, 0)
    np.testing.assert_array_equal(
        np.where(physical(scene)[1], scene.values, -9999), expected_map(grid, swath, cube, -9999)
    )


@pytest.mark.parametrize("stored", [True, False])
def test_numbers_of_rows_beside_a_crs(stored: bool, tmp_path: Path) -> None:
    """They give way to a geotransform. Without one the scene has no place, not one in the Gulf of Guinea."""
    scene = xr.Dataset(
        {"reflectance": (("wavelength", "y", "x"), cube_of(3).astype("float32"))},
        coords={
            "wavelength": ("wavelength", [450.0, 550.0, 660.0], {"units": "nm"}),
            "y": np.arange(5),
            "x": np.arange(7),
        },
    )
    scene = scene.rio.write_crs("EPSG:32633")
    if stored:
        scene["spatial_ref"].attrs["GeoTransform"] = "400000 30 0 5000000 0 -20"
    else:
        scene["spatial_ref"].attrs.pop("GeoTransform", None)
    scene.to_netcdf(tmp_path / "a.nc", engine="h5netcdf")
    grid = open_scene(tmp_path / "a.nc").hsi.grid
    if stored:
        assert grid.crs.to_epsg() == 32633
        assert grid.transform.to_gdal() == (400000, 30, 0, 5000000, 0, -20)
    else:
        assert grid.crs is None


def test_corners_that_do_not_fit_to_the_pixels_are_told(tmp_path: Path) -> None:
    path = write_prisma_l2d(tmp_path / "a.he5")
    assert not open_scene(path).attrs.get("warnings")
    with h5py.File(path, "r+") as file:
        file.attrs["Product_LRcorner_easting"] = 600295.0
    (warning,) = open_scene(path).attrs["warnings"]
    assert "give pixels of 40.0 x 24.0 m, not 30 m" in warning


def test_a_crs_without_a_geotransform_is_no_place(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    size = {"height": 5, "width": 7, "count": 1, "dtype": "int16"}
    with (
        pytest.warns(NotGeoreferencedWarning),
        rasterio.open(path, "w", driver="GTiff", crs="EPSG:32633", **size) as file,
    ):
        file.write(cube_of(1))
    scene = open_scene(path, wavelengths="index")
    assert scene.hsi.grid.crs is None
    (warning,) = scene.attrs["warnings"]
    assert warning.endswith("and no geotransform: its place is not known")
