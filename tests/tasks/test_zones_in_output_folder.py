"""Zones that lie among the files of an earlier map: the polygons of that map, say. They are read, and stay."""

from __future__ import annotations

import shutil
from pathlib import Path

import geopandas as gpd
import pytest
from builders import snapshot
from planted import Planted

from hsi_geo import MapOptions, batch, classify, predict
from hsi_geo.errors import OptionError


def test_polygons_of_the_earlier_map_stay_as_zones_of_the_new_one(
    planted: Planted, tmp_path: Path
) -> None:
    shots, saved = planted.shots(tmp_path / "labels.gpkg"), tmp_path / "m.safetensors"
    out, polygons = tmp_path / "m.tif", tmp_path / "m_polygons.gpkg"
    first = MapOptions(polygons=True)
    classify(planted.path, shots, out=out, save_model=saved, options=first)
    before = polygons.read_bytes()
    options = MapOptions(zones=polygons, zone_field="name")
    classify(planted.path, shots, out=out, options=options, overwrite=True)
    assert polygons.read_bytes() == before
    predict(planted.path, saved, out=out, overwrite=True)
    assert not (tmp_path / "m_zones.csv").exists()  # what is not read goes


@pytest.mark.slow
def test_polygons_of_the_earlier_batch_stay_as_zones_of_the_new_one(
    model: Path, tiles: list[Path], scheduler: str, tmp_path: Path
) -> None:
    folder = tmp_path / "maps"
    polygons = folder / "polygons.gpkg"
    batch(tiles, model, folder, scheduler=scheduler, options=MapOptions(polygons=True))
    before = polygons.read_bytes()
    options = MapOptions(zones=polygons, zone_field="name")
    result = batch(tiles, model, folder, scheduler=scheduler, options=options)
    assert result.outputs["zones"].is_file()
    assert polygons.read_bytes() == before
    found = gpd.read_file(polygons, layer="polygons")
    assert set(found["name"]) <= {one.name for one in result.areas}


def test_a_batch_refuses_zones_that_it_would_replace(
    model: Path, tiles: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    frame = gpd.GeoDataFrame({"name": ["a"]}, geometry=gpd.points_from_xy([5e5], [5e6]), crs=32633)
    frame.geometry = frame.buffer(100)
    frame.to_file(folder / "polygons.gpkg")
    before = (folder / "polygons.gpkg").read_bytes()
    options = MapOptions(zones=folder / "polygons.gpkg", polygons=True)
    with pytest.raises(OptionError, match="would replace what it is made from"):
        batch(tiles, model, folder, options=options)
    assert (folder / "polygons.gpkg").read_bytes() == before


@pytest.mark.slow
@pytest.mark.parametrize("option", ["zones", "mask"])
def test_polygons_of_an_earlier_map_stay_if_a_batch_reads_them(
    model: Path, tiles: list[Path], scheduler: str, tmp_path: Path, option: str
) -> None:
    """`predict` wrote a map with polygons under the name that the tile's map now gets."""
    folder = tmp_path / "maps"
    folder.mkdir()
    polygons = folder / f"{tiles[0].stem}_polygons.gpkg"
    first = MapOptions(polygons=True, stac=True)
    predict(tiles[0], model, out=folder / f"{tiles[0].stem}.tif", options=first)
    before, item = polygons.read_bytes(), folder / f"{tiles[0].stem}_stac.json"
    assert item.exists()
    zones = polygons if option == "zones" else None
    options = MapOptions(zones=zones, zone_field=None if zones is None else "name")
    mask = polygons if option == "mask" else "auto"
    few = tiles[:2]
    batch(few, model, folder, scheduler=scheduler, overwrite=True, options=options, mask=mask)
    assert polygons.read_bytes() == before
    assert not item.exists()  # what is not read goes


def test_a_batch_refuses_a_mask_that_it_would_replace(
    model: Path, tiles: list[Path], tmp_path: Path
) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    mask = shutil.copy(tiles[0], folder / f"{tiles[0].stem}.tif")
    before = snapshot(folder)
    with pytest.raises(OptionError, match="would replace what it is made from"):
        batch(tiles, model, folder, mask=mask, overwrite=True)
    assert snapshot(folder) == before
