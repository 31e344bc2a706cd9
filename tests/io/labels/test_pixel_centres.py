"""A centre on a shared edge belongs to one of the areas, on any grid, and every question has the same answer."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from shots_cases import UTM, claimed, shots_of

from hsi_geo.arrays import AnyArray
from hsi_geo.io.labels.pixel_centres import are_centres_in, area_mask
from hsi_geo.io.labels.rasterize import pixels_under, pixels_under_each
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid, Window

HEIGHT, WIDTH = 7, 10
UPPER_LEFT = Affine.translation(383472.5, 5818302.25)
GRIDS = {
    "north-up": UPPER_LEFT @ Affine.scale(30.0, -20.0),
    "south-up": UPPER_LEFT @ Affine.scale(30.0, 20.0),
    "mirrored": UPPER_LEFT @ Affine.scale(-30.0, -20.0),
    "rotated": UPPER_LEFT @ Affine.rotation(33.0) @ Affine.scale(30.0, -20.0),
    "quarter-turn": UPPER_LEFT @ Affine(0.0, 30.0, 0.0, 20.0, 0.0, 0.0),
    "degrees": Affine(0.001, 0.0, 170.0, 0.0, -0.001, -60.0),
    "centimetres": UPPER_LEFT @ Affine.scale(0.01, -0.01),
    "columns-and-rows": Affine.identity(),
}
GRID_OF = {name: Grid(HEIGHT, WIDTH, transform, None) for name, transform in GRIDS.items()}
of_any_grid = pytest.mark.parametrize("grid", list(GRID_OF.values()), ids=list(GRID_OF))

#: A frame around the grid, and the lattice that lines begin and end on: corners of pixels, their centres, and between.
FRAME = shapely.box(-1.0, -1.0, WIDTH + 1.0, HEIGHT + 1.0)
ends = st.tuples(st.integers(-2, 2 * WIDTH + 2), st.integers(-2, 2 * HEIGHT + 2))


@st.composite
def parcels(draw: st.DrawFn) -> AnyArray:
    """Polygons in columns and rows that cover the grid without overlap, with edges through centres of pixels."""
    pairs = draw(st.lists(st.tuples(ends, ends).filter(lambda p: p[0] != p[1]), max_size=6))
    lines = [shapely.LineString(np.array(pair) / 2.0) for pair in pairs]
    noded = shapely.union_all([FRAME.boundary, *lines])
    return np.array(list(shapely.polygonize([noded]).geoms), object)


def place(shapes: AnyArray, grid: Grid) -> AnyArray:
    """The same in coordinates of the grid."""
    return np.asarray(
        shapely.transform(shapes, lambda xy: np.stack(grid.transform @ tuple(xy.T), axis=1))
    )


@of_any_grid
@settings(deadline=None, max_examples=20)
@given(shapes=parcels())
def test_each_centre_lies_in_one_of_touching_areas(grid: Grid, shapes: AnyArray) -> None:
    placed = place(shapes, grid)
    masks = [area_mask(one, grid, grid.window) for one in placed]
    np.testing.assert_array_equal(np.sum(masks, axis=0), 1)
    rows, cols = (one.ravel() for one in np.indices(grid.shape))
    window = Window(2, 3, 4, 5)
    together = pixels_under_each(list(placed), grid, [False] * len(placed))
    for one, mask, (*found, small) in zip(placed, masks, together, strict=True):
        np.testing.assert_array_equal(are_centres_in(one, grid, rows, cols), mask.ravel())
        np.testing.assert_array_equal(area_mask(one, grid, window), mask[window.slices])
        *alone, small_alone = pixels_under(one, grid, all_touched=False)
        assert small == small_alone
        if not small:
            np.testing.assert_array_equal(np.argwhere(mask).T, found)
            np.testing.assert_array_equal(np.argwhere(mask).T, alone)


@of_any_grid
@settings(deadline=None, max_examples=20)
@given(
    radii=st.lists(st.floats(0.3, 6.0), min_size=3, max_size=9),
    row=st.floats(-2.0, 9.0),
    col=st.floats(-2.0, 12.0),
)
def test_centres_beside_edges_belong_to_the_area_around_them(
    grid: Grid, radii: list[float], row: float, col: float
) -> None:
    angles = np.linspace(0.0, 2 * np.pi, len(radii), endpoint=False) + 0.1234
    far = np.array(radii)
    ring = np.stack([col + far * np.cos(angles), row + far * np.sin(angles)], axis=1)
    polygon = shapely.Polygon(ring, [np.array([col, row]) + 0.4 * (ring - [col, row])])
    rows, cols = np.indices(grid.shape)
    centres = shapely.points(cols + 0.5, rows + 0.5)
    assume((shapely.distance(polygon.boundary, centres) > 1e-5).all())
    inside = shapely.contains(polygon, centres)
    placed = place(np.array([polygon]), grid)[0]
    np.testing.assert_array_equal(area_mask(placed, grid, grid.window), inside)
    np.testing.assert_array_equal(
        are_centres_in(placed, grid, rows.ravel(), cols.ravel()), inside.ravel()
    )


def test_the_eastern_and_the_southern_area_own_their_edge_on_any_grid() -> None:
    north, south = GRID_OF["north-up"], GRID_OF["south-up"]
    flipped = Grid(HEIGHT, WIDTH, south.transform @ Affine.translation(0, -HEIGHT), None)
    x, y = north.transform @ (4.5, 2.5)
    left, bottom, right, top = north.bounds
    for area, owned in (
        (shapely.box(left, bottom, x, top), (slice(None), slice(0, 4))),
        (shapely.box(x, bottom, right, top), (slice(None), slice(4, None))),
        (shapely.box(left, y, right, top), (slice(0, 2), slice(None))),
        (shapely.box(left, bottom, right, y), (slice(2, None), slice(None))),
    ):
        expected = np.zeros(north.shape, bool)
        expected[owned] = True
        np.testing.assert_array_equal(area_mask(area, north, north.window), expected)
        np.testing.assert_array_equal(area_mask(area, flipped, flipped.window)[::-1], expected)


@pytest.mark.parametrize("ratio", [2, 4, 5])
@pytest.mark.parametrize("name", ["north-up", "south-up", "rotated", "quarter-turn"])
def test_a_raster_of_finer_pixels_has_one_class_at_each_centre(
    tmp_path: Path, name: str, ratio: int
) -> None:
    grid = Grid(HEIGHT, WIDTH, GRIDS[name], UTM)
    classes = np.random.default_rng(3).integers(1, 4, (HEIGHT * ratio, WIDTH * ratio), np.uint8)
    fine = grid.transform @ Affine.scale(1 / ratio)
    with rasterio.open(
        tmp_path / "fine.tif", "w", driver="GTiff", height=HEIGHT * ratio, width=WIDTH * ratio,
        count=1, dtype="uint8", nodata=0, crs="EPSG:32633", transform=fine,
    ) as file:  # fmt: skip
        file.write(classes[None])
    found = burn(read_shots(tmp_path / "fine.tif"), grid)
    assert found.conflicts == 0
    assert len(found) == HEIGHT * WIDTH
    # The same places, looked up in the raster.
    x, y = shapely.get_coordinates(
        place(shapely.points(found.cols + 0.5, found.rows + 0.5), grid)
    ).T
    looked_up = Grid(HEIGHT * ratio, WIDTH * ratio, fine, UTM).pixels_at(x + 1e-4, y - 0.618e-4)
    expected = classes[looked_up]
    np.testing.assert_array_equal(found.class_ids, expected)


def test_adjacent_parcels_of_two_classes_have_no_pixel_in_common() -> None:
    grid = Grid(HEIGHT, WIDTH, GRIDS["north-up"], UTM)
    upper, lower = shapely.box(0, 0, WIDTH, 2.5), shapely.box(0, 2.5, WIDTH, HEIGHT)
    found = burn(shots_of(zip(place(np.array([upper, lower]), grid), "ab", strict=True)), grid)
    assert found.conflicts == 0
    assert claimed(found, 1) == [(row, col) for row in range(2) for col in range(WIDTH)]
    assert len(found) == HEIGHT * WIDTH
