"""Named pipes, sockets and devices in place of files are refused: reading them might never end."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from builders import CENTRES, cube_of, model_for, nm_tags, run, write_tif

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.references import require_local
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.artifacts.model import save_model

if TYPE_CHECKING:
    from planted import Planted


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    "beside", ["a.tif", "a.tif.aux.xml", "a.tif.ovr", "a.tif.msk", "a.hdr", "a.tif.hdr", "a.tfw"]
)
def test_a_pipe_in_place_of_a_raster_or_side_file_is_refused(beside: str, tmp_path: Path) -> None:
    if beside != "a.tif":
        write_tif(tmp_path / "a.tif", cube_of(3), band_tags=nm_tags(CENTRES[:3]))
    os.mkfifo(tmp_path / beside)
    for open_ in (open_scene, read_map, read_shots):
        with pytest.raises(HsiGeoError, match=rf"{beside}' is a named pipe, not a file; "):
            open_(tmp_path / "a.tif")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes here")
@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("a.csv", ("info", "scene.tif", "--shots", "a.csv")),
        ("a.gpkg", ("info", "scene.tif", "--shots", "a.gpkg")),
        ("a.geojson", ("info", "scene.tif", "--shots", "a.geojson")),
        ("shots.qml", ("info", "scene.tif", "--shots", "shots.gpkg")),
        ("shots.gpkg-wal", ("info", "scene.tif", "--shots", "shots.gpkg")),
        ("a.nm", ("info", "scene.tif", "--wavelengths", "a.nm")),
        ("a.hdr", ("info", "a.hdr")),
        ("a.zip", ("info", "a.zip")),
        ("a.h5", ("info", "a.h5")),
        ("a.json", ("info", "scene.tif", "--shots", "shots.gpkg", "--classes", "a.json")),
        ("a.st", ("predict", "scene.tif", "--model", "a.st", "-o", "map.tif")),
        ("a.gpkg", ("predict", "scene.tif", "--model", "model", "-o", "map.tif", "--aoi", "a.gpkg")),
        ("a.txt", ("batch", "a.txt", "--model", "model", "-o", "maps")),
        ("a.vrt", ("batch", "a.vrt", "--model", "model", "-o", "maps")),
        ("a.geojson", ("assess", "scene.tif", "--reference", "a.geojson")),
    ],
)  # fmt: skip
def test_a_pipe_is_refused_for_every_option(
    name: str, arguments: tuple[str, ...], planted: Planted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(planted.path.parent)
    planted.shots(Path("shots.gpkg"))
    save_model(model_for(planted.path), Path("model"))
    if arguments[0] == "assess":
        write_tif(Path("scene.tif"), np.ones((1, 5, 7), np.uint8))
    os.mkfifo(name)
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    assert "is a named pipe, not a file" in result.stderr
    assert "unexpected" not in result.stderr


def test_sockets_and_devices_are_refused(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as opened:
        opened.bind(str(tmp_path / "socket"))
        for path, kind in (("socket", "socket"), ("/dev/zero", "device"), ("/dev/null", "device")):
            with pytest.raises(HsiGeoError, match=f"is a {kind}, not a file"):
                require_local(tmp_path / path, "scene", HsiGeoError)
