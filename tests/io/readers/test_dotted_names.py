"""Names with further dots, such as versions and dates: the files of one scene are not those of another."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from builders import cube_of, physical, write_envi, write_tif

from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.io.scenes.tile_list import list_tiles
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import map_paths
from hsi_geo.tasks.tiles.map_names import map_names

NM = ("wavelength units = Nanometers", "wavelength = {450, 550, 650}")


def write_scene(path: Path, add: int, header: str) -> Path:
    """An ENVI cube whose values begin above a number, and its header."""
    return write_envi(path, cube_of(3) + add, *NM, header=path.with_name(header))


def tiles_in(folder: Path) -> list[str]:
    """Names of the tiles of a folder."""
    return sorted(Path(tile.path).name for tile in list_tiles([str(folder)], pytest.fail))


@pytest.mark.parametrize(
    ("cube", "header"),
    [
        ("scene.v2.bsq", "scene.v2.hdr"),
        ("scene.v2.bsq", "scene.v2.bsq.hdr"),
        ("scene.v2.BSQ", "scene.v2.HDR"),
        ("scene.v2.img", "scene.v2.img.HDR"),
        ("scene.v2", "scene.v2.hdr"),
        ("scene.2019.05.01", "scene.2019.05.01.hdr"),
        ("scene.2019.05.01.dat", "scene.2019.05.01.hdr"),
        ("line_VNIR.hyspex", "line_VNIR.hdr"),
    ],
)
def test_a_header_opens_its_own_cube(tmp_path: Path, cube: str, header: str) -> None:
    for name in ("scene", "scene.2019.05"):
        write_scene(tmp_path / f"{name}.bsq", 0, f"{name}.hdr")
    write_scene(tmp_path / cube, 500, header)
    for name in (cube, header):
        np.testing.assert_array_equal(open_scene(tmp_path / name).values, cube_of(3) + 500)
    np.testing.assert_array_equal(open_scene(tmp_path / "scene.hdr").values, cube_of(3))
    assert tiles_in(tmp_path) == sorted(["scene.hdr", "scene.2019.05.hdr", header])


def test_two_headers_of_a_cube(tmp_path: Path) -> None:
    """GDAL reads that with the whole name; a folder has one tile for both."""
    cube = write_scene(tmp_path / "scene.v2.bsq", 0, "scene.v2.hdr")
    shutil.copyfile(tmp_path / "scene.v2.hdr", tmp_path / "scene.v2.bsq.hdr")
    assert "warnings" not in open_scene(cube).attrs
    text = (tmp_path / "scene.v2.hdr").read_text()
    (tmp_path / "scene.v2.hdr").write_text(text.replace("650", "950"))
    for path in (cube, tmp_path / "scene.v2.hdr", tmp_path / "scene.v2.bsq.hdr"):
        (warning,) = open_scene(path).attrs["warnings"]
        assert warning == (
            "it has two headers that differ: 'scene.v2.bsq.hdr' is used, and 'scene.v2.hdr' is not"
        )
        assert open_scene(path)["wavelength"].values[-1] == 650
    assert tiles_in(tmp_path) == ["scene.v2.bsq.hdr"]


def test_a_header_in_capitals_beside_a_geotiff(tmp_path: Path) -> None:
    """Its wavelengths count, and it is no tile of its own."""
    path = write_tif(tmp_path / "SCENE.V2.TIF", cube_of(3))
    (tmp_path / "SCENE.V2.HDR").write_text("\n".join(("ENVI", *NM)))
    np.testing.assert_array_equal(open_scene(path)["wavelength"], [450, 550, 650])
    assert tiles_in(tmp_path) == ["SCENE.V2.TIF"]


@pytest.mark.parametrize("stem", ["FF01.v2", "FF01"])
def test_masks_beside_a_dotted_name(tmp_path: Path, stem: str) -> None:
    path = write_tif(tmp_path / f"{stem}.tif", cube_of(3))
    (tmp_path / f"{stem}.hdr").write_text("\n".join(("ENVI", *NM)))
    bits = np.zeros((1, 5, 7), "uint8")
    bits[0, 1, 2] = 1
    write_tif(tmp_path / f"{stem}.mask.tif", bits)
    other = "FF01" if stem == "FF01.v2" else "FF01.v2"
    (tmp_path / f"{other}.xml").write_text("<product/>")
    assert physical(open_scene(path))[1].all()  # the metadata of another scene
    (tmp_path / f"{stem}.xml").write_text("<product/>")
    assert np.argwhere(~physical(open_scene(path))[1]).tolist() == [[1, 2]]


@pytest.mark.parametrize(
    ("gains", "cube", "divided"),
    [
        ("flight1", "flight1rdn.bsq", True),
        ("flight1", "flight1.b.bsq", True),
        ("flight1", "flight12.bsq", False),
        ("flight", "flight.v2.bsq", False),
        ("flight.v2", "flight.v2.bsq", True),
    ],
)
def test_gains_are_of_their_own_cube(tmp_path: Path, gains: str, cube: str, divided: bool) -> None:
    path = write_envi(tmp_path / cube, cube_of(3), *NM)
    (tmp_path / f"{gains}.gain").write_text("100 1\n100 2\n100 3\n")
    assert bool(physical(open_scene(path))[0].max() < 2) is divided


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("a.v2.bsq", "a.v2"),
        ("a.v2", "a.v2"),
        ("L2A_2019.05.01", "L2A_2019.05.01"),
        ("L2A_2019.05.01.tif", "L2A_2019.05.01"),
        ("a.h5", "a"),
        ("a.V10", "a.V10"),
        ("a", "a"),
    ],
)
def test_outputs_are_named_by_the_whole_stem(tmp_path: Path, name: str, stem: str) -> None:
    """Two dates of a flight have two maps."""
    assert stem_of(name) == stem
    assert map_names([f"/t/{name}", "/t/b.tif"], ()) == [stem, "b"]
    if not name.endswith(".h5"):
        path = tmp_path / name
        if name.endswith(".tif"):
            write_tif(path, cube_of(3))
        else:
            write_scene(path, 0, f"{name}.hdr")
        scene = open_scene(path, wavelengths="450:650")
        assert scene.name == stem
        paths = map_paths(scene, None, MapOptions(), overwrite=False)
        assert paths.classes == tmp_path / f"{stem}_classes.tif"
        assert {one.name.removeprefix(f"{stem}_classes") for one in paths.all} == {
            ".tif",
            ".tif.aux.xml",
            ".qml",
            ".json",
        }


@pytest.mark.parametrize("names", [("a.v1.bsq", "a.v2.bsq"), ("a.01", "a.02"), ("a.1.tif", "a.1")])
def test_maps_of_dotted_tiles_do_not_collide(names: tuple[str, str]) -> None:
    first, second = map_names([f"/t/{name}" for name in names], ())
    assert first != second
