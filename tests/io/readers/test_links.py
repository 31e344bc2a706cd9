"""Scenes on other machines: rasters, HDF5, netCDF and STAC items over HTTP, and servers that fail."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import h5py
import numpy as np
import pytest
import rasterio
from builders import check_travels, cube_of, nm_tags, physical, run, write_tif
from emit_cases import write_emit
from new_sensor_cases import WYVERN, write_wyvern, wyvern_item

from hsi_geo import batch, open_scene
from hsi_geo.errors import (
    HsiGeoError,
    MissingPackageError,
    OptionError,
    SceneError,
    ShotsError,
)
from hsi_geo.io.files import redirects, remote_files, s3_store
from hsi_geo.io.files.redirects import final_link
from hsi_geo.io.labels.shot_reading import read_shots
from hsi_geo.io.scenes.mask_option import masked_counts
from hsi_geo.io.scenes.tile_list import list_tiles
from hsi_geo.tasks.convert import convert
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.predict import map_paths

if TYPE_CHECKING:
    from planted import Planted

pytest.importorskip("aiohttp", reason="needs the extra remote")

#: Serves ranges of files, and logs each request. The first part of a path is what goes wrong.
SERVER = """
import sys, time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

seen = {}

class Server(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *arguments):
        pass

    def answer(self, is_head):
        way, _, name = unquote(urlsplit(self.path).path).lstrip("/").partition("/")
        path = Path("files") / name
        signed = "signed " * ("Authorization" in self.headers)
        with open("log.txt", "a") as log:
            log.write(f"{self.command} {self.path} {signed}{self.headers.get('Range', '')}\\n")
        if way.isdigit():
            return self.plain(int(way))
        if way == "to":  # the rest is an address, or the path of one on this host
            self.send_response(302)
            self.send_header("Location", self.path[len("/to/"):])
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if not path.is_file():
            return self.plain(404)
        whole = path.read_bytes()
        first, last = 0, len(whole) - 1
        wanted = self.headers.get("Range")
        if wanted:
            start, _, end = wanted.removeprefix("bytes=").partition("-")
            first, last = int(start), min(int(end or last), last)
        part = whole[first : last + 1]
        asks = 0 if wanted == "bytes=0-0" else 1  # of whoever looks where a link leads
        count = seen[self.path, self.command] = seen.get((self.path, self.command), 0) + asks
        if way == "slow":
            time.sleep(0.3)
        if way == "flaky" and count == 1 and not is_head:
            return self.plain(503)
        self.send_response(206 if wanted else 200)
        if wanted:
            self.send_header("Content-Range", f"bytes {first}-{last}/{len(whole)}")
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(part)))
        self.end_headers()
        if is_head:
            return
        if way == "cut" or (way == "cutonce" and count == 1):
            self.wfile.write(part[: len(part) // 2])
            self.wfile.flush()
            self.close_connection = True
            self.connection.close()
            return
        self.wfile.write(part)

    def plain(self, code):
        self.send_response(code)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_HEAD(self):
        self.answer(True)

    def do_GET(self):
        self.answer(False)

server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
print(server.server_port, flush=True)
server.serve_forever()
"""


class Served:
    """A running server.

    Attributes:
        url: Its address.
        folder: Folder of its files.
    """

    def __init__(self, url: str, home: Path) -> None:
        self.url, self.folder, self._log = url, home / "files", home / "log.txt"

    def requests(self) -> list[str]:
        return self._log.read_text().splitlines() if self._log.exists() else []

    def bytes_asked(self) -> int:
        total = 0
        for line in self.requests():
            _, _, wanted = line.rpartition("bytes=")
            first, _, last = wanted.partition("-")
            total += int(last) - int(first) + 1 if first.isdigit() and last.isdigit() else 0
        return total


@pytest.fixture
def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    monkeypatch.setattr(remote_files, "FIRST_WAIT_S", 0.01)
    (tmp_path / "files").mkdir()
    with subprocess.Popen(
        [sys.executable, "-c", SERVER],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        yield Served(f"http://127.0.0.1:{server.stdout.readline().strip()}", tmp_path)
        server.terminate()


def scene(path: Path) -> Path:
    return write_tif(path, cube_of(3), band_tags=nm_tags([450.0, 550.0, 660.0]))


WRITERS: dict[str, Callable[[Path], Path]] = {"a.tif": scene, "a.nc": write_emit}


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


# Buckets: the server has the bucket in the path, so the names of what goes wrong are buckets ----------


@pytest.fixture(params=["AWS_S3_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def store(served: Served, monkeypatch: pytest.MonkeyPatch, request: Any) -> Served:
    """A store without keys, whose address is given as GDAL, or as Amazon's tools, take it."""
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_HTTPS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_NO_SIGN_REQUEST", "YES")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("GDAL_HTTP_MAX_RETRY", "0")
    is_gdals = request.param == "AWS_S3_ENDPOINT"
    address = served.url.removeprefix("http://") if is_gdals else served.url
    monkeypatch.setenv(request.param, address)
    if is_gdals:
        monkeypatch.setenv("AWS_HTTPS", "NO")
        monkeypatch.setenv("AWS_VIRTUAL_HOSTING", "FALSE")
    return served


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("start", ["s3://", "/vsis3/"])
def test_buckets_give_what_local_files_give(store: Served, name: str, start: str) -> None:
    local = WRITERS[name](store.folder / name)
    found = open_scene(f"{start}fine/{name}")
    expected = open_scene(local)
    np.testing.assert_array_equal(found.values, expected.values)
    assert found.hsi.grid.transform == expected.hsi.grid.transform
    np.testing.assert_array_equal(found["wavelength"], expected["wavelength"])
    assert store.requests()
    assert not any("signed" in line for line in store.requests())


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize(
    ("bucket", "message"),
    [
        ("403", "the server refuses to give 's3://403/.*'"),
        ("404", "there is no file at 's3://404/.*'"),
        ("fine", "there is no file at 's3://fine/no.*'"),
        (
            "cut",
            "'s3://.*' (could not be read in 3 tries|is not a raster|is a damaged|cannot be read)",
        ),
    ],
)
def test_buckets_that_fail_end_in_one_sentence(
    store: Served, name: str, bucket: str, message: str
) -> None:
    WRITERS[name](store.folder / name)
    with pytest.raises(SceneError, match=message) as caught:
        open_scene(f"s3://{bucket}/{'no' * (bucket == 'fine')}{name}").load()
    assert "\n" not in str(caught.value)
    assert caught.value.hint


def test_items_in_buckets(store: Served) -> None:
    write_item(store)
    found = open_scene("s3://fine/item.json")
    np.testing.assert_array_equal(found.values, open_scene(store.folder / "item.json").values)
    assert masked_counts(found)["reasons"] == {"cloud": 1, "haze": 1, "shadow": 1}


@pytest.mark.parametrize(
    ("environment", "gdal", "web"),
    [
        ({}, {}, "https://b.s3.amazonaws.com/c/d%20e.h5"),
        ({"AWS_REGION": "us-west-2"}, {}, "https://b.s3.us-west-2.amazonaws.com/c/d%20e.h5"),
        (
            {"AWS_S3_ENDPOINT": "a.org:9000"},
            {"AWS_S3_ENDPOINT": "a.org:9000", "AWS_HTTPS": "YES", "AWS_VIRTUAL_HOSTING": "FALSE"},
            "https://a.org:9000/b/c/d%20e.h5",
        ),
        (
            {"AWS_S3_ENDPOINT": "a.org", "AWS_HTTPS": "no", "AWS_VIRTUAL_HOSTING": "true"},
            {"AWS_S3_ENDPOINT": "a.org", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "TRUE"},
            "http://b.a.org/c/d%20e.h5",
        ),
        (
            {"AWS_ENDPOINT_URL": "http://x.org", "AWS_ENDPOINT_URL_S3": "http://a.org/s3/"},
            {"AWS_S3_ENDPOINT": "a.org/s3", "AWS_HTTPS": "NO", "AWS_VIRTUAL_HOSTING": "FALSE"},
            "http://a.org/s3/b/c/d%20e.h5",
        ),
    ],
)
def test_addresses_of_stores(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], gdal: dict[str, str], web: str
) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert s3_store.gdal_settings() == gdal
    assert s3_store.web_address("s3://b/c/d e.h5") == web


# Redirects -------------------------------------------------------------------------------------


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


# STAC items ------------------------------------------------------------------------------------


def write_item(served: Served, **changes: Any) -> Path:
    write_wyvern(served.folder)
    item = wyvern_item()
    for asset in item["assets"].values():
        asset["href"] = "./" + asset["href"].rsplit("/", 1)[-1]
    item["assets"] |= changes
    (served.folder / f"{WYVERN}.json").unlink()
    path = served.folder / "item.json"
    path.write_text(json.dumps(item))
    return path


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


REFERRING = {
    "VRT": '<VRTDataset rasterXSize="7" rasterYSize="5"><VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
    "<SourceFilename>{target}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>",
    "WMS": "<GDAL_WMS><Service name='TMS'><ServerUrl>{target}</ServerUrl></Service></GDAL_WMS>",
}


@pytest.mark.parametrize("kind", REFERRING)
@pytest.mark.parametrize("name", ["a.vrt", "a.tif"])
def test_remote_files_name_no_other_files(served: Served, kind: str, name: str) -> None:
    scene(served.folder / "secret.tif")
    target = f"/vsicurl/{served.url}/fine/secret.tif"
    (served.folder / name).write_text(REFERRING[kind].format(target=target))
    with pytest.raises(HsiGeoError):
        open_scene(f"{served.url}/fine/{name}", wavelengths="index").load()
    assert not any("secret" in line for line in served.requests())


VRT = (
    '<VRTDataset rasterXSize="7" rasterYSize="5"><SRS>EPSG:32633</SRS><GeoTransform>5e5,30,0,4e6,0,-30'
    "</GeoTransform>{bands}</VRTDataset>"
)
BAND = (
    '<VRTRasterBand dataType="Int16" band="{band}"><SimpleSource><SourceFilename relativeToVRT="{relative}">{name}'
    "</SourceFilename><SourceBand>{band}</SourceBand></SimpleSource></VRTRasterBand>"
)


def vrt(name: str, relative: int = 0) -> str:
    bands = [BAND.format(band=band, relative=relative, name=name) for band in (1, 2, 3)]
    return VRT.format(bands="".join(bands))


@pytest.mark.parametrize(
    ("name", "relative"),
    [("a.tif", 1), ("a.tif", 0), ("{same}/a.tif", 0), ("/vsicurl/{other}/a.tif", 0)],
)
def test_a_remote_mosaic_is_read_with_leave(served: Served, name: str, relative: int) -> None:
    """Names are those of files beside it, or whole links."""
    local = scene(served.folder / "a.tif")
    same = f"{served.url}/fine"
    named = name.format(same=same, other=same.replace("127.0.0.1", "localhost"))
    (served.folder / "a.vrt").write_text(vrt(named, relative))
    found = open_scene(f"{same}/a.vrt", wavelengths="450:660", follow_links=True)
    with rasterio.open(local) as file:
        np.testing.assert_array_equal(found.values, file.read())
    assert found.attrs["source"] == f"{same}/a.vrt"
    check_travels(found, forks=False)
    with pytest.raises(SceneError, match=r"virtual raster .* allow it with follow_links=True"):
        open_scene(f"{same}/a.vrt", wavelengths="450:660")


def test_a_remote_mosaic_names_nothing_of_this_machine(served: Served) -> None:
    secret = scene(served.folder.parent / "secret.tif")
    scene(served.folder / "a.tif")
    (served.folder / "b.vrt").write_text(vrt("a.tif"))
    (served.folder / "b.tif").write_text(vrt(str(secret)))
    code = "<PixelFunctionLanguage>Python</PixelFunctionLanguage>"
    texts = {
        "path": vrt(str(secret)),
        "relative path": vrt(f"../{secret}", 1),
        "address of a file": vrt(f"file://{secret}"),
        "archive": vrt(f"/vsizip/{secret}/a.tif"),
        "subdataset": vrt(f"GTIFF_DIR:1:{secret}"),
        "text": vrt("&lt;VRTDataset/&gt;"),
        "mosaic": vrt("b.vrt"),
        "mosaic of another name": vrt("b.tif"),
        "code": vrt("a.tif").replace("<SimpleSource>", f"{code}<SimpleSource>", 1),
        "raw": vrt("a.tif").replace(
            "<VRTRasterBand ", '<VRTRasterBand subClass="VRTRawRasterBand" '
        ),
        "derived": vrt("a.tif").replace(
            "<VRTRasterBand ", '<VRTRasterBand subClass="VRTDerivedRasterBand" '
        ),
        "overview": vrt("a.tif").replace(
            "<SimpleSource>",
            f"<Overview><SourceFilename>{secret}</SourceFilename></Overview><SimpleSource>",
            1,
        ),
        "mask": vrt("a.tif").replace(
            "</VRTDataset>", f"<MaskBand><Dataset>{secret}</Dataset></MaskBand></VRTDataset>"
        ),
        "warped": vrt("a.tif").replace("<VRTDataset ", '<VRTDataset subClass="VRTWarpedDataset" '),
        "cut": vrt("a.tif")[:-20],
    }
    for kind, text in texts.items():
        (served.folder / "c.vrt").write_text(text)
        with pytest.raises(HsiGeoError) as caught:
            open_scene(f"{served.url}/fine/c.vrt", wavelengths="450:660", follow_links=True).load()
        assert caught.value.hint, kind
        assert "\n" not in str(caught.value), kind


@pytest.mark.parametrize(
    "content", ["{", "[]", '{"properties": {}}', '{"properties": {}, "assets": {"a": {"href": 5}}}']
)
def test_links_that_are_no_items(served: Served, content: str) -> None:
    (served.folder / "item.json").write_text(content)
    with pytest.raises(HsiGeoError, match=r"is no STAC item|no asset that is an image"):
        open_scene(f"{served.url}/fine/item.json")


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
