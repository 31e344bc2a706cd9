"""What a batch writes: an index, STAC items, and maps under names of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import rasterio
import rasterio.shutil
from affine import Affine
from batch_cases import Run, cut, ids_in
from builders import NORTH_UP, snapshot
from pyproj import CRS
from stac_rules import problems

from hsi_geo import batch
from hsi_geo.errors import OptionError
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.io.readers.stac_collections import Dates
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.tiling import Grid

pystac = pytest.importorskip("pystac", reason="needs the extra batch")
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation import validate_dict
from pystac.validation.stac_validator import GetSchemaError

from hsi_geo.io.maps.stac_items import item_collection

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]


def test_index_of_maps_with_gaps_zones_and_different_sizes(
    make_scene: MakeScene, map_tiles: Run, tmp_path: Path
) -> None:
    near = make_scene("near.tif", bands=9)
    far = Affine(30.0, 0.0, 393462.5, 0.0, -20.0, 5818302.25)
    coarse = Affine(60.0, 0.0, 387462.5, 0.0, -60.0, 5818302.25)
    added: dict[str, dict[str, Any]] = {
        "far.tif": {"transform": far},
        "coarse.tif": {"transform": coarse, "height": 5, "width": 11},
        "zone.tif": {"crs": "EPSG:32632"},
        "degrees.tif": {"crs": "EPSG:4326", "transform": Affine(0.01, 0, 13, 0, -0.01, 52)},
    }
    for name, options in added.items():
        make_scene(name, bands=9, **options)
    others = [near.path.with_name(name) for name in ("far.tif", "coarse.tif", "zone.tif")]
    result = map_tiles([near.path, *others, near.path.with_name("degrees.tif")])
    assert result.count("mapped") == 5
    assert {"index_epsg_32633", "index_epsg_32632", "index_epsg_4326"} <= set(result.outputs)
    with rasterio.open(result.outputs["index_epsg_32633"]) as file:
        assert file.res == (30.0, 20.0)
        assert file.bounds == (383472.5, 5817562.25, 393462.5 + 53 * 30, 5818302.25)
        east = file.read(1)[:37, -53:]
        fine = file.read(1)[:15, 133:155]  # 5 x 11 pixels of 60 m
    assert (east == ids_in(result.maps[str(others[0])])).all()
    expected = ids_in(result.maps[str(others[1])]).repeat(3, axis=0).repeat(2, axis=1)
    assert (fine == expected).all()


def test_index_carries_colours_and_names(tiles: list[Path], map_tiles: Run) -> None:
    result = map_tiles(tiles)
    with rasterio.open(result.outputs["index"]) as file:
        assert file.colormap(1)[2] == (10, 27, 44, 255)
        assert file.nodata == 0
        assert file.dtypes == ("uint8",)
    text = result.outputs["index"].read_text()
    assert "<Category>class 2</Category>" in text
    assert "GDALRasterAttributeTable" in text


def test_items_are_valid_stac(tiles: list[Path], map_tiles: Run, tmp_path: Path) -> None:
    result = map_tiles(tiles)
    items = pystac.ItemCollection.from_file(str(result.outputs["items"]))
    assert len(items) == 6
    for item in items:
        plain = item.to_dict(include_self_link=False, transform_hrefs=False)
        validate_dict({**plain, "stac_extensions": []})  # the others' schemas are on the web
        assert problems(plain) == []
        assert item.geometry is not None
        assert item.bbox is not None
        assert 13 < item.bbox[0] < item.bbox[2] < 14
        asset = item.assets["map"]
        assert (tmp_path / "maps" / asset.href).exists()
        bands = RasterExtension.ext(asset).bands
        assert bands is not None
        (band,) = bands
        assert (band.nodata, band.data_type, band.spatial_resolution) == (0, "uint8", 30)
        projection = ProjectionExtension.ext(item)
        with rasterio.open(tmp_path / "maps" / asset.href) as file:
            assert projection.code == "EPSG:32633"
            assert projection.shape == list(file.shape)
            assert projection.transform == list(file.transform)[:6]
            assert projection.bbox == list(file.bounds)
        assert set(item.properties["processing:software"]) == {"hsi-geo"}
        assert any("/processing/" in one for one in item.stac_extensions)
        named = ClassificationExtension.ext(asset).classes
        assert [(c.value, c.name, c.title, c.color_hint) for c in named or ()] == [
            (i, f"class-{i}", f"class {i}", "0A1B2C") for i in (1, 2, 3)
        ]


@pytest.mark.parametrize("crs", ["IAU_2015:49910", 'LOCAL_CS["Arbitrary",UNIT["metre",1]]'])
def test_stac_items_of_maps_outside_the_earth_have_no_footprint(tmp_path: Path, crs: str) -> None:
    grid = Grid(5, 7, Affine(30.0, 0.0, 100.0, 0.0, -20.0, 900.0), CRS.from_user_input(crs))
    path = tmp_path / "map.tif"
    path.touch()
    tile = ListedTile(str(path), Dates("some day in May"))
    collection = item_collection([(GeoreferencedMap(path, grid), tile)], (), tmp_path)
    (item,) = collection.items
    assert item.geometry is None
    assert item.datetime is not None


def test_maps_without_a_crs_are_named_as_missing_in_all_that_was_asked_for(
    make_scene: MakeScene, map_tiles: Run, tmp_path: Path, recorder: Any
) -> None:
    scene = make_scene(bands=9, crs=None)
    tiles = cut(scene.path, tmp_path / "tiles", ((0, 20),), ((0, 30), (20, 33)))
    result = map_tiles(tiles, polygons=True, reporter=recorder)
    (warning,) = [text for text in recorder.warnings if "are in no" in text]
    assert warning.startswith("2 maps have no CRS and are in no index.vrt, no polygons; ")
    assert set(result.outputs) == {"log", "items"}
    mapped = [(ids_in(path) > 0).sum() for path in result.maps.values()]
    assert sum(area.pixels for area in result.areas) == sum(mapped)  # columns 20 to 29 twice


#: A time that the tile's file has, and another one.
CHANGED, OTHER, LAST = "2021-02-03T04:05:06Z", "2020-05-01T10:00:00Z", "2020-05-02T00:00:00Z"
ALWAYS = (None, "1900-01-01T00:00:00Z", "9999-12-31T23:59:59Z")


@pytest.mark.parametrize(
    ("name", "dates", "expected"),
    [
        ("a.tif", None, (CHANGED, None, None)),
        ("a.tif", Dates(), (CHANGED, None, None)),
        ("a.tif", Dates("some day in May"), (CHANGED, None, None)),
        ("a.tif", Dates(None, OTHER), (CHANGED, None, None)),
        ("a.tif", Dates(OTHER), (OTHER, None, None)),
        ("a.tif", Dates("2020-05-01T12:00:00+02:00"), ("2020-05-01T12:00:00+02:00", None, None)),
        ("a.tif", Dates(None, OTHER, LAST), (None, OTHER, LAST)),
        ("a.tif", Dates(None, LAST, OTHER), (CHANGED, None, None)),
        ("a.tif", Dates(None, LAST, OTHER[:-1]), (CHANGED, None, None)),
        ("a.tif", Dates(None, OTHER[:-1], LAST), (None, OTHER, LAST)),
        ("one.json", None, (OTHER, None, None)),
        ("span.json", None, (None, OTHER, LAST)),
        ("many.json#second", None, (None, OTHER, LAST)),
        ("https://a.org/a.tif", None, ALWAYS),
        ("/vsicurl/https://a.org/a.tif", None, ALWAYS),
        ("https://a.org/a.tif", Dates(OTHER), (OTHER, None, None)),
    ],
)
def test_stac_items_have_the_dates_of_their_tiles(
    name: str, dates: Dates | None, expected: tuple[str | None, ...], tmp_path: Path
) -> None:
    def item(id_: str, **properties: str | None) -> dict[str, Any]:
        assets = {"data": {"href": "a.tif", "roles": ["data"]}}
        return {"type": "Feature", "id": id_, "properties": properties, "assets": assets}

    one = item("first", datetime=OTHER)
    span = item("second", datetime=None, start_datetime=OTHER, end_datetime=LAST)
    many = {"type": "FeatureCollection", "features": [one, span]}
    for stem, content in {"one": one, "span": span, "many": many}.items():
        (tmp_path / f"{stem}.json").write_text(json.dumps(content))
    tile = tmp_path / "a.tif"
    tile.touch()
    seconds = datetime.fromisoformat(CHANGED).timestamp()
    os.utime(tile, (seconds, seconds))
    path = name if "://" in name else str(tmp_path / name)
    placed = GeoreferencedMap(tmp_path / "map.tif", Grid(5, 7, NORTH_UP, CRS.from_epsg(32633)))
    (found,) = item_collection([(placed, ListedTile(path, dates))], (), tmp_path).items
    keys = ("datetime", "start_datetime", "end_datetime")
    assert tuple(found.to_dict()["properties"].get(key) for key in keys) == expected


def test_items_keep_to_the_schemas_of_their_extensions(tiles: list[Path], map_tiles: Run) -> None:
    items = pystac.ItemCollection.from_file(str(map_tiles(tiles[:1]).outputs["items"]))
    try:
        assert len(items[0].validate()) == 5
    except GetSchemaError:
        pytest.skip("needs the web, where the schemas of STAC extensions lie")


def test_names_that_collide_take_their_folders(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    for folder in ("east", "west"):
        cut(scene.path, tmp_path / folder, ((0, 9),), ((0, 9),))
    only = cut(scene.path, tmp_path / "more", ((0, 9),), ((9, 9),))[0].rename(
        tmp_path / "more" / "index.tif"
    )
    tiles = [tmp_path / "east" / "0_0.tif", tmp_path / "west" / "0_0.tif", only]
    assert [path.name for path in map_tiles(tiles).maps.values()] == [
        "east_0_0.tif",
        "west_0_0.tif",
        "more_index.tif",
    ]


def test_tiles_are_never_replaced(tiles: list[Path], model: Path, scheduler: str) -> None:
    before = snapshot(tiles[0].parent)
    with pytest.raises(OptionError, match="would replace what it is made from"):
        batch(tiles, model, tiles[0].parent, scheduler=scheduler, overwrite=True)
    assert snapshot(tiles[0].parent) == before


@pytest.mark.parametrize("name", ["index.vrt", "index_epsg_32633.vrt"])
def test_the_list_of_tiles_is_never_replaced(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path, name: str
) -> None:
    mosaic = tmp_path / "maps" / name
    mosaic.parent.mkdir()
    rasterio.shutil.copy(tiles[0], mosaic, driver="VRT")
    before = snapshot(mosaic.parent)
    with pytest.raises(OptionError, match="would replace what it is made from"):
        batch(mosaic, model, mosaic.parent, scheduler=scheduler, overwrite=True)
    assert snapshot(mosaic.parent) == before
    elsewhere = mosaic.rename(tmp_path / name)
    assert batch(elsewhere, model, mosaic.parent, scheduler=scheduler).count("mapped") == 1
