"""Files that are no tiles of their own: maps of hsi-geo, other names of a tile, and files read with a tile."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import CENTRES, cube_of, nm_tags, write_envi, write_tif

from hsi_geo.errors import SceneError
from hsi_geo.io.outputs.own_outputs import OwnOutputs
from hsi_geo.io.scenes.tile_list import list_tiles
from hsi_geo.tasks.tiles.map_names import EarlierMaps, map_names


def scene(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    write_tif(path, cube_of(4), band_tags=nm_tags(CENTRES))
    return path


def record(path: Path, scene: Path, **kinds: Path) -> None:
    """Write the record of a map, which a batch made."""
    files = {
        name: {"size": file.stat().st_size, "sha256": hashlib.sha256(file.read_bytes()).hexdigest()}
        for name, file in {"map": path, **kinds}.items()
    }
    text = {"scene": str(scene), "hashes": {"job": "0"}, "files": files}
    path.with_suffix(".json").write_text(json.dumps(text))


def own_map(path: Path) -> Path:
    """A map with its confidence and style, and the record of them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    confidence, style = path.with_stem(f"{path.stem}_confidence"), path.with_suffix(".qml")
    for one in (path, confidence):
        write_tif(one, cube_of(1))
    style.write_text("<qgis/>")
    record(path, path.with_name("a.tif"), confidence=confidence, style=style)
    return path


def relative(
    folder: Path, *given: object, out: str | None = None, logged: dict[str, str] | None = None
) -> tuple[list[str], list[str]]:
    """Listed tiles, relative to the folder, and messages."""
    messages: list[str] = []
    own = OwnOutputs(None if out is None else folder / out, logged)
    tiles = list_tiles([os.fspath(folder / str(one)) for one in given], messages.append, own=own)
    return [os.path.relpath(tile.path, folder) for tile in tiles], messages


def maps_in_the_output_folder(folder: Path) -> None:
    scene(folder / "a.tif")
    own_map(folder / "maps" / "a.tif")


def map_beside_the_tile(folder: Path) -> None:
    scene(folder / "a.tif")
    own_map(folder / "a_classes.tif")


def map_beside_the_cube(folder: Path) -> None:
    write_envi(folder / "a.bsq", cube_of(4))
    own_map(folder / "a.tif")


def geotiff_beside_a_cube(folder: Path) -> None:
    write_envi(folder / "a.bsq", cube_of(4))
    scene(folder / "a.tif")


def damaged_map_in_the_output_folder(folder: Path) -> None:
    maps_in_the_output_folder(folder)
    (folder / "maps" / "a.tif").write_bytes(b"II*\x00")


def scene_in_the_output_folder(folder: Path) -> None:
    maps_in_the_output_folder(folder)
    scene(folder / "maps" / "deep" / "b.tif")


def scene_in_place_of_a_map(folder: Path) -> None:
    own_map(folder / "a.tif")
    scene(folder / "a.tif")


def links_back(folder: Path) -> None:
    scene(folder / "deep" / "a.tif")
    (folder / "deep" / "loop").symlink_to(folder)
    (folder / "again").symlink_to(folder / "deep")
    (folder / "b.tif").symlink_to(folder / "deep" / "a.tif")


def link_to_a_map(folder: Path) -> None:
    scene(folder / "a.tif")
    own_map(folder / "there" / "b.tif")
    (folder / "c.tif").symlink_to(folder / "there" / "b.tif")


MADE = "left out, as hsi-geo made them: "


@pytest.mark.parametrize(
    ("make", "out", "tiles", "message"),
    [
        (maps_in_the_output_folder, "maps", ["a.tif"], ""),
        (
            maps_in_the_output_folder,
            "more",
            ["a.tif"],
            f"{MADE}'a.tif', 'a_confidence.tif'",
        ),
        (map_beside_the_tile, ".", ["a.tif"], ""),
        (
            map_beside_the_tile,
            "maps",
            ["a.tif"],
            f"{MADE}'a_classes.tif', 'a_classes_confidence.tif'",
        ),
        (map_beside_the_cube, ".", ["a.hdr"], ""),
        (map_beside_the_cube, "maps", ["a.hdr"], f"{MADE}'a.tif', 'a_confidence.tif'"),
        (geotiff_beside_a_cube, "maps", ["a.hdr", "a.tif"], ""),
        (damaged_map_in_the_output_folder, "maps", ["a.tif"], ""),
        (
            scene_in_the_output_folder,
            "maps",
            ["a.tif"],
            "left out, as they lie in the output folder '{folder}/maps': 'deep/b.tif'",
        ),
        (scene_in_place_of_a_map, "maps", ["a.tif"], f"{MADE}'a_confidence.tif'"),
        (links_back, "maps", ["again/a.tif"], ""),
        (
            link_to_a_map,
            "maps",
            ["a.tif"],
            f"{MADE}'c.tif', 'b.tif', 'b_confidence.tif'",
        ),
    ],
)
def test_a_folder_is_searched_for_scenes_only(
    tmp_path: Path, make: Callable[[Path], None], out: str, tiles: list[str], message: str
) -> None:
    make(tmp_path)
    expected = [message.format(folder=tmp_path)] if message else []
    assert relative(tmp_path, ".", out=out) == (tiles, expected)


