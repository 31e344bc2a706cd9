"""Edges of polygons and lines that are straight in their own CRS, and bent in that of a scene."""

from __future__ import annotations

import time
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS, Transformer
from rasterio.features import rasterize

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.bent_edges import MOST_VERTICES
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.reprojection import reproject
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.tiling import Grid

EUROPE = Grid(150, 190, Affine(20000, 0, 2600000, 0, -20000, 4900000), CRS.from_epsg(3035))
SAXONY = Grid(310, 360, Affine(600, 0, 390000, 0, -500, 5790000), CRS.from_epsg(32633))
ARCTIC = Grid(120, 140, Affine(30000, 0, -2110000, 0, -30000, 1500000), CRS.from_epsg(3413))
DEGREES = Grid(120, 150, Affine(0.01, 0, 13.1, 0, -0.005, 51.3), CRS.from_epsg(4326))
DRONE = Grid(70, 90, Affine(0.02, 0, 500000, 0, -0.02, 5538631.3), CRS.from_epsg(32633))


def placed(shape: shapely.Geometry, grid: Grid, crs: int) -> shapely.Geometry:
    frame = gpd.GeoDataFrame(geometry=[shape], crs=crs)
    return reproject(frame, grid, name="zones", wrong=OptionError).geometry.iloc[0]


@pytest.mark.parametrize(
    ("grid", "crs", "box"),
    [
        (EUROPE, 4326, (-180, 50, 180, 60)),
        (EUROPE, 4326, (-10, 50, 40, 60)),
        (EUROPE, 4258, (0, 48, 20, 58)),
        (EUROPE, 3857, (-1000000, 6500000, 4000000, 8400000)),
        (SAXONY, 4326, (13.5, 51.02, 16.5, 51.8)),
        (SAXONY, 4326, (-20, 51.02, 50, 60)),
        (SAXONY, 3035, (4400000, 3070000, 4800000, 3190000)),
        (ARCTIC, 4326, (-120, 70, -35, 84)),
        (ARCTIC, 4326, (-180, 75, 180, 81)),
        (DEGREES, 32633, (380000, 5640000, 460000, 5670000)),
        (DEGREES, 3035, (4300000, 3090000, 4700000, 3110000)),
        (DRONE, 4326, (13, 50, 17, 50.1)),
    ],
)
def test_polygon_with_long_edges_covers_the_centres_in_it(
    grid: Grid, crs: int, box: tuple[float, float, float, float]
) -> None:
    to_own = Transformer.from_crs(grid.crs, crs, always_xy=True)
    rows, cols = np.mgrid[: grid.height, : grid.width]

    def inside(by: float) -> np.ndarray:
        """Whether a place by some part of a pixel beside the centre is in the box."""
        x, y = to_own.transform(*(grid.transform @ (cols + 0.5 + by, rows + 0.5 + by)))
        return np.asarray((box[0] < x) & (x < box[2]) & (box[1] < y) & (y < box[3]))

    covered = area_mask(placed(shapely.box(*box), grid, crs), grid, grid.window)
    sure = (inside(-0.05) == inside(0.05)) & (inside(0) == inside(0.05))
    assert 0 < inside(0).sum() < inside(0).size
    np.testing.assert_array_equal(covered[sure], inside(0)[sure])


BOW_TIE = shapely.Polygon([(13.6, 50.9), (16.2, 51.9), (16.2, 50.9), (13.6, 51.9)])


@pytest.mark.parametrize(
    "shape",
    [
        BOW_TIE,
        shapely.MultiPolygon([BOW_TIE]),
        shapely.GeometryCollection([BOW_TIE, shapely.Point(14, 51)]),
    ],
    ids=["polygon", "multipolygon", "collection"],
)
def test_both_lobes_of_a_bow_tie_with_long_edges_stay(
    shape: shapely.Geometry, tmp_path: Path
) -> None:
    shot = placed(shape, SAXONY, 4326)
    assert shapely.get_num_coordinates(shot) > 20  # its edges are bent
    valid = shapely.make_valid(BOW_TIE).segmentize(0.01)
    lobes = gpd.GeoSeries([valid], crs=4326).to_crs(SAXONY.crs).iloc[0]
    pixels = area_mask(lobes, SAXONY, SAXONY.window)
    burnt = rasterize([shot], out_shape=SAXONY.shape, transform=SAXONY.transform)
    assert np.count_nonzero(burnt.astype(bool) != pixels) < 0.003 * pixels.sum()

    path = tmp_path / "bow_tie.gpkg"
    gpd.GeoDataFrame(geometry=[BOW_TIE], crs=4326).to_file(path)
    area = read_area(path, SAXONY)
    assert area is not None
    zone = read_zones(path, SAXONY).zones[0]
    for found in (area, zone.geometry):
        assert found.area == pytest.approx(lobes.area, rel=1e-3)


