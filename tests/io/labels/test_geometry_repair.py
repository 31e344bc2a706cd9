"""Polygons that cross or cover themselves: no area that was drawn disappears from zones and areas of interest."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely
from affine import Affine
from pyproj import CRS
from shapely import GeometryCollection, LineString, MultiPolygon, Point, Polygon, box

from hsi_geo.io.labels.aoi import read_area
from hsi_geo.io.labels.geometry_repair import repair
from hsi_geo.io.labels.pixel_centres import area_mask
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.tiling import Grid

SQUARE = [(0, 0), (20, 0), (20, 20), (0, 20)]

#: Geometries, and the area that they cover.
SHAPES = {
    "overlap": (MultiPolygon([box(0, 0, 20, 20), box(10, 10, 30, 30)]), 700),
    "part_twice": (MultiPolygon([box(0, 0, 20, 20), box(0, 0, 20, 20)]), 400),
    "part_in_part": (MultiPolygon([box(0, 0, 20, 20), box(5, 5, 10, 10)]), 400),
    "part_beside": (MultiPolygon([box(0, 0, 20, 20), box(20, 0, 30, 20)]), 600),
    "part_over_hole": (
        MultiPolygon([box(0, 0, 20, 20).difference(box(5, 5, 15, 15)), box(4, 4, 10, 10)]),
        325,
    ),
    "island": (
        MultiPolygon([box(0, 0, 20, 20).difference(box(5, 5, 15, 15)), box(7, 7, 10, 10)]),
        309,
    ),
    "bow_tie": (Polygon([(0, 0), (20, 20), (20, 0), (0, 20)]), 200),
    "bow_tie_and_part": (
        MultiPolygon([Polygon([(0, 0), (20, 20), (20, 0), (0, 20)]), box(0, 0, 5, 20)]),
        225,
    ),
    "ring_twice": (Polygon([*SQUARE, *SQUARE]), 400),
    "hole_at_border": (Polygon(SQUARE, [[(0, 5), (5, 5), (5, 10), (0, 10)]]), 375),
    "hole_at_point": (Polygon(SQUARE, [[(0, 5), (5, 3), (5, 8)]]), 387.5),
    "hole_twice": (Polygon(SQUARE, [[(5, 5), (10, 5), (10, 10), (5, 10)]] * 2), 375),
    "spike": (Polygon([(0, 0), (20, 0), (40, 0), (20, 0), (20, 20), (0, 20)]), 400),
}


@pytest.mark.parametrize("name", SHAPES)
def test_repair_keeps_the_area_that_was_drawn(name: str) -> None:
    shape, area = SHAPES[name]
    found = repair(np.array([shape]))[0]
    assert found.is_valid
    assert found.geom_type in ("Polygon", "MultiPolygon")
    assert found.area == area


def test_repair_leaves_valid_and_missing_geometries_alone() -> None:
    shapes = np.array(
        [Point(1, 2), LineString([(0, 0), (5, 5)]), None, box(0, 0, 1, 2), Polygon()], object
    )
    assert all(new is old for new, old in zip(repair(shapes), shapes, strict=True))


def test_repair_keeps_lines_and_points_of_collections() -> None:
    bow_tie, _ = SHAPES["bow_tie"]
    shape = GeometryCollection([bow_tie, Point(50, 50), LineString([(0, 0), (9, 90)])])
    found = repair(np.array([shape]))[0]
    assert sorted({part.geom_type for part in found.geoms}) == [
        "LineString",
        "MultiPolygon",
        "Point",
    ]
    assert found.area == 200


@pytest.mark.parametrize(("keep", "kind"), [(True, "LineString"), (False, "Polygon")])
def test_repair_of_polygon_without_area(keep: bool, kind: str) -> None:
    found = repair(np.array([Polygon([(0, 0), (20, 0), (10, 0)])]), keep_collapsed=keep)[0]
    assert (found.geom_type, found.is_empty) == (kind, not keep)


@pytest.mark.parametrize("crs", [32633, 3035])
@pytest.mark.parametrize("name", SHAPES)
def test_zones_and_areas_of_interest_have_every_centre(name: str, crs: int, tmp_path: Path) -> None:
    shape, area = SHAPES[name]
    x, y = 500000.3, 5500000.4  # no centre of a pixel lies on an edge
    grid = Grid(90, 110, Affine(0.5, 0, x - 10, 0, -0.5, y + 32), CRS.from_epsg(32633))
    path = tmp_path / "zones.gpkg"
    moved = shapely.transform(shape, lambda xy: xy + np.array([x + 0.1, y + 0.07]))
    frame = gpd.GeoDataFrame({"zone": ["a"]}, geometry=[moved], crs=32633).to_crs(crs)
    frame.to_file(path)
    for found in (read_area(path, grid), read_zones(path, grid).zones[0].geometry):
        pixels = area_mask(found, grid, grid.window).sum()
        assert pixels / 4 == pytest.approx(area, abs=0.02 * area)


def test_part_without_an_area_covers_no_pixel(tmp_path: Path) -> None:
    grid = Grid(9, 12, Affine(1, 0, 0, 0, -1, 9), CRS.from_epsg(32633))
    flat = Polygon([(0.5, 0.5), (11.5, 0.5), (6.5, 0.5)])
    frame = gpd.GeoDataFrame(
        {"zone": ["a"]}, geometry=[MultiPolygon([box(1, 3, 4, 8), flat])], crs=32633
    )
    frame.to_file(tmp_path / "a.gpkg")
    for found in (
        read_area(tmp_path / "a.gpkg", grid),
        read_zones(tmp_path / "a.gpkg", grid).zones[0].geometry,
    ):
        assert area_mask(found, grid, grid.window).sum() == 15


@pytest.mark.parametrize("crs", [4326, 32633])
@pytest.mark.parametrize("bad", [np.inf, 1e20, 1e300], ids=str)
def test_polygon_with_a_broken_coordinate_covers_nothing(
    bad: float, crs: int, tmp_path: Path
) -> None:
    grid = Grid(9, 12, Affine(1000, 0, 400000, 0, -1000, 5700000), CRS.from_epsg(32633))
    frame = gpd.GeoDataFrame(
        {"zone": ["a", "b"]}, geometry=[box(402000, 5693000, 405000, 5697000)] * 2, crs=32633
    ).to_crs(crs)
    corners = shapely.get_coordinates(frame.geometry.iloc[0])
    corners[1, 1] = bad
    frame.geometry = [frame.geometry.iloc[1], Polygon(corners)]
    frame.to_file(tmp_path / "a.gpkg")
    sizes = [
        0 if zone.geometry.is_empty else area_mask(zone.geometry, grid, grid.window).sum()
        for zone in read_zones(tmp_path / "a.gpkg", grid).zones
    ]
    assert sizes == [12, 0]
    assert area_mask(read_area(tmp_path / "a.gpkg", grid), grid, grid.window).sum() == 12


@pytest.mark.parametrize("nested", [False, True])
def test_polygons_in_collections_count(nested: bool, tmp_path: Path) -> None:
    """Overlays make collections of polygons and the lines in which others only touch."""
    mixed = GeometryCollection([box(40, 0, 60, 10), LineString([(0, 0), (9, 9)]), Point(1, 1)])
    shapes = [box(0, 0, 20, 20), GeometryCollection([mixed]) if nested else mixed, Point(3, 3)]
    path = tmp_path / "a.gpkg"
    gpd.GeoDataFrame({"zone": ["a", "b", "c"]}, geometry=shapes, crs=32633).to_file(path)
    grid = Grid(30, 70, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 30.0), CRS.from_epsg(32633))

    zones = read_zones(path, grid)

    assert read_area(path, grid).area == 600
    assert [(zone.name, zone.geometry.area) for zone in zones.zones] == [("a", 400), ("b", 200)]
    assert any("1 features" in note for note in zones.notes)
