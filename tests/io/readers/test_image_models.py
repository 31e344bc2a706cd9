"""Images that a formula places, where longitudes jump: across 180 degrees, and where they are counted from 0 to 360."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import NORTH_UP, cube_of, nm_tags, write_tif
from pyproj import Transformer
from rasterio.control import GroundControlPoint

from hsi_geo.arrays import AnyArray
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

CUBE = cube_of(2, 9, 14)


def in_degrees(west: float) -> Affine:
    return Affine(0.01, 0.0, west, 0.0, -0.008, -16.5)


def with_points(path: Path, west: float, *, jumps: bool) -> Path:
    """An image with control points, whose longitudes may change their sign in it."""
    write_tif(path, CUBE, band_tags=nm_tags((500, 600)), crs=None, transform=Affine.identity())
    points = []
    for row in (0, 4, 9):
        for col in (0, 5, 14):
            lon, lat = in_degrees(west) @ (col, row)
            lon -= 360 if jumps and lon > 180 else 0
            points.append(GroundControlPoint(row, col, lon, lat))
    with rasterio.open(path, "r+") as file:
        file.gcps = points, rasterio.CRS.from_epsg(4326)
    return path


def shown(path: Path, grid: str | None, image: Affine, crs: str) -> tuple[AnyArray, AnyArray]:
    """What a scene shows on a grid, and the pixels of the image under the centres of the grid's pixels."""
    scene = open_scene(path, grid=grid)
    found = grid_of(scene)
    cols, rows = np.meshgrid(np.arange(found.width) + 0.5, np.arange(found.height) + 0.5)
    x, y = Transformer.from_crs(found.crs, crs, always_xy=True).transform(
        *(found.transform @ (cols, rows))
    )
    if crs == "EPSG:4326":
        middle = (image @ (7, 4.5))[0]
        x = x - 360 * np.round((x - middle) / 360)
    across, down = ~image @ (x, y)
    inside = (across >= 0) & (across < 14) & (down >= 0) & (down < 9)
    expected = np.zeros(found.shape, CUBE.dtype)
    expected[inside] = CUBE[0][down[inside].astype(int), across[inside].astype(int)]
    near_edge = np.minimum(np.abs(across - np.round(across)), np.abs(down - np.round(down))) < 1e-3
    return scene.to_numpy()[0][~near_edge], expected[~near_edge]


@pytest.mark.parametrize("grid", ["UTM", "EPSG:3460", "EPSG:4167"])
@pytest.mark.parametrize("west", [179.93, -180.07, 187.5, -177.2], ids=str)
def test_a_grid_shows_all_of_an_image_however_its_longitudes_are_counted(
    tmp_path: Path, west: float, grid: str
) -> None:
    path = write_tif(
        tmp_path / "a.tif",
        CUBE,
        band_tags=nm_tags((500, 600)),
        crs="EPSG:4326",
        transform=in_degrees(west),
    )
    found, expected = shown(path, grid, in_degrees(west), "EPSG:4326")
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 0.75 * CUBE[0].size


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize("grid", [None, "UTM", "EPSG:4326"])
@pytest.mark.parametrize("jumps", [False, True])
def test_control_points_across_180_degrees_place_one_image(
    tmp_path: Path, jumps: bool, grid: str | None
) -> None:
    path = with_points(tmp_path / "a.tif", 179.93, jumps=jumps)
    found, expected = shown(path, grid, in_degrees(179.93), "EPSG:4326")
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 0.75 * CUBE[0].size


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    "lons",
    [(-180, 0, 180), (-150, -25, 100), (0, 180, 360), (-179.9, -60, 60, 179.9), (-180, 180)],
    ids=str,
)
def test_control_points_on_more_than_half_of_the_circle_stay(
    tmp_path: Path, lons: tuple[float, ...]
) -> None:
    cube, side = CUBE[:, :4], (lons[-1] - lons[0]) / 14
    path = write_tif(
        tmp_path / "a.tif",
        cube,
        band_tags=nm_tags((500, 600)),
        crs=None,
        transform=Affine.identity(),
    )
    cols = np.interp(lons, (lons[0], lons[-1]), (0, 14))
    points = [
        GroundControlPoint(row, col, lon, 50 - side * row)
        for row in ((0, 4) if len(lons) == 2 else (0, 2, 4))  # 6 in two columns have no solution
        for col, lon in zip(cols, lons, strict=True)
    ]
    with rasterio.open(path, "r+") as file:
        file.gcps = points, rasterio.CRS.from_epsg(4326)
    left, _, right, _ = grid_of(scene := open_scene(path, grid="native")).bounds
    assert (left, right) == pytest.approx((lons[0], lons[-1]), abs=side)
    assert len(np.unique(scene.to_numpy()[0])) > 0.75 * cube[0].size


def test_a_scene_in_metres_across_180_degrees_is_one_image_in_degrees(tmp_path: Path) -> None:
    east, north = Transformer.from_crs(4326, 32760, always_xy=True).transform(180.0, -16.5)
    image = Affine(1000.0, 0.0, east - 7000, 0.0, -900.0, north)
    path = write_tif(
        tmp_path / "a.tif",
        CUBE,
        band_tags=nm_tags((500, 600)),
        crs="EPSG:32760",
        transform=image,
    )
    found, expected = shown(path, "EPSG:4326", image, "EPSG:32760")
    np.testing.assert_array_equal(found, expected)
    assert len(np.unique(found)) > 0.75 * CUBE[0].size


def test_a_grid_elsewhere_changes_nothing(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", CUBE, band_tags=nm_tags((500, 600)))
    found, expected = shown(path, "EPSG:4326", NORTH_UP, "EPSG:32633")
    np.testing.assert_array_equal(found, expected)
