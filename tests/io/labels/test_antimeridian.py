"""Projected features across the antimeridian, on scenes in degrees."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer

from hsi_geo.io.labels.shot_pixels import find_pixels
from hsi_geo.io.labels.shots import make_shots
from hsi_geo.tiling import Grid


def place_of(lon: float, lat: float, code: int) -> np.ndarray:
    there = Transformer.from_crs(4326, code, always_xy=True)
    return np.array(there.transform(lon, lat))


def box_at(lon: float, lat: float, code: int) -> shapely.Geometry:
    """A box of 21 x 17 km around a place, which is not in its middle."""
    x, y = place_of(lon, lat, code)
    return shapely.box(x - 9e3, y - 8e3, x + 12e3, y + 9e3)


def strip_to_pole(lon: float, lat: float, code: int) -> shapely.Geometry:
    return shapely.LineString([place_of(lon, lat, code), (0.0, 0.0)]).buffer(8e4)


#: Code of the CRS of the polygon, the polygon, and longitude and latitude of the scene.
CASES = {
    "utm_1": (32601, box_at(180.0, 10.5, 32601), (180.0, 10.5)),
    "utm_1_west": (32601, box_at(180.0, 10.5, 32601), (-180.0, 10.5)),
    "utm_60": (32660, box_at(180.0, 10.5, 32660), (179.9, 10.5)),
    "utm_1_from_0_to_360": (32601, box_at(180.0, 10.5, 32601), (180.1, 10.5)),
    "pacific": (3832, box_at(180.0, 10.5, 3832), (180.0, 10.5)),
    "arctic": (3413, box_at(180.0, 70.0, 3413), (180.0, 70.0)),
    "wide": (3413, shapely.Point(place_of(180, 70, 3413)).buffer(1.5e6), (180.0, 70.0)),
    "elsewhere": (3413, shapely.Point(place_of(180, 70, 3413)).buffer(1.5e5), (20.0, 70.0)),
    "elsewhere_at_0": (3413, strip_to_pole(180.0, 70.0, 3413), (0.0, 70.0)),
    "around_the_pole": (3413, shapely.Point(0, 0).buffer(921e3), (0.0, 81.7)),
    "around_the_pole_180": (3413, shapely.Point(0, 0).buffer(921e3), (180.0, 81.7)),
    "world_of_mercator": (3857, shapely.box(-2.0037508e7, -1e7, 2.0037508e7, 1.18e6), (180.0, 10.5)),
    "world_of_equal_areas": (6933, shapely.box(-17367530, 1.34e6, 17367530, 4e6), (-180.0, 10.5)),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_polygons_across_the_antimeridian_cover_what_lies_in_them(name: str) -> None:
    code, polygon, (lon, lat) = CASES[name]
    own, degrees = CRS.from_epsg(code), CRS.from_epsg(4326)
    grid = Grid(30, 40, Affine(0.01, 0, lon - 0.17, 0, -0.01, lat + 0.13), degrees)
    rows, cols = np.mgrid[:30, :40] + 0.5
    there = Transformer.from_crs(degrees, own, always_xy=True)
    x, y = there.transform(*(grid.transform @ (cols.ravel(), rows.ravel())))
    inside = shapely.contains_xy(polygon, x, y).reshape(grid.shape)

    shapes = gpd.GeoSeries([polygon, shapely.Point(place_of(60, 89, code))], crs=own)
    pixels = find_pixels(make_shots(shapes, ["a", "b"]), grid)

    assert inside.any() != name.startswith("elsewhere")
    found = np.zeros(grid.shape, bool)
    found[pixels.rows, pixels.cols] = pixels.class_ids == 1
    np.testing.assert_array_equal(found, inside)
