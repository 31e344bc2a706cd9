"""Window arithmetic, grids of every orientation, and windows anchored to the CRS."""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
import pytest
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from pyproj import CRS

from hsi_geo.tiling import Grid, Tiling, Window, WindowGrid, blocks, spread_windows

Pixel = tuple[int, int]

#: Two descriptions of a CRS, and whether coordinates are the same in both: rasters have x before y in any of them.
CRS_PAIRS = [
    ("EPSG:4326", "EPSG:4326", True),
    ("EPSG:4326", "OGC:CRS84", True),
    ("EPSG:4326", CRS("EPSG:4326").to_wkt("WKT1_ESRI"), True),
    ("EPSG:32633", "EPSG:32634", False),
    ("EPSG:4326", "EPSG:4258", False),
    ("EPSG:32633", None, False),
    (None, None, True),
]


@pytest.mark.parametrize(("one", "other", "is_same"), CRS_PAIRS)
def test_crs_are_compared_without_the_order_of_their_axes(
    one: str | None, other: str | None, is_same: bool
) -> None:
    grids = [
        Grid(2, 3, Affine.identity(), None if name is None else CRS(name)) for name in (one, other)
    ]
    assert grids[0].has_crs_of(grids[1]) == grids[1].has_crs_of(grids[0]) == is_same


offsets = st.integers(-40, 40)
windows = st.builds(Window, offsets, offsets, st.integers(0, 25), st.integers(0, 25))
filled = st.builds(Window, offsets, offsets, st.integers(1, 25), st.integers(1, 25))
tilings = st.integers(1, 9).flatmap(
    lambda size: st.builds(Tiling, st.just(size), st.integers(1, size))
)
origins = st.tuples(st.integers(-(10**6), 10**6), st.integers(-(10**6), 10**6))


@st.composite
def grids(draw: st.DrawFn) -> Grid:
    """North-up and south-up, mirrored, of square and oblong pixels, off the origin."""
    across = draw(st.sampled_from([0.1, 1.0 / 3600.0, 4.8, 30.0]))
    down = across * draw(st.sampled_from([1.0, 0.75, 2.5]))
    left, top = (draw(st.integers(-200_000, 200_000)) + draw(sixteenths) for _ in range(2))
    return Grid(
        draw(st.integers(1, 30)),
        draw(st.integers(1, 40)),
        Affine(across * draw(signs), 0.0, left * across, 0.0, down * draw(signs), top * down),
        None,
    )


signs = st.sampled_from([-1.0, 1.0])
sixteenths = st.integers(0, 15).map(lambda n: n / 16)


def test_pixels_at_puts_infinite_points_outside_the_grid() -> None:
    grid = Grid(5, 6, Affine(30.0, 0.0, 5e5, 0.0, -20.0, 5e6), None)
    rows, cols = grid.pixels_at(
        np.array([np.inf, np.nan, 5e5 + 1]), np.array([np.inf, 5e6, 5e6 - 1])
    )
    assert rows.tolist() == [-1, -1, 0]
    assert cols.tolist() == [-1, -1, 0]


def pixels(window: Window) -> set[Pixel]:
    rows, cols = window.slices
    return {
        (row, col) for row in range(rows.start, rows.stop) for col in range(cols.start, cols.stop)
    }


def starts(window_grid: WindowGrid, origin: Pixel = (0, 0)) -> list[Pixel]:
    """First pixels of the windows of a window_grid, on the pixel grid of the CRS."""
    stride = window_grid.tiling.stride_px
    return [
        (origin[0] + window_grid.row + i * stride, origin[1] + window_grid.col + j * stride)
        for i in range(window_grid.rows)
        for j in range(window_grid.cols)
    ]


# Windows --------------------------------------------------------------------------------------


