"""The files that hold the values of a scene, and their state, by which a change is seen."""

from __future__ import annotations

import dataclasses
import hashlib
import html
import os
import re
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

import rasterio

from hsi_geo.io.files.names_of_parts import paths_in
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import is_link
from hsi_geo.io.files.remote_files import as_link, without_query
from hsi_geo.io.files.side_files import header_names
from hsi_geo.io.readers.quality_layers import AppliedMask
from hsi_geo.io.readers.stac_collections import MARK, split_member

#: Size and modification time in ns; for a folder a hash of those of its files. None for what is no file of this machine.
State = tuple[int, int] | str | None

#: Attributes by which readers of pixels and flags name files.
_NAMES = ("path", "paths", "files", "dem")

#: Endings of files that GDAL lists and that hold no values: pyramids, and statistics that programs write when they show a
#: raster. Scale, offset, nodata and place in an `.aux.xml` are in the description of the scene.
_NO_VALUES = (".ovr", ".rrd", ".aux.xml", ".aux")

#: Elements of a VRT that name its sources.
_SOURCE = re.compile(rb"<Source(?:Filename|Dataset)\b[^>]*>([^<]+)<")

#: What names an archive before its path, and what separates it from the name of a file in it.
_FILE_SYSTEM = re.compile(r"(?:/vsi\w+/|\w+://)+\{?$")
_AFTER_ARCHIVE = "}!/\\"

#: Stands for a virtual raster that is given as its text.
_TEXT = "<VRTDataset>"


def raster_files(source: rasterio.DatasetReader, path: str) -> tuple[str, ...]:
    """Files that hold values of an open raster, beside the one at its path.

    Args:
        source: The raster.
        path: Name that GDAL opens.

    Returns:
        Headers, masks and further files of values; of a virtual raster all its sources. None for links and for files in
        archives.
    """
    if not exists(path):
        return ()
    if source.driver == "VRT":  # GDAL asks the disk for each source of each band
        return tuple(map(str, vrt_sources(Path(path))))
    return tuple(
        name for name in source.files if name != path and not name.lower().endswith(_NO_VALUES)
    )


def vrt_sources(vrt: Path) -> Iterator[Path]:
    """Find the sources of a virtual raster, and those of its sources, with the headers of raw files.

    Args:
        vrt: Path of the virtual raster.

    Yields:
        Paths of files that exist, each once.
    """
    seen, waiting = {vrt}, [vrt]
    while waiting:
        here = waiting.pop()
        try:
            named = dict.fromkeys(_SOURCE.findall(here.read_bytes()))
        except OSError:
            continue  # reading its pixels raises the error
        for name in named:
            for path in paths_in(html.unescape(os.fsdecode(name)).strip(), here.parent):
                if path in seen:
                    continue
                seen.add(path)
                yield path
                suffix = path.suffix.lower()
                if suffix == ".vrt":
                    waiting.append(path)
                elif suffix not in (".tif", ".tiff"):
                    yield from (one for one in header_names(path) if one.is_file())


def pixel_files(reader: object) -> tuple[str, ...]:
    """Files that pixels and flags are read from.

    Args:
        reader: Reads pixels, or flags, with all readers in its attributes.

    Returns:
        Absolute paths, each once; names of what is no file of this machine as they are.
    """
    found: dict[str, None] = {}
    for name in dict.fromkeys(_names_in(reader)):
        if name.startswith("<"):
            found[_TEXT] = None
            continue
        local = [] if is_link(name) else [str(path.absolute()) for path in paths_in(name)]
        found.update(dict.fromkeys(local or [name]))
    return tuple(found)


def part_name(name: str) -> str:
    """What a name says that no file of this machine tells: which part of a file it is, or where on another machine.

    It does not depend on where the files are, nor on the form of the name.

    Args:
        name: Name of a scene, or of a file that `file_states` has no state of.

    Returns:
        A link without its query, or GDAL's name of a part of a file without the file and its file system; empty for a path.

    Example:
        >>> part_name("https://a.org/b.tif?token=1"), part_name("/vsizip/no.zip/b.tif"), part_name("no.tif")
        ('https://a.org/b.tif', '/vsizip/no.zip/b.tif', '')
    """
    if exists(name):
        return ""
    if as_link(name):
        return without_query(name)
    member = split_member(name)
    if member is not None and exists(member[0]):
        return f"{MARK}{member[1]}"
    part = name
    for path in paths_in(name):
        # "GTIFF_DIR:2:a.tif" says the part before the file.
        before, _, after = part.partition(str(path))
        part = _FILE_SYSTEM.sub("", before) + after.lstrip(_AFTER_ARCHIVE)
    return part if part != name or is_gdal_name(name) else ""


def file_states(files: Sequence[str]) -> list[State]:
    """The state of each file. It does not depend on where the files are.

    Args:
        files: From `pixel_files`.

    Example:
        >>> file_states(["no such file"])
        [None]
    """
    return [_state(path) for path in files]


def _names_in(reader: object) -> Iterator[str]:
    """Names of files in the attributes of a reader, and of the readers in them."""
    for key, value in _attributes(reader):
        several = value if isinstance(value, tuple) else (value,)
        for one in several:
            if isinstance(one, str):
                if key in _NAMES:
                    yield one
            elif isinstance(one, AppliedMask) and one.file is not None:
                continue  # a mask of the user is no part of the scene
            elif type(one).__module__.startswith("hsi_geo."):
                yield from _names_in(one)


def _attributes(reader: object) -> list[tuple[str, object]]:
    if dataclasses.is_dataclass(reader):  # one with slots has no __dict__
        fields = dataclasses.fields(reader)
        return [(field.name, getattr(reader, field.name)) for field in fields]
    return list(getattr(reader, "__dict__", {}).items())


def _state(path: str) -> State:
    try:
        status = os.stat(path)  # noqa: PTH116  (Path raises for names that are no paths)
    except (OSError, ValueError):
        return None
    if not stat.S_ISDIR(status.st_mode):
        return status.st_size, status.st_mtime_ns
    digest = hashlib.sha256()
    for parent, folders, names in os.walk(path):
        folders.sort()
        for name in sorted(names):
            file = os.path.join(parent, name)  # noqa: PTH118  (a store may have many thousand files)
            digest.update(
                f"{os.path.relpath(file, path)}\t{_state(file)}\n".encode(errors="surrogateescape")
            )
    return digest.hexdigest()
