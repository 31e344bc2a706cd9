"""Servers that send to another place: only to one of their own, unless the user allows it."""

from __future__ import annotations

import json
import socket

import numpy as np
import pytest
from remote_cases import WRITERS, Served, scene, write_item

from hsi_geo import open_scene
from hsi_geo.errors import HsiGeoError, OptionError, SceneError, ShotsError
from hsi_geo.io.files import redirects
from hsi_geo.io.files.redirects import final_link
from hsi_geo.io.labels.shot_reading import read_shots

pytest.importorskip("aiohttp", reason="needs the extra remote")


@pytest.mark.parametrize("name", WRITERS)
def test_a_server_may_send_to_a_place_of_its_own(served: Served, name: str) -> None:
    local = WRITERS[name](served.folder / name)
    for link in (f"{served.url}/to/{served.url}/fine/{name}", f"{served.url}/to//fine/{name}"):
        found = open_scene(link)
        np.testing.assert_array_equal(found.values, open_scene(local).values)
        assert found.attrs["source"].startswith(served.url)


@pytest.mark.parametrize("name", [*WRITERS, "item.json", "z.zarr"])
def test_a_server_may_send_to_another_host_with_leave_only(served: Served, name: str) -> None:
    """Else it could make this machine ask others, such as those in its own network."""
    if name == "item.json":
        write_item(served)
    elif name in WRITERS:
        WRITERS[name](served.folder / name)
    other = f"{served.url.replace('127.0.0.1', 'localhost')}/fine/{name}"
    link = f"{served.url}/to/{other}"
    with pytest.raises(HsiGeoError, match=r"sends to 'http://localhost.*', which is another host"):
        open_scene(link)
    assert not any("/fine/" in line for line in served.requests() if "/to/" not in line)
    if name in WRITERS:
        expected = open_scene(served.folder / name).values
        np.testing.assert_array_equal(open_scene(link, follow_links=True).values, expected)


@pytest.mark.parametrize("follow", [True, False])
@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/a.tif",
        "gopher://a.org/1",
        "http:///a.tif",
        "http:a.tif",
        "http://a.org@b.org/c",
        "http://a.org%5C@b.org/c",
        "//@b.org/c",
    ],
)
def test_a_server_may_not_send_to_what_is_no_web_address(
    served: Served, target: str, follow: bool
) -> None:
    with pytest.raises(SceneError, match="which is no web address"):
        open_scene(f"{served.url}/to/{target}", follow_links=follow)


@pytest.mark.parametrize("host", ["169.254.169.254", "0.0.0.0", "[fe80::1]", "224.0.0.1"])
def test_a_server_may_not_send_into_a_network_of_its_own(served: Served, host: str) -> None:
    """Not even with leave: these addresses serve machines of a cloud."""
    with pytest.raises(SceneError, match="which is an address in a private network"):
        open_scene(f"{served.url}/to/http://{host}/latest/a.tif", follow_links=True)


def test_a_public_server_may_not_send_to_a_private_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets = {"https://data.example.org/a.tif": "http://10.1.2.3/a.tif"}
    monkeypatch.setattr(redirects, "_redirect_of", targets.get)
    addresses = {"data.example.org": "93.184.216.34", "10.1.2.3": "10.1.2.3"}
    monkeypatch.setattr(
        socket, "getaddrinfo", lambda host, _: [(0, 0, 0, "", (addresses[host], 0))]
    )
    with pytest.raises(SceneError, match="private network"):
        final_link("https://data.example.org/a.tif", follow=True)


def test_a_server_that_sends_in_circles(served: Served) -> None:
    (served.folder / "x").mkdir()
    link = f"{served.url}/to/a.tif"  # relative: to /to/a.tif again
    with pytest.raises(SceneError, match="sends on and on"):
        open_scene(link)


def test_an_upgrade_to_https_stays_on_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    targets = {"http://a.org/b.tif": "https://a.org/b.tif"}
    monkeypatch.setattr(redirects, "_redirect_of", targets.get)
    assert final_link("http://a.org/b.tif") == "https://a.org/b.tif"
    targets |= {"https://a.org/b.tif": "http://a.org/b.tif"}
    with pytest.raises(SceneError, match="another host"):
        final_link("https://a.org/b.tif")


def test_shots_and_masks_of_a_link_stay_on_its_host(served: Served) -> None:
    path = scene(served.folder / "a.tif")
    (served.folder / "b.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    other = served.url.replace("127.0.0.1", "localhost")
    with pytest.raises(ShotsError, match="which is another host"):
        read_shots(f"{served.url}/to/{other}/fine/b.geojson")
    with pytest.raises(OptionError, match="which is another host"):
        open_scene(path, mask=f"{served.url}/to/{other}/fine/a.tif")


def test_assets_of_an_item_stay_on_its_host(served: Served) -> None:
    """Also where the item names them on its own host, and the server sends on."""
    path = write_item(served)
    item = json.loads(path.read_text())
    other = served.url.replace("127.0.0.1", "localhost")
    for asset in item["assets"].values():
        asset["href"] = f"{served.url}/to/{other}/fine/{asset['href'].removeprefix('./')}"
    path.write_text(json.dumps(item))
    with pytest.raises(SceneError, match="which is another host"):
        open_scene(f"{served.url}/fine/item.json")
    assert open_scene(f"{served.url}/fine/item.json", follow_links=True).shape == (4, 5, 7)