@given(window=windows, height=st.integers(1, 20), width=st.integers(1, 20))
def test_clip_keeps_the_pixels_inside(window: Window, height: int, width: int) -> None:
    inside = window.clip(height, width)
    assert pixels(inside) == pixels(window) & pixels(Window(0, 0, height, width))
    assert min(inside.shape) >= 0


@given(window=filled, margin=st.integers(0, 7))
def test_grow_adds_a_margin(window: Window, margin: int) -> None:
    grown = window.grow(margin)
    assert grown.shape == (window.height + 2 * margin, window.width + 2 * margin)
    assert window.relative_to(grown) == Window(margin, margin, *window.shape)
    assert grown.grow(-margin) == window


@given(window=windows, other=filled)
def test_relative_to_keeps_the_pixels(window: Window, other: Window) -> None:
    relative = window.relative_to(other)
    assert {(row + other.row, col + other.col) for row, col in pixels(relative)} == pixels(window)


# Grids ----------------------------------------------------------------------------------------


@given(grid=grids(), window=filled)
def test_window_of_inverts_bounds_of(grid: Grid, window: Window) -> None:
    left, bottom, right, top = grid.bounds_of(window)
    assert left < right
    assert bottom < top
    assert grid.window_of((left, bottom, right, top)) == window


@given(grid=grids(), window=filled)
def test_window_of_snaps_to_the_nearest_window(grid: Grid, window: Window) -> None:
    left, bottom, right, top = grid.bounds_of(window)
    across, down = (0.4 * side for side in grid.resolution)
    assert grid.window_of((left + across, bottom - down, right + across, top - down)) == window


@given(grid=grids(), window=filled)
def test_transform_of_gives_the_bounds_of_the_window(grid: Grid, window: Window) -> None:
    part = Grid(*window.shape, grid.transform_of(window), None)
    np.testing.assert_allclose(part.bounds, grid.bounds_of(window))
    assert part.resolution == grid.resolution


@given(grid=grids(), row=offsets, col=offsets)
def test_pixels_at_a_pixel_centre_is_that_pixel(grid: Grid, row: int, col: int) -> None:
    x, y = grid.transform @ (col + 0.5, row + 0.5)
    rows, cols = grid.pixels_at(np.array([x]), np.array([y]))
    assert (rows.tolist(), cols.tolist()) == ([row], [col])


@pytest.mark.parametrize(("up", "bounds"), [(-1, (5, 2, 65, 10)), (1, (5, 10, 65, 18))])
def test_bounds_are_left_bottom_right_top(up: int, bounds: tuple[int, ...]) -> None:
    grid = Grid(4, 20, Affine(3.0, 0.0, 5.0, 0.0, 2.0 * up, 10.0), None)
    assert grid.bounds == bounds
    assert grid.shape == (4, 20)
    assert grid.resolution == (3.0, 2.0)
    assert not grid.is_rotated


@pytest.mark.parametrize("degrees", [34.0, 90.0, 145.0])
def test_rotation_degrees_of_a_rotated_grid(degrees: float) -> None:
    turned = Affine.translation(500.0, 900.0) @ Affine.rotation(degrees) @ Affine.scale(3.0, -2.0)
    grid = Grid(4, 20, turned, None)
    assert grid.is_rotated
    assert grid.rotation_degrees == pytest.approx(degrees)


@given(
    b=st.floats(-0.0099, 0.0099),
    d=st.floats(-0.0099, 0.0099),
    up=st.sampled_from([-1, 1]),
    across=st.sampled_from([-1, 1]),
)
def test_grid_ignores_rotations_below_a_thousandth_of_a_pixel(
    b: float, d: float, up: int, across: int
) -> None:
    """The last digits of other programs, such as 1e-17; a turn of the whole by 0.01 px is one."""
    size = Affine(3.0 * across, 0.0, 5.0, 0.0, 2.0 * up, 10.0)
    terms = 3.0 * b / 10 / 40, 2.0 * d / 10 / 200
    grid = Grid(40, 200, Affine(size.a, terms[0], size.c, terms[1], size.e, size.f), None)
    assert not grid.is_rotated
    assert grid.transform == size
    assert grid.bounds == Grid(40, 200, size, None).bounds
    for turned in ((0.011 * 3 / 40, 0.0), (0.0, 0.011 * 2 / 200)):
        again = Affine(size.a, turned[0], size.c, turned[1], size.e, size.f)
        assert Grid(40, 200, again, None).is_rotated


