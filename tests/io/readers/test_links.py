"""Scenes on other machines: rasters, HDF5 and netCDF over HTTP, and servers that fail."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pytest
import rasterio
from builders import nm_tags, write_tif
from emit_cases import write_emit
from remote_cases import WRITERS, Served, scene

from hsi_geo import batch, open_scene
from hsi_geo.errors import MissingPackageError, OptionError, SceneError
from hsi_geo.io.files import remote_files
from hsi_geo.tasks.convert import convert
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import map_paths

if TYPE_CHECKING:
    from planted import Planted

pytest.importorskip("aiohttp", reason="needs the extra remote")


@pytest.mark.parametrize("way", ["fine", "slow", "flaky", "cutonce"])
@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.slow
def test_links_give_what_local_files_give(served: Served, name: str, way: str) -> None:
    """Also by a server that is slow, or fails once."""
    if name == "a.tif" and way == "cutonce":
        pytest.skip("GDAL reads a file that is cut once, or says where it is cut")
    local = WRITERS[name](served.folder / name)
    found = open_scene(f"{served.url}/{way}/{name}")
    expected = open_scene(local)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.hsi.grid.transform == expected.hsi.grid.transform
    np.testing.assert_array_equal(found["wavelength"], expected["wavelength"])


@pytest.mark.parametrize("prefix", ["", "/vsicurl/"])
def test_gdals_names_of_links(served: Served, prefix: str) -> None:
    local = write_emit(served.folder / "a.nc")
    found = open_scene(f"{prefix}{served.url}/fine/a.nc?token=x.y")
    np.testing.assert_array_equal(found.values, open_scene(local).values)


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("way", "message"),
    [
        ("403", "the server refuses to give '.*' \\(403\\)"),
        ("404", "there is no file at '.*'"),
        ("cut", "'.*' (could not be read in 3 tries|is not a raster|is a damaged|cannot be read)"),
    ],
)
def test_servers_that_fail_end_in_one_sentence(
    served: Served, name: str, way: str, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    WRITERS[name](served.folder / name)
    with pytest.raises(SceneError, match=message) as caught:
        open_scene(f"{served.url}/{way}/{name}").load()
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_no_server_ends_in_one_sentence() -> None:
    with pytest.raises(SceneError, match="could not be read in 3 tries"):
        open_scene("http://127.0.0.1:9/a.nc")


def test_a_store_whose_package_is_missing_says_which(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "s3fs", None)
    monkeypatch.delenv("AWS_NO_SIGN_REQUEST", raising=False)
    with pytest.raises(MissingPackageError, match=r"links of s3, .*; run: pip install s3fs"):
        open_scene("s3://bucket/b.he5")


def test_only_the_blocks_that_are_needed_are_read(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remote_files, "BLOCK_BYTES", 1 << 14)
    height, width, bands = 200, 150, 40
    values = np.random.default_rng(1).integers(1, 9000, (bands, height, width)).astype("int16")
    centres = np.linspace(420.0, 2400.0, bands)
    tif = write_tif(
        served.folder / "a.tif",
        values,
        band_tags=nm_tags(list(centres)),
        tiled=True,
        blockxsize=32,
        blockysize=32,
        interleave="pixel",
    )
    with h5py.File(served.folder / "a.h5", "w") as file:
        group = file.create_group("SJER/Reflectance")
        group.create_dataset(
            "Reflectance_Data", data=values.transpose(1, 2, 0), chunks=(20, 20, bands)
        )
        group["Metadata/Spectral_Data/Wavelength"] = centres
        group["Metadata/Coordinate_System/Map_Info"] = (
            b"UTM, 1, 1, 300000, 4000000, 1, 1, 11, North"
        )
        group["Metadata/Coordinate_System/EPSG Code"] = b"32611"
    for name in ("a.tif", "a.h5"):
        before = served.bytes_asked()
        found = open_scene(f"{served.url}/fine/{name}")
        np.testing.assert_array_equal(found[:, 5:15, 3:12].values, values[:, 5:15, 3:12])
        asked = served.bytes_asked() - before
        assert 0 < asked < (served.folder / name).stat().st_size / 4, name
    assert tif.exists()


def test_rasterio_is_not_left_with_options_of_links(served: Served) -> None:
    local = scene(served.folder / "a.tif")
    open_scene(f"{served.url}/fine/a.tif").load()
    with rasterio.open(local) as file:
        assert file.count == 3


def test_a_map_is_not_written_beside_a_link(served: Served) -> None:
    scene(served.folder / "a.tif")
    opened = open_scene(f"{served.url}/fine/a.tif")
    with pytest.raises(OptionError, match=r"is no file of this machine.*give a file .* with out="):
        map_paths(opened, None, MapOptions(), overwrite=False)


def test_a_raster_of_a_link_refers_to_it_by_gdals_name(served: Served, tmp_path: Path) -> None:
    """A virtual raster shows what lies behind the link, without a copy."""
    local = scene(served.folder / "a.tif")
    made = convert(f"{served.url}/fine/a.tif", tmp_path / "shown")
    assert made.path.suffix == ".vrt"
    with rasterio.open(made.path) as shown, rasterio.open(local) as expected:
        np.testing.assert_array_equal(shown.read(), expected.read())


def test_a_batch_maps_scenes_of_links(
    served: Served, planted: Planted, model: Path, scheduler: str, tmp_path: Path
) -> None:
    """A text file of links, and an item whose asset is chosen, as the local scene is mapped."""
    shutil.copy(planted.path, served.folder / "a.tif")
    assets = {
        key: {"href": name, "roles": ["data"]} for key, name in (("a", "a.tif"), ("b", "b.tif"))
    }
    item = {"type": "Feature", "id": "x", "properties": {}, "assets": assets}
    (served.folder / "item.json").write_text(json.dumps(item))
    (tmp_path / "links.txt").write_text(f"{served.url}/fine/a.tif?token=1.x\n")
    local = batch([planted.path], model, tmp_path / "local", scheduler=scheduler)
    with rasterio.open(next(iter(local.maps.values()))) as file:
        expected = file.read(1)
    listed = (str(tmp_path / "links.txt"), f"{served.url}/fine/item.json")
    for number, tiles in enumerate(listed):
        folder = tmp_path / f"maps{number}"
        result = batch([tiles], model, folder, scheduler=scheduler, asset="a")
        assert result.count("mapped") == 1
        with rasterio.open(folder / "a.tif") as file:
            np.testing.assert_array_equal(file.read(1), expected)
