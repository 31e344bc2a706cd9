"""Whether two rasters have the same pixels."""

from __future__ import annotations

import dataclasses

import pytest
from affine import Affine
from pyproj import CRS

from hsi_geo.io.maps.pixel_lattices import lattice_offset, same_pixels, with_longitudes_of
from hsi_geo.tiling import Grid

DEGREES, GRADS, UTM = CRS.from_epsg(4326), CRS.from_epsg(4807), CRS.from_epsg(32633)


def moved(grid: Grid, by: float) -> Grid:
    """A grid with other numbers of the same meridians."""
    return dataclasses.replace(grid, transform=Affine.translation(by, 0) @ grid.transform)


@pytest.mark.parametrize(("crs", "circle"), [(DEGREES, 360.0), (GRADS, 400.0)], ids=str)
@pytest.mark.parametrize("left", [-165.0, 179.7, 200.0, -180.3])
@pytest.mark.parametrize("turns", [-2, -1, 0, 1, 2])
def test_meridians_have_several_numbers(crs: CRS, circle: float, left: float, turns: int) -> None:
    own = Grid(40, 50, Affine(0.01, 0.0, left, 0.0, -0.02, 60.0), crs)
    part = Grid(7, 9, own.transform @ Affine.translation(11, 5), crs)
    assert lattice_offset(own, moved(part, turns * circle)) == (5, 11)
    assert lattice_offset(moved(part, turns * circle), own) == (-5, -11)
    assert same_pixels(own, moved(own, turns * circle))
    assert lattice_offset(own, moved(part, turns * circle + 0.004)) is None


def test_metres_are_not_moved() -> None:
    own = Grid(40, 50, Affine(1.0, 0.0, 500_000.0, 0.0, -1.0, 5e6), UTM)
    other = moved(own, -360.0)
    assert with_longitudes_of(own, other) is other
    assert lattice_offset(own, other) == (0, -360)
