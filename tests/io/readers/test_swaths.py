"""Tanager, PRISMA and PACE: swaths on upright grids, and products that have a grid."""

from __future__ import annotations

import pickle
import time
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from affine import Affine
from builders import check_travels, physical, watch_reads
from emit_cases import emit_swath, write_emit
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyproj import CRS
from swath_cases import (
    NM,
    PACE_L1B_NM,
    PRISMA_KEPT,
    SWATHS,
    UTM,
    Swath,
    expected_map,
    expected_pixels,
    make_swath,
    pace_cube,
    pace_swath,
    prisma_cube,
    tanager_cube,
    write_pace_l1b,
    write_pace_l2,
    write_prisma_swath,
    write_tanager,
)

from hsi_geo.arrays import AnyArray
from hsi_geo.io.readers import read_scene
from hsi_geo.io.readers.hdf5_access import HdfPixels
from hsi_geo.io.readers.swath_index import SwathIndex
from hsi_geo.io.scenes.properties import bands_of, grid_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.info import info
from hsi_geo.tiling import Grid, Window

DEGREES = CRS.from_epsg(4326)


# Products -------------------------------------------------------------------------------------


@pytest.mark.parametrize("product", SWATHS)
def test_info_names_sensor_and_product(product: str, tmp_path: Path) -> None:
    found = info(SWATHS[product](tmp_path / "a.h5"))["scene"]
    assert found["format"] == product
    assert any("are a swath: each pixel of an upright grid" in note for note in found["notes"])


@pytest.mark.parametrize(
    ("product", "label"), [("sr", "surface reflectance"), ("radiance", "radiance")]
)
def test_a_tanager_ortho_product_lies_between_its_corners(
    product: str, label: str, tmp_path: Path
) -> None:
    scene = open_scene(write_tanager(tmp_path / "a.h5", product, ortho=True), mask="none")
    assert scene.attrs["driver"] == f"Tanager ortho {label}"
    grid = grid_of(scene)
    assert grid.transform.almost_equals(Affine(30, 0, 600000, 0, -30, 4500000))
    assert grid.crs == UTM
    np.testing.assert_array_equal(scene.values, tanager_cube())
    bands = bands_of(scene)
    np.testing.assert_array_equal(bands.centres_nm, NM)
    np.testing.assert_array_equal(bands.fwhm_nm, [5.0, 5.5, 6.0, 6.5])
    assert bands.good.tolist() == [True, True, product == "radiance", True]
    _, valid = physical(scene)
    assert np.argwhere(~valid).tolist() == [[1, 2]]


def test_tanagers_masks_lie_on_the_grid_of_the_cube(tmp_path: Path) -> None:
    path = write_tanager(tmp_path / "a.h5")
    masked, plain = open_scene(path), open_scene(path, mask="none")
    grid = grid_of(plain)
    nearest, covered = expected_pixels(grid, *make_swath().project(UTM))
    cloud = np.zeros((34, 23), bool)
    cloud[5:8, 3:9] = True
    cloudy = covered & cloud.ravel()[nearest]
    (_, valid), (_, before) = physical(masked), physical(plain)
    np.testing.assert_array_equal(valid, before & ~cloudy)
    assert cloudy.any()


@pytest.mark.parametrize("product", ["sr", "radiance"])
def test_a_tanager_swath_shows_the_nearest_pixel(product: str, tmp_path: Path) -> None:
    scene = open_scene(write_tanager(tmp_path / "a.h5", product), mask="none")
    expected = expected_map(grid_of(scene), make_swath(), tanager_cube(), -9999.0)
    np.testing.assert_array_equal(scene.values, expected)
    assert grid_of(scene).resolution == (30.0, 30.0)
    check_travels(scene, forks=False)


