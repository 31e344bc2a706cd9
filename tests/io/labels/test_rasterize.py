"""Shots burnt into a grid, by geometry and CRS."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import pytest
import rasterio.features
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from shapely import LineString, MultiPoint, MultiPolygon, Point, Polygon, affinity, box
from shots_cases import GRID, UTM, at, centre, claimed, patch, shots_of, write

from hsi_geo.arrays import IntArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.rasterize import pixels_under, pixels_under_each
from hsi_geo.io.labels.shot_pixels import MAX_PIXELS_PER_CLASS, ShotPixels, burn, thin
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Grid, Window

if TYPE_CHECKING:
    from planted import Planted


# Coordinate reference systems -----------------------------------------------------------------


@pytest.mark.parametrize("crs", ["same", "EPSG:4326", "EPSG:3857", "EPSG:32632"])
def test_burn_reprojects_points(planted: Planted, tmp_path: Path, crs: str) -> None:
    shots = read_shots(planted.shots(tmp_path / "shots.gpkg", crs=crs))
    pixels = burn(shots, grid_of(open_scene(planted.path)))
    assert [c.name for c in shots.classes] == sorted(planted.names)
    assert pixels.counts(shots.classes) == dict.fromkeys(sorted(planted.names), 4)
    names = np.array(["", *planted.names])[planted.truth[pixels.rows, pixels.cols]]
    assert names.tolist() == [shots.classes[i - 1].name for i in pixels.class_ids]


def test_burn_accepts_shots_and_scene_without_crs() -> None:
    grid = Grid(*GRID.shape, GRID.transform, None)
    shots = shots_of([(centre(2, 3), "a"), (centre(4, 5), "b")], crs=None)
    assert claimed(burn(shots, grid)) == [(2, 3), (4, 5)]


@pytest.mark.parametrize(
    ("of_shots", "of_scene", "message"),
    [
        (UTM, None, "the scene has no coordinate reference system, and shots"),
        (None, UTM, "no coordinate reference system is set for shots"),
    ],
)
def test_burn_refuses_crs_on_one_side_only(
    of_shots: CRS | None, of_scene: CRS | None, message: str
) -> None:
    shots = shots_of([(centre(2, 3), "a"), (centre(4, 5), "b")], crs=of_shots)
    with pytest.raises(ShotsError, match=message):
        burn(shots, Grid(*GRID.shape, GRID.transform, of_scene))


def test_burn_refuses_shots_of_another_planet(data: Path) -> None:
    mars = grid_of(open_scene(data / "awkward" / "crism_mars_crs.tif", wavelengths="index"))
    shots = shots_of([(Point(13, 52), "a"), (Point(14, 52), "b")], CRS.from_epsg(4326))
    with pytest.raises(ShotsError):
        burn(shots, mars)


# Pixels ---------------------------------------------------------------------------------------


@st.composite
def polygons(draw: st.DrawFn) -> Polygon:
    """Quadrilaterals and stars in pixel coordinates, some with a hole, some beyond the grid."""
    row, col = draw(st.floats(-3, 15)), draw(st.floats(-3, 20))
    radii = np.array(draw(st.lists(st.floats(0.3, 7.0), min_size=3, max_size=9)))
    angles = np.linspace(0.0, 2 * np.pi, len(radii), endpoint=False) + 0.1234
    ring = np.stack([col + radii * np.cos(angles), row + radii * np.sin(angles)], axis=1)
    inner = np.array([col, row]) + 0.4 * (ring - [col, row])
    return Polygon(ring, [inner] if draw(st.booleans()) else [])


@pytest.mark.parametrize("down", [-20.0, 20.0])
@settings(deadline=None, max_examples=60)
@given(polygon=polygons())
def test_burn_takes_pixels_whose_centre_is_inside(down: float, polygon: Polygon) -> None:
    grid = Grid(12, 17, Affine(30.0, 0.0, 383472.5, 0.0, down, 5818302.25), UTM)
    rows, cols = np.indices(grid.shape)
    centres = cols + 0.5, rows + 0.5
    inside = shapely.contains_xy(polygon, *centres)
    # GDAL works on the lines between pixel centres: a centre on the very rim may go either way.
    rim = shapely.distance(polygon.boundary, shapely.points(*centres)) < 1e-6
    assume(inside.any() and not rim.any())
    placed = shapely.transform(polygon, lambda xy: np.stack(grid.transform @ tuple(xy.T), axis=1))
    far = Point(grid.transform @ (-50.0, -50.0))
    pixels = burn(shots_of([(placed, "a"), (far, "b")]), grid)
    assert pixels.outside == 1
    assert claimed(pixels) == [(int(row), int(col)) for row, col in np.argwhere(inside)]


@settings(deadline=None, max_examples=60)
@given(
    shapes=st.lists(
        st.tuples(
            polygons(), st.sampled_from([0.1, 0.3, 1.0]), st.booleans(), st.sampled_from("PLA")
        ),
        min_size=1,
        max_size=12,
    )
)
def test_many_geometries_have_the_pixels_of_each_alone(
    shapes: list[tuple[Polygon, float, bool, str]],
) -> None:
    """Polygons that overlap, touch, are too small for a centre, or lie outside; lines and points among them."""
    grid = Grid(12, 17, Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25), UTM)
    form = {
        "A": lambda shape: shape,
        "L": lambda shape: LineString(shape.exterior),
        "P": lambda shape: shape.centroid,
    }
    geometries = [
        shapely.transform(
            form[kind](affinity.scale(shape, size, size)),
            lambda xy: np.stack(grid.transform @ tuple(xy.T), axis=1),
        )
        for shape, size, _, kind in shapes
    ]
    touched = [every for *_, every, _ in shapes]
    found = list(pixels_under_each(geometries, grid, touched))
    for geometry, every, (rows, cols, small) in zip(geometries, touched, found, strict=True):
        alone_rows, alone_cols, alone_small = pixels_under(geometry, grid, every)
        assert small == alone_small
        assert rows.tolist() == alone_rows.tolist()
        assert cols.tolist() == alone_cols.tolist()


def test_polygons_apart_are_rasterised_together(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = Grid(40, 60, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 40.0), UTM)
    calls = 0
    rasterize = rasterio.features.rasterize

    def counted(*args: object, **options: object) -> object:
        nonlocal calls
        calls += 1
        return rasterize(*args, **options)

    monkeypatch.setattr(rasterio.features, "rasterize", counted)
    squares = [box(3 * i, 5, 3 * i + 2, 8) for i in range(20)]
    found = list(pixels_under_each(squares, grid, [False] * 20))
    assert [len(rows) for rows, _, _ in found] == [6] * 20
    assert calls == 2


def test_a_ring_without_a_point_inside_takes_its_first_corner(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """GEOS finds none in a ring that crosses itself by rounding; those beside it keep theirs."""
    grid = Grid(9, 60, Affine(1.0, 0.0, 0.0, 0.0, -1.0, 9.0), UTM)
    small = [box(3 * i + 0.1, 5.1, 3 * i + 0.3, 5.3) for i in range(6)]
    point_on_surface = shapely.point_on_surface

    def fails_for_one(shapes: npt.NDArray[np.object_]) -> object:
        if small[2] in shapes.tolist():
            raise shapely.errors.GEOSException("found no point")
        return point_on_surface(shapes)

    monkeypatch.setattr(shapely, "point_on_surface", fails_for_one)
    for rows, cols, _ in (pixels_under(small[2], grid, False), (*_places(small, grid)[2], True)):
        assert (rows.tolist(), cols.tolist()) == ([3], [6])
    assert [cols.tolist() for _, cols in _places(small, grid)] == [[3 * i] for i in range(6)]


def _places(shapes: list[Polygon], grid: Grid) -> list[tuple[IntArray, IntArray]]:
    found = pixels_under_each(shapes, grid, [False] * len(shapes))
    return [(rows, cols) for rows, cols, small in found if small]


def test_burn_leaves_out_holes() -> None:
    ring = patch(1, 1, 6, 8).difference(patch(2, 3, 5, 6))
    pixels = burn(shots_of([(ring, "a"), (centre(3, 4), "b")]), GRID)
    assert claimed(pixels, 2) == [(3, 4)]
    assert len(claimed(pixels, 1)) == 5 * 7 - 3 * 3
    assert pixels.conflicts == 0


def test_burn_takes_the_pixel_under_a_point() -> None:
    (x, y) = at((3, 5))[0]
    pixels = burn(shots_of([(Point(x, y), "a"), (Point(x - 1e-3, y + 1e-3), "b")]), GRID)
    assert claimed(pixels, 1) == [(3, 5)]
    assert claimed(pixels, 2) == [(2, 4)]


def test_burn_counts_parts_as_features() -> None:
    shots = shots_of(
        [
            (MultiPoint([centre(1, 2), centre(3, 4)]), "a"),
            (MultiPolygon([patch(5, 5, 6, 7), patch(8, 0, 10, 1)]), "b"),
        ]
    )
    pixels = burn(shots, GRID)
    assert claimed(pixels) == [(1, 2), (3, 4), (5, 5), (5, 6), (8, 0), (9, 0)]
    assert pixels.features.tolist() == [0, 1, 2, 2, 3, 3]
    assert shots.frame["class_id"].tolist() == [1, 1, 2, 2]


def test_burn_takes_pixels_along_a_line() -> None:
    line = LineString(at((2.5, 1.5), (2.5, 6.2), (5.5, 6.2)))
    pixels = burn(shots_of([(line, "a"), (centre(9, 9), "b")]), GRID)
    assert set(claimed(pixels, 1)) == {(2, col) for col in range(1, 7)} | {(3, 6), (4, 6), (5, 6)}


def test_burn_ignores_heights(tmp_path: Path) -> None:
    flat = [patch(1, 1, 3, 4), centre(6, 6)]
    tall = [shapely.force_3d(geometry, 417.0) for geometry in flat]
    assert tall[0].has_z
    shots = read_shots(write(tmp_path / "a.gpkg", {"class": ["a", "b"]}, tall))
    assert not shots.frame.geometry.has_z.any()
    expected = burn(shots_of(zip(flat, "ab", strict=True)), GRID)
    assert claimed(burn(shots, GRID)) == claimed(expected)


def test_burn_approximates_curves(tmp_path: Path) -> None:
    (x, y), (east, _) = at((6, 8), (6, 11))
    radius = east - x
    circle = (
        f"CURVEPOLYGON(CIRCULARSTRING({x - radius} {y},{x} {y + radius},{x + radius} {y},"
        f"{x} {y - radius},{x - radius} {y}))"
    )
    csv = tmp_path / "a.csv"
    csv.write_text(f'WKT,class\n"{circle}",disc\n"{centre(0, 0).wkt}",dot\n')
    (tmp_path / "a.prj").write_text(UTM.to_wkt("WKT1_ESRI"))
    shots = read_shots(csv)
    grid = Grid(*GRID.shape, GRID.transform, shots.frame.crs)
    rows, cols = np.indices(grid.shape) + 0.5
    inside = ((rows - 6) * 20) ** 2 + ((cols - 8) * 30) ** 2 < radius**2
    assert claimed(burn(shots, grid), 1) == [tuple(spot) for spot in np.argwhere(inside).tolist()]


@pytest.mark.parametrize(
    "tiny",
    [
        patch(3.1, 4.1, 3.3, 4.3),
        patch(3.1, 4.1, 3.4, 4.9),
        Polygon(at((3.1, 4.1), (3.2, 4.2), (3.1, 4.1))),
        LineString(at((3.2, 4.2), (3.2, 4.2))),
    ],
)
def test_burn_takes_one_pixel_for_a_tiny_geometry(
    tiny: shapely.Geometry,
) -> None:
    pixels = burn(shots_of([(tiny, "a"), (centre(9, 9), "b")]), GRID)
    assert claimed(pixels, 1) == [(3, 4)]


def test_burn_prefers_shots_that_cover_the_centre() -> None:
    tiny = patch(3.1, 4.1, 3.3, 4.3)
    pixels = burn(shots_of([(tiny, "a"), (centre(3, 4), "b"), (centre(0, 0), "a")]), GRID)
    assert claimed(pixels, 2) == [(3, 4)]
    assert claimed(pixels, 1) == [(0, 0)]
    assert pixels.conflicts == 0


def test_burn_drops_pixel_of_two_tiny_shots() -> None:
    shots = [(patch(3.1, 4.1, 3.3, 4.3), "a"), (patch(3.6, 4.6, 3.8, 4.8), "b")]
    pixels = burn(shots_of([*shots, (centre(0, 0), "a")]), GRID)
    assert claimed(pixels) == [(0, 0)]
    assert pixels.conflicts == 1


@pytest.mark.parametrize("all_touched", [False, True])
def test_burn_takes_every_touched_pixel_if_all_touched(all_touched: bool) -> None:
    shots = shots_of([(patch(2.7, 3.7, 5.3, 6.3), "a"), (centre(9, 9), "b")])
    pixels = burn(replace(shots, all_touched=all_touched), GRID)
    rows, cols = (range(2, 6), range(3, 7)) if all_touched else (range(3, 5), range(4, 6))
    assert claimed(pixels, 1) == [(row, col) for row in rows for col in cols]


def test_burn_drops_and_counts_pixels_of_two_classes() -> None:
    shots = shots_of([(patch(1, 1, 4, 4), "a"), (patch(3, 2, 6, 7), "b"), (centre(2, 2), "a")])
    pixels = burn(shots, GRID)
    assert pixels.conflicts == 2
    assert not {(3, 2), (3, 3)} & set(claimed(pixels))
    assert len(claimed(pixels, 1)) == 9 - 2
    assert len(claimed(pixels, 2)) == 15 - 2


def test_burn_takes_a_pixel_of_one_class_once() -> None:
    pixels = burn(
        shots_of([(centre(2, 2), "a"), (patch(2, 2, 3, 4), "a"), (centre(0, 0), "b")]), GRID
    )
    assert claimed(pixels) == [(0, 0), (2, 2), (2, 3)]
    assert pixels.conflicts == 0


def test_burn_counts_shots_outside_the_scene() -> None:
    shots = [
        (patch(-3, -3, 1, 2), "a"),  # in part
        (centre(11, 16), "b"),
        (centre(12, 3), "b"),
        (patch(20, 20, 30, 30), "a"),
        (LineString(at((-2.5, 1.5), (-1.5, 9.5))), "a"),
    ]
    pixels = burn(shots_of(shots), GRID)
    assert pixels.outside == 3
    assert claimed(pixels) == [(0, 0), (0, 1), (11, 16)]


def test_burn_counts_shots_that_cannot_be_projected() -> None:
    here = gpd.GeoSeries([centre(2, 3), centre(4, 5)], crs=UTM).to_crs(4326)
    away = [Point(-165.0, -52.0), Point(0.0, 90.0), box(-165.0, -52.0, -164.0, -51.0)]
    labelled = zip([*here, *away], "ababa", strict=True)
    pixels = burn(shots_of(labelled, CRS.from_epsg(4326)), GRID)
    assert claimed(pixels) == [(2, 3), (4, 5)]
    assert pixels.outside == 3


def test_burn_names_both_extents_if_no_shot_is_inside() -> None:
    shots = shots_of([(Point(10, 20), "a"), (Point(11, 22), "b")])
    with pytest.raises(ShotsError, match="none of the 2 shots") as caught:
        burn(shots, GRID)
    assert "x 10 to 11, y 20 to 22" in str(caught.value)


# Painting -------------------------------------------------------------------------------------


@given(
    window=st.builds(
        Window, st.integers(-9, 14), st.integers(-9, 19), st.integers(0, 9), st.integers(0, 9)
    )
)
def test_mask_is_a_window_of_the_whole_mask(window: Window) -> None:
    shots = shots_of([(patch(1, 1, 4, 6), "a"), (patch(7, 10, 12, 17), "b"), (centre(5, 0), "b")])
    pixels = burn(shots, GRID)
    classes, features = np.full((2, 60, 60), -1)
    classes[20 + pixels.rows, 20 + pixels.cols] = pixels.class_ids - 1
    features[20 + pixels.rows, 20 + pixels.cols] = pixels.features
    rows, cols = window.relative_to(Window(-20, -20, 0, 0)).slices
    assert pixels.mask(window).dtype == np.int64
    np.testing.assert_array_equal(pixels.mask(window), classes[rows, cols])
    np.testing.assert_array_equal(pixels.feature_mask(window), features[rows, cols])
    assert set(np.unique(pixels.mask(GRID.window))) == {-1, 0, 1}


def test_thin_keeps_small_classes_and_samples_large_ones() -> None:
    grid = Grid(60, 70, GRID.transform, UTM)
    pixels = burn(shots_of([(patch(0, 0, 50, 60), "a"), (patch(52, 0, 54, 9), "b")]), grid)

    def kept(seed: int) -> ShotPixels:
        return thin(pixels, np.random.default_rng(seed))

    assert np.bincount(kept(1).class_ids).tolist() == [0, MAX_PIXELS_PER_CLASS, 18]
    assert set(claimed(kept(1))) <= set(claimed(pixels))
    assert claimed(kept(1)) == claimed(kept(1))
    assert claimed(kept(1)) != claimed(kept(2))


SPOTS = MultiPoint(at((2.0, 3.0), (9.5, 14.5)))  # one on the corner of its pixel
LINES = shapely.MultiLineString([at((0.3, 1.2), (5.9, 6.7)), at((7.1, 9.4), (11.6, 10.2))])


@pytest.mark.parametrize(
    "shape", [SPOTS, LINES, shapely.GeometryCollection([SPOTS, LINES, patch(8, 1, 11, 4)])],
    ids=["points", "lines", "collection"],
)  # fmt: skip
def test_parts_of_a_geometry_are_burnt_as_if_they_were_alone(shape: shapely.Geometry) -> None:
    """As deep as they lie in collections, and where a shot of one part was cut into several."""
    parts = [leaf for part in shapely.get_parts(shape) for leaf in shapely.get_parts(part)]
    alone = claimed(
        burn(shots_of([*((part, "a") for part in parts), (centre(0, 16), "b")]), GRID), 1
    )
    for nested in (shape, shapely.GeometryCollection([shapely.GeometryCollection([shape])])):
        shots = shots_of([(nested, "a"), (centre(0, 16), "b")])
        assert claimed(burn(shots, GRID), 1) == alone
        assert len(shots.frame) == len(parts) + 1
        assert shots.frame["feature_id"].tolist() == [0] * len(parts) + [1]
        rows, cols, small = pixels_under(nested, GRID, all_touched=False)
        assert (list(zip(rows.tolist(), cols.tolist(), strict=True)), small) == (alone, False)
