"""Scenes and items in the buckets of stores that speak S3."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest
from remote_cases import WRITERS, Served, write_item

from hsi_geo import open_scene
from hsi_geo.errors import SceneError
from hsi_geo.io.files import s3_store
from hsi_geo.io.scenes.mask_option import masked_counts

pytest.importorskip("aiohttp", reason="needs the extra remote")


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
