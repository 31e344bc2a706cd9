"""Unusual names of files: each opens, or the error message names the reason."""

from __future__ import annotations

import os
import shlex
import tarfile
from pathlib import Path
from zipfile import ZipFile

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from affine import Affine
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif
from rasterio.control import GroundControlPoint
from rasterio.rpc import RPC

from hsi_geo.errors import SceneError
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.properties import require_upright
from hsi_geo.io.scenes.scene import open_scene

NM = "wavelength units = Nanometers"
LISTED = "wavelength = {462, 551.5, 640.25}"
ODD = ("a!b", "a;b", "a}b", "a{b}c", "a'b", "a #?&%20b", "ü")


@pytest.mark.parametrize(
    ("cube", "header"),
    [
        ("SCENE.BSQ", "SCENE.HDR"),
        ("SCENE.BSQ", "SCENE.hdr"),
        ("scene.bsq", "scene.HDR"),
        ("Scene.Bsq", "Scene.Hdr"),
        ("Scene.bsq", "SCENE.HDR"),
        ("scene.DAT", "SCENE.hdr"),
        ("SCENE", "SCENE.HDR"),
        ("SCENE.IMG", "SCENE.IMG.HDR"),
        ("scene.img", "scene.img.HDR"),
    ],
)
def test_an_envi_header_finds_its_cube_and_a_cube_its_header_in_any_case(
    cube: str, header: str, tmp_path: Path
) -> None:
    write_envi(tmp_path / cube, cube_of(3), NM, LISTED, header=tmp_path / header)
    for given in (cube, header):
        np.testing.assert_array_equal(open_scene(tmp_path / given).values, cube_of(3))


@pytest.mark.parametrize("odd", ODD)
def test_scenes_and_shots_in_folders_and_files_of_any_name(odd: str, tmp_path: Path) -> None:
    folder = tmp_path / f"in {odd}"
    folder.mkdir()
    path = write_tif(folder / f"{odd}.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    np.testing.assert_array_equal(open_scene(path).values, cube_of(3))
    points = gpd.GeoDataFrame(
        {"class": ["ä", "b"]}, geometry=shapely.points([1.0, 2.0], [3.0, 4.0]), crs="EPSG:32633"
    )
    for suffix in (".gpkg", ".shp", ".geojson"):
        points.to_file(tmp_path / f"plain{suffix}")
        for file in tmp_path.glob("plain.*"):
            file.rename(folder / (odd + file.suffix))
        assert [c.name for c in read_shots(folder / (odd + suffix)).classes] == ["b", "ä"]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_archives_of_any_name(kind: str, odd: str, tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    archive = tmp_path / f"{odd}.{kind}"
    inside = f"{odd}/{odd}.tif"
    if kind == "zip":
        with ZipFile(archive, "w") as zipped:
            zipped.write(path, inside)
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as tar:
            tar.add(path, inside)
    np.testing.assert_array_equal(open_scene(archive).values, cube_of(3))


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
def test_a_name_that_is_not_in_utf_8_is_refused(tmp_path: Path) -> None:
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    latin = os.fsdecode(os.fsencode(tmp_path) + "/scène.tif".encode("latin-1"))
    path.rename(latin)
    with pytest.raises(SceneError, match=r"is not named in UTF-8, .*; rename the file"):
        open_scene(latin)


# No grid --------------------------------------------------------------------------------------

ODD_SCENE = "it's a scene.tif"


def named_line(path: Path, options: str) -> str:
    return f"gdalwarp {options}-r near {shlex.quote(str(path))} "


def test_rational_polynomials_are_not_straightened_against_the_users_will(tmp_path: Path) -> None:
    path = tmp_path / ODD_SCENE
    one = [1.0] + [0.0] * 19
    rpcs = RPC(0.0, 1.0, 50.0, 1.0, one, one, 2.5, 2.5, 14.0, 1.0, one, one, 3.5, 3.5)
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=3, dtype="int16", rpcs=rpcs
    ) as file:
        file.write(cube_of(3))
    with pytest.raises(SceneError) as raised:
        open_scene(path, straighten=False)
    assert "has rational polynomials (RPC) and no grid" in raised.value.message
    assert named_line(path, "-rpc ") in raised.value.hint


def test_suggested_commands_quote_file_names(tmp_path: Path) -> None:
    path = tmp_path / ODD_SCENE
    points = [GroundControlPoint(r, c, 5e5 + c, 9e5 - r) for r, c in ((0, 0), (0, 7), (5, 0))]
    with rasterio.open(
        path, "w", driver="GTiff", height=5, width=7, count=3, dtype="int16", gcps=points,
        crs="EPSG:32633",
    ) as file:  # fmt: skip
        file.write(cube_of(3))
    with pytest.raises(SceneError) as raised:
        open_scene(path, straighten=False)
    assert named_line(path, "") in raised.value.hint
    path.unlink()
    turned = Affine.translation(5e5, 9e5) @ Affine.rotation(20) @ Affine.scale(30, -30)
    write_tif(path, cube_of(3), band_tags=nm_tags(CENTRES[:3]), transform=turned)
    with pytest.raises(SceneError) as raised:
        require_upright(open_scene(path, straighten=False))
    assert named_line(path, "") in raised.value.hint
