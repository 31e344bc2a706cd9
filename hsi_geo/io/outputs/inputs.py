"""All files that a job reads, so that no output replaces one."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from io import BytesIO
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.errors import OptionError
from hsi_geo.io.files.names_of_parts import MARKS, SLASHES, comparable, paths_in
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.side_files import RASTERS, beside_input
from hsi_geo.io.files.virtual_files import as_utf8
from hsi_geo.io.outputs.own_outputs import described_rasters, recorded_files
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.readers.opening import product_part

#: A path or GDAL's name of a part of a file; None where an option was not given.
Name = str | os.PathLike[str] | None

#: First bytes of a TIFF. The files beside it are known by their names, without GDAL.
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

#: Bytes at the beginning of a file that show whether it lists other files.
_HEAD = 4096

#: Elements of XML, and keys of metadata, that hold names of files or stores. A name in others, such as that of a class or the
#: number of a band, may be that of a folder with results: maps of forest lie in "forest".
_OF_FILES = re.compile(r"(file|filename|dataset|source|url)$", re.IGNORECASE)

#: Start of texts with names of other files that GDAL reads.
_LISTS = re.compile(rb"<(VRTDataset|MRF_META|OGRVRTDataSource|GDALTileIndexDataset|GDAL_WMS)\b")


def refuse_input_overwrite(outputs: Iterable[Path], inputs: Iterable[Name]) -> None:
    """Refuse to replace or remove a file that the job reads, with ``--overwrite`` too.

    Files are compared by identity, not by name: links, hard links, other cases of letters and GDAL's
    names of parts of a file are the same file. Files that an input refers to are inputs, too: sources of a
    mosaic, files of a product, headers, styles, pyramids, the record of a map. Of these, files that hsi-geo wrote
    itself, according to the record among the outputs, may be replaced together with the map of that record.

    Args:
        outputs: Paths to write or to remove.
        inputs: Paths, and GDAL's names of parts of files. None and texts that are no path are ignored.

    Raises:
        OptionError: If an output is an input.

    >>> refuse_input_overwrite([Path("map.tif")], ["scene.tif", None])
    """
    names = [name for name in inputs if name]
    if not names:
        return
    outputs = list(outputs)
    # Path.resolve raises for a link to itself.
    by_name = {os.path.realpath(path): path for path in outputs}
    for name in names:
        if (same := by_name.get(os.path.realpath(name))) is not None:
            raise _would_replace(same, Path(name), name)
    existing = {identity: path for path in outputs if (identity := _identity(path))}
    if not existing:
        return  # none of the outputs exists, so none is read
    common = [
        (existing[identity], path, name, is_named)
        for name in names
        for path, is_named in files_behind(name)
        if (identity := _identity(path)) in existing
    ]
    if not common:
        return  # saves the hashes below
    # A map that lies in the folder of a product is not part of it.
    read = {_identity(path) for name in names for path, named in files_behind(name) if named}
    own = {
        _identity(path)
        for final in existing.values()
        if _replaces_map(final, outputs, read)
        for path in recorded_files(final)
    }
    for output, path, name, is_named in common:
        if is_named or _identity(path) not in own:
            raise _would_replace(output, path, name)


def files_behind(name: str | os.PathLike[str]) -> Iterator[tuple[Path, bool]]:
    """Files on this machine that are read when a path or GDAL's name is opened.

    Args:
        name: A path, or GDAL's name of a part of a file.

    Yields:
        Each file once, and whether the name itself contains it.
    """
    seen: set[Path] = set()
    waiting = [(path, True) for path in paths_in(os.fspath(name))]
    while waiting:
        path, is_named = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.is_dir():
            waiting += [(file, False) for file in _files_in(path)]
            continue
        yield path, is_named
        waiting += [
            (file, False) for file in (*beside_input(path), *_of_product(path), *_record_of(path))
        ]
        waiting += [(file, is_named) for file in _referenced_by(path)]


def _replaces_map(
    record: Path, outputs: Iterable[Path], read: AbstractSet[tuple[int, int] | None]
) -> bool:
    """Whether the map that a record describes is replaced with it, and is not read."""
    taken = {os.path.realpath(path) for path in outputs}
    rasters = described_rasters(record)
    replaced = any(os.path.realpath(path) in taken for path in rasters)
    return replaced and read.isdisjoint(filter(None, map(_identity, rasters)))


def _record_of(path: Path) -> Iterator[Path]:
    """The record of a map."""
    record = path.with_suffix(".json")
    if path.suffix.lower() in RASTERS and path in described_rasters(record):
        yield record


def _would_replace(output: Path, path: Path, name: str | os.PathLike[str]) -> OptionError:
    which = "" if str(path) == os.fspath(name) else f", '{path}'"
    return OptionError(
        f"output '{output}' would replace what it is made from{which}",
        hint="choose another with -o",
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """An identity that is the same for all names of a file; None if there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if status.st_ino:
        return status.st_dev, status.st_ino
    return status.st_dev, hash(
        os.path.normcase(path.resolve())
    )  # a file system without inode numbers


