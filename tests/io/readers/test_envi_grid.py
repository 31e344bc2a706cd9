"""Rotated ENVI cubes whose header gives the place of another pixel than the first."""

from __future__ import annotations

import contextlib
import math
from pathlib import Path

import pytest
import rasterio
from builders import cube_of, write_envi

from hsi_geo.errors import SceneError
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

NM = ("wavelength = {500, 600, 700}", "wavelength units = Nanometers")


def header_of(
    path: Path,
    reference: tuple[float, float],
    size: tuple[float, float],
    degrees: float | str,
    extra: str = "",
) -> None:
    """Write the place of a pixel, counted from 1, and the rotation into the header of a cube."""
    header = path.with_suffix(".hdr")
    lines = [line for line in header.read_text().splitlines() if not line.startswith("map info")]
    numbers = ", ".join(map(str, (*reference, 500_000, 4_000_000, *size)))
    info = (
        f"map info = {{UTM, {numbers}, 33, North, WGS-84, units=Meters{extra}, rotation={degrees}}}"
    )
    header.write_text("\n".join([*lines, info]) + "\n")


@pytest.mark.parametrize("degrees", [17.0, -50.0])
@pytest.mark.parametrize(
    ("reference", "size", "moved"),
    [
        ((1.0, 1.0), (20.0, 20.0), False),
        ((4.0, 3.0), (20.0, 20.0), True),
        ((-99.0, 12.5), (20.0, 20.0), True),
        ((1.0, 1.0), (30.0, 20.0), True),
    ],
    ids=["first", "inside", "outside", "oblongs"],
)
def test_rotated_cubes_lie_where_gdal_shows_them_and_a_warning_tells_where_the_header_differs(
    tmp_path: Path,
    reference: tuple[float, float],
    size: tuple[float, float],
    moved: bool,
    degrees: float,
) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, reference, size, degrees)
    scene = open_scene(path, straighten=False)
    with rasterio.open(path) as file:
        assert grid_of(scene).transform == file.transform
        pixel = file.transform @ (reference[0] - 1, reference[1] - 1)
    warnings = [text for text in scene.attrs.get("warnings", ()) if "it is rotated, and" in text]
    assert len(warnings) == moved
    if moved and size[0] == size[1]:
        away = math.dist(pixel, (500_000, 4_000_000)) / size[0]
        assert f"up to {away:.1f} pixels away" in warnings[0]


def test_a_cube_that_is_not_rotated_lies_where_its_header_says(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, (4.0, 3.0), (30.0, 20.0), 0.0)
    scene = open_scene(path)
    assert grid_of(scene).transform @ (3, 2) == (500_000, 4_000_000)
    assert not scene.attrs.get("warnings")


def place_warnings(path: Path) -> list[str]:
    scene = open_scene(path, straighten=False)
    return [text for text in scene.attrs.get("warnings", ()) if "it is rotated, and" in text]


@pytest.mark.parametrize("reference", [(1.0, 1.0), (4.0, 3.0)], ids=["first", "inside"])
def test_a_cube_that_is_turned_upside_down_is_mirrored_by_gdal_with_a_word(
    tmp_path: Path, reference: tuple[float, float]
) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, reference, (20.0, 20.0), 180.0)
    with rasterio.open(path) as file:
        assert (file.transform.a > 0, file.transform.e > 0) == (True, True)  # a mirror
    (warning,) = place_warnings(path)
    assert "pixels away" in warning


def test_a_rotation_that_is_no_number_and_a_bare_word_are_passed_over(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, (1.0, 1.0), (20.0, 20.0), 17.0, ", rotation")
    assert not place_warnings(path)
    header_of(path, (4.0, 3.0), (20.0, 20.0), 17.0, ", Rotation")
    assert len(place_warnings(path)) == 1
    header_of(path, (4.0, 3.0), (20.0, 20.0), "nan")
    with contextlib.suppress(SceneError):
        place_warnings(path)


@pytest.mark.parametrize("size", [(20.0, 0.0), (0.0, 20.0), (0.0, 0.0)], ids=str)
def test_rotated_pixels_without_a_size_are_refused(
    tmp_path: Path, size: tuple[float, float]
) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, (1.0, 1.0), size, 30.0)
    with pytest.raises(SceneError, match="gives its pixels no size"):
        open_scene(path)
