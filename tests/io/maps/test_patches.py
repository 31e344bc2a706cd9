"""Patches of maps: each pixel in one polygon, no gaps, whatever the strips, with and without smoothing."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
import scipy.ndimage
import shapely
from affine import Affine
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hsi_geo.arrays import AnyArray
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.corners import FARTHEST_PX
from hsi_geo.io.maps.patches import find_patches, label_patches
from hsi_geo.io.maps.reader import ReadMap, read_map

Write = Callable[..., ReadMap]

#: South-up, north-up and rotated grids, with pixels that are no squares.
GRIDS = {
    "north up": Affine(30.0, 0.0, 4e5, 0.0, -20.0, 5e6),
    "south up": Affine(30.0, 0.0, 4e5, 0.0, 20.0, 5e6),
    "rotated": Affine(30.0, 7.0, 4e5, 5.0, -20.0, 5e6),
}


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write_(
        classes: AnyArray, name: str = "map.tif", grid: str = "north up", nodata: int | None = 0
    ) -> ReadMap:
        with rasterio.open(
            tmp_path / name, "w", driver="GTiff", height=classes.shape[0], width=classes.shape[1],
            count=1, dtype=classes.dtype, nodata=nodata, crs="EPSG:32633", transform=GRIDS[grid],
        ) as file:  # fmt: skip
            file.write(classes, 1)
        return read_map(tmp_path / name)

    return write_


def patchy(seed: int, shape: tuple[int, int] = (37, 53), classes: int = 4) -> AnyArray:
    """Blobs of some classes and of no class."""
    noise = np.random.default_rng(seed).normal(size=(classes, *shape))
    smooth = scipy.ndimage.gaussian_filter(noise, (0, 1.5, 1.5))
    return np.asarray(smooth.argmax(axis=0), np.uint8)


def noise(seed: int) -> AnyArray:
    return np.random.default_rng(seed).integers(0, 4, (23, 31)).astype(np.uint8)


def found_in(
    opened: ReadMap, passes: int = 0, rows: int | None = None
) -> list[tuple[int, int, shapely.Polygon]]:
    """(class, pixels, polygon) of each patch, in an order of their own."""
    found = [
        (int(value), int(count), shapely.normalize(polygon))
        for part, _ in find_patches(opened, passes=passes, rows=rows)
        for value, count, polygon in zip(part.values, part.pixels, part.polygons, strict=True)
    ]
    return sorted(found, key=lambda one: (*one[:2], one[2].wkb))


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("passes", [0, 1, 4, 20])
def test_polygons_cover_the_mapped_land_without_gaps_or_overlaps(
    write: Write, grid: str, passes: int
) -> None:
    for seed in range(6):
        classes = patchy(seed) if seed % 2 else noise(seed)
        opened = write(classes, grid=grid)
        found = found_in(opened, passes)
        polygons = np.array([polygon for *_, polygon in found])
        assert shapely.is_valid(polygons).all()
        if grid != "rotated":  # a rotation rounds coordinates
            assert shapely.coverage_is_valid(polygons)
        pixel = abs(GRIDS[grid].determinant)
        mapped = int((classes > 0).sum())
        assert shapely.area(polygons).sum() == pytest.approx(mapped * pixel)
        outline = shapely.union_all(polygons)  # of the mapped land: the same whatever the passes
        assert outline.area == pytest.approx(mapped * pixel, rel=1e-9)
        by_class = np.zeros(4)
        for value, count, polygon in found:
            by_class[value] += count
            if not passes:
                assert polygon.area == pytest.approx(count * pixel)
        assert by_class[1:].tolist() == np.bincount(classes.ravel(), minlength=4)[1:].tolist()


@pytest.mark.parametrize("passes", [0, 1, 5])
@pytest.mark.parametrize("rows", [1, 2, 7, 36])
def test_polygons_do_not_depend_on_the_strips(write: Write, passes: int, rows: int) -> None:
    for seed in range(4):
        opened = write(patchy(seed) if seed % 2 else noise(seed))
        assert found_in(opened, passes, rows) == found_in(opened, passes, 1000)


@pytest.mark.parametrize("passes", [0, 5])
@pytest.mark.parametrize("rows", [1, 3, 50])
def test_rows_without_a_class_are_passed_over(
    write: Write, monkeypatch: pytest.MonkeyPatch, passes: int, rows: int
) -> None:
    """Tiles of a mosaic may lie far apart: between them nothing is labelled, and no confidence is read."""
    classes = np.zeros((150, 53), np.uint8)
    classes[3:40], classes[111:148] = patchy(1), patchy(2)
    opened, labelled = write(classes), list[int]()

    def count_rows(ids: AnyArray) -> tuple[AnyArray, int]:
        labelled.append(len(ids))
        return label_patches(ids)

    monkeypatch.setattr("hsi_geo.io.maps.patches.label_patches", count_rows)
    found = found_in(opened, passes, rows)
    assert sum(labelled) <= 2 * (37 + 2 * rows)
    assert found == found_in(opened, passes, 1000)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60)
@given(
    classes=arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, 2)),
    passes=st.sampled_from([0, 2, 20]),
    rows=st.integers(1, 4),
)  # fmt: skip
def test_any_small_map_is_covered(write: Write, classes: AnyArray, passes: int, rows: int) -> None:
    found = found_in(write(classes), passes, rows)
    polygons = np.array([polygon for *_, polygon in found], object)
    assert shapely.is_valid(polygons).all()
    assert not len(polygons) or shapely.coverage_is_valid(polygons)
    assert sum(count for _, count, _ in found) == (classes > 0).sum()
    for value in (1, 2):  # as many patches as scipy finds
        assert sum(one[0] == value for one in found) == scipy.ndimage.label(classes == value)[1]


def test_patches_have_the_mean_of_the_second_raster_and_their_area(write: Write) -> None:
    classes = patchy(3)
    percent = np.random.default_rng(1).integers(0, 101, classes.shape).astype(np.uint8)
    percent[classes == 0] = 255
    percent[5, 7] = 255  # no per cent where there is a class
    labels, count = label_patches(classes)
    opened, second = write(classes), write(percent, "percent.tif", nodata=255)
    parts = [part for part, _ in find_patches(opened, second, rows=5)]
    assert sum(len(part.values) for part in parts) == count
    known = (labels > 0) & (percent != 255)
    wanted = [
        (int((labels == n).sum()), float(percent[known & (labels == n)].mean()))
        for n in range(1, count + 1)
        if (known & (labels == n)).any()
    ]
    given_ = [
        (int(n), float(p)) for part in parts for n, p in zip(part.pixels, part.percent, strict=True)
        if not np.isnan(p)
    ]  # fmt: skip
    np.testing.assert_allclose(sorted(given_), sorted(wanted))
    for part in parts:
        assert part.hectares == pytest.approx(part.pixels * 0.06)


@pytest.mark.parametrize("dtype", ["uint8", "int16", "int32", "uint16"])
def test_any_value_is_a_class(write: Write, dtype: str) -> None:
    signed = dtype.startswith("int")
    values = [-3 if signed else 250, 0, 7]
    classes = np.array([[values[0], values[0], 0], [7, 0, 0], [7, 7, 99]], dtype)
    found = found_in(write(classes, nodata=99), 0, 1)
    assert [(value, count) for value, count, _ in found] == sorted([(values[0], 2), (0, 3), (7, 3)])


def test_a_straight_stair_becomes_a_straight_line(write: Write) -> None:
    """A diagonal edge between two classes: corners lie on it, but for its ends at the map's border."""
    rows, cols = np.mgrid[:30, :30]
    opened = write(np.where(cols > rows, 1, 2).astype(np.uint8))
    (_, _, polygon), _ = found_in(opened, 1)
    t = GRIDS["north up"]
    places = np.array([~t @ (x, y) for x, y in shapely.get_coordinates(polygon)])
    inner = places[((places > 1.5) & (places < 28.5)).all(axis=1)]
    assert len(inner) == 0  # all corners are on one line, and need no vertex


