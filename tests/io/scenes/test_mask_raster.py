"""Rasters of masks that lie in another way than the scene: south up, mirrored, rotated, or a full circle away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import cube_of, nm_tags, physical, write_tif
from pyproj import CRS, Transformer
from rasterio.enums import ColorInterp

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array
from hsi_geo.errors import OptionError
from hsi_geo.io.scenes.mask_raster import lay_over
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tiling import Grid, Window

UTM, WGS = CRS.from_epsg(32633), CRS.from_epsg(4326)
NORTH_UP = Affine(30, 0, 500000, 0, -30, 5800000)
HEIGHT, WIDTH = 11, 17


def turned(transform: Affine) -> dict[str, Affine]:
    """The same place with rows and columns that run in other directions."""
    return {
        "north up": transform,
        "south up": transform @ Affine(1, 0, 0, 0, -1, HEIGHT),
        "mirrored": transform @ Affine(-1, 0, WIDTH, 0, 1, 0),
        "south up and mirrored": transform @ Affine(-1, 0, WIDTH, 0, -1, HEIGHT),
        "rotated": transform @ Affine.rotation(30),
        "rotated and mirrored": transform @ Affine.rotation(-50) @ Affine(1, 0, 0, 0, -1, HEIGHT),
    }


KINDS = list(turned(NORTH_UP))


def random_mask(*shape: int) -> AnyArray:
    return (np.random.default_rng(0).random(shape) > 0.6).astype("uint8")


def write_mask(path: Path, mask: AnyArray, grid: Grid) -> str:
    assert grid.crs is not None
    code = f"EPSG:{grid.crs.to_epsg()}"
    return str(write_tif(path, mask[None], transform=grid.transform, crs=code))


def along(t: Affine, x: Float64Array, y: Float64Array) -> tuple[Float64Array, Float64Array]:
    return t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f


def expected(mask: AnyArray, raster: Grid, scene: Grid) -> BoolArray:
    """Where the pixel of the mask under the centre of a scene's pixel is not 0."""
    assert raster.crs is not None
    assert scene.crs is not None
    rows, cols = np.indices(scene.shape, np.float64)
    x, y = along(scene.transform, cols + 0.5, rows + 0.5)
    if not raster.crs.equals(scene.crs):
        x, y = Transformer.from_crs(scene.crs, raster.crs, always_xy=True).transform(x, y)
    found = np.zeros(scene.shape, bool)
    for shift in (-360, 0, 360) if raster.crs.is_geographic else (0,):
        col, row = (np.floor(one).astype(int) for one in along(~raster.transform, x + shift, y))
        inside = (row >= 0) & (row < raster.height) & (col >= 0) & (col < raster.width)
        found[inside] |= mask[row[inside], col[inside]] > 0
    return found


@pytest.mark.parametrize("of_scene", KINDS)
@pytest.mark.parametrize("of_mask", KINDS)
@pytest.mark.parametrize("size", [1.0, 1.4])
def test_a_mask_lies_where_its_transform_says(
    tmp_path: Path, of_mask: str, of_scene: str, size: float
) -> None:
    scene = Grid(HEIGHT, WIDTH, turned(NORTH_UP)[of_scene], UTM)
    place = turned(NORTH_UP)[of_mask] @ Affine.scale(size)
    raster, mask = Grid(HEIGHT, WIDTH, place, UTM), random_mask(HEIGHT, WIDTH)
    flags = lay_over(write_mask(tmp_path / "m.tif", mask, raster), scene)
    wanted = expected(mask, raster, scene)
    assert wanted.any()
    assert flags is not None
    np.testing.assert_array_equal(flags.read(scene.window)[0], wanted)
    part = Window(2, 3, 5, 9)
    np.testing.assert_array_equal(flags.read(part)[0], wanted[part.slices])


def degrees(left: float, size: float = 0.001) -> Affine:
    return Affine(size, 0, left, 0, -size, 50)


@pytest.mark.parametrize(
    ("of_mask", "of_scene", "crs"),
    [
        (degrees(350), degrees(-10), 4326),
        (degrees(-10), degrees(350), 4326),
        (degrees(350) @ Affine(1, 0, 0, 0, -1, HEIGHT), degrees(-10), 4326),
        (degrees(179.995), degrees(-180.005), 4326),
        (degrees(350), Affine(60, 0, 428200, 0, -60, 5538900), 32629),
        (degrees(-10), Affine(60, 0, 428200, 0, -60, 5538900), 32629),
    ],
)
def test_longitudes_that_differ_by_360_degrees_are_one_place(
    tmp_path: Path, of_mask: Affine, of_scene: Affine, crs: int
) -> None:
    scene, raster = (
        Grid(HEIGHT, WIDTH, of_scene, CRS.from_epsg(crs)),
        Grid(HEIGHT, WIDTH, of_mask, WGS),
    )
    mask = random_mask(HEIGHT, WIDTH)
    flags = lay_over(write_mask(tmp_path / "m.tif", mask, raster), scene)
    wanted = expected(mask, raster, scene)
    assert wanted.any()
    assert flags is not None
    np.testing.assert_array_equal(flags.read(scene.window)[0], wanted)


