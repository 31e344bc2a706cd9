"""Zones and areas of interest in the CRS of a map: large ones in any projection, and those with heights."""

from __future__ import annotations

import re
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from hsi_geo.errors import OptionError, ShotsError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.reprojection import reproject
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.tiling import Grid

UTM = CRS.from_epsg(32633)
GRID = Grid(12, 15, Affine(30.0, 0.0, 4e5, 0.0, -20.0, 5.76e6), UTM)

#: Polygons over much of the world: CRS and corners (left, bottom, right, top).
WORLDS = {
    "web_mercator": ("EPSG:3857", (-2.0e7, -2.0e7, 2.0e7, 2.0e7)),
    "web_mercator_east": ("EPSG:3857", (1.0e6, -2.0e7, 2.0e7, 2.0e7)),
    "equal_area": ("EPSG:6933", (-1.73e7, -7e6, 1.73e7, 7e6)),
    "robinson": ("ESRI:54030", (-1.6e7, -8e6, 1.6e7, 8e6)),
    "equal_earth": ("EPSG:8857", (-1.6e7, -8e6, 1.6e7, 8e6)),
    "north_polar": ("EPSG:3413", (-8e6, -8e6, 8e6, 8e6)),
    "north_polar_feet": ("+proj=stere +lat_0=90 +lon_0=-45 +units=ft", (-3e7, -3e7, 3e7, 3e7)),
}


@pytest.mark.parametrize("name", WORLDS)
@pytest.mark.parametrize("side", ["whole", "west"])
def test_polygons_over_much_of_the_world_cover_the_pixels_that_lie_in_them(
    name: str, side: str
) -> None:
    """Their corners lie where the projection of the map is undefined, or finite and wrong."""
    own, (left, bottom, right, top) = CRS.from_user_input(WORLDS[name][0]), WORLDS[name][1]
    rows, cols = np.mgrid[:12, :15] + 0.5
    x, y = GRID.transform @ (cols, rows)
    there_x, there_y = Transformer.from_crs(UTM, own, always_xy=True).transform(x, y)
    if side == "west":  # the edge cuts the map
        right = float(np.median(there_x)) + 3.0
    world = shapely.box(left, bottom, right, top)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[world], crs=own), GRID, name="zones", wrong=OptionError
    )

    found = area_mask(placed.geometry[0], GRID, GRID.window)
    assert (found == shapely.contains_xy(world, there_x, there_y)).all()
    assert found.all() == (side == "whole")


#: National grids: code, a place in it, and a polygon in degrees that is far wider.
NATIONS = {
    "krovak": (5514, (14.5, 50.0), (-25, 34, 45, 72)),
    "lambert_93": (2154, (2.0, 47.0), (-18, -35, 52, 57)),
    "canada": (3978, (-95.0, 55.0), (28, 40, 140, 76)),
    "borneo": (29873, (116.0, 5.0), (-74, -34, -35, 5)),
    "caspian": (3388, (50.0, 40.0), (-140, 15, -55, 70)),
    "utm": (32633, (15.0, 50.0), (-25, 34, 45, 72)),
}


@pytest.mark.parametrize("name", NATIONS)
def test_continents_in_degrees_cover_a_scene_if_it_lies_in_them(name: str) -> None:
    """Projections are torn, or come back, at the other side of their cone, and PROJ refused bounds for two of them."""
    code, (lon, lat), corners = NATIONS[name]
    own = CRS.from_epsg(code)
    x, y = Transformer.from_crs(4326, own, always_xy=True).transform(lon, lat)
    grid = Grid(12, 15, Affine(30.0, 0.0, x, 0.0, -20.0, y), own)
    continent = shapely.box(*corners)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[continent], crs=4326), grid, name="zones", wrong=OptionError
    )

    found = placed.intersects(shapely.box(*grid.bounds)).all() and area_mask(
        placed.geometry[0], grid, grid.window
    )
    assert np.all(found) == np.any(found) == continent.contains(shapely.Point(lon, lat))


#: The same with polygons of usual sizes. The last two lie elsewhere.
SMALLER = {
    "krovak_whole": (5514, (14.5, 50.0), (8.0, 45.0, 21.0, 57.0)),
    "krovak_norway": (5514, (14.5, 50.0), (4.6, 58.0, 15.0, 70.0)),
    "utm_antipode": (32701, (-179.5, -17.0), (4.6, -1.0, 6.6, 1.0)),
}


@pytest.mark.parametrize("name", SMALLER)
def test_polygons_of_usual_size_cover_what_lies_in_them(name: str) -> None:
    code, (lon, lat), corners = SMALLER[name]
    own = CRS.from_epsg(code)
    x, y = Transformer.from_crs(4326, own, always_xy=True).transform(lon, lat)
    grid = Grid(25, 30, Affine(3e3, 0.0, x - 45e3, 0.0, -3e3, y + 45e3), own)
    drawn = shapely.box(*corners)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[drawn], crs=4326), grid, name="zones", wrong=OptionError
    )

    rows, cols = np.mgrid[:25, :30] + 0.5
    on_earth = Transformer.from_crs(own, 4326, always_xy=True).transform(
        *(grid.transform @ (cols, rows))
    )
    wanted = shapely.contains_xy(drawn, *on_earth)
    shape = placed.geometry[0]
    found = wanted & False if shape.is_empty else area_mask(shape, grid, grid.window)
    assert (found != wanted).sum() < 3  # centres on an edge


