"""Files on other machines, read by ranges of bytes: HDF5, netCDF and small texts.

GDAL reads rasters from afar by itself. h5py needs a file object: fsspec gives one, which asks for blocks.
"""

from __future__ import annotations

import gc
import io
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urljoin, urlsplit

from hsi_geo.errors import HsiGeoError, MissingPackageError, SceneError
from hsi_geo.io.files import s3_store
from hsi_geo.io.files.redirects import final_link

#: Bytes of a block, and blocks that are kept in memory.
BLOCK_BYTES, BLOCKS = 1 << 20, 64

#: How often a read is tried, and seconds before the second try; each further wait is twice as long.
TRIES, FIRST_WAIT_S = 3, 0.5

#: Seconds without an answer.
TIMEOUT_S = 30

#: Largest text, such as a STAC item.
MOST_TEXT = 4_000_000

#: Protocols of links that are read by ranges of bytes.
_LINK = re.compile(r"(https?|s3|gs|gcs|az|abfs|memory)://", re.IGNORECASE)

#: GDAL's names of links, and what they are elsewhere.
_VSI = (
    (re.compile(r"^/vsicurl/(?=https?://)"), ""),
    (re.compile(r"^/vsis3/"), "s3://"),
    (re.compile(r"^/vsigs/"), "gs://"),
)

#: Beginning of GDAL's name of a link, by its protocol.
_GDAL_STARTS = {
    "http": "/vsicurl/",
    "https": "/vsicurl/",
    "s3": "/vsis3/",
    "gs": "/vsigs/",
    "gcs": "/vsigs/",
}

#: What pip installs for links of a store.
_PACKAGES = {"s3": "s3fs", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}

#: Answers that do not change if the question is asked again.
_FINAL = (400, 401, 403, 404, 405, 410, 416, 451)


def as_link(name: str) -> str | None:
    """The link that a name stands for; None if it is none.

    Args:
        name: Name that the user gave.

    Example:
        >>> as_link("/vsicurl/https://a.org/b.nc"), as_link("/vsis3/bucket/b.h5"), as_link("b.h5")
        ('https://a.org/b.nc', 's3://bucket/b.h5', None)
    """
    for pattern, start in _VSI:
        name = pattern.sub(start, name)
    return name if _LINK.match(name) else None


def without_query(name: str) -> str:
    """A link without its query, which may hold a key; other names as they are.

    Example:
        >>> without_query("/vsicurl/https://a.org/b.tif?token=1"), without_query("b?.tif")
        ('https://a.org/b.tif', 'b?.tif')
    """
    link = as_link(name)
    return name if link is None else re.sub(r"\?[^#]*", "", link)


def gdal_name(name: str) -> str:
    """GDAL's name of a link; other names stay as they are.

    Example:
        >>> gdal_name("https://a.org/b.tif"), gdal_name("s3://bucket/b.tif"), gdal_name("b.tif")
        ('/vsicurl/https://a.org/b.tif', '/vsis3/bucket/b.tif', 'b.tif')
    """
    scheme, mark, rest = name.partition("://")
    if not mark:
        return name
    start = _GDAL_STARTS.get(scheme.lower())
    if start is None:
        return name
    return f"{start}{rest}" if scheme.lower() in ("s3", "gs", "gcs") else f"{start}{name}"


def suffix_of(link: str) -> str:
    """The ending of the file that a link names, in lower case, without a query.

    Example:
        >>> suffix_of("https://a.org/B.NC?token=1.x")
        '.nc'
    """
    path = urlsplit(link).path if link.lower().startswith("http") else link
    return os.path.splitext(path)[1].lower()  # noqa: PTH122  (a link is no path)


def same_host(link: str, other: str) -> bool:
    """Whether two links are on the same host and port, or in the same bucket.

    Example:
        >>> same_host("https://a.org/x.json", "https://a.org/y/b.tif"), same_host("s3://a/x", "s3://b/x")
        (True, False)
    """
    one, two = urlsplit(link), urlsplit(other)
    return (one.scheme.lower(), one.netloc.lower()) == (two.scheme.lower(), two.netloc.lower())


def join_link(base: str, href: str) -> str:
    """The address that a relative one means beside a link.

    Example:
        >>> join_link("s3://bucket/items/a.json", "../b.tif")
        's3://bucket/b.tif'
    """
    if _LINK.match(href) or "://" in href:
        return href
    if base.lower().startswith("http"):
        return urljoin(base, href)
    scheme, rest = base.split("://", 1)
    return f"{scheme}{urljoin('http://' + rest, href).removeprefix('http')}"


def open_remote(link: str) -> io.BufferedReader:
    """Open a file on another machine.

    Args:
        link: Address of the file.

    Returns:
        A file that asks for the blocks that are read, tries again where the connection breaks, and keeps the
        last blocks in memory. Redirects to other hosts are refused.

    Raises:
        SceneError: If there is no such file, no right to read it, or no answer.
        MissingPackageError: If fsspec lacks a package for the protocol.
    """
    try:
        import fsspec
    except ImportError as error:
        raise _missing(link) from error
    link = final_link(link)
    try:
        system, path = fsspec.url_to_fs(link, **_options(link))
    except (ImportError, ValueError) as error:
        if not (s3_store.is_s3(link) and s3_store.is_unsigned()):
            raise _missing(link) from error
        # Amazon sends from its general address to that of the bucket's region.
        address = final_link(s3_store.web_address(link), follow=s3_store.store_address() is None)
        system, path = fsspec.url_to_fs(address, **_options(address))
    size = _tried(link, lambda: system.info(path)["size"])
    if size is None:
        raise SceneError(
            f"scene '{link}' is on a server that does not tell its size",
            hint="download it first",
        )
    return io.BufferedReader(_Remote(link, system, path, int(size)), 1 << 16)