@pytest.mark.parametrize("left", [-180.0, 0.0])
@pytest.mark.parametrize(
    ("of_scene", "crs"),
    [
        (Affine(0.5, 0, -4, 0, -0.5, 50), 4326),
        (Affine(0.5, 0, 356, 0, -0.5, 50), 4326),
        (Affine(0.5, 0, 176, 0, -0.5, 50), 4326),
        (Affine(0.5, 0, -184, 0, -0.5, 50), 4326),
        (Affine(50000, 0, 600000, 0, -50000, 5600000), 32660),
        (Affine(50000, 0, 200000, 0, -50000, 5600000), 32631),
    ],
)
def test_a_mask_of_the_world_covers_scenes_at_its_edge(
    tmp_path: Path, left: float, of_scene: Affine, crs: int
) -> None:
    raster = Grid(180, 360, Affine(1, 0, left, 0, -1, 90), WGS)
    scene = Grid(HEIGHT, WIDTH, of_scene, CRS.from_epsg(crs))
    mask = np.ones(raster.shape, "uint8")
    flags = lay_over(write_mask(tmp_path / "m.tif", mask, raster), scene)
    assert flags is not None
    masked, known = flags.read(scene.window)
    assert masked.all()
    assert known.all()


@pytest.mark.parametrize(
    "place",
    [
        NORTH_UP @ Affine.translation(0, HEIGHT),
        NORTH_UP @ Affine.translation(WIDTH, 0) @ Affine(1, 0, 0, 0, -1, HEIGHT),
        NORTH_UP @ Affine.translation(WIDTH + 3, HEIGHT - 1) @ Affine.rotation(45),
    ],
    ids=["below", "beside", "its bounds meet"],
)
def test_a_mask_beside_the_scene_is_none(tmp_path: Path, place: Affine) -> None:
    scene, raster = (Grid(HEIGHT, WIDTH, one, UTM) for one in (NORTH_UP, place))
    path = write_mask(tmp_path / "m.tif", random_mask(HEIGHT, WIDTH), raster)
    assert lay_over(path, scene) is None


def test_a_small_mask_in_a_map_of_the_world_masks_its_pixel(tmp_path: Path) -> None:
    world = Grid(180, 360, Affine(1, 0, -180, 0, -1, 90), WGS)
    raster = Grid(8, 9, Affine(30000, 0, 400000, 0, -30000, 5800000), UTM)
    path = write_mask(tmp_path / "m.tif", np.ones(raster.shape, "uint8"), raster)
    flags = lay_over(path, world)
    assert flags is not None
    rows, cols = np.nonzero(flags.read(world.window)[0])
    assert {(90 - 51 - 1, 180 + 15)} < set(zip(rows.tolist(), cols.tolist(), strict=True))
    assert np.ptp(rows) < 4
    assert np.ptp(cols) < 6


@pytest.mark.parametrize("kind", KINDS[:4])
def test_a_scene_and_its_own_mask_may_lie_in_any_direction(tmp_path: Path, kind: str) -> None:
    cube, mask = cube_of(3, HEIGHT, WIDTH), random_mask(HEIGHT, WIDTH)
    place = turned(NORTH_UP)[kind]
    scene = write_tif(
        tmp_path / "scene.tif", cube, transform=place, band_tags=nm_tags([460.0, 560.0, 660.0])
    )
    path = write_mask(tmp_path / "m.tif", mask, Grid(HEIGHT, WIDTH, place, UTM))
    opened = open_scene(scene, mask=path)
    assert not opened.attrs.get("warnings")
    np.testing.assert_array_equal(physical(opened)[1], mask == 0)


@pytest.mark.parametrize("bands", [2, 3, 4])
def test_a_mask_of_several_bands_is_refused(tmp_path: Path, bands: int) -> None:
    scene = write_tif(tmp_path / "scene.tif", cube_of(3), band_tags=nm_tags([450, 550, 650]))
    data_mask = np.zeros((bands, 5, 7), np.uint8)  # clear, cloud, haze, shadow
    data_mask[0, :, 2:], data_mask[1, :, :2] = 1, 1
    path = write_tif(tmp_path / "mask.tif", data_mask, photometric="MINISBLACK", alpha="NO")
    with pytest.raises(OptionError, match=f"has {bands} bands, and nothing tells which"):
        open_scene(scene, mask=str(path))


def test_an_alpha_band_beside_a_mask_is_none_of_its_bands(tmp_path: Path) -> None:
    scene = write_tif(tmp_path / "scene.tif", cube_of(3), band_tags=nm_tags([450, 550, 650]))
    mask = np.stack([random_mask(5, 7), np.full((5, 7), 255, np.uint8)])
    path = write_tif(tmp_path / "mask.tif", mask, photometric="MINISBLACK", alpha="YES")
    _, valid = physical(open_scene(scene, mask=str(path)))
    np.testing.assert_array_equal(valid, mask[0] == 0)


@pytest.mark.parametrize("alpha", [0, 1])
@pytest.mark.parametrize("shift", [0, 1])
@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_the_band_beside_the_alpha_band_is_the_mask(
    tmp_path: Path, alpha: int, shift: int, dtype: str
) -> None:
    """On the scene's pixels and moved by one to the right; where alpha is 0, nothing is said."""
    scene = write_tif(tmp_path / "scene.tif", cube_of(3), band_tags=nm_tags([450, 550, 650]))
    bands = np.zeros((2, 5, 7), dtype)
    bands[1 - alpha, :, :3], bands[1 - alpha, 1, 6] = 1, 1
    bands[alpha], bands[alpha, 4, :] = np.iinfo(dtype).max, 0
    with rasterio.open(scene) as file:
        place = file.transform @ Affine.translation(shift, 0)
    path = write_tif(tmp_path / "mask.tif", bands, transform=place, photometric="MINISBLACK")
    with rasterio.open(path, "r+") as file:
        kinds = [ColorInterp.gray, ColorInterp.gray]
        kinds[alpha] = ColorInterp.alpha
        file.colorinterp = kinds
    _, valid = physical(open_scene(scene, mask=str(path)))
    masked = np.zeros((5, 7), bool)
    masked[:, shift:] = bands[1 - alpha, :, : 7 - shift] > 0
    masked[4] = False
    np.testing.assert_array_equal(valid, ~masked)
