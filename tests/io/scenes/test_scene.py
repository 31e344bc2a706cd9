"""Scenes as lazy arrays with a grid, in every process."""

from __future__ import annotations

import pickle
import subprocess
import sys
import textwrap
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import rasterio
import xarray as xr
from affine import Affine
from builders import (
    CENTRES,
    NORTH_UP,
    cube_of,
    in_a_fork,
    nm_tags,
    watch_reads,
    write_envi,
    write_tif,
)

from hsi_geo.arrays import AnyArray
from hsi_geo.errors import SceneError, SceneNotFoundError, WavelengthError
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.class_styles import aux_xml
from hsi_geo.io.readers import RasterPixels
from hsi_geo.io.scenes.properties import bands_of, grid_of, require_upright, select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.windows import read_window
from hsi_geo.tiling import Window

if TYPE_CHECKING:
    from planted import MakeScene, Planted


# The array ------------------------------------------------------------------------------------


# rioxarray 0.23 multiplies affines in the way that affine 3.1 is about to deprecate.
@pytest.mark.filterwarnings("ignore:Use .@. matmul:PendingDeprecationWarning")
def test_open_scene_gives_the_grid_and_name_of_the_file(planted: Planted) -> None:
    scene = open_scene(planted.path)
    assert scene.dims == ("band", "y", "x")
    assert scene.shape == planted.values.shape
    assert scene.dtype == np.int16
    assert scene.attrs["source"] == str(planted.path)
    assert scene.rio.crs.to_epsg() == 32633
    assert scene.rio.transform() == planted.transform
    assert scene.rio.bounds() == pytest.approx(grid_of(scene).bounds)
    x, y = planted.transform @ (6.5, 4.5)
    assert (float(scene["x"][6]), float(scene["y"][4])) == (x, y)
    np.testing.assert_array_equal(scene.sel(x=x, y=y), planted.values[:, 4, 6])


def test_open_scene_returns_an_opened_scene_unchanged(planted: Planted) -> None:
    scene = open_scene(planted.path)
    assert open_scene(scene) is scene


@pytest.mark.parametrize(
    "key",
    [
        (slice(None), slice(3, 8), slice(5, 11)),
        (2, slice(None), 4),
        (slice(None, None, -1), slice(None, None, 3), slice(20, 4, -2)),
        ([5, 1, 1], [30, 2], slice(1, 2)),
        (slice(0, 0), slice(None), slice(None)),
        (-1, -1, -1),
    ],
)
def test_indexing_reads_the_same_part_of_the_file(planted: Planted, key: tuple[Any, ...]) -> None:
    expected = planted.values
    for axis in (2, 1, 0):  # outer indexing, from the back so that a lost axis shifts none
        expected = expected[(slice(None),) * axis + (key[axis],)]
    np.testing.assert_array_equal(open_scene(planted.path)[key].values, expected)


Reads = list[tuple[Any, list[int], Window]]


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> Reads:
    """What was read from files since the test began."""
    return watch_reads(monkeypatch, RasterPixels)


def test_open_scene_reads_no_pixel(planted: Planted, reads: Reads) -> None:
    view = select_good_bands(open_scene(planted.path))
    assert view[3:5, 1:9].shape == (2, 8, 53)
    assert reads == []


def test_read_window_reads_only_its_bands_and_pixels(planted: Planted, reads: Reads) -> None:
    scene = open_scene(planted.path).isel(band=[7, 3])
    read_window(scene, Window(30, -4, 20, 10))
    assert [(sorted(bands), window) for _, bands, window in reads] == [
        ([3, 7], Window(30, 0, 7, 6))
    ]


def test_read_window_outside_the_scene_reads_nothing(planted: Planted, reads: Reads) -> None:
    image, valid = read_window(open_scene(planted.path), Window(500, 2, 3, 4))
    assert image.shape == (40, 3, 4)
    assert not image.any()
    assert not valid.any()
    assert reads == []


@pytest.mark.parametrize(
    "window",
    [Window(-5, -3, 20, 9), Window(30, 48, 9, 9), Window(-2, -2, 60, 70), Window(4, 6, 1, 1)],
)
def test_read_window_beyond_the_scene_pads_with_invalid_pixels(
    planted: Planted, window: Window
) -> None:
    image, valid = read_window(open_scene(planted.path), window)
    padded = np.pad(planted.values, ((0, 0), (80, 80), (80, 80)))
    known = np.pad(planted.truth > 0, 80)
    rows, cols = window.relative_to(Window(-80, -80, 0, 0)).slices
    assert image.dtype == np.float32
    np.testing.assert_array_equal(valid, known[rows, cols])
    np.testing.assert_array_equal(image, np.where(valid, padded[:, rows, cols], 0))


