"""Lists of tiles: globs, folders, text files, VRT mosaics and STAC items."""

from __future__ import annotations

import glob
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urljoin, urlparse

from hsi_geo.errors import HsiGeoError, SceneError, SceneNotFoundError
from hsi_geo.io.files.limits import NAMES_BYTES
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import require_text
from hsi_geo.io.readers import read_scene

#: Endings of scenes in a folder; an ENVI cube is found by its header.
SUFFIXES = (".tif", ".tiff", ".hdr", ".h5", ".he5", ".nc", ".zip", ".tar", ".tgz", ".tar.gz")

#: Endings of text files with one path a line.
LISTS = (".txt", ".lst")

#: Media types of STAC assets that GDAL opens.
_RASTER_TYPES = ("image/tiff", "image/vnd.stac.geotiff", "application/x-hdf", "application/netcdf")


@dataclass(frozen=True, slots=True)
class ListedTile:
    """A tile to map.

    Attributes:
        path: Path of the scene, absolute if it lies on this machine, so that other processes find it.
        datetime: Time of acquisition in ISO 8601; None if no STAC item gives it.
    """

    path: str
    datetime: str | None = None


def list_tiles(
    given: Iterable[str | os.PathLike[str]], warn: Callable[[str], object]
) -> list[ListedTile]:
    """Expand paths to tiles, in the order given, each tile once.

    Args:
        given: Scenes; globs; folders of scenes; text files with a path a line (`.txt`, `.lst`);
            VRT mosaics, for their sources; STAC items and item collections.
        warn: Called with a message for each folder that cannot be read; its tiles are left out.

    Returns:
        The tiles.

    Raises:
        SceneNotFoundError: If a glob, a folder or a list holds nothing.
        SceneError: If a list cannot be read.
    """
    found: dict[str, ListedTile] = {}
    for one in given:
        tiles = list(_expanded(os.fspath(one), warn))
        if not tiles:
            raise SceneNotFoundError(
                f"there are no tiles in '{os.fspath(one)}'", hint="check the path and its spelling"
            )
        for tile in tiles:
            found.setdefault(tile.path, tile)
    if not found:
        raise SceneError("no tile was given", hint="give at least one")
    return list(found.values())


def _expanded(name: str, warn: Callable[[str], object]) -> Iterator[ListedTile]:
    path = Path(name)
    if not exists(name) and glob.has_magic(name) and not is_gdal_name(name):
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207  (absolute ones, too)
            yield from _expanded(match, warn)
        return
    suffix = path.suffix.lower()
    if exists(name) and path.is_dir():
        yield from _of_folder(path, warn)
    elif suffix in _LISTING and not is_gdal_name(name):
        yield from _LISTING[suffix](path)
    else:
        yield ListedTile(_absolute(name))


def _absolute(name: str, folder: Path | None = None) -> str:
    """A path that other processes can open; relative to a folder if it lies there."""
    if is_gdal_name(name) and folder is None:
        return name
    if folder is not None and (is_gdal_name(name) or not exists(folder / name)):
        return _absolute(name)
    return str((folder or Path()).joinpath(name).absolute())


def _of_folder(folder: Path, warn: Callable[[str], object]) -> Iterator[ListedTile]:
    """A folder that is a product or a store is one tile; any other folder is searched for tiles."""
    try:
        read_scene(folder)
    except HsiGeoError:
        pass
    else:
        yield ListedTile(_absolute(str(folder)))
        return
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:  # such as lost+found; the folder then has no tiles
        warn(f"folder '{folder}' is left out: it cannot be read ({error.strerror})")
        return
    rasters = {path for path in paths if path.suffix.lower() in (".tif", ".tiff")}
    described = {path.with_suffix(".hdr") for path in rasters} | {
        path.with_name(f"{path.name}.hdr") for path in rasters
    }
    for path in paths:
        if (
            path.name.startswith(".") or path in described
        ):  # a header beside a GeoTIFF holds its wavelengths
            continue
        if path.is_dir():
            yield from _of_folder(path, warn)
        elif path.name.lower().endswith(SUFFIXES):
            yield ListedTile(_absolute(str(path)))


def _of_text(path: Path) -> Iterator[ListedTile]:
    for line in _text(path).splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield ListedTile(_absolute(name, path.parent))


def _of_vrt(path: Path) -> Iterator[ListedTile]:
    """Sources of a mosaic; a VRT of one file, or of one file a band, is a scene of its own."""
    try:
        root = ET.fromstring(_text(path))
    except ET.ParseError as error:
        raise SceneError(
            f"mosaic '{path}' is no VRT that can be read ({error})", hint="build it again"
        ) from error
    bands = [
        [
            (source.text or "", source.get("relativeToVRT") == "1")
            for source in band.iter("SourceFilename")
        ]
        for band in root.findall("VRTRasterBand")
    ]
    if not bands or len(set(bands[0])) < 2 or any(set(band) != set(bands[0]) for band in bands):
        yield ListedTile(_absolute(str(path)))
        return
    for name, relative in dict.fromkeys(bands[0]):
        yield ListedTile(_absolute(name, path.parent if relative else None))


def _of_json(path: Path) -> Iterator[ListedTile]:
    """The raster of each STAC item."""
    try:
        content = json.loads(_text(path))
        items = content["features"] if content["type"] == "FeatureCollection" else [content]
        tiles = [(_raster_of(item), item["properties"].get("datetime")) for item in items]
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise SceneError(
            f"'{path}' is no STAC item or item collection whose items have a raster ({error!r})",
            hint="give a GeoJSON FeatureCollection of STAC items",
        ) from error
    for href, datetime in tiles:
        yield ListedTile(_located(href, path), datetime)


def _raster_of(item: dict[str, Any]) -> str:
    """Address of the raster with the role data, or else of the only raster."""
    assets = list(item["assets"].values())
    data = [asset for asset in assets if "data" in asset.get("roles", ())]
    rasters = [asset for asset in data or assets if _is_raster(asset)]
    chosen = rasters or data
    if len(chosen) != 1:
        raise ValueError(f"item {item.get('id')} has {len(chosen)} rasters with the role data")
    return str(chosen[0]["href"])


def _is_raster(asset: dict[str, Any]) -> bool:
    kind = str(asset.get("type", "")).split(";")[0]
    return kind in _RASTER_TYPES or str(asset["href"]).lower().endswith(SUFFIXES)


def _located(href: str, item_file: Path) -> str:
    """The name by which GDAL opens the address of an asset."""
    whole = urlparse(urljoin(item_file.absolute().as_uri(), href))
    if whole.scheme == "file":
        return unquote(whole.path)
    remote = {"http": "/vsicurl/", "https": "/vsicurl/", "s3": "/vsis3/", "gs": "/vsigs/"}
    if whole.scheme not in remote:
        return href
    address = whole.geturl()
    bucket = whole.scheme in ("s3", "gs")
    return remote[whole.scheme] + (address.split("://", 1)[1] if bucket else address)


def _text(path: Path) -> str:
    require_text(path, "list", SceneError, NAMES_BYTES)
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise SceneError(
            f"list '{path}' cannot be read ({error})", hint="give a text file in UTF-8"
        ) from error


_LISTING: dict[str, Callable[[Path], Iterator[ListedTile]]] = {
    **dict.fromkeys(LISTS, _of_text),
    ".vrt": _of_vrt,
    ".json": _of_json,
    ".geojson": _of_json,
}