@pytest.mark.parametrize("left", [-180.0, 170.0, 175.0, -185.0])
@pytest.mark.parametrize("code", [3832, 32660, 3994])
def test_projected_polygons_across_the_antimeridian_cover_scenes_in_degrees(
    code: int, left: float
) -> None:
    width = 360 if left == -180.0 else 12
    grid = Grid(20, width * 2, Affine(0.5, 0.0, left, 0.0, -0.5, 5.0), CRS.from_epsg(4326))
    own = CRS.from_epsg(code)
    to_own = Transformer.from_crs(4326, own, always_xy=True)
    corners = np.stack(to_own.transform([177.6, 183.4, 183.4, 177.6], [-3.1, -3.1, 3.2, 3.2]), 1)
    drawn = shapely.Polygon(corners)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[drawn], crs=own), grid, name="zones", wrong=OptionError
    )

    rows, cols = np.mgrid[:20, : width * 2] + 0.5
    wanted = shapely.contains_xy(drawn, *to_own.transform(*(grid.transform @ (cols, rows))))
    found = area_mask(placed.geometry[0], grid, grid.window)
    assert wanted.any()
    assert (found != wanted).sum() == 0


def test_polygons_near_the_scene_that_have_no_place_are_refused() -> None:
    """Corners of a box around the pole have none in Mollweide, and the edges of the map are bent there."""
    to = CRS.from_epsg(5041)
    grid = Grid(60, 60, Affine(4e4, 0.0, 8e5, 0.0, -4e4, 3.2e6), to)
    drawn = gpd.GeoDataFrame(geometry=[shapely.box(0, 7e6, 2.5e6, 9.1e6)], crs="ESRI:54009")

    with pytest.raises(OptionError, match="1 of the polygons of zones reach beyond the edge"):
        reproject(drawn, grid, name="zones", wrong=OptionError)


@pytest.mark.parametrize("target", [32633, 5041])
@pytest.mark.parametrize(
    ("code", "corners"),
    [
        ("EPSG:6933", (1.0e6, 6.9e6, 1.6e6, 7.6e6)),
        ("ESRI:54009", (2e5, 8.4e6, 9e5, 9.5e6)),
        ("ESRI:54030", (3e5, 8.0e6, 1.2e6, 9.0e6)),
        ("EPSG:8857", (2e5, 7.6e6, 1.0e6, 9.8e6)),
    ],
)
def test_polygons_that_reach_beyond_the_edge_of_their_map_cover_what_lies_in_them(
    code: str, corners: tuple[float, ...], target: int
) -> None:
    """Corners beyond a pole have no place on the Earth."""
    own, to = CRS.from_user_input(code), CRS.from_epsg(target)
    x, y = Transformer.from_crs(4326, to, always_xy=True).transform(13.0, 80.0)
    grid = Grid(12, 15, Affine(3e4, 0.0, x - 2e5, 0.0, -2e4, y + 1e5), to)
    rows, cols = np.mgrid[:12, :15] + 0.5
    there = Transformer.from_crs(to, own, always_xy=True).transform(
        *(grid.transform @ (cols, rows))
    )
    drawn = shapely.box(*corners)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[drawn], crs=own), grid, name="zones", wrong=OptionError
    )

    wanted = shapely.contains_xy(drawn, *there)
    assert wanted.any()
    assert (area_mask(placed.geometry[0], grid, grid.window) == wanted).all()


def test_a_large_polygon_beside_the_map_covers_nothing() -> None:
    far = shapely.box(3e6, -2e7, 2e7, 2e7)

    placed = reproject(
        gpd.GeoDataFrame(geometry=[far], crs=3857), GRID, name="zones", wrong=OptionError
    )

    assert not placed.intersects(shapely.box(*GRID.bounds)).any()


@pytest.mark.parametrize("heights", [(np.nan,) * 3, (np.nan, 5, 5), (5, np.nan, 5), (5, 6, 7)])
def test_missing_heights_of_vertices_change_nothing(
    heights: tuple[float, ...], tmp_path: Path
) -> None:
    corners = np.array([(4e5, 5.76e6), (4e5 + 300.0, 5.76e6), (4e5 + 300.0, 5.76e6 - 150.0)])
    lon, lat = Transformer.from_crs(UTM, 4326, always_xy=True).transform(*corners.T)
    path = tmp_path / "a.gpkg"
    drawn = shapely.Polygon(list(zip(lon, lat, heights, strict=True)))
    gpd.GeoDataFrame(geometry=[drawn], crs=4326).to_file(path)

    wanted = shapely.Polygon(corners)
    for found in (read_area(path, GRID), read_zones(path, GRID).zones[0].geometry):
        assert shapely.symmetric_difference(found, wanted).area < 1.0


def test_polygons_on_the_other_side_of_the_earth_are_said_to_lie_elsewhere() -> None:
    away = gpd.GeoSeries(shapely.box([100, 104], 0, [101, 105], 1), crs=4326)
    grid = Grid(12, 15, Affine(30.0, 0.0, 5e5, 0.0, -20.0, 4.4e6), CRS.from_epsg(32616))

    with pytest.raises(ShotsError, match="lies in the scene") as caught:
        burn(make_shots(away, ["a", "b"]), grid)

    assert not re.search("nan|inf", str(caught.value))
