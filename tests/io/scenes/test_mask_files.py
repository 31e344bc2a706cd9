"""The option mask with files of the user: rasters and polygons."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, physical, write_tif
from mask_cases import SHAPE, at, masked
from rasterio.warp import Resampling, reproject

from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.scene import open_scene, scene_from_array

# Types and nodata values -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "dtype", ["uint8", "int8", "uint16", "int16", "int32", "uint32", "float32"]
)
@pytest.mark.parametrize("nodata", [None, 7, -9999])
@pytest.mark.parametrize("bands", [1, 3, 9])
def test_masked_pixels_are_missing_in_any_type(
    tmp_path: Path, dtype: str, nodata: float | None, bands: int
) -> None:
    """Also where the type cannot hold the declared value, or none is declared."""
    low = 0 if dtype.startswith("u") else np.iinfo(dtype).min if "int" in dtype else -np.inf
    if nodata is not None and nodata < low:
        nodata = None  # GDAL writes no such value
    values = (cube_of(bands) % 100 + 8).astype(dtype)
    path = write_tif(
        tmp_path / "a.tif",
        values,
        band_tags=nm_tags([450.0 + 50 * b for b in range(bands)]),
        nodata=nodata,
    )
    mask = write_tif(tmp_path / "mask.tif", at("clouds", "water")[None].astype("uint8"))
    scene = open_scene(path, mask=str(mask))
    image, valid = physical(scene)
    np.testing.assert_array_equal(valid, ~at("clouds", "water"))
    np.testing.assert_array_equal(image[:, valid], values[:, valid])


# Masks of the user -------------------------------------------------------------------------------


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    centres = [450.0 + 50 * band for band in range(4)]
    return write_tif(tmp_path / "scene.tif", cube_of(4), band_tags=nm_tags(centres), nodata=-9)


def test_a_raster_in_another_crs_masks_by_the_nearest_pixel(plain: Path, tmp_path: Path) -> None:
    fine = np.zeros((1, 60, 90), "uint8")
    fine[0, 10:30, 20:70] = 3
    fine[0, 40:, :5] = 255  # nodata is no mask
    there = Affine(5e-5, 0, 13.2827, 0, -2.5e-5, 52.5026)
    path = write_tif(tmp_path / "mask.tif", fine, crs="EPSG:4326", transform=there, nodata=255)
    with rasterio.open(plain) as scene:
        wanted = np.zeros(SHAPE, "uint8")
        reproject(
            fine[0],
            wanted,
            src_transform=there,
            src_crs="EPSG:4326",
            src_nodata=255,
            dst_transform=scene.transform,
            dst_crs=scene.crs,
            dst_nodata=255,
            resampling=Resampling.nearest,
        )
    wanted = np.where(wanted == 3, 1, 0).astype(bool)
    assert 0 < wanted.sum() < wanted.size
    np.testing.assert_array_equal(masked(plain, str(path)), wanted)


def test_polygons_mask_the_pixels_whose_centre_they_cover(plain: Path, tmp_path: Path) -> None:
    left, top = NORTH_UP.c, NORTH_UP.f
    box = shapely.box(left + 31, top - 59, left + 121, top - 21)
    frame = gpd.GeoDataFrame(geometry=[box], crs="EPSG:32633").to_crs(4326)
    frame.to_file(tmp_path / "mask.geojson")
    wanted = np.zeros(SHAPE, bool)
    wanted[1:3, 1:4] = True
    np.testing.assert_array_equal(masked(plain, str(tmp_path / "mask.geojson")), wanted)
    assert masked_counts(open_scene(plain, mask=str(tmp_path / "mask.geojson")))["reasons"] == {
        "mask file": 6
    }


def test_a_mask_elsewhere_masks_nothing_and_is_a_warning(plain: Path, tmp_path: Path) -> None:
    away = Affine(30, 0, 900000, 0, -20, 100000)
    path = write_tif(tmp_path / "mask.tif", np.ones((1, 5, 7), "uint8"), transform=away)
    scene = open_scene(plain, mask=str(path))
    assert scene.attrs["warnings"] == (f"the mask '{path}' lies outside of it: nothing is masked",)
    assert physical(scene)[1].all()


def no_crs(folder: Path) -> Path:
    return write_tif(folder / "mask.tif", np.ones((1, 9, 7), "uint8"), crs=None)


def lines(folder: Path) -> Path:
    frame = gpd.GeoDataFrame(geometry=[shapely.LineString([(0, 0), (1, 1)])], crs="EPSG:32633")
    frame.to_file(folder / "lines.gpkg")
    return folder / "lines.gpkg"


def words(folder: Path) -> Path:
    (folder / "words.txt").write_text("clouds")
    return folder / "words.txt"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_crs, "mask '.*' has other pixels than the scene, and one of them has no coordinate"),
        (lines, "mask '.*' holds no polygon; give polygons to mask="),
        (words, "mask '.*' "),
        (lambda folder: "cluods", "mask='cluods' is neither a file nor words for flags"),
        (lambda folder: "clouds", "scene '.*' has no flags of clouds; give the file of a mask"),
        (lambda folder: "", "mask='' is neither"),
    ],
)
def test_masks_that_cannot_be_used_are_refused(
    plain: Path, tmp_path: Path, make: Callable[[Path], Any], message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        open_scene(plain, mask=str(make(tmp_path)))


def test_arrays_take_no_mask() -> None:
    scene = scene_from_array(np.ones((2, 3, 4)), np.array([550.0, 660.0]))
    assert open_scene(scene, mask="none") is scene
    with pytest.raises(
        OptionError, match="is an array, and mask= is applied when a file is opened"
    ):
        open_scene(scene, mask="clouds")
