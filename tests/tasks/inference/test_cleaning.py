"""Least areas of patches in whole units, for pixels of any size."""

from __future__ import annotations

import numpy as np
import pytest
from affine import Affine
from pyproj import CRS

from hsi_geo.io.maps.areas import pixel_areas_ha, row_areas_ha
from hsi_geo.io.maps.small_patches import merge_small_patches
from hsi_geo.tasks.inference.cleaning import margin_px, pixel_areas
from hsi_geo.tasks.inference.options import MinArea
from hsi_geo.tiling import Grid, Window

UTM = CRS.from_epsg(32633)


def metres(side: float) -> Grid:
    return Grid(4, 9, Affine(side, 0.0, 4e5, 0.0, -side, 5e6), UTM)


@pytest.mark.parametrize("side", [300.0, 30.0, 0.3, 0.03, 0.015, 0.012, 0.01, 0.004, 0.002])
@pytest.mark.parametrize("pixels", [1, 7, 20, 500])
def test_hectares_are_as_many_pixels_as_they_are(side: float, pixels: int) -> None:
    """A patch of just the least area stays, and one with a pixel less does not."""
    grid, least = metres(side), MinArea(float(f"{side**2 * pixels / 1e4:.12g}"), "ha")
    counted = pixel_areas(least, grid)
    areas, units = counted.of(grid.window), counted.least
    assert pixels * int(areas[0, 0]) == pytest.approx(units, rel=1e-9)
    assert margin_px(least, grid) == margin_px(MinArea(float(pixels), "px"), grid)
    if pixels == 7:
        ids = np.ones(grid.shape, np.int64)
        ids[0, :7], ids[2, 1:7] = 2, 2
        steps = np.zeros((2, *grid.shape), np.uint8)
        cleaned = merge_small_patches(ids, steps, areas, units)
        assert (cleaned == 2).sum(axis=1).tolist() == [7, 0, 0, 0]


@pytest.mark.parametrize("side", [1e-3, 1e-7])
def test_rows_of_other_areas_keep_their_relation(side: float) -> None:
    """From pixels of 100 m to those of a centimetre, in degrees."""
    grid = Grid(300, 2, Affine(side, 0.0, 13.0, 0.0, -side, 60.0), CRS.from_epsg(4326))
    hectares = row_areas_ha(grid)
    assert hectares is not None
    counted = pixel_areas(MinArea(20 * float(hectares[0]), "ha"), grid)
    assert counted.of(grid.window)[:, 0] / counted.least == pytest.approx(
        hectares / (20 * hectares[0]), rel=1e-5
    )


#: 4,000 km wide maps beside the pole, as they are and rotated. Pixels of one row differ by some per cent.
POLAR = [Affine(5e4, 0.0, -2e6, 0.0, -5e4, -6e5), Affine(3e4, 4e4, -1e6, 4e4, -3e4, -2.1e6)]


@pytest.mark.parametrize("transform", POLAR, ids=["upright", "rotated"])
def test_pixels_of_one_row_have_their_own_areas(transform: Affine) -> None:
    """A patch that is as large as the least area stays at the end of a row, and one of as many pixels goes elsewhere."""
    grid = Grid(16, 80, transform, CRS.from_epsg(3413))
    hectares = pixel_areas_ha(grid)
    assert hectares is not None
    every = hectares.at(np.arange(16)[:, None], np.arange(80)[None])
    assert every[5].max() > 1.04 * every[5].min()
    least = MinArea(5 * float(every[5].max() + every[5].min()) / 2, "ha")
    counted = pixel_areas(least, grid)
    areas = counted.of(grid.window)
    assert areas / counted.least == pytest.approx(every / least.value, rel=1e-6)
    assert counted.smallest <= areas.min() <= 1.02 * counted.smallest
    inner = Window(3, 17, 9, 41)
    assert (counted.of(inner) == areas[inner.slices]).all()
    ids = np.ones(grid.shape, np.int64)
    starts = range(2, 70, 7)
    for col in starts:
        ids[5, col : col + 5] = 2
    cleaned = merge_small_patches(ids, np.zeros((2, *ids.shape), np.uint8), areas, counted.least)
    stays = [every[5, col : col + 5].sum() >= least.value for col in starts]
    assert [bool(cleaned[5, col] == 2) for col in starts] == stays
    assert 0 < sum(stays) < len(stays)


@pytest.mark.parametrize("least", [1e-30, 1e-9, 0.05])
def test_pixels_above_the_least_area_are_none_too_small(least: float) -> None:
    areas = pixel_areas(MinArea(least, "ha"), metres(30.0))
    assert (areas.of(metres(30.0).window) == areas.least).all()
    assert margin_px(MinArea(least, "ha"), metres(30.0)) == 0