def test_select_good_bands_does_not_depend_on_the_order_of_the_file(
    make_scene: MakeScene,
) -> None:
    order = np.random.default_rng(3).permutation(40)
    straight = select_good_bands(open_scene(make_scene("a.tif").path))
    mixed = select_good_bands(open_scene(make_scene("b.tif", order=order).path))
    np.testing.assert_array_equal(mixed["wavelength"], straight["wavelength"])
    assert (np.diff(mixed["wavelength"]) > 0).all()
    np.testing.assert_array_equal(mixed.values, straight.values)


def test_bands_of_needs_a_wavelength_coordinate() -> None:
    with pytest.raises(WavelengthError, match="'plain' has no coordinate named wavelength"):
        bands_of(xr.DataArray(np.zeros((2, 3, 4)), dims=("band", "y", "x"), name="plain"))


# The grid of a part ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "part",
    [
        {"y": slice(4, 30), "x": slice(6, None)},
        {"y": slice(9, 10), "x": slice(50, 53)},
        {"y": slice(None, None, -1), "x": slice(None)},
        {"y": slice(None), "x": slice(None, 5, -1)},
        {"y": slice(None, None, 2), "x": slice(None, None, 3)},
    ],
)
def test_grid_of_a_part_matches_its_coordinates(planted: Planted, part: dict[str, slice]) -> None:
    scene = open_scene(planted.path).isel(part)
    grid = grid_of(scene)
    assert grid.shape == scene.shape[1:]
    for col, row in ((0, 0), (grid.width - 1, grid.height - 1)):
        x, y = grid.transform @ (col + 0.5, row + 0.5)
        there = float(scene["x"][col]), float(scene["y"][row])
        assert (x, y) == pytest.approx(there, rel=0, abs=1e-3)


def test_grid_of_keeps_south_up_and_mirrored_grids(make_scene: MakeScene) -> None:
    transform = Affine(-30.0, 0.0, 500.0, 0.0, 20.0, 900.0)
    scene = open_scene(make_scene(transform=transform).path)
    assert grid_of(scene).transform == transform
    require_upright(scene)
    assert scene["y"][1] > scene["y"][0]
    assert scene["x"][1] < scene["x"][0]


def test_require_upright_refuses_a_rotated_scene(make_scene: MakeScene) -> None:
    turned = Affine.translation(5e5, 4e6) @ Affine.rotation(34.0) @ Affine.scale(15.0, -15.0)
    scene = open_scene(make_scene(transform=turned).path, straighten=False)
    assert "x" not in scene.coords
    assert grid_of(scene).transform.almost_equals(turned)
    with pytest.raises(SceneError, match=r"rotated by 34\.0 degrees.*gdalwarp"):
        require_upright(scene)


def test_grid_of_a_scene_without_crs(make_scene: MakeScene) -> None:
    grid = grid_of(open_scene(make_scene(crs=None).path))
    assert grid.crs is None
    assert grid.transform == NORTH_UP


# Files and processes --------------------------------------------------------------------------


def test_open_scene_names_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(SceneNotFoundError, match=r"'.*none\.tif' does not exist") as caught:
        open_scene(tmp_path / "none.tif")
    assert isinstance(caught.value, FileNotFoundError)


def test_open_scene_refuses_a_file_that_is_no_raster(tmp_path: Path) -> None:
    path = tmp_path / "notes.tif"
    path.write_text("no raster at all")
    with pytest.raises(SceneError, match="is not a raster that GDAL can open"):
        open_scene(path)