@pytest.mark.parametrize("side", [64, 1_000])
def test_spread_windows_of_a_vast_scene_are_few(side: int) -> None:
    shape = 10**9, 10**9 + 7
    windows = spread_windows(*shape, side, 36)
    assert len(set(windows)) == 36
    assert windows[0].row == windows[0].col == 0
    last = windows[-1]
    assert (last.row + last.height, last.col + last.width) == shape


@given(
    height=st.integers(1, 300),
    width=st.integers(1, 300),
    side=st.integers(1, 70),
    count=st.integers(1, 40),
)
@pytest.mark.slow
def test_spread_windows_are_a_sample_of_all_blocks(
    height: int, width: int, side: int, count: int
) -> None:
    every = list(blocks(height, width, side, side))
    wanted = every
    if len(every) > count:
        wanted = [every[int(i)] for i in np.linspace(0, len(every) - 1, count).round()]
    assert spread_windows(height, width, side, count) == wanted


@given(grid=grids(), row=st.integers(-500, 500), col=st.integers(-500, 500))
def test_origin_px_of_files_cut_from_one_scene_agree(grid: Grid, row: int, col: int) -> None:
    part = Grid(7, 9, grid.transform_of(Window(row, col, 7, 9)), None)
    assert part.origin_px == (grid.origin_px[0] + row, grid.origin_px[1] + col)


@pytest.mark.parametrize("noise", [-1e-7, 0.0, 1e-7])
@pytest.mark.parametrize("phase", [0.0, 0.5])
def test_origin_px_is_robust_to_rounding_in_a_header(phase: float, noise: float) -> None:
    left, top = (12_782 + phase + noise) * 30.0, (193_943 + phase - noise) * 30.0
    grid = Grid(5, 6, Affine(30.0, 0.0, left, 0.0, -30.0, top), None)
    # Rows count downwards: a northing half a pixel up is a row half a pixel earlier.
    assert grid.origin_px == (-193_943 - math.ceil(phase), 12_782)


# Tilings --------------------------------------------------------------------------------------


@given(tiling=tilings, block=filled, origin=origins)
def test_covering_puts_each_pixel_in_as_many_windows_as_the_stride_allows(
    tiling: Tiling, block: Window, origin: Pixel
) -> None:
    window_grid = tiling.covering(block, origin)
    size, stride = tiling.size_px, tiling.stride_px
    for first, count, begin, length in (
        (window_grid.row, window_grid.rows, block.row, block.height),
        (window_grid.col, window_grid.cols, block.col, block.width),
    ):
        lines = [range(first + k * stride, first + k * stride + size) for k in range(count)]
        stretch = range(begin, begin + length)
        for pixel in stretch:
            assert size // stride <= sum(pixel in line for line in lines) <= -(-size // stride)
        for line in lines:
            assert line.start < stretch.stop
            assert line.stop > stretch.start
    extent = window_grid.extent
    assert extent.row <= block.row
    assert extent.col <= block.col
    assert extent.row + extent.height >= block.row + block.height
    assert extent.col + extent.width >= block.col + block.width