@pytest.mark.parametrize(
    "shape",
    [
        shapely.Polygon([(13.6, 50.9), (16.2, 50.9), (16.2, 51.9), (16.2, 50.9)]),
        shapely.Polygon(
            shapely.box(13.6, 51.1, 16.2, 51.8).exterior,
            [shapely.box(13.5, 51.0, 16.3, 51.9).exterior],
        ),
    ],
    ids=["spike", "covering_hole"],
)
def test_invalid_polygon_keeps_its_rings(shape: shapely.Polygon) -> None:
    found = placed(shape, SAXONY, 4326)
    assert isinstance(found, shapely.Polygon)
    assert len(found.interiors) == len(shape.interiors)
    assert shapely.get_num_coordinates(found) > 20


def test_line_with_two_ends_follows_its_parallel() -> None:
    line = placed(shapely.LineString([(13.5, 51.02), (16.4, 51.02)]), SAXONY, 4326)
    x, y = Transformer.from_crs(4326, 32633, always_xy=True).transform(
        np.linspace(13.5, 16.4, 5000), np.full(5000, 51.02)
    )
    assert shapely.distance(line, shapely.points(x, y)).max() < 0.02 * 500


@pytest.mark.parametrize(
    "shape",
    [
        shapely.Point(14, 51),
        shapely.Polygon([(14, 51), (14.001, 51), (14.001, 51.002)]),
        shapely.Polygon([(14, 51, 3), (14.001, 51, 3), (14.001, 51.002, 4)]),
        shapely.box(15, -30, 15.5, -20),  # far from the scene
        shapely.Point(14, 51).buffer(0.3, quad_segs=200),
    ],
    ids=["point", "small", "with_heights", "far", "many_vertices"],
)
def test_shapes_that_need_no_vertex_get_none(shape: shapely.Geometry) -> None:
    expected = gpd.GeoSeries([shape], crs=4326).to_crs(32633).iloc[0]
    assert placed(shape, SAXONY, 4326).equals_exact(expected)


def test_missing_and_empty_geometries_stay() -> None:
    shapes = [None, shapely.Polygon(), shapely.box(13.5, 51.02, 16.5, 51.8)]
    frame = gpd.GeoDataFrame(geometry=shapes, crs=4326)
    found = reproject(frame, SAXONY, name="zones", wrong=OptionError).geometry
    assert found.iloc[0] is None
    assert found.iloc[1].is_empty
    assert shapely.get_num_coordinates(found.iloc[2]) > 20


def test_vertices_are_bounded() -> None:
    shape = placed(shapely.box(-30, 50.0001, 50, 60), DRONE, 4326)
    assert shapely.get_num_coordinates(shape) <= MOST_VERTICES + 10


def test_many_small_polygons_are_fast() -> None:
    x, y = np.random.default_rng(3).random((2, 10000))
    shapes = shapely.box(14 + x, 51 + y / 2, 14.001 + x, 51.001 + y / 2)
    frame = gpd.GeoDataFrame(geometry=shapes, crs=4326)
    before = time.perf_counter()
    found = reproject(frame, SAXONY, name="zones", wrong=OptionError)
    assert time.perf_counter() - before < 2.0
    assert shapely.get_num_coordinates(found.geometry.to_numpy()).max() == 5


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_corners_that_are_not_on_the_map_give_no_warning() -> None:
    """A square degree off Africa has no place in a UTM zone of America."""
    grid = Grid(100, 90, Affine(20, 0, 498500, 0, -20, 4478420), CRS.from_epsg(32616))
    assert placed(shapely.box(0, 0, 1, 1), grid, 4326).is_empty
