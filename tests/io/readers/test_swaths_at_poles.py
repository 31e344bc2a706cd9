"""Swaths across the antimeridian, at a pole, and wider than a UTM zone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from pyproj import CRS
from swath_cases import Swath, expected_map, make_swath, tanager_cube, write_pace_l1b, write_tanager

from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene


def shift_to(lon: float, lat: float, degrees: float = 12.0) -> Swath:
    """The usual swath, moved to another place by a projection around it."""
    crs = CRS.from_proj4(f"+proj=laea +lat_0={lat} +lon_0={lon} +datum=WGS84")
    return make_swath(degrees=degrees, origin=(-300.0, 500.0), crs=crs)


@pytest.mark.parametrize("lon", [180.0, -180.0, 179.999])
@pytest.mark.parametrize("counted", ["-180 to 180", "0 to 360"])
def test_a_swath_across_the_antimeridian_is_one_piece(
    lon: float, counted: str, tmp_path: Path
) -> None:
    swath = shift_to(lon, -17.0)
    assert np.ptp(swath.lon) > 300.0  # it lies on both sides
    if counted == "0 to 360":
        swath = Swath(swath.lon % 360.0, swath.lat)
    path = write_tanager(tmp_path / "a.h5", swath=swath)
    for grid in (None, "native"):
        scene = open_scene(path, mask="none", grid=grid)
        found = grid_of(scene)
        assert found.height < 45
        assert found.width < 45
        present = (scene.values[0] != -9999).sum()
        assert present == pytest.approx(34 * 23, rel=0.06)
        if grid is None:
            assert found.crs is not None
            assert found.crs.to_epsg() in (32701, 32760)
            np.testing.assert_array_equal(
                scene.values, expected_map(found, swath, tanager_cube(), -9999.0)
            )


@pytest.mark.parametrize(("lat", "code"), [(89.999, 5041), (-89.999, 5042), (86.0, 5041)])
def test_a_swath_at_a_pole_lies_on_a_polar_grid(lat: float, code: int, tmp_path: Path) -> None:
    swath = shift_to(25.0, lat)
    path = write_tanager(tmp_path / "a.h5", swath=swath)
    scene = open_scene(path, mask="none")
    grid = grid_of(scene)
    assert grid.crs is not None
    assert grid.crs.to_epsg() == code
    expected = expected_map(grid, swath, tanager_cube(), -9999.0)
    assert (scene.values != expected).any(axis=0).sum() <= 2  # a corner, by a hair
    if abs(lat) > 89.0:
        with pytest.raises(OptionError, match="lies at a pole, where degrees are no grid"):
            open_scene(path, grid="native")


def test_a_swath_wider_than_a_utm_zone_lies_on_an_equal_area_grid(tmp_path: Path) -> None:
    rows, cols = np.indices((34, 23), np.float64)
    wide = Swath(-100.0 + 0.9 * cols, 50.0 - 0.5 * rows)
    path = write_pace_l1b(tmp_path / "a.nc", wide)
    grid = grid_of(open_scene(path))
    assert grid.crs is not None
    assert grid.crs.name == "WGS 84 / equal area around 90 W 42 N"
    with pytest.raises(OptionError, match=r"too wide for a UTM zone: it reaches 1\d degrees"):
        open_scene(path, grid="UTM")
