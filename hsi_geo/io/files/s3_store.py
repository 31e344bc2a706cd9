"""Where a link of S3 leads: Amazon's store, or another one that the environment names.

GDAL and s3fs take the address of a store from different variables. Both sets are read here, so that a raster and an
HDF5 file of one bucket are opened with the same settings.
"""

from __future__ import annotations

import os
from typing import Any
from urllib.parse import quote, urlsplit

#: Seconds without an answer.
TIMEOUT_S = 30

_YES = ("YES", "TRUE", "ON", "1")
_NO = ("NO", "FALSE", "OFF", "0")


def is_s3(link: str) -> bool:
    """Whether a link is one of S3.

    Example:
        >>> is_s3("S3://bucket/b.h5"), is_s3("https://a.org/b.h5")
        (True, False)
    """
    return link[:5].lower() == "s3://"


def is_unsigned() -> bool:
    """Whether the user asks for public buckets, by ``AWS_NO_SIGN_REQUEST``."""
    return _is("AWS_NO_SIGN_REQUEST", _YES)


def store_address() -> str | None:
    """Address of the store; None for Amazon's.

    It is that of ``AWS_S3_ENDPOINT``, as GDAL has it (``AWS_HTTPS=NO`` for a store without encryption), or of
    ``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL``, as Amazon's own tools have it.
    """
    host = os.environ.get("AWS_S3_ENDPOINT", "").strip().rstrip("/")
    if host:
        scheme = "http" if _is("AWS_HTTPS", _NO) else "https"
        return host if "://" in host else f"{scheme}://{host}"
    names = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
    found = (os.environ.get(name, "").strip().rstrip("/") for name in names)
    return next((address for address in found if address), None)


def gdal_settings() -> dict[str, str]:
    """GDAL's options for the store; none if GDAL finds it by itself."""
    address = store_address()
    if address is None:
        return {}
    parts = urlsplit(address)
    return {
        "AWS_S3_ENDPOINT": f"{parts.netloc}{parts.path}",
        "AWS_HTTPS": "NO" if parts.scheme == "http" else "YES",
        "AWS_VIRTUAL_HOSTING": "TRUE" if _has_bucket_in_host() else "FALSE",
    }


def s3fs_settings() -> dict[str, Any]:
    """Arguments of ``s3fs.S3FileSystem`` for the store."""
    style = "virtual" if _has_bucket_in_host() else "path"
    address = store_address()
    settings: dict[str, Any] = {
        "config_kwargs": {
            "connect_timeout": TIMEOUT_S,
            "read_timeout": TIMEOUT_S,
            "retries": {"max_attempts": 1},  # the caller tries again
            **({} if address is None else {"s3": {"addressing_style": style}}),
        },
    }
    if is_unsigned():
        settings["anon"] = True
    if address is not None:
        settings["endpoint_url"] = address
    return settings


def web_address(link: str) -> str:
    """Web address of an object in a public bucket.

    Args:
        link: Link of the object, ``s3://bucket/key``.

    Example:
        >>> web_address("s3://bucket/a b/c.h5")
        'https://bucket.s3.amazonaws.com/a%20b/c.h5'
    """
    bucket, _, key = link[len("s3://") :].partition("/")
    path, address = quote(key), store_address()
    if address is None:
        names = ("AWS_REGION", "AWS_DEFAULT_REGION")
        region = next((found for name in names if (found := os.environ.get(name, "").strip())), "")
        return f"https://{bucket}.s3.{region + '.' if region else ''}amazonaws.com/{path}"
    if _has_bucket_in_host():
        scheme, _, host = address.partition("://")
        return f"{scheme}://{bucket}.{host}/{path}"
    return f"{address}/{bucket}/{path}"


def _has_bucket_in_host() -> bool:
    """Whether the bucket is part of the host's name, as at Amazon. Other stores have it in the path, unless told."""
    return store_address() is None or _is("AWS_VIRTUAL_HOSTING", _YES)


def _is(name: str, words: tuple[str, ...]) -> bool:
    return os.environ.get(name, "").strip().upper() in words