@pytest.mark.parametrize(
    ("make", "given", "tiles", "message"),
    [
        (map_beside_the_tile, ["a.tif", "a_classes.tif"], ["a.tif"], f"{MADE}'a_classes.tif'"),
        (
            map_beside_the_tile,
            ["a_classes.json", "a.tif", "a_classes.qml"],
            ["a.tif"],
            f"{MADE}'a_classes.json', 'a_classes.qml'",
        ),
        (
            map_beside_the_tile,
            ["*"],
            ["a.tif"],
            f"{MADE}'a_classes.json', 'a_classes.qml', 'a_classes.tif', 'a_classes_confidence.tif'",
        ),
        (geotiff_beside_a_cube, ["a.bsq", "a.hdr"], ["a.hdr"], ""),
        (geotiff_beside_a_cube, ["a.hdr", "a.bsq"], ["a.hdr"], ""),
        (geotiff_beside_a_cube, ["a.bsq"], ["a.bsq"], ""),
        (geotiff_beside_a_cube, ["a.tif", "none/../a.tif", "./a.tif"], ["a.tif"], ""),
        (links_back, ["b.tif", "deep/a.tif", "again/loop/deep/a.tif"], ["b.tif"], ""),
    ],
)
def test_files_that_are_given_are_tiles_once(
    tmp_path: Path,
    make: Callable[[Path], None],
    given: list[str],
    tiles: list[str],
    message: str,
) -> None:
    (tmp_path / "none").mkdir()
    make(tmp_path)
    assert relative(tmp_path, *given) == (tiles, [message] if message else [])


def test_files_that_are_read_with_a_tile_are_no_tiles(tmp_path: Path) -> None:
    scene(tmp_path / "a.tif")
    for name in ("a.tif.aux.xml", "a.qml", "a.hdr", "b.qml"):
        (tmp_path / name).write_text("")
    tiles, messages = relative(tmp_path, "*")
    assert tiles == ["a.tif", "b.qml"]  # the reader reports b.qml
    (message,) = messages
    assert (
        message == "left out, as they are read with other tiles: 'a.hdr', 'a.qml', 'a.tif.aux.xml'"
    )


def test_a_map_whose_record_is_lost_is_known_by_the_log(tmp_path: Path) -> None:
    map_beside_the_cube(tmp_path)
    for name in ("a.json", "a_confidence.tif"):
        (tmp_path / name).unlink()
    digest = hashlib.sha256((tmp_path / "a.tif").read_bytes()).hexdigest()
    assert relative(tmp_path, ".", out=".", logged={"a.tif": digest})[0] == ["a.hdr"]
    assert relative(tmp_path, ".", out=".", logged={"a.tif": "0"})[0] == ["a.hdr", "a.tif"]


def test_maps_alone_are_no_tiles(tmp_path: Path) -> None:
    own_map(tmp_path / "b.tif")
    with pytest.raises(SceneError, match=r"no tile is left: hsi-geo made 'b.tif'"):
        relative(tmp_path, "b.tif", out=".")


def made(folder: Path, **tiles: str) -> EarlierMaps:
    """Maps of tiles, by the names of the maps."""
    for name, tile in tiles.items():
        own_map(folder / f"{name}.tif")
        record(folder / f"{name}.tif", Path(tile))
    return EarlierMaps(folder)


@pytest.mark.parametrize(
    ("earlier", "paths", "names"),
    [
        ({"a": "/t/a.tif"}, ["/t/a.tif", "/u/a.tif"], ["a", "u_a"]),
        ({"a": "/u/a.tif"}, ["/t/a.tif", "/u/a.tif"], ["t_a", "a"]),
        ({"a": "/t/a.tif"}, ["/t/a.tif", "/t/a.h5"], ["a", "a_h5"]),
        ({"t_a": "/t/a.tif", "u_a": "/u/a.tif"}, ["/t/a.tif"], ["t_a"]),
        ({"a": "/v/a.tif"}, ["/t/a.tif", "/u/a.tif"], ["t_a", "u_a"]),
        ({"a_confidence": "/t/a_confidence.tif"}, ["/t/a.tif", "/t/a_confidence.tif"], ["a", "t_a_confidence"]),
        ({"a": "/t/a.tif", "A": "/u/A.tif"}, ["/t/a.tif", "/u/A.tif"], ["t_a", "u_A"]),
        ({}, ["/t/a.tif", "/u/a.tif"], ["t_a", "u_a"]),
    ],
)  # fmt: skip
def test_a_tile_keeps_the_name_of_its_map(
    tmp_path: Path, earlier: dict[str, str], paths: list[str], names: list[str]
) -> None:
    assert map_names(paths, {"index"}, made(tmp_path, **earlier)) == names


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/t/in/../u/a.tif", "/v/a.tif"], ["u_a", "v_a"]),
        (["/t/.u/a.tif", "/v/a.tif"], ["u_a", "v_a"]),
    ],
)
def test_no_name_of_a_map_is_hidden(paths: list[str], names: list[str]) -> None:
    assert map_names(paths, ()) == names


@pytest.mark.parametrize("other", ["/link/../t/a.tif", "https://host/a.tif?x=2"])
def test_tiles_whose_paths_look_the_same_have_different_names(other: str) -> None:
    same = "/t/a.tif" if other.startswith("/") else "https://host/a.tif?x=1"
    assert len(set(map_names([same, other, "/t/\ud800.tif"], ()))) == 3