def _files_in(folder: Path) -> list[Path]:
    """Files of a product, a store or a folder of layers."""
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    parts = {product_part(file) for file in files} - {None}
    if not parts or "" in parts:
        return files
    return [file for file in files if file.name.startswith(tuple(map(str, parts)))]


def _of_product(path: Path) -> Iterator[Path]:
    """Files of the product that an image or METADATA.XML belongs to."""
    part = product_part(path)
    if part:
        with os.scandir(path.parent) as entries:
            yield from (Path(e.path) for e in entries if e.is_file() and e.name.startswith(part))


def _referenced_by(path: Path) -> Iterator[Path]:
    """Files that the content of a file refers to, or that GDAL reads with it."""
    if not path.is_file():
        return  # a pipe would never end
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return  # the reader of the file reports it
    is_side_file = path.name.lower().endswith((".aux.xml", ".aux")) and b"<" in head
    if is_side_file or _LISTS.search(head):
        yield from _named_in_xml(path)
    elif not head.startswith(_TIFF):
        try:
            with quiet_gdal(), rasterio.open(path) as source:
                files = list(source.files)
        except (RasterioError, ValueError):
            return  # no raster
        yield from (Path(name) for name in files if exists(name))


def _entries_of(folder: Path) -> set[str]:
    """`comparable` names of what is in a folder; those of the folder itself if it was deleted or cannot be listed."""
    try:
        return {".", "..", *(comparable(entry.name) for entry in folder.iterdir())}
    except OSError:
        return {".", ".."}


def _may_name(text: str, names: set[str], marked: Iterable[str]) -> bool:
    """Whether a text has a slash, or one of the names between `MARKS`.

    Args:
        text: A text.
        names: `comparable` names.
        marked: Those of the names that have marks themselves.
    """
    if SLASHES.search(text):
        return True
    text = comparable(text)
    return not names.isdisjoint(MARKS.split(text)) or any(name in text for name in marked)


def _named_in_xml(path: Path) -> Iterator[Path]:
    """Files in the texts of a VRT or .aux.xml: sources, overviews, masks, and sources of warped rasters.

    A folder counts where a file or a store is named, a file in any text.
    """
    try:
        content = BytesIO(as_utf8(path.read_bytes()))
        entries = _entries_of(path.parent)
        names = entries | _entries_of(Path())  # a path may begin in the working directory, too
        marked = [name for name in names if MARKS.search(name)]
        for _, element in ET.iterparse(content, events=("end",)):
            text = (element.text or "").strip()
            # Statistics and descriptions of bands are thousands of texts, for which the disk is not asked.
            if 0 < len(text) < _HEAD and _may_name(text, names, marked):
                may_be_folder = _OF_FILES.search(element.get("key") or element.tag)
                found = paths_in(text, path.parent, entries)
                yield from (one for one in found if may_be_folder or not one.is_dir())
            element.clear()
    except (ET.ParseError, OSError):
        return  # the reader of the file reports it