def read_remote_text(link: str) -> bytes:
    """Read a small text on another machine.

    Args:
        link: Address of the text.

    Raises:
        SceneError: If it cannot be read, or is larger than `MOST_TEXT`.
    """
    with open_remote(link) as file:
        content = file.read(MOST_TEXT + 1)
    if len(content) > MOST_TEXT:
        raise SceneError(
            f"'{link}' has more than {MOST_TEXT:,} bytes, and no STAC item has",
            hint="check that it is the link that is meant",
        )
    return content


def _options(link: str) -> dict[str, Any]:
    if link.lower().startswith("http"):
        import aiohttp

        return {
            "allow_redirects": False,  # `final_link` has followed them
            "client_kwargs": {
                "timeout": aiohttp.ClientTimeout(sock_read=TIMEOUT_S, sock_connect=TIMEOUT_S)
            },
        }
    if s3_store.is_s3(link):
        return s3_store.s3fs_settings()
    return {}


class _Remote(io.RawIOBase):
    """Bytes of a remote file, in blocks.

    Args:
        link: Address, for messages.
        system: fsspec's file system.
        path: Path in it.
        size: Size of the file in bytes.
    """

    def __init__(self, link: str, system: Any, path: str, size: int) -> None:
        super().__init__()
        self._link, self._system, self._path, self._size = link, system, path, size
        self._blocks: dict[int, bytes] = {}
        self._at = 0

    def readable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def seekable(self) -> bool:
        """See `io.RawIOBase`."""
        return True

    def tell(self) -> int:
        """See `io.RawIOBase`."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """See `io.RawIOBase`."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, start + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """See `io.RawIOBase`."""
        view = memoryview(buffer).cast("B")
        number, inside = divmod(self._at, BLOCK_BYTES)
        if self._at >= self._size:
            return 0
        part = self._block(number)[inside : inside + len(view)]
        view[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _block(self, number: int) -> bytes:
        if number not in self._blocks:
            start = number * BLOCK_BYTES
            end = min(start + BLOCK_BYTES, self._size)

            def fetch() -> bytes:
                found: bytes = self._system.cat_file(self._path, start=start, end=end)
                if len(found) != end - start:
                    raise OSError(f"{len(found)} of {end - start} bytes arrived")
                return found

            with _without_collection():
                block = _tried(self._link, fetch)
            while len(self._blocks) >= BLOCKS:
                self._blocks.pop(next(iter(self._blocks)))
            self._blocks[number] = block
        return self._blocks[number]


@contextmanager
def _without_collection() -> Iterator[None]:
    """Keep Python from collecting garbage.

    h5py holds its lock while it waits for bytes, which fsspec fetches in a thread of its own. If that thread collected an HDF5 file
    that nobody closed, it would wait for the lock, and both would wait for ever.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _tried[R](link: str, ask: Callable[[], R]) -> R:
    """The answer to a question, which is asked again where the network fails."""
    wait = FIRST_WAIT_S
    for number in range(TRIES):
        try:
            return ask()
        except HsiGeoError:
            raise
        except Exception as raised:
            error = _cause(raised)
            if number == TRIES - 1 or _is_final(error):
                raise _failure(link, error) from raised
            time.sleep(wait)
            wait *= 2
    raise AssertionError("a try returns or raises")


def _cause(error: BaseException) -> BaseException:
    """What fsspec found: it calls every failed question about a file "not found"."""
    while isinstance(error, FileNotFoundError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _status(error: BaseException | None) -> int | None:
    """The code of the server's answer, as aiohttp or botocore tell it; None without an answer."""
    while error is not None:
        answer = getattr(error, "response", None)
        found = answer.get("ResponseMetadata", {}) if isinstance(answer, dict) else {}
        status = getattr(error, "status", None) or found.get("HTTPStatusCode")
        if status is not None:
            return int(status)
        error = error.__cause__
    return None


def _is_final(error: BaseException) -> bool:
    status = _status(error)
    return status in _FINAL or isinstance(error, FileNotFoundError | PermissionError | ImportError)


def _failure(link: str, error: BaseException) -> SceneError:
    status = _status(error)
    if isinstance(error, FileNotFoundError) or status in (404, 410):
        return SceneError(f"there is no file at '{link}'", hint="check the link")
    if isinstance(error, PermissionError) or status in (401, 403):
        return SceneError(
            f"the server refuses to give '{link}' ({status or 'no permission'})",
            hint="log in where the link comes from and take a new one, or set the keys of the store",
        )
    lines = str(error).strip().splitlines()
    reason = lines[0].rstrip(".")[:200] if lines else type(error).__name__
    return SceneError(
        f"'{link}' could not be read in {TRIES} tries ({reason})",
        hint="check the connection, or download the file first",
    )


def _missing(link: str) -> MissingPackageError:
    protocol = link.split(":", 1)[0].lower()
    package = _PACKAGES.get(protocol, "'hsi-geo[remote]'")
    return MissingPackageError(
        f"'{link}' needs a package for links of {protocol}, which is not installed",
        hint=f"run: pip install {package}"
        + (
            "; public buckets are read without it if AWS_NO_SIGN_REQUEST is YES"
            * (protocol == "s3")
        ),
    )
