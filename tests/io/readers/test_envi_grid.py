"""Rotated ENVI cubes whose header gives the place of another pixel than the first."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine
from builders import cube_of, write_envi

from hsi_geo.io.labels.class_rasters import read_patches
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.properties import grid_of
from hsi_geo.io.scenes.scene import open_scene

NM = ("wavelength = {500, 600, 700}", "wavelength units = Nanometers")


def header_of(
    path: Path, reference: tuple[float, float], size: tuple[float, float], degrees: float
) -> None:
    """Write the place of a pixel, counted from 1, and the rotation into the header of a cube."""
    header = path.with_suffix(".hdr")
    lines = [line for line in header.read_text().splitlines() if not line.startswith("map info")]
    numbers = ", ".join(map(str, (*reference, 500_000, 4_000_000, *size)))
    info = f"map info = {{UTM, {numbers}, 33, North, WGS-84, units=Meters, rotation={degrees}}}"
    header.write_text("\n".join([*lines, info]) + "\n")


@pytest.mark.parametrize("degrees", [17.0, -50.0, 90.0])
@pytest.mark.parametrize("size", [(20.0, 20.0), (30.0, 20.0)], ids=["squares", "oblongs"])
@pytest.mark.parametrize("reference", [(1.0, 1.0), (1.5, 1.5), (4.0, 3.0), (-99.0, 12.5)])
def test_the_pixel_of_the_header_lies_where_it_says(
    tmp_path: Path, reference: tuple[float, float], size: tuple[float, float], degrees: float
) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, reference, size, degrees)
    transform = grid_of(open_scene(path, straighten=False)).transform
    place = transform @ (reference[0] - 1, reference[1] - 1)
    np.testing.assert_allclose(place, (500_000, 4_000_000), atol=1e-6)
    right, down = math.radians(degrees), math.radians(degrees - 90)
    np.testing.assert_allclose(
        transform[:6],
        Affine(
            size[0] * math.cos(right), size[1] * math.cos(down), transform.c,
            size[0] * math.sin(right), size[1] * math.sin(down), transform.f,
        )[:6],
        atol=1e-6,
    )  # fmt: skip


def test_a_warning_tells_that_other_programs_show_it_elsewhere(tmp_path: Path) -> None:
    path = write_envi(tmp_path / "a.bsq", cube_of(3), *NM)
    header_of(path, (1.0, 1.0), (20.0, 20.0), 30.0)
    assert not open_scene(path).attrs.get("warnings")
    header_of(path, (4.0, 3.0), (20.0, 20.0), 30.0)
    with rasterio.open(path) as file:
        corner = file.transform @ (0, 0)
    away = math.dist(grid_of(open_scene(path, straighten=False)).transform @ (0, 0), corner) / 20
    (warning,) = open_scene(path).attrs["warnings"]
    assert f"such as QGIS, show it up to {away:.1f} pixels away" in warning


def test_labels_and_masks_with_the_same_header_lie_on_the_same_pixels(tmp_path: Path) -> None:
    scene, other = tmp_path / "a.bsq", tmp_path / "b.bsq"
    flags = np.zeros((1, 5, 7))
    flags[0, 1, 2:4] = 1
    for path, cube in ((scene, cube_of(3)), (other, flags)):
        write_envi(path, cube, *(NM if path == scene else ()))
        header_of(path, (40.0, 30.0), (20.0, 20.0), 30.0)
    masked = open_scene(scene, straighten=False, mask=str(other))
    assert masked_counts(masked)["masked_px"] == 2
    assert np.argwhere(masked.values[0] != cube_of(3)[0]).tolist() == [[1, 2], [1, 3]]
    patches = read_patches(str(other), str(other), "shots", "shots", "scene", ())
    transform = grid_of(open_scene(scene, straighten=False)).transform
    left, _, right, _ = patches.geometry.total_bounds
    corners = [transform @ corner for corner in ((2, 1), (4, 1), (4, 2), (2, 2))]
    np.testing.assert_allclose((left, right), (min(corners)[0], max(corners)[0]), atol=1e-6)
