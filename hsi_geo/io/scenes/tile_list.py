"""Lists of tiles: globs, folders, text files, VRT mosaics and STAC items."""

from __future__ import annotations

import dataclasses
import glob
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from hsi_geo.arguments import require_path
from hsi_geo.errors import HsiGeoError, SceneError, SceneNotFoundError
from hsi_geo.io.files.limits import NAMES_BYTES
from hsi_geo.io.files.paths import exists, is_gdal_name, real_path
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.remote_files import as_link, gdal_name
from hsi_geo.io.files.side_files import HEADERS, header_names
from hsi_geo.io.readers import Links, read_scene
from hsi_geo.io.readers.opening import HDF5_SUFFIXES
from hsi_geo.io.readers.raster import data_of_header
from hsi_geo.io.readers.stac_assets import OWN_HOST, place_of
from hsi_geo.io.readers.stac_collections import MARK, Dates, is_items_name, items_of
from hsi_geo.io.readers.stac_sidecar import Json, file_name, find_item, item_tags, mask_assets
from hsi_geo.io.scenes.tile_files import is_cube_header, side_files_among, tile_key
from hsi_geo.text import quoted

#: Endings of scenes in a folder; an ENVI cube is found by its header.
SUFFIXES = (
    *(".tif", ".tiff", ".hdr", ".img", ".jp2"),
    *HDF5_SUFFIXES,
    *(".zip", ".tar", ".tgz", ".tar.gz"),
)

#: Endings of text files with one path a line.
LISTS = (".txt", ".lst")


@dataclass(frozen=True, slots=True)
class ListedTile:
    """A tile to map.

    Attributes:
        path: Path or link of the scene, absolute if it lies on this machine, so that other processes find it. For a
            scene that only an item describes it is the item's, with ``#`` and the item's id for one of many.
        dates: When it was taken; None if it was not listed from a STAC item.
    """

    path: str
    dates: Dates | None = None


