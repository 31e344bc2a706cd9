"""Every file that a job reads, so that no output replaces one."""

from __future__ import annotations

import os
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator
from io import BytesIO
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.virtual_files import as_utf8
from hsi_geo.io.maps.record import recorded_files
from hsi_geo.io.outputs.side_files import beside_input
from hsi_geo.io.readers.gdal import quiet_gdal
from hsi_geo.io.readers.opening import product_part

#: A path or GDAL's name of a part of a file; None where an option was not given.
Name = str | os.PathLike[str] | None

#: What GDAL's names of parts of files, and its virtual file systems, put around a path.
_MARKS = re.compile(r"/vsi\w+/|://|[:\"'{}(),;=?&]")

#: What begins a TIFF: its own files are known by their names, without asking GDAL.
_TIFF = (b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")

#: Bytes at the beginning of a file that tell a list of other files.
_HEAD = 4096

#: What begins texts that GDAL reads other files for.
_LISTS = re.compile(rb"<(VRTDataset|MRF_META|OGRVRTDataSource|GDALTileIndexDataset|GDAL_WMS)\b")


def refuse_input_overwrite(outputs: Iterable[Path], inputs: Iterable[Name]) -> None:
    """No output may replace or remove what it is made from, whatever --overwrite says.

    Files are compared by what they are, not by how they are spelt: links, hard links, other cases of
    letters and GDAL's names of parts of a file are all the same file. With an input come the files
    that it leads to: sources of a mosaic, files of a product, headers, styles, pyramids. Of these,
    what hsi-geo wrote itself, by the record among the outputs, may be replaced.

    Args:
        outputs: To be written or removed.
        inputs: Paths and GDAL's names; what is none is passed over.

    Raises:
        OptionError: If one would.
    """
    names = [name for name in inputs if name]
    if not names:
        return
    outputs = list(outputs)
    # Path.resolve raises for a link to itself.
    spelt = {os.path.realpath(path): path for path in outputs}
    for name in names:
        if (same := spelt.get(os.path.realpath(name))) is not None:
            raise _would_replace(same, Path(name), name)
    at_stake = {identity: path for path in outputs if (identity := _identity(path))}
    if not at_stake:
        return  # what is not there cannot be read
    met = [
        (at_stake[identity], path, name, is_named)
        for name in names
        for path, is_named in files_behind(name)
        if (identity := _identity(path)) in at_stake
    ]
    if not met:
        return  # without hashing what is there
    own = {_identity(path) for final in at_stake.values() for path in recorded_files(final)}
    for output, path, name, is_named in met:
        if is_named or _identity(path) not in own:
            raise _would_replace(output, path, name)


def files_behind(name: str | os.PathLike[str]) -> Iterator[tuple[Path, bool]]:
    """Files on this machine that are read when something of this name is opened.

    Args:
        name: A path, or GDAL's name of a part of a file.

    Yields:
        Each file, once, and whether the name itself says it.
    """
    seen: set[Path] = set()
    waiting = [(path, True) for path in _paths_in(os.fspath(name))]
    while waiting:
        path, is_named = waiting.pop()
        if path in seen:
            continue
        seen.add(path)
        if path.is_dir():
            waiting += [(file, False) for file in _files_in(path)]
            continue
        yield path, is_named
        waiting += [(file, False) for file in (*beside_input(path), *_of_product(path))]
        waiting += [(file, is_named) for file in _led_to(path)]


def _would_replace(output: Path, path: Path, name: str | os.PathLike[str]) -> OptionError:
    which = "" if str(path) == os.fspath(name) else f", '{path}'"
    return OptionError(
        f"output '{output}' would replace what it is made from{which}",
        hint="choose another with -o",
    )


def _identity(path: Path) -> tuple[int, int] | None:
    """What two names of one file have in common; None if there is no file."""
    try:
        status = path.stat()
    except (OSError, ValueError):
        return None
    if status.st_ino:
        return status.st_dev, status.st_ino
    return status.st_dev, hash(os.path.normcase(path.resolve()))  # a file system without numbers


def _paths_in(name: str, folder: Path | None = None) -> Iterator[Path]:
    """Files and folders that a name holds, the longest from each place where one may begin."""
    for whole in [name] if folder is None else [str(folder / name), name]:
        if exists(whole):
            yield Path(whole)
            return
    marks = list(_MARKS.finditer(name))
    stops = {len(name), *(mark.start() for mark in marks)}
    slashes = {at for at, letter in enumerate(name) if letter in "/\\"}
    for start in (0, *(mark.end() for mark in marks)):
        for stop in sorted((end for end in stops | slashes if end > start), reverse=True):
            path = Path(name[start:stop]) if folder is None else folder / name[start:stop]
            # A folder on the way to a file is none that is read.
            if exists(path) and (path.is_file() or (stop in stops and path.is_dir())):
                yield path
                break


def _files_in(folder: Path) -> list[Path]:
    """Files of a product, a store or a folder of layers."""
    files = [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]
    parts = {product_part(file) for file in files} - {None}
    if not parts or "" in parts:
        return files
    return [file for file in files if file.name.startswith(tuple(map(str, parts)))]


def _of_product(path: Path) -> Iterator[Path]:
    """The files that came with a product's image or METADATA.XML."""
    part = product_part(path)
    if part:
        with os.scandir(path.parent) as entries:
            yield from (Path(e.path) for e in entries if e.is_file() and e.name.startswith(part))


def _led_to(path: Path) -> Iterator[Path]:
    """Files that the content of a file names, or that GDAL reads with it."""
    if not path.is_file():
        return  # a pipe would never end
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return  # told by whoever reads it
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


def _named_in_xml(path: Path) -> Iterator[Path]:
    """Every text of a VRT that names a file: sources, overviews, masks, what they are warped from."""
    try:
        content = BytesIO(as_utf8(path.read_bytes()))
        for _, element in ET.iterparse(content, events=("end",)):
            text = (element.text or "").strip()
            if 0 < len(text) < _HEAD:
                yield from _paths_in(text, path.parent)
            element.clear()
    except (ET.ParseError, OSError):
        return  # told by whoever reads it