@pytest.mark.parametrize("suffix", ["npy", "npz", "mat", "MAT"])
def test_open_scene_says_how_to_read_an_array(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"cube.{suffix}"
    path.write_bytes(b"MATLAB 5.0 MAT-file" + bytes(200))
    with pytest.raises(SceneError, match="is not a raster that GDAL can open") as caught:
        open_scene(path)
    assert caught.value.hint is not None
    assert "hsi_geo.io.scenes.scene.scene_from_array" in caught.value.hint


@pytest.mark.parametrize("has", ["names", "colours", "neither"])
@pytest.mark.parametrize("dtype", ["uint8", "float32"])
def test_open_scene_says_that_a_file_is_a_class_map(tmp_path: Path, has: str, dtype: str) -> None:
    path = tmp_path / "map.tif"
    values = np.arange(35).reshape(1, 5, 7).astype(dtype)
    place = Affine(20, 0, 500_000, 0, -30, 5_800_000)
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        width=7,
        height=5,
        count=1,
        dtype=dtype,
        transform=place,
        crs="EPSG:32633",
    ) as file:
        file.write(values)
        if has == "colours" and dtype == "uint8":
            file.write_colormap(1, {1: (230, 159, 0, 255)})
    if has == "names":
        table = (LandClass(1, "oats", "#e69f00"), LandClass(2, "rye", "#56b4e9"))
        Path(f"{path}.aux.xml").write_text(aux_xml(table), encoding="utf-8")
    is_map = has != "neither" and dtype == "uint8"
    wanted = "is a class map, and no scene" if is_map else "has 1 band and no wavelengths"
    with pytest.raises(WavelengthError, match=wanted) as caught:
        open_scene(path)
    assert ("assess, polygons and zones" in (caught.value.hint or "")) == is_map
    if not is_map:
        assert open_scene(path, wavelengths="500:510").shape == (1, 5, 7)


def test_open_scene_refuses_a_file_without_permission(
    planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(SceneError, match=r"cannot be read \(Permission denied\)"):
        open_scene(planted.path)


def test_read_window_refuses_a_truncated_file(planted: Planted) -> None:
    whole = planted.path.read_bytes()
    scene = open_scene(planted.path)
    planted.path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(SceneError, match=r"scene\.tif' cannot be read at row 0, column 0"):
        read_window(scene, Window(0, 0, 37, 53))


def test_scene_can_be_pickled(planted: Planted) -> None:
    scene = select_good_bands(open_scene(planted.path))
    read_window(scene, Window(0, 0, 4, 4))  # a file handle is open by now
    again = pickle.loads(pickle.dumps(scene))
    np.testing.assert_array_equal(again.values, scene.values)
    np.testing.assert_array_equal(bands_of(again).centres_nm, bands_of(scene).centres_nm)
    assert grid_of(again).bounds == grid_of(scene).bounds


def test_scene_can_be_read_by_several_threads(planted: Planted) -> None:
    scene = open_scene(planted.path)

    def row(number: int) -> AnyArray:
        return np.asarray(scene[:, number].values)

    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(row, list(range(37)) * 4))
    np.testing.assert_array_equal(np.stack(rows[-37:], axis=1), planted.values)


# Python 3.12 warns of any fork beside threads; this is what DataLoader does on Linux, too.
@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_scene_can_be_read_in_a_forked_process(planted: Planted) -> None:
    scene = open_scene(planted.path)
    read_window(scene, Window(0, 0, 37, 53))
    window = Window(8, 9, 20, 30)
    for _ in range(2):
        image = in_a_fork(lambda: read_window(scene, window)[0])
        np.testing.assert_array_equal(image, planted.values[:, 8:28, 9:39])
    # and the handle of the parent still works
    np.testing.assert_array_equal(scene.values, planted.values)


def test_open_scene_reads_a_replaced_file_again(make_scene: MakeScene) -> None:
    before = make_scene(seed=1)
    old = open_scene(before.path).values
    after = make_scene(seed=2)
    assert before.path == after.path
    np.testing.assert_array_equal(open_scene(after.path).values, after.values)
    assert (old != after.values).any()


def test_reading_writes_no_files(tmp_path: Path) -> None:
    header = ("wavelength units = nm", "wavelength = {462, 551.5, 640}", "data ignore value = -99")
    write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]), nodata=-99)
    write_envi(tmp_path / "b.bsq", cube_of(3, 80, 90), *header)
    write_envi(tmp_path / "c.bsq", cube_of(3, 80, 90), *header, gzipped=True)
    before = sorted(path.name for path in tmp_path.iterdir())
    # In a process of its own, which closes its files by ending.
    code = """
        import sys
        from hsi_geo.io.scenes.scene import open_scene
        from hsi_geo.io.scenes.windows import read_window
        from hsi_geo.tiling import Window
        for path in sys.argv[1:]:
            read_window(open_scene(path), Window(0, 0, 80, 90))
        """
    scenes = [str(tmp_path / name) for name in ("a.tif", "b.bsq", "c.bsq")]
    subprocess.run([sys.executable, "-c", textwrap.dedent(code), *scenes], check=True, timeout=120)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