class KnownOutputs(Protocol):
    """Tells which files hsi-geo made; `OwnOutputs` is one that looks at records and logs."""

    def is_folder(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is the output folder."""

    def in_folder(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file lies in the output folder."""

    def has(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file is a map, or belongs to one."""

    def had(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file has the name of a file that hsi-geo made."""


class _NoOutputs:
    """hsi-geo has made none of the files."""

    def is_folder(self, path: str | os.PathLike[str]) -> bool:
        return False

    in_folder = has = had = is_folder


def list_tiles(
    given: Iterable[str | os.PathLike[str]],
    warn: Callable[[str], object],
    links: Links = OWN_HOST,
    own: KnownOutputs | None = None,
) -> list[ListedTile]:
    """Expand paths to tiles, in the order given, each tile once.

    A file under several names, and an ENVI cube and its header, are one tile. Maps that hsi-geo made are left out,
    and files that are read with a tile.

    Args:
        given: Scenes; globs; folders of scenes; text files with a path or link a line (`.txt`, `.lst`);
            VRT mosaics, for their sources; STAC items, item collections and collections, as files or links.
        warn: Called with a message for each folder that cannot be read, whose tiles are left out, and for files that
            are left out; but not for maps that a folder's search finds in the output folder.
        links: Which assets of items are the scenes, and whether items may name files on other hosts.
        own: Which files hsi-geo made; None for no file.

    Returns:
        The tiles.

    Raises:
        SceneNotFoundError: If a glob, a folder or a list holds nothing.
        SceneError: If a list cannot be read, or nothing but maps that hsi-geo made was given.
    """
    own = own or _NoOutputs()
    found: dict[str, ListedTile] = {}
    made: dict[str, bool] = {}  # whether a message names it
    for one in given:
        name = require_path("a tile", one, "give paths of scenes or folders; predict maps an array")
        tiles = list(_expanded(name, _Search(warn, links, own)))
        if not tiles:
            raise SceneNotFoundError(
                f"there are no tiles in '{name}'", hint="check the path and its spelling"
            )
        is_searched = exists(name) and Path(name).is_dir()
        for tile in tiles:
            if own.has(tile.path):
                made[tile.path] = not (is_searched and own.in_folder(tile.path))
                continue
            same = found.setdefault(tile_key(tile.path), tile)
            if is_cube_header(tile.path) and not is_cube_header(same.path):
                # A cube is named by its header, as in a folder, so that its map belongs to the same tile.
                found[tile_key(tile.path)] = dataclasses.replace(same, path=tile.path)
    if not found:
        all_made = quoted([Path(path).name for path in made])
        raise SceneError(
            f"no tile is left: hsi-geo made {all_made}" if made else "no tile was given",
            hint="give at least one",
        )
    if names := [Path(path).name for path, is_named in made.items() if is_named]:
        warn(f"left out, as hsi-geo made them: {quoted(names)}")
    return _without_side_files(list(found.values()), warn)


def _without_side_files(tiles: list[ListedTile], warn: Callable[[str], object]) -> list[ListedTile]:
    """The tiles without files that are read with another one, such as the `.aux.xml` that ``tiles/*`` contains."""
    paths = [tile.path for tile in tiles]
    left_out = side_files_among(paths)
    if left_out:
        names = [Path(path).name for path in paths if path in left_out]
        warn(f"left out, as they are read with other tiles: {quoted(names)}")
    return [tile for tile in tiles if tile.path not in left_out]


@dataclass(frozen=True, slots=True)
class _Search:
    """One search for tiles.

    Attributes:
        warn: See `list_tiles`.
        links: See `list_tiles`.
        own: See `list_tiles`.
        visited: Real paths of folders that were searched: links may lead back to them.
    """

    warn: Callable[[str], object]
    links: Links
    own: KnownOutputs
    visited: set[str] = field(default_factory=set)


def _expanded(name: str, search: _Search) -> Iterator[ListedTile]:
    path = Path(name)
    if not exists(name) and glob.has_magic(name) and not is_gdal_name(name):
        for match in sorted(glob.glob(name, recursive=True)):  # noqa: PTH207  (absolute ones, too)
            yield from _expanded(match, search)
        return
    suffix = path.suffix.lower()
    if exists(name) and path.is_dir():
        yield from _of_folder(path, search)
    elif is_items_name(name) and search.own.has(name):  # the record of a map is no STAC item
        yield ListedTile(absolute_name(name))
    elif is_items_name(name) and (as_link(name) or not is_gdal_name(name)):
        yield from _of_items(name, search.links)
    elif suffix in _LISTING and not is_gdal_name(name):
        yield from _LISTING[suffix](path)
    else:
        yield ListedTile(absolute_name(name))


def absolute_name(name: str, folder: Path | None = None) -> str:
    """A name of a scene that other processes can open: an absolute path, a link, or one of GDAL's names.

    Args:
        name: Name of a scene.
        folder: Folder that the name is relative to if such a file lies there; None for the current one.
    """
    if is_gdal_name(name) and folder is None:
        return name
    if folder is not None and (is_gdal_name(name) or not exists(folder / name)):
        return absolute_name(name)
    return str((folder or Path()).joinpath(name).absolute())


def _of_folder(folder: Path, search: _Search) -> Iterator[ListedTile]:
    """A folder that is a product or a store is one tile; any other folder is searched for tiles."""
    if (real := real_path(folder)) in search.visited:
        return
    search.visited.add(real)
    try:
        read_scene(folder)
    except HsiGeoError:
        yield from _in_folder(folder, search)
    else:
        yield ListedTile(absolute_name(str(folder)))


def _in_folder(folder: Path, search: _Search) -> Iterator[ListedTile]:
    try:
        paths = sorted(folder.iterdir())
    except OSError as error:  # such as lost+found; the folder then has no tiles
        search.warn(f"folder '{folder}' is left out: it cannot be read ({error.strerror})")
        return
    described = _headers_of_rasters(paths, search.own)
    for path in paths:
        if path.name.startswith(".") or path in described:
            continue
        if _has_two_headers(path):
            continue
        if path.is_dir():
            is_output = search.own.is_folder(path)
            yield from (_in_output_folder if is_output else _of_folder)(path, search)
        elif path.name.lower().endswith(SUFFIXES):
            yield ListedTile(absolute_name(str(path)))


def _has_two_headers(header: Path) -> bool:
    """Whether the cube of a header ("a.hdr") has another one ("a.bsq.hdr"), which GDAL reads."""
    if header.suffix.lower() != ".hdr":
        return False
    cube = data_of_header(str(header))
    others = [Path(f"{cube}{end}") for end in HEADERS]
    return header not in others and any(other.is_file() for other in others)


def _headers_of_rasters(paths: list[Path], own: KnownOutputs) -> set[Path]:
    """Headers that hold the wavelengths of a GeoTIFF beside them, and describe no cube."""
    found, every = set(), set(paths)
    for path in paths:
        if path.suffix.lower() in (".tif", ".tiff"):
            headers = set(header_names(path)) & every
            if headers and not own.has(path):
                found |= {one for one in headers if data_of_header(one) in (str(one), str(path))}
    return found


def _in_output_folder(folder: Path, search: _Search) -> Iterator[ListedTile]:
    """The maps in the output folder, in a search of the folder that it lies in. Scenes are left out with a message."""
    others = []
    for tile in _in_folder(folder, search):
        if search.own.has(tile.path):
            yield tile
        elif not search.own.had(tile.path):  # a map that is not as it was written is made again
            others.append(tile.path)
    if others:
        names = quoted([str(Path(path).relative_to(folder.absolute())) for path in others])
        search.warn(f"left out, as they lie in the output folder '{folder}': {names}")


def _of_text(path: Path) -> Iterator[ListedTile]:
    for line in _text(path).splitlines():
        name = line.strip()
        if name and not name.startswith("#"):
            yield ListedTile(absolute_name(name, path.parent))


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
        yield ListedTile(absolute_name(str(path)))
        return
    for name, relative in dict.fromkeys(bands[0]):
        yield ListedTile(absolute_name(name, path.parent if relative else None))


def _of_items(name: str, links: Links) -> Iterator[ListedTile]:
    """The scene of each item of a file."""
    found = list(items_of(name))
    for item, place in found:
        is_one_of_many = place == name and len(found) > 1
        yield ListedTile(_scene_of(item, place, links, is_one_of_many), Dates.of(item))


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
