"""Of a large raster of labels only the part around the scene is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from affine import Affine
from builders import write_tif
from pyproj import CRS, Transformer

from hsi_geo.errors import EmptyShotsError
from hsi_geo.io.labels import class_rasters
from hsi_geo.io.labels.scene_surroundings import MARGIN_PX, part_around
from hsi_geo.io.labels.shot_pixels import burn
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.tiling import Grid, Window

UTM, DEGREES = CRS.from_epsg(32633), CRS.from_epsg(4326)
SCENE = Grid(7, 11, Affine(30.0, 0.0, 384000.0, 0.0, -30.0, 5819000.0), UTM)


def labels(folder: Path, crs: str = "EPSG:32633") -> Path:
    """260 x 320 pixels of 10 m whose class ids differ everywhere, around the scene; 7 is far from it."""
    values = 1 + np.add.outer(np.arange(260) // 9, np.arange(320) // 14) % 5
    values[:5] = 7
    transform: Affine = Affine(10.0, 0.0, 383000.0, 0.0, -10.0, 5820000.0)
    if crs == "EPSG:4326":
        x, y = Transformer.from_crs(UTM, DEGREES, always_xy=True).transform(383000.0, 5820000.0)
        transform = Affine(0.00015, 0.0, x, 0.0, -0.0001, y)
    return write_tif(
        folder / "labels.tif", values[None].astype(np.uint8), transform=transform, crs=crs, nodata=0
    )


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857"])
def test_a_part_labels_the_same_pixels_of_the_scene(
    tmp_path: Path, crs: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    transform = Affine(15.0, 0.0, 1480000.0, 0.0, -15.0, 6895000.0)
    path = labels(tmp_path, crs)
    if crs == "EPSG:3857":
        import rasterio

        with rasterio.open(path, "r+") as file:
            x, y = Transformer.from_crs(UTM, crs, always_xy=True).transform(383000.0, 5820000.0)
            file.transform = Affine(transform.a, 0.0, x, 0.0, transform.e, y)
    whole = read_shots(path, near=[SCENE])
    monkeypatch.setattr(class_rasters, "WHOLE_PX", 1000)
    part = read_shots(path, near=[SCENE])
    assert len(part.frame) < 0.6 * len(whole.frame)
    assert any("only the part of" in note and "around the scene" in note for note in part.notes)
    assert {c.name for c in whole.classes} - {c.name for c in part.classes} == {"7"}
    one, other = burn(whole, SCENE), burn(part, SCENE)
    for name in ("rows", "cols", "class_ids"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_a_raster_elsewhere_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(class_rasters, "WHOLE_PX", 1000)
    away = Grid(7, 11, SCENE.transform @ Affine.translation(9000, 0), UTM)
    path = labels(tmp_path)
    with pytest.raises(
        EmptyShotsError, match=r"lie outside the scene: they cover x 383000 to 386200"
    ):
        read_shots(path, near=[away])
    assert len(read_shots(path, near=[away, SCENE]).classes) == 5
    assert len(read_shots(path).classes) == 6  # the scene is not known


RASTER = Grid(900, 1800, Affine(0.2, 0.0, -180.0, 0.0, -0.2, 90.0), DEGREES)


def at(left: float, crs: Any = DEGREES) -> Grid:
    return Grid(10, 20, Affine(0.1, 0.0, left, 0.0, -0.1, 40.0), crs)


@pytest.mark.parametrize(
    ("scenes", "cols"),
    [
        ([at(10.0)], (950, 960)),
        ([at(370.0)], (950, 960)),
        ([at(10.0), at(20.0)], (950, 1010)),
        ([at(179.0)], (0, 1800)),
        ([at(10.0, None)], (0, 1800)),
        ([], (0, 1800)),
    ],
)
def test_columns_around_scenes(scenes: list[Grid], cols: tuple[int, int]) -> None:
    found = part_around(RASTER, scenes)
    low, high = cols
    low, high = max(low - MARGIN_PX, 0), min(high + MARGIN_PX, RASTER.width)
    assert (found.col, found.col + found.width) == (low, high)


def test_nothing_is_around_scenes_elsewhere() -> None:
    local = Grid(90, 180, Affine(0.1, 0.0, 10.0, 0.0, -0.1, 40.0), DEGREES)
    assert part_around(local, [at(100.0)]) == Window(0, 0, 0, 0)


@pytest.mark.parametrize(("code", "lon", "lat"), [(2154, 2.0, 47.0), (3347, -95.0, 55.0)])
def test_a_part_is_read_around_scenes_in_a_cone_that_reaches_no_south_pole(
    code: int, lon: float, lat: float
) -> None:
    """PROJ gave an error for their bounds in degrees, and the whole raster was read, of any size."""
    own = CRS.from_epsg(code)
    x, y = Transformer.from_crs(DEGREES, own, always_xy=True).transform(lon, lat)
    scene = Grid(7, 11, Affine(30.0, 0.0, x, 0.0, -30.0, y), own)
    world = Grid(1800, 3600, Affine(0.1, 0.0, -180.0, 0.0, -0.1, 90.0), DEGREES)

    part = part_around(world, [scene])

    assert max(part.shape) < 2 * MARGIN_PX + 4
    assert part.row < (90 - lat) * 10 < part.row + part.height
    assert part.col < (lon + 180) * 10 < part.col + part.width


def test_a_raster_is_read_as_a_whole_if_the_scene_ends_in_space() -> None:
    """The bounds of those edges that lie on the Earth would cut labels off."""
    geostationary = CRS.from_user_input("+proj=geos +h=35785831 +lon_0=0 +datum=WGS84")
    raster = Grid(300, 300, Affine(4e4, 0.0, -6e6, 0.0, -4e4, 6e6), geostationary)
    scene = Grid(120, 200, Affine(1.0, 0.0, -100.0, 0.0, -1.0, 60.0), DEGREES)
    assert part_around(raster, [scene]) == raster.window


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326"])
@pytest.mark.parametrize(("side", "finer"), [(30.0, True), (12.0, False), (4.0, False)])
def test_a_note_says_what_counts_of_finer_rasters(
    tmp_path: Path, crs: str, side: float, finer: bool
) -> None:
    scene = Grid(7, 11, Affine(side, 0.0, 384000.0, 0.0, -side, 5819000.0), UTM)
    path = labels(tmp_path, crs)
    notes = read_shots(path, near=[scene]).notes
    assert any("takes the class at its centre" in note for note in notes) == finer
    assert not any("class at its centre" in note for note in read_shots(path).notes)