@given(tiling=tilings, block=filled, other=filled, cut=st.tuples(offsets, offsets), origin=origins)
def test_covering_windows_of_a_pixel_do_not_depend_on_block_or_file(
    tiling: Tiling, block: Window, other: Window, cut: Pixel, origin: Pixel
) -> None:
    """``other`` is a block of a file whose corner lies at pixel ``cut`` of the whole scene."""
    shared = pixels(block) & {(row + cut[0], col + cut[1]) for row, col in pixels(other)}
    cut_origin = (origin[0] + cut[0], origin[1] + cut[1])
    whole = starts(tiling.covering(block, origin), origin)
    part = starts(tiling.covering(other, cut_origin), cut_origin)
    for row, col in list(shared)[:5]:
        at = (origin[0] + row, origin[1] + col)
        assert _windows_at(whole, at, tiling.size_px) == _windows_at(part, at, tiling.size_px)


def _windows_at(firsts: list[Pixel], at: Pixel, size_px: int) -> set[Pixel]:
    return {
        first
        for first in firsts
        if 0 <= at[0] - first[0] < size_px and 0 <= at[1] - first[1] < size_px
    }


@given(tiling=tilings, block=filled, origin=origins)
def test_covering_windows_start_at_multiples_of_the_stride(
    tiling: Tiling, block: Window, origin: Pixel
) -> None:
    found = starts(tiling.covering(block, origin), origin)
    assert {number % tiling.stride_px for start in found for number in start} == {0}


@pytest.mark.parametrize(("size", "stride"), [(1, 1), (4, 4), (6, 3), (7, 3)])
def test_weighted_average_of_windows_of_a_scene_is_the_scene(size: int, stride: int) -> None:
    tiling = Tiling(size, stride)
    weights = tiling.weights()
    for length in range(1, 3 * size + 8):
        block = Window(2, -3, length, 3 * size + 8 - length)
        window_grid = tiling.covering(block, (1001, -77))
        extent = window_grid.extent
        values = np.random.default_rng(length).uniform(1.0, 2.0, extent.shape)
        total, weight = np.zeros(extent.shape), np.zeros(extent.shape)
        for row, col in starts(window_grid):
            here = Window(row, col, size, size).relative_to(extent).slices
            total[here] += weights * values[here]
            weight[here] += weights
        inner = block.relative_to(extent).slices
        np.testing.assert_allclose((total / weight)[inner], values[inner])


@pytest.mark.parametrize("size", [1, 2, 3, 12, 33, 512])
def test_weights_are_positive_and_symmetric(size: int) -> None:
    weights = Tiling(size, size).weights()
    assert weights.shape == (size, size)
    assert weights.dtype == np.float32
    assert (weights > 0).all()
    np.testing.assert_allclose(weights, weights[::-1, ::-1], rtol=1e-6)
    np.testing.assert_array_equal(weights, weights.T)
    assert weights.max() == weights[size // 2, size // 2]


@pytest.mark.parametrize(("size", "stride"), [(8, 0), (8, 9), (0, 0), (8, -1)])
def test_tiling_refuses_a_stride_that_leaves_gaps(size: int, stride: int) -> None:
    with pytest.raises(ValueError, match=f"stride {stride} px"):
        Tiling(size, stride)


# Cutting --------------------------------------------------------------------------------------

sides = st.integers(1, 30)


@given(height=sides, width=sides, rows=sides, cols=sides)
def test_blocks_partition_a_scene(height: int, width: int, rows: int, cols: int) -> None:
    parts = list(blocks(height, width, rows, cols))
    counted = Counter(pixel for part in parts for pixel in pixels(part))
    assert set(counted) == pixels(Window(0, 0, height, width))
    assert set(counted.values()) == {1}
    assert all(1 <= part.height <= rows and 1 <= part.width <= cols for part in parts)


@given(height=sides, width=sides, size=st.integers(1, 12), count=st.integers(1, 40))
def test_spread_windows_lie_inside_without_overlap(
    height: int, width: int, size: int, count: int
) -> None:
    found = spread_windows(height, width, size, count)
    every = list(blocks(height, width, size, size))
    assert len(found) == len(set(found)) == min(count, len(every))
    assert set(found) <= set(every)
    assert found[0] == every[0]
    if len(found) > 1:
        assert found[-1] == every[-1]
