"""Tiles are mapped again when their masks or those of their neighbours have changed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import shapely
from batch_cases import Run, ids_in
from builders import write_envi, write_tif

from hsi_geo.tasks.tiles.mask_files import absolute_mask, mask_hash

Planted = Any  # defined in conftest, which tests cannot import
Write = Callable[[Path, gpd.GeoDataFrame], Path]


def box_of(scene: Planted, rows: tuple[int, int], cols: tuple[int, int]) -> gpd.GeoDataFrame:
    """A polygon around the pixels between rows and columns."""
    left, top = scene.transform @ (cols[0], rows[0])
    right, bottom = scene.transform @ (cols[1], rows[1])
    box = shapely.box(left, bottom, right, top)
    return gpd.GeoDataFrame(geometry=[box], crs=scene.crs)


def geopackage(folder: Path, area: gpd.GeoDataFrame) -> Path:
    path = folder / "mask.gpkg"
    path.unlink(missing_ok=True)
    area.to_file(path)
    return path


def geodatabase(folder: Path, area: gpd.GeoDataFrame) -> Path:
    path = folder / "mask.gdb"
    shutil.rmtree(path, ignore_errors=True)
    area.to_file(path, driver="OpenFileGDB", layer="mask")
    return path


def virtual_layer(folder: Path, area: gpd.GeoDataFrame) -> Path:
    geopackage(folder, area)
    path = folder / "layer.vrt"
    path.write_text(
        '<OGRVRTDataSource><OGRVRTLayer name="mask"><SrcDataSource relativeToVRT="1">mask.gpkg</SrcDataSource>'
        "</OGRVRTLayer></OGRVRTDataSource>"
    )
    return path


def burnt(area: gpd.GeoDataFrame) -> Any:
    """(1, 37, 53) numbers other than 0 in the area, for a scene that begins at `NORTH_UP`."""
    left, bottom, right, top = area.total_bounds
    cube = np.zeros((1, 37, 53), "int16")
    rows = (round((5818302.25 - top) / 20), round((5818302.25 - bottom) / 20))
    cols = (round((left - 383472.5) / 30), round((right - 383472.5) / 30))
    cube[:, slice(*rows), slice(*cols)] = 1
    return cube


def header(folder: Path, area: gpd.GeoDataFrame) -> Path:
    return write_envi(folder / "cube.bsq", burnt(area)).with_suffix(".hdr")


def virtual_raster(folder: Path, area: gpd.GeoDataFrame) -> Path:
    path = folder / "raster.vrt"
    source = write_tif(folder / "source.tif", burnt(area))
    if not path.exists():
        rasterio.shutil.copy(source, path, driver="VRT")
    return path


@pytest.mark.parametrize("write", [geopackage, geodatabase, virtual_layer, header, virtual_raster])
def test_maps_follow_a_mask_whose_files_have_changed(
    write: Write, scene: Planted, tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    tile = tiles[1]  # columns 17 to 33 of rows 0 to 20
    mask = write(tmp_path, box_of(scene, (1, 9), (18, 20)))

    def state() -> str:
        (outcome,) = map_tiles([tile], mask=str(mask)).outcomes.values()
        return outcome.state

    assert state() == "mapped"
    assert not ids_in(tmp_path / f"maps/{tile.name}")[1:9, 1:3].any()
    assert state() == "unchanged"
    write(tmp_path, box_of(scene, (1, 12), (18, 20)))
    assert state() == "mapped"


def test_margin_follows_the_mask_of_a_neighbour(
    scene: Planted, tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    mask = geopackage(tmp_path, box_of(scene, (0, 20), (17, 23)))  # beside the first tile
    for masked, mapped in ((None, 2), (mask, 2), (mask, 0), (None, 2)):
        found = map_tiles(tiles[:2], mask="auto" if masked is None else str(masked))
        assert (found.count("mapped"), found.count("unchanged")) == (mapped, 2 - mapped)


def shapefile(folder: Path, area: gpd.GeoDataFrame) -> Path:
    path = folder / "mask.shp"
    area.to_file(path)
    return path


def geotiff(folder: Path, area: gpd.GeoDataFrame) -> Path:
    return write_tif(folder / "mask.tif", burnt(area))


@pytest.mark.parametrize(
    ("write", "name", "content", "is_read"),
    [
        (shapefile, "mask.shp.xml", "<metadata/>", False),
        (shapefile, "mask.sbn", "x", False),
        (shapefile, "mask.sbx", "x", False),
        (shapefile, "mask.qix", "x", False),
        (shapefile, "mask.cpg", "latin1", True),
        (geotiff, "mask.tif.xml", "<metadata/>", False),
        (geotiff, "mask.tif.aux.xml", "<PAMDataset/>", False),
        (geotiff, "mask.tfw", "30", True),
        (geotiff, "mask.tif.msk", "x", True),
        (geopackage, "mask.gpkg-wal", "", False),
        (geopackage, "mask.gpkg-shm", "x", False),
        (geopackage, "mask.gpkg-journal", "x", False),
    ],
)
def test_files_that_programs_leave_beside_a_mask_do_not_change_it(
    write: Write, name: str, content: str, is_read: bool, scene: Planted, tmp_path: Path
) -> None:
    mask = str(write(tmp_path, box_of(scene, (1, 9), (18, 20))))
    before = mask_hash(mask)
    (tmp_path / name).write_text(content)
    assert (mask_hash(mask) != before) == is_read


@pytest.mark.parametrize("words", ["auto", "none", "clouds", "Clouds, water"])
def test_words_stay_words_beside_files_of_their_names(
    words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / words).write_text("x")
    (tmp_path / "water").mkdir()
    assert absolute_mask(words) == words
    assert mask_hash(words) is None


def test_mask_in_a_folder_has_an_absolute_path(
    scene: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = geodatabase(tmp_path, box_of(scene, (1, 9), (18, 20)))
    monkeypatch.chdir(tmp_path)
    assert absolute_mask(path.name) == str(path)
