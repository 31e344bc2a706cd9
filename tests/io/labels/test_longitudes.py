"""Longitudes that differ by 360 degrees, and polygons wider than a projection."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid

#: Four columns of 0.1 degrees west of a longitude, three east of it; five rows.
WEST, EAST, ROWS = 4, 3, 5


def grid_around(longitude: float, crs: str = "EPSG:4326") -> Grid:
    corner = longitude - 0.1 * WEST
    return Grid(ROWS, WEST + EAST, Affine(0.1, 0, corner, 0, -0.2, 11.0), CRS.from_user_input(crs))


def saved(path: Path, shapes: list[shapely.Geometry], crs: str = "EPSG:4326") -> Path:
    names = ["a", "b"] * len(shapes)
    frame = gpd.GeoDataFrame({"class": names[: len(shapes)]}, geometry=shapes, crs=crs)
    frame.to_file(path, driver="GPKG")
    return path


@pytest.mark.parametrize("scene", [180.0, -180.0, 190.0, -170.0, 270.0, 359.9, 12.0, 0.0, 360.0])
@pytest.mark.parametrize("turns", [-1, 0, 1])
@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:4258", "OGC:CRS84"])
def test_burn_matches_longitudes_across_360_degrees(
    scene: float, turns: int, crs: str, tmp_path: Path
) -> None:
    grid = grid_around(scene)
    cols = np.arange(WEST + EAST)
    x = scene + 0.1 * (cols - WEST + 0.5)
    if turns:
        x = (x + 180.0) % 360.0 - 180.0 if turns > 0 else x % 360.0
    points = shapely.points(x, 10.5)
    shots = read_shots(saved(tmp_path / "a.gpkg", list(points), crs))
    pixels = burn(shots, grid)
    assert pixels.outside == 0
    np.testing.assert_array_equal(pixels.cols, cols)
    np.testing.assert_array_equal(pixels.rows, 2)


def test_burn_matches_longitudes_after_reprojection(tmp_path: Path) -> None:
    """UTM zones 1 and 60 meet at the antimeridian; PROJ gives longitudes from -180 to 180."""
    points = gpd.GeoSeries(shapely.points([-179.95, -179.85], 10.5), crs="EPSG:4326")
    path = saved(tmp_path / "a.gpkg", list(points.to_crs("EPSG:32601")), "EPSG:32601")
    assert burn(read_shots(path), grid_around(180.0)).cols.tolist() == [4, 5]


def test_burn_takes_both_parts_across_the_antimeridian(tmp_path: Path) -> None:
    halves = shapely.MultiPolygon(
        [shapely.box(179.8, 10.2, 180.0, 10.6), shapely.box(-180.0, 10.2, -179.8, 10.6)]
    )
    other = shapely.box(179.6, 10.0, 179.7, 10.2)
    pixels = burn(read_shots(saved(tmp_path / "a.gpkg", [halves, other])), grid_around(180.0))
    first = pixels.class_ids == 1
    assert sorted(zip(pixels.rows[first].tolist(), pixels.cols[first].tolist(), strict=True)) == [
        (row, col) for row in (2, 3) for col in (2, 3, 4, 5)
    ]


WORLD = shapely.box(-180.0, -90.0, 180.0, 90.0)


@pytest.mark.parametrize(
    "grid",
    [
        grid_around(180.0),
        grid_around(-180.0),
        grid_around(359.9),
        grid_around(12.0),
        Grid(5, 7, Affine(30, 0, 383472.5, 0, -20, 5818302.25), CRS.from_epsg(32633)),
        Grid(5, 7, Affine(30, 0, 166000, 0, -20, 1100000), CRS.from_epsg(32601)),
        Grid(5, 7, Affine(30, 0, 3e5, 0, -20, 8.1e6), CRS.from_epsg(32733)),
        Grid(5, 7, Affine(500, 0, -1000, 0, -500, 1000), CRS.from_epsg(3031)),
        Grid(5, 7, Affine(30, 0, 4321000, 0, -30, 3210000), CRS.from_epsg(3035)),
    ],
)
@pytest.mark.parametrize(
    "world", [WORLD, shapely.box(0.0, -90.0, 360.0, 90.0), shapely.box(-180, -85, 180, 85)]
)
def test_area_of_the_whole_world_covers_every_scene(
    grid: Grid, world: shapely.Geometry, tmp_path: Path
) -> None:
    if grid.crs is not None and grid.crs.to_epsg() == 3031 and world.bounds[1] > -90:
        pytest.skip("the pole is beyond it")
    area = read_area(saved(tmp_path / "a.gpkg", [world]), grid)
    assert area_mask(area, grid, grid.window).all()


def test_area_of_a_hemisphere_covers_half_a_scene(tmp_path: Path) -> None:
    grid = Grid(5, 40, Affine(300, 0, 494000, 0, -200, 5818302.25), CRS.from_epsg(32633))
    area = read_area(saved(tmp_path / "a.gpkg", [shapely.box(15.0, -90.0, 180.0, 90.0)]), grid)
    np.testing.assert_array_equal(
        area_mask(area, grid, grid.window), np.tile(np.arange(40) >= 20, (5, 1))
    )


def test_burn_and_read_area_refuse_other_places(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.gpkg", list(shapely.points([12.0, -170.0], [10.5, 50.0])))
    with pytest.raises(HsiGeoError, match=r"none of the 2 shots .* x -170 to 12"):
        burn(read_shots(path), grid_around(180.0))
    with pytest.raises(HsiGeoError, match="lies outside the scene"):
        read_area(saved(tmp_path / "b.gpkg", [shapely.box(0, 0, 170, 50)]), grid_around(180.0))
