"""Variables of the environment do not change what GDAL reads or whether it asks the network."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
import rasterio
from builders import CENTRES, cube_of, nm_tags, write_tif
from reference_cases import Listener, vrt

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.gdal_options import LOCAL_OPTIONS
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.scenes.scene import open_scene

#: Variables of the environment by which other programs change what GDAL reads, and safe values.
VARIABLES = {
    "GDAL_VRT_ENABLE_PYTHON": ("YES", "NO"),
    "GDAL_VRT_RAWRASTERBAND_ALLOWED_SOURCE": ("ALL", "SIBLING_OR_CHILD_OF_VRT_PATH"),
    "OGR_SQLITE_LOAD_EXTENSIONS": ("ENABLE_SQL_LOAD_EXTENSION", ""),
    "CPL_ALLOW_VSISTDIN": ("YES", "NO"),
    "CPL_VSIL_CURL_ALLOWED_EXTENSIONS": (".tif", "{none}"),
    "CPL_VSIL_CURL_ALLOWED_FILENAME": ("http://127.0.0.1/a.tif", "{none}"),
    "GML_DOWNLOAD_SCHEMA": ("YES", "NO"),
    "GDAL_DISABLE_READDIR_ON_OPEN": ("EMPTY_DIR", "FALSE"),
    "GDAL_PAM_ENABLED": ("NO", "YES"),
    "GTIFF_IGNORE_READ_ERRORS": ("YES", "NO"),
    "GTIFF_POINT_GEO_IGNORE": ("YES", "NO"),
    "SHAPE_RESTORE_SHX": ("YES", "NO"),
    "VRT_VIRTUAL_OVERVIEWS": ("YES", "NO"),
}


@pytest.mark.parametrize("name", VARIABLES)
def test_quiet_gdal_shadows_variables_of_the_environment(
    name: str, set_variable: Callable[[str, str], None]
) -> None:
    from rasterio._env import get_gdal_config

    value, safe = VARIABLES[name]
    set_variable(name, value)
    with quiet_gdal():
        assert get_gdal_config(name, normalize=False) == safe
    assert get_gdal_config(name, normalize=False) == value
    assert os.environ[name] == value


def test_blocks_are_unpacked_on_several_threads_unless_the_user_says_how_many(
    set_variable: Callable[[str, str], None],
) -> None:
    from rasterio._env import get_gdal_config

    if "GDAL_NUM_THREADS" not in os.environ:
        with quiet_gdal():
            expected = min(4, os.cpu_count() or 1)
            assert get_gdal_config("GDAL_NUM_THREADS", normalize=False) == str(expected)
    set_variable("GDAL_NUM_THREADS", "3")
    with quiet_gdal():
        assert get_gdal_config("GDAL_NUM_THREADS", normalize=False) == "3"


def test_every_option_for_local_files_is_tested() -> None:
    assert {*VARIABLES, "GML_DOWNLOAD_WFS_SCHEMA", "GTIFF_HONOUR_NEGATIVE_SCALEY"} == {
        *LOCAL_OPTIONS
    }


def test_an_allowed_file_name_in_the_environment_opens_no_network(
    tmp_path: Path,
    web: Listener,
    monkeypatch: pytest.MonkeyPatch,
    set_variable: Callable[[str, str], None],
) -> None:
    monkeypatch.setattr("hsi_geo.io.readers.raster.require_local", lambda *_: None)
    monkeypatch.setattr("hsi_geo.io.readers.opening.require_local", lambda *_: None)
    set_variable("CPL_VSIL_CURL_ALLOWED_FILENAME", f"{web.address}/a.tif")
    (tmp_path / "a.tif").write_text(vrt(f"/vsicurl/{web.address}/a.tif"))
    with pytest.raises(HsiGeoError):
        open_scene(tmp_path / "a.tif", wavelengths="index").load()
    assert not web.connected


def test_a_damaged_raster_is_refused_whatever_the_environment_allows(
    tmp_path: Path, set_variable: Callable[[str, str], None]
) -> None:
    set_variable("GTIFF_IGNORE_READ_ERRORS", "YES")
    tags = nm_tags(CENTRES[:3])
    path = write_tif(tmp_path / "a.tif", cube_of(3), band_tags=tags, compress="deflate")
    with rasterio.open(path) as file:
        start = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[start : start + 8] = b"\xff" * 8
    path.write_bytes(content)
    scene = open_scene(path)
    with pytest.raises(HsiGeoError, match="cannot be read at row"):
        scene.load()
