"""STAC items and collections by links: their assets, masks and hosts."""

from __future__ import annotations

import json

import numpy as np
import pytest
from builders import cube_of, nm_tags, physical, run, write_tif
from new_sensor_cases import WYVERN
from remote_cases import Served, write_item

from hsi_geo import open_scene
from hsi_geo.errors import HsiGeoError, OptionError, SceneError
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.tile_list import list_tiles

pytest.importorskip("aiohttp", reason="needs the extra remote")


def test_an_item_is_opened_by_a_link_and_as_a_file(served: Served) -> None:
    """The image with what the item tells of it, and the masks that it names."""
    path = write_item(served)
    for place in (path, f"{served.url}/fine/item.json"):
        found = open_scene(place)
        np.testing.assert_allclose(found["wavelength"], [503.0, 570.0, 614.0, 799.0])
        assert found.attrs["scale_factor"] == pytest.approx(1e-4)
        assert found.attrs["driver"] == "Dragonette-001, GTiff"
        assert masked_counts(found)["reasons"] == {"cloud": 1, "haze": 1, "shadow": 1}
        assert (~physical(found)[1]).sum() == 4


def test_an_asset_is_chosen(served: Served) -> None:
    write_tif(served.folder / "other.tif", cube_of(2) + 5, band_tags=nm_tags([500.0, 600.0]))
    path = write_item(
        served, other={"href": "other.tif", "title": "Another image", "roles": ["data"]}
    )
    for name in ("other", "another image"):
        assert open_scene(path, asset=name).shape[0] == 2
    done = run("info", path, "--asset", "other", "--json")
    assert json.loads(done.stdout)["scene"]["bands"] == 2
    with pytest.raises(OptionError, match=r"has no asset 'rfl', only 'Cloud optimized GeoTiff'"):
        open_scene(path, asset="rfl")
    item = json.loads(path.read_text())
    item["assets"] = {key: {"href": "other.tif", "roles": ["data"]} for key in ("one", "two")}
    path.write_text(json.dumps(item))
    with pytest.raises(OptionError, match=r"has 2 assets that may be the scene: 'one', 'two'"):
        open_scene(path)


@pytest.mark.parametrize("is_link", [True, False])
def test_other_hosts_are_asked_only_if_the_user_allows_it(served: Served, is_link: bool) -> None:
    """An item must not make this machine ask another one, such as one in its own network."""
    path = write_item(served)
    item = json.loads(path.read_text())
    other = served.url.replace("127.0.0.1", "localhost")
    for asset in item["assets"].values():
        asset["href"] = f"{other}/fine/{asset['href'].removeprefix('./')}"
    path.write_text(json.dumps(item))
    place = f"{served.url}/fine/item.json" if is_link else str(path)
    with pytest.raises(SceneError, match=r"which is on another host, .* follow_links=True"):
        open_scene(place)
    assert not any(".tiff" in line for line in served.requests())
    assert open_scene(place, follow_links=True).shape == (4, 5, 7)


def test_masks_that_are_not_read_are_told(served: Served) -> None:
    """An analyst who asks for the product's masks learns that clouds are not masked."""
    path = write_item(served)
    item = json.loads(path.read_text())
    other = served.url.replace("127.0.0.1", "localhost")
    mask = item["assets"]["Data Mask"]
    mask["href"] = f"{other}/fine/{mask['href'].removeprefix('./')}"
    path.write_text(json.dumps(item))
    link = f"{served.url}/fine/item.json"
    (warning,) = open_scene(link).attrs["warnings"]
    assert warning == (
        f"the flags in '{WYVERN}_data_mask.tiff' (Data Mask) are not applied: it is on another host"
    )
    assert masked_counts(open_scene(link))["masked_px"] == 0
    beside = open_scene(path)  # the mask was downloaded, too
    assert not beside.attrs.get("warnings")
    for found in (beside, open_scene(link, follow_links=True)):
        assert masked_counts(found)["masked_px"] == 3
    (served.folder / f"{WYVERN}_data_mask.tiff").unlink()
    for place in (path, served.folder / f"{WYVERN}.tiff"):
        (warning,) = open_scene(place).attrs["warnings"]
        assert f"the flags in '{WYVERN}_data_mask.tiff' (Data Mask) are not applied: " in warning


def test_an_alternate_address_is_read_where_the_first_is_elsewhere(served: Served) -> None:
    path = write_item(served)
    item = json.loads(path.read_text())
    for asset in item["assets"].values():
        own, asset["href"] = asset["href"], f"https://elsewhere.example/{asset['href'][2:]}"
        asset["alternate"] = {"s3": {"href": "s3://bucket/a.tif"}, "near": {"href": own}}
    path.write_text(json.dumps(item))
    for place in (str(path), f"{served.url}/fine/item.json"):
        found = open_scene(place)
        assert found.attrs["scale_factor"] == pytest.approx(1e-4)
        assert masked_counts(found)["masked_px"] == 3
        assert not found.attrs.get("warnings")


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"properties": {}}', '{"properties": {}, "assets": {"a": {"href": 5}}}']
)
def test_links_that_are_no_items(served: Served, content: str) -> None:
    (served.folder / "item.json").write_text(content)
    with pytest.raises(HsiGeoError, match=r"is no STAC item|no asset that is an image"):
        open_scene(f"{served.url}/fine/item.json")


def test_items_of_a_collection_behind_a_link_are_tiles(served: Served) -> None:
    """Each item by its id; only an item tells of these bands."""
    path = write_item(served)
    item = json.loads(path.read_text())
    other = {**item, "id": "second"}
    whole = {"type": "FeatureCollection", "features": [item, other]}
    (served.folder / "items.json").write_text(json.dumps(whole))
    link = f"{served.url}/fine/items.json"
    tiles = [tile.path for tile in list_tiles([link], pytest.fail)]
    assert tiles == [f"{link}#{WYVERN}", f"{link}#second"]
    for tile in tiles:
        assert open_scene(tile).attrs["scale_factor"] == pytest.approx(1e-4)
    with pytest.raises(SceneError, match=r"has 2 STAC items: .* choose one by its id"):
        open_scene(link)
    with pytest.raises(SceneError, match="has no item with the id 'third'"):
        open_scene(f"{link}#third")


def test_items_of_another_host_are_no_tiles(served: Served) -> None:
    path = write_item(served)
    other = served.url.replace("127.0.0.1", "localhost")
    for href in (f"{other}/fine/{path.name}", "file:///etc/passwd", "/etc/passwd"):
        links = [{"rel": "item", "href": href}]
        content = {"type": "Collection", "links": links}
        (served.folder / "collection.json").write_text(json.dumps(content))
        with pytest.raises(HsiGeoError):
            list_tiles([f"{served.url}/fine/collection.json"], pytest.fail)
    assert not any(path.name in line for line in served.requests())
