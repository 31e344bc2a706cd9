"""Rotated lines and control points on upright grids, and scenes in another CRS."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import NORTH_UP, check_travels, cube_of, nm_tags, physical, run, write_envi, write_tif
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from pyproj import CRS, Transformer
from rasterio.control import GroundControlPoint

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import OptionError, SceneError
from hsi_geo.io.readers import Placement
from hsi_geo.io.scenes.properties import grid_of, remarks_of, require_upright
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Grid

NM = [550.0, 660.0, 860.0]
UTM = CRS.from_epsg(32633)


def turned(degrees: float, width: float = 15.0, height: float = 15.0) -> Affine:
    rotation = Affine.translation(5e5, 4e6) @ Affine.rotation(degrees)
    return rotation @ Affine.scale(width, -height)


def write_line(path: Path, transform: Affine, cube: AnyArray, **profile: Any) -> Path:
    return write_tif(path, cube, transform=transform, band_tags=nm_tags(NM), **profile)


def seen_from(grid: Grid, transform: Affine, cube: AnyArray, missing: float) -> AnyArray:
    """What each pixel centre of a grid shows of a cube with another transform, pixel by pixel."""
    expected = np.full((len(cube), *grid.shape), missing, cube.dtype)
    for row, col in np.ndindex(*grid.shape):
        x, y = grid.transform @ (col + 0.5, row + 0.5)
        c, r = ~transform @ (x, y)
        if 0 <= c < cube.shape[2] and 0 <= r < cube.shape[1]:
            expected[:, row, col] = cube[:, int(r), int(c)]
    return expected


@settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    degrees=st.floats(-180.0, 180.0).filter(lambda d: abs(d) > 0.1),
    height=st.sampled_from([15.0, 21.0]),
    mirrored=st.booleans(),
    nodata=st.sampled_from([None, -7]),
)
def test_each_pixel_shows_what_lies_there(
    tmp_path: Path, degrees: float, height: float, mirrored: bool, nodata: float | None
) -> None:
    transform = turned(degrees, 15.0, -height if mirrored else height)
    cube = cube_of(3, 9, 14)
    scene = open_scene(write_line(tmp_path / "line.tif", transform, cube, nodata=nodata))
    grid = grid_of(scene)
    require_upright(scene)
    assert grid.crs == UTM
    missing = 0 if nodata is None else nodata
    np.testing.assert_array_equal(scene.values, seen_from(grid, transform, cube, missing))
    _, valid = physical(scene)
    np.testing.assert_array_equal(valid, scene.values[0] != missing)
    # No corner is cut off, and about as many pixels as the line has show it.
    left, bottom, right, top = Grid(9, 14, transform, UTM).bounds
    assert grid.bounds[0] <= left + 1e-6
    assert grid.bounds[1] <= bottom + 1e-6
    assert grid.bounds[2] >= right - 1e-6
    assert grid.bounds[3] >= top - 1e-6
    assert valid.sum() == pytest.approx(9 * 14, rel=0.12)


@pytest.mark.parametrize("degrees", [90.0, 180.0, -90.0, 270.0])
@pytest.mark.parametrize("size", [(15.0, 15.0), (15.0, 20.0)])
def test_a_right_angle_loses_no_pixel(
    tmp_path: Path, degrees: float, size: tuple[float, float]
) -> None:
    cube = cube_of(3, 9, 14)
    scene = open_scene(write_line(tmp_path / "line.tif", turned(degrees, *size), cube))
    assert sorted(scene.values.ravel()) == sorted(cube.ravel())
    width, height = size if degrees == 180.0 else size[::-1]
    assert grid_of(scene).resolution == pytest.approx((width, height))


def test_lines_of_one_flight_share_their_pixels(tmp_path: Path) -> None:
    """Their grids begin at multiples of the pixel size, so that maps can be put together."""
    for degrees in (12.0, 35.0):
        grid = grid_of(open_scene(write_line(tmp_path / "a.tif", turned(degrees), cube_of(3))))
        assert grid.resolution == (15.0, 15.0)
        assert (grid.transform.c % 15.0, grid.transform.f % 15.0) == (0.0, 0.0)


def test_a_rotated_envi_line_is_straightened_and_says_so(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "ang20190624t230039_rfl",
        cube_of(3),
        f"wavelength = {{{NM[0]}, {NM[1]}, {NM[2]}}}",
    )
    header = path.with_suffix(".hdr")
    text = header.read_text().replace("30, 20, 33", "30, 30, 33")
    header.write_text(text.replace("units=Meters", "units=Meters, rotation=34"))
    scene = open_scene(path)
    (note,) = remarks_of(scene).notes
    assert note.startswith(
        "its grid is rotated by 34.0 degrees: each pixel of an upright grid of 30 m shows"
    )
    rotated = open_scene(path, straighten=False)
    assert grid_of(rotated).is_rotated
    np.testing.assert_array_equal(
        scene.values, seen_from(grid_of(scene), grid_of(rotated).transform, cube_of(3), 0)
    )
    check_travels(scene)


@pytest.mark.parametrize("kind", ["float32", "uint8", "int16"])
def test_gaps_beside_a_line_are_missing_in_each_type(tmp_path: Path, kind: str) -> None:
    cube = cube_of(3, dtype=kind)
    scene = open_scene(write_line(tmp_path / "a.tif", turned(20.0), cube))
    _, valid = physical(scene)
    assert 0 < valid.sum() < valid.size
    assert set(scene.values[:, valid].ravel()) <= set(cube.ravel())


def test_nodata_of_some_bands_only(tmp_path: Path) -> None:
    path = write_envi(
        tmp_path / "a.bsq",
        cube_of(3),
        f"wavelength = {{{NM[0]}, {NM[1]}, {NM[2]}}}",
        "data ignore value = -9999",
    )
    header = path.with_suffix(".hdr")
    header.write_text(header.read_text().replace("units=Meters", "units=Meters, rotation=34"))
    _, valid = physical(open_scene(path))
    assert 0 < valid.sum() < valid.size


# Control points -------------------------------------------------------------------------------


def points_of(transform: Affine, shape: tuple[int, int]) -> list[GroundControlPoint]:
    corners = [(r, c) for r in (0, shape[0]) for c in (0, shape[1])]
    return [GroundControlPoint(r, c, *(transform @ (c, r))) for r, c in corners]


def test_control_points_place_an_image_as_its_transform_would(tmp_path: Path) -> None:
    transform, cube = turned(20.0, 30.0, 30.0), cube_of(3, 40, 60)
    with rasterio.open(
        tmp_path / "raw.tif", "w", driver="GTiff", height=40, width=60, count=3, dtype="int16",
        gcps=points_of(transform, (40, 60)), crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube)
    scene = open_scene(tmp_path / "raw.tif", wavelengths="500:900")
    line = open_scene(write_line(tmp_path / "line.tif", transform, cube))
    assert grid_of(scene).transform.almost_equals(grid_of(line).transform)
    np.testing.assert_array_equal(scene.values, line.values)
    assert "4 ground control points" in remarks_of(scene).notes[0]
    check_travels(scene, forks=False)


def test_control_points_in_degrees_give_metres(tmp_path: Path) -> None:
    transform = Affine(1e-4, 2e-5, 15.2, 2e-5, -1e-4, 51.3)
    with rasterio.open(
        tmp_path / "raw.tif", "w", driver="GTiff", height=40, width=60, count=3, dtype="int16",
        gcps=points_of(transform, (40, 60)), crs="EPSG:4326",
    ) as file:  # fmt: skip
        file.write(cube_of(3, 40, 60))
    grid = grid_of(open_scene(tmp_path / "raw.tif", wavelengths="500:900"))
    assert grid.crs == UTM
    assert 7.0 <= grid.resolution[0] <= 11.2
    native = grid_of(open_scene(tmp_path / "raw.tif", wavelengths="500:900", grid="native"))
    assert native.crs == CRS.from_epsg(4326)


def test_control_points_in_one_line_are_refused(tmp_path: Path) -> None:
    with rasterio.open(
        tmp_path / "raw.tif", "w", driver="GTiff", height=40, width=60, count=3, dtype="int16",
        gcps=[GroundControlPoint(r, r, 5e5 + r, 4e6 - r) for r in (0, 10, 20, 30)], crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube_of(3, 40, 60))
    with pytest.raises(SceneError, match="no place on a map: it has 4 ground control points"):
        open_scene(tmp_path / "raw.tif", wavelengths="500:900")


# The size of pixels ---------------------------------------------------------------------------


@pytest.mark.parametrize("size", [14.0, 30.0, 47.5])
def test_a_line_is_put_onto_pixels_of_a_size(tmp_path: Path, size: float) -> None:
    transform, cube = turned(20.0, 30.0, 30.0), cube_of(3, 40, 60)
    scene = open_scene(write_line(tmp_path / "a.tif", transform, cube), pixel_size=size)
    grid = grid_of(scene)
    assert grid.resolution == (size, size)
    assert grid.transform.c % size == pytest.approx(0.0, abs=1e-6)
    np.testing.assert_array_equal(scene.values, seen_from(grid, transform, cube, 0))
    assert scene.attrs["placed"]["pixel_size"] == size


def test_another_crs_has_pixels_of_a_size(tmp_path: Path) -> None:
    path = write_tif(
        tmp_path / "a.tif", cube_of(3, 40, 60), band_tags=nm_tags(NM), transform=NORTH_UP
    )
    assert grid_of(open_scene(path, grid="EPSG:3035", pixel_size=50)).resolution == (50.0, 50.0)
    assert grid_of(open_scene(path, grid="EPSG:4326", pixel_size=5e-4)).resolution == (5e-4, 5e-4)


def test_sizes_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    path = write_line(tmp_path / "a.tif", turned(20.0), cube_of(3, 40, 60))
    upright = write_tif(tmp_path / "b.tif", cube_of(3), band_tags=nm_tags(NM), transform=NORTH_UP)
    for size in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(OptionError, match="give a number above 0"):
            open_scene(path, pixel_size=size)
    for size in (0.01, 1e-300):
        with pytest.raises(OptionError, match=r"would make .* pixels of the 2,400"):
            open_scene(path, pixel_size=size)
    with pytest.raises(OptionError, match=r"own grid, whose pixels have a size.* in another CRS"):
        open_scene(upright, pixel_size=10)
    with pytest.raises(OptionError, match="pixels of the sensor have their own size"):
        open_scene(path, grid="swath", pixel_size=10)
    done = run("info", upright, "--pixel-size", 10)
    assert done.exit_code != 0
    assert "leave --pixel-size out, or give a --grid in another CRS" in done.output


# Another CRS ----------------------------------------------------------------------------------


def test_an_upright_scene_is_read_in_another_crs(tmp_path: Path) -> None:
    cube = cube_of(3, 40, 60)
    path = write_tif(tmp_path / "a.tif", cube, band_tags=nm_tags(NM), transform=NORTH_UP)
    scene = open_scene(path, grid="EPSG:3035")
    grid = grid_of(scene)
    assert grid.crs == CRS.from_epsg(3035)
    back = Transformer.from_crs(3035, 32633, always_xy=True)
    for row, col in [(5, 7), (20, 30), (33, 51)]:
        x, y = back.transform(*(grid.transform @ (col + 0.5, row + 0.5)))
        c, r = ~NORTH_UP @ (x, y)
        np.testing.assert_array_equal(scene.values[:, row, col], cube[:, int(r), int(c)])
    assert "its grid is in WGS 84 / UTM zone 33N" in remarks_of(scene).notes[0]


@pytest.mark.parametrize("same", ["UTM", "utm", "native", "EPSG:32633", None])
def test_a_scene_on_the_wanted_grid_stays_as_it_is(tmp_path: Path, same: str | None) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(NM), transform=NORTH_UP)
    scene = open_scene(path, grid=same)
    assert grid_of(scene).transform == NORTH_UP
    assert remarks_of(scene).notes == ()
    np.testing.assert_array_equal(scene.values, cube_of(3))


def test_a_scene_without_a_crs_has_no_other_grid(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(NM), crs=None)
    with pytest.raises(SceneError, match="no coordinate reference system, and a grid was asked"):
        open_scene(path, grid="UTM")


def test_a_scene_far_from_a_crs_is_refused(tmp_path: Path) -> None:
    indian_ocean = Affine(1e-3, 0, 100.0, 0, -1e-3, 0.0)
    path = write_tif(
        tmp_path / "a.tif",
        cube_of(3),
        band_tags=nm_tags(NM),
        transform=indian_ocean,
        crs="EPSG:4326",
    )
    with pytest.raises(OptionError, match="lies outside of the region of WGS 84 / UTM zone 33N"):
        open_scene(path, grid="EPSG:32633")


@given(st.text(max_size=12))
@example("EPSG:99999999999999999999")
@example("EPSG:-1")
@example("epsg: 4326")
def test_any_grid_option(option: str) -> None:
    try:
        Placement(option)
    except OptionError as error:
        assert error.hint
