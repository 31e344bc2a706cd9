"""The confidence of all maps of a batch as one raster, which other commands find beside the index."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from batch_cases import Run, cut, ids_in

from hsi_geo import batch, compare, polygons, sample
from hsi_geo.errors import OutputExistsError

pytest.importorskip("pystac", reason="needs the extra batch")

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


def mosaics(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*.vrt"))


def test_overlapping_maps_show_the_confidence_of_the_class_that_they_show(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    tiles = cut(scene.path, tmp_path / "tiles", ((0, 24), (15, 22)), ((0, 53),))
    result = map_tiles(tiles, confidence=True, halo=False)
    percent = ids_in(result.outputs["index_confidence"])
    upper, lower = (
        ids_in(path.with_stem(f"{path.stem}_confidence")) for path in result.maps.values()
    )
    assert (upper[15:] != lower[:9]).any()
    assert (percent == np.vstack([upper, lower[9:]])).all()
    with rasterio.open(result.outputs["index_confidence"]) as file:
        found = file.shape, file.transform, file.crs, file.nodata
    with rasterio.open(result.outputs["index"]) as index:
        assert found == (index.shape, index.transform, index.crs, 255)


def test_commands_find_the_confidence_of_an_index(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, recorder: Any
) -> None:
    index = map_tiles(tiles[:2], confidence=True).outputs["index"]
    other = tmp_path / "other"
    shutil.copytree(index.parent, other)
    polygons(index, tmp_path / "all.fgb", reporter=recorder)
    assert gpd.read_file(tmp_path / "all.fgb")["confidence"].notna().all()
    compare(index, other / "index.vrt", out=tmp_path / "c.tif", reporter=recorder)
    assert (tmp_path / "c_confidence.tif").is_file()
    sample(index, tmp_path / "visit.gpkg", reporter=recorder)
    assert not [text for text in recorder.logs if "are expected to be right" in text]
    assert recorder.warnings == []


@pytest.mark.parametrize("option", ["confidence", "polygons"])
def test_the_mosaic_of_confidence_goes_with_that_of_the_maps(
    make_scene: MakeScene, scene: Planted, map_tiles: Run, tmp_path: Path, option: str
) -> None:
    two = [
        make_scene("33.tif", bands=9, height=9, width=11).path,
        make_scene("32.tif", bands=9, height=9, width=13, crs="EPSG:32632").path,
    ]
    maps = tmp_path / "maps"
    given = {option: True}
    result = map_tiles(two, **given)
    assert mosaics(maps) == [
        "index_epsg_32632.vrt",
        "index_epsg_32632_confidence.vrt",
        "index_epsg_32633.vrt",
        "index_epsg_32633_confidence.vrt",
    ]
    assert ids_in(result.outputs["index_epsg_32632_confidence"]).shape == (9, 13)
    map_tiles(two[:1], **given)
    assert mosaics(maps) == ["index.vrt", "index_confidence.vrt"]
    map_tiles(two[:1])
    assert mosaics(maps) == ["index.vrt"]
    (maps / "index_confidence.vrt").write_text("mine")
    map_tiles(two[:1])
    with pytest.raises(OutputExistsError, match=r"index_confidence\.vrt' is there, and no batch"):
        map_tiles(two[:1], **given)
    assert (maps / "index_confidence.vrt").read_text() == "mine"


def test_mosaics_of_confidence_are_no_tiles(
    tiles: list[Path], map_tiles: Run, model: Path, scheduler: str, tmp_path: Path, recorder: Any
) -> None:
    maps = map_tiles(tiles[:2], confidence=True).folder
    result = batch(
        [maps, tiles[2]], model, tmp_path / "more", scheduler=scheduler, reporter=recorder
    )
    assert [Path(path).name for path in result.maps] == [tiles[2].name]