def test_no_corner_moves_half_a_pixel(write: Write) -> None:
    opened = write(noise(2))
    t = GRIDS["north up"]
    for *_, polygon in found_in(opened, 20):
        places = np.array([~t @ (x, y) for x, y in shapely.get_coordinates(polygon)])
        assert np.abs(places - np.round(places)).max() <= FARTHEST_PX + 1e-9


@pytest.mark.parametrize("passes", [0, 3, 20])
@pytest.mark.parametrize("rows", [1, 4, 100])
def test_rejected_pixels_in_the_holes_of_a_patch_are_counted(
    write: Write, passes: int, rows: int
) -> None:
    """Two kinds of rejected pixels in one hole, one with a field in it, and one at the edge that is in none."""
    classes = np.ones((14, 20), np.uint8)
    classes[:, 15:] = 2
    classes[2:5, 3:6] = 8
    classes[3, 4:7] = 9
    classes[8:12, 2:8] = 8
    classes[9:11, 4:6] = 2  # inside the second hole
    classes[6, 14:17] = 8  # between two patches
    opened = dataclasses.replace(
        write(classes),
        rejected=(LandClass(8, "unlike", "#404040"), LandClass(9, "unsure", "#bfbfbf")),
    )
    parts = [part for part, _ in find_patches(opened, passes=passes, rows=rows)]
    shares = {
        (int(v), int(n)): float(r)
        for part in parts
        for v, n, r in zip(part.values, part.pixels, part.rejected, strict=True)
    }
    own, inside = int((classes[:, :15] == 1).sum()), 10 + 20
    assert shares[(1, own)] == pytest.approx(100 * inside / (own + inside))
    assert shares[(2, int((classes[:, 15:] == 2).sum()))] == 0
    assert all(share == 100 for (value, _), share in shares.items() if value > 7)
    (part, *_) = [part for part, _ in find_patches(write(classes))]
    assert np.isnan(part.rejected).all()