@pytest.mark.parametrize("level", ["L1", "L2B", "L2C"])
def test_a_prisma_swath_shows_the_nearest_pixel(level: str, tmp_path: Path) -> None:
    scene = open_scene(write_prisma_swath(tmp_path / "a.he5", level))
    cube = prisma_cube()[PRISMA_KEPT]
    expected = expected_map(grid_of(scene), make_swath(), cube, 0)
    np.testing.assert_array_equal(scene.values, expected)
    np.testing.assert_array_equal(scene["wavelength"], [860.0, 660.0, 2200.0, 1600.0])
    image, valid = physical(scene)
    np.testing.assert_array_equal(valid, (expected != 0).all(axis=0))
    if level == "L1":  # radiance = number / factor - offset
        factors = np.array([100.0, 100.0, 200.0, 200.0])[:, None]
        wanted = expected[:, valid] / factors - 0.5
    else:
        wanted = expected[:, valid] * (0.5 / 65535.0)
    np.testing.assert_allclose(image[:, valid], wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("write", [write_pace_l1b, write_pace_l2])
def test_a_pace_swath_shows_the_nearest_pixel(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Its first column has no longitudes and latitudes; pixels grow to the ends of the lines."""
    scene = open_scene(write(tmp_path / "a.nc"), mask="none")
    grid = grid_of(scene)
    assert grid.resolution == (1200.0, 1200.0) or write is write_pace_l2
    swath = pace_swath()
    known = Swath(swath.lon[:, 1:], swath.lat[:, 1:])
    assert grid.crs is not None
    nearest, covered = expected_pixels(grid, *known.project(grid.crs))
    _, valid = physical(scene)
    count = sum(map(len, PACE_L1B_NM.values())) if write is write_pace_l1b else 4
    cube = pace_cube(count)[:, :, 1:]
    present = covered & (cube[0].ravel()[nearest] > 0)
    assert (valid != present).mean() < 0.01  # places are stored in single precision
    both = valid & present
    if write is write_pace_l1b:
        shown = cube.reshape(count, -1)[:, nearest]
        assert (scene.values[:, both] == shown[:, both]).all(axis=0).mean() > 0.99
        assert scene["fwhm"].values.tolist() == [5.0] * 5 + [30.0, 30.0, 75.0]
    else:
        assert scene.attrs["scale_factor"] == pytest.approx(2e-6)
        assert [layer.flag for layer in scene.attrs["quality"]] == ["atmfail", "cldice"]


# The grid -------------------------------------------------------------------------------------


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    degrees=st.floats(-180.0, 180.0),
    width=st.floats(20.0, 45.0),
    height=st.floats(20.0, 45.0),
    lat=st.sampled_from(
        [(500_000.0, 4_500_000.0), (350_000.0, 100_000.0), (650_000.0, 7_900_000.0)]
    ),
)
@pytest.mark.slow
def test_edges_are_not_smeared(
    tmp_path: Path, degrees: float, width: float, height: float, lat: tuple[float, float]
) -> None:
    """Whatever the pixels of the swath: the map ends where the swath does, half a pixel outside of its centres."""
    swath = make_swath(degrees=degrees, size=(width, height), origin=lat, bend=1e-3)
    (tmp_path / "a.h5").unlink(missing_ok=True)  # HDF5 does not write over a file that is open
    scene = open_scene(write_tanager(tmp_path / "a.h5", swath=swath), mask="none")
    grid = grid_of(scene)
    assert grid.crs is not None
    nearest, covered = expected_pixels(grid, *swath.project(grid.crs))
    shown = scene.values[0] != -9999.0
    # A corner of a bent edge may be drawn otherwise by a hair; a smeared edge would be a whole line of pixels.
    assert (shown & ~covered).sum() <= 2
    assert (~shown & covered).sum() <= 2 + (tanager_cube()[0].ravel()[nearest] == -9999).sum()
    both = shown & covered
    expected = tanager_cube().reshape(4, -1)[:, nearest]
    assert (scene.values[:, both] == expected[:, both]).all(axis=0).mean() > 0.995


def test_gaps_in_a_swath_are_not_smeared() -> None:
    rows, cols = np.indices((40, 30), np.float32)
    points = np.stack([cols + 3.5, rows + 3.5])
    points[1, 20:] += 9.0  # lines that were not sent
    points[:, 5:8, 10:12] = np.nan
    index = SwathIndex(points)
    found = index.read(Window(0, 0, 60, 40))
    expected = np.zeros((2, 60, 40), np.int32)
    for row, col in np.ndindex(40, 30):
        if not np.isnan(points[0, row, col]):
            place = int(points[1, row, col]), int(points[0, row, col])
            expected[:, place[0], place[1]] = col + 1, row + 1
    np.testing.assert_array_equal(found, expected)


@pytest.mark.slow
def test_an_index_is_the_same_in_any_windows() -> None:
    """Parts of 1,024 pixels are made one by one."""
    swath = make_swath(180, 120, size=(400.0, 310.0), bend=0.0)
    x, y = swath.project(UTM)
    points = np.stack([(x - x.min()) / 30.0, (y.max() - y) / 30.0]).astype(np.float32)
    whole = Window(0, 0, int(points[1].max()) + 1, int(points[0].max()) + 1)
    assert whole.height > 1100
    found = SwathIndex(points).read(whole)
    index = SwathIndex(points)
    for window in (Window(1000, 1010, 50, 40), Window(3, 1020, 9, 30), Window(1023, 0, 1, 1100)):
        np.testing.assert_array_equal(index.read(window), found[:, *window.slices])


def test_windows_read_only_their_part_of_the_swath(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    swath = make_swath(300, 40, degrees=0.0, bend=0.0)
    scene = open_scene(write_tanager(tmp_path / "a.h5", swath=swath), mask="none")
    seen = watch_reads(monkeypatch, HdfPixels)
    np.asarray(scene[1:3, 150:160, 5:9].values)
    ((_, bands, window),) = seen
    assert bands == [1, 2]
    assert window.height <= 12
    assert window.width <= 6


@pytest.mark.parametrize("write", [write_tanager, write_prisma_swath, write_pace_l1b])
def test_a_pickled_scene_is_small_and_finds_its_places_again(
    write: Callable[[Path], Path], tmp_path: Path
) -> None:
    """Workers make the index anew: of a real scene it has 10 MB."""
    file = read_scene(write(tmp_path / "a.h5"))
    sent = pickle.dumps(file)
    assert len(sent) < 20_000
    again = pickle.loads(sent)
    window = Window(0, 0, *file.grid.shape)
    np.testing.assert_array_equal(
        again.pixels.read(np.array([0]), window), file.pixels.read(np.array([0]), window)
    )


@pytest.mark.parametrize(
    ("grid", "crs", "resolution"),
    [
        ("UTM", UTM, 30.0),
        ("EPSG:3035", CRS.from_epsg(3035), 30.0),
        ("native", DEGREES, None),
        ("EPSG:4326", DEGREES, None),
        (None, UTM, 30.0),
    ],
)
def test_the_user_chooses_the_grid(
    grid: str | None, crs: CRS, resolution: float | None, tmp_path: Path
) -> None:
    scene = open_scene(write_tanager(tmp_path / "a.h5"), mask="none", grid=grid)
    found = grid_of(scene)
    assert found.crs == crs
    if resolution is not None:
        assert found.resolution == (resolution, resolution)
    expected = expected_map(found, make_swath(), tanager_cube(), -9999.0)
    shown, wanted = scene.values, expected
    assert (shown != wanted).any(
        axis=0
    ).mean() < 0.03  # degrees are not square, so near is another near
    if crs.is_projected:
        np.testing.assert_array_equal(shown, wanted)


def test_a_swath_in_the_rows_and_columns_of_the_sensor_is_as_stored(tmp_path: Path) -> None:
    scene = open_scene(write_tanager(tmp_path / "a.h5"), mask="none", grid="swath")
    np.testing.assert_array_equal(scene.values, tanager_cube())
    path = with_places(write_emit(tmp_path / "EMIT_L2A_RFL.nc"), make_swath(6, 5))
    emit = open_scene(path, grid="swath")
    np.testing.assert_array_equal(emit.values, emit_swath().transpose(2, 0, 1))


# EMIT -----------------------------------------------------------------------------------------


def with_places(path: Path, swath: Swath) -> Path:
    with h5py.File(path, "r+") as file:
        for name, values in (("lon", swath.lon), ("lat", swath.lat)):
            del file[f"location/{name}"]
            file[f"location/{name}"] = values
    return path


def test_emit_lies_on_its_lookup_table_unless_another_grid_is_wanted(tmp_path: Path) -> None:
    swath = make_swath(6, 5, size=(60.0, 60.0))
    path = with_places(write_emit(tmp_path / "EMIT_L2A_RFL.nc"), swath)
    plain, native = open_scene(path), open_scene(path, grid="native")
    np.testing.assert_array_equal(plain.values, native.values)
    assert grid_of(plain).transform.almost_equals(Affine(0.001, 0, 10, 0, -0.002, 50))
    scene = open_scene(path, grid="UTM")
    assert grid_of(scene).resolution == (60.0, 60.0)
    cube = emit_swath().transpose(2, 0, 1)
    np.testing.assert_array_equal(scene.values, expected_map(grid_of(scene), swath, cube, -9999.0))


@pytest.mark.parametrize("size", [20.0, 30.0, 90.0])
def test_a_swath_is_put_onto_pixels_of_a_size(tmp_path: Path, size: float) -> None:
    swath = make_swath()
    scene = open_scene(write_tanager(tmp_path / "a.h5", swath=swath), pixel_size=size, mask="none")
    grid = grid_of(scene)
    assert grid.resolution == (size, size)
    expected = expected_map(grid, swath, tanager_cube(*swath.shape), -9999.0)
    np.testing.assert_array_equal(scene.values, expected)


def test_a_lookup_table_gives_way_to_pixels_of_a_size(tmp_path: Path) -> None:
    swath = make_swath(6, 5, size=(60.0, 60.0))
    path = with_places(write_emit(tmp_path / "EMIT_L2A_RFL.nc"), swath)
    assert grid_of(open_scene(path, pixel_size=120)).resolution == (120.0, 120.0)
    assert grid_of(open_scene(path, pixel_size=120)).crs == UTM


# Speed ----------------------------------------------------------------------------------------


def test_a_lookup_is_made_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scene = open_scene(write_tanager(tmp_path / "a.h5"), mask="none")
    made = []
    original = SwathIndex._find

    def count(self: SwathIndex, tile: Window) -> AnyArray:
        made.append(tile)
        return original(self, tile)

    monkeypatch.setattr(SwathIndex, "_find", count)
    for band in range(4):
        np.asarray(scene[band].values)
    assert len(made) == 1


@pytest.mark.slow
def test_a_scene_of_a_million_pixels_takes_seconds() -> None:
    swath = make_swath(1000, 1000, bend=1e-6)
    x, y = swath.project(UTM)
    left, top = x.min() - 30, y.max() + 30
    points = np.stack([(x - left) / 30, (top - y) / 30]).astype(np.float32)
    grid = Grid(int(points[1].max()) + 2, int(points[0].max()) + 2, Affine.identity(), UTM)
    start = time.perf_counter()
    found = SwathIndex(points).read(grid.window)
    assert time.perf_counter() - start < 20
    assert (found[0] > 0).sum() == pytest.approx(1e6, rel=0.01)
