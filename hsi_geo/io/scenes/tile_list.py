"""Lists of tiles: globs, folders, text files, VRT mosaics and STAC items."""

from __future__ import annotations

import glob
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote

from hsi_geo.errors import HsiGeoError, SceneError, SceneNotFoundError
from hsi_geo.io.files.limits import NAMES_BYTES
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.remote_files import as_link, gdal_name
from hsi_geo.io.readers import Links, read_scene
from hsi_geo.io.readers.raster import data_of_header
from hsi_geo.io.readers.stac_assets import OWN_HOST, place_of
from hsi_geo.io.readers.stac_collections import MARK, is_items_name, items_of
from hsi_geo.io.readers.stac_sidecar import Json, file_name, find_item, item_tags, mask_assets

#: Endings of scenes in a folder; an ENVI cube is found by its header.
SUFFIXES = (".tif", ".tiff", ".hdr", ".h5", ".he5", ".nc", ".zip", ".tar", ".tgz", ".tar.gz")

#: Endings of text files with one path a line.
LISTS = (".txt", ".lst")


@dataclass(frozen=True, slots=True)
class ListedTile:
    """A tile to map.

    Attributes:
        path: Path or link of the scene, absolute if it lies on this machine, so that other processes find it. For a
            scene that only an item describes it is the item's, with ``#`` and the item's id for one of many.
        datetime: Time of acquisition in ISO 8601; None if no STAC item gives it.
    """

    path: str
    datetime: str | None = None


def list_tiles(
    given: Iterable[str | os.PathLike[str]],
    warn: Callable[[str], object],
    links: Links = OWN_HOST,
) -> list[ListedTile]:
    """Expand paths to tiles, in the order given, each tile once.

    Args:
        given: Scenes; globs; folders of scenes; text files with a path or link a line (`.txt`, `.lst`);
            VRT mosaics, for their sources; STAC items, item collections and collections, as files or links.
        warn: Called with a message for each folder that cannot be read; its tiles are left out.
        links: Which assets of items are the scenes, and whether items may name files on other hosts.

    Returns:
        The tiles.

    Raises:
        SceneNotFoundError: If a glob, a folder or a list holds nothing.
        SceneError: If a list cannot be read.
    """
    found: dict[str, ListedTile] = {}
    for one in given:
        tiles = list(_expanded(os.fspath(one), warn, links))
        if not tiles:
            raise SceneNotFoundError(
                f"there are no tiles in '{os.fspath(one)}'", hint="check the path and its spelling"
            )
        for tile in tiles:
            found.setdefault(tile.path, tile)
    if not found:
        raise SceneError("no tile was given", hint="give at least one")
    return list(found.values())


def _expanded(name: str, warn: Callable[[str], object], links: Links) -> Iterator[ListedTile]:
    path = Path(name)
    if not exists(name) and glob.has_magic(name) and not is_gdal_name(name):
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207  (absolute ones, too)
            yield from _expanded(match, warn, links)
        return
    suffix = path.suffix.lower()
    if exists(name) and path.is_dir():
        yield from _of_folder(path, warn)
    elif is_items_name(name) and (as_link(name) or not is_gdal_name(name)):
        yield from _of_items(name, links)
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
    described = {
        path.with_name(f"{stem}{end}")
        for path in rasters
        for stem in (path.stem, path.name)
        for end in (".hdr", ".HDR")
    }
    for path in paths:
        if (
            path.name.startswith(".") or path in described
        ):  # a header beside a GeoTIFF holds its wavelengths
            continue
        if _has_two_headers(path):
            continue
        if path.is_dir():
            yield from _of_folder(path, warn)
        elif path.name.lower().endswith(SUFFIXES):
            yield ListedTile(_absolute(str(path)))


def _has_two_headers(header: Path) -> bool:
    """Whether the cube of a header ("a.hdr") has another one ("a.bsq.hdr"), which GDAL reads."""
    if header.suffix.lower() != ".hdr":
        return False
    cube = data_of_header(str(header))
    others = [Path(f"{cube}{end}") for end in (".hdr", ".HDR")]
    return header not in others and any(other.is_file() for other in others)


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


def _of_items(name: str, links: Links) -> Iterator[ListedTile]:
    """The scene of each item of a file."""
    found = list(items_of(name))
    for item, place in found:
        is_one_of_many = place == name and len(found) > 1
        datetime = item["properties"].get("datetime")
        yield ListedTile(_scene_of(item, place, links, is_one_of_many), datetime)


def _scene_of(item: Json, file: str, links: Links, is_one_of_many: bool) -> str:
    """Name of the scene of an item: its raster, or the item if only that tells of the bands."""
    raster = place_of(item, file, links)
    is_local = as_link(raster) is None
    if is_local:
        raster = str(Path(unquote(raster) if not exists(raster) else raster).absolute())
    told = bool(item_tags(item, file_name(raster))) or any(mask_assets(item))
    if not told or (is_local and (not exists(raster) or find_item(raster) is not None)):
        return gdal_name(raster)
    own = file if as_link(file) else str(Path(file).absolute())
    return f"{own}{MARK}{item.get('id')}" if is_one_of_many else own


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
}
