"""Records beside class maps: which classes a map has, whether it is read as a map or as labels."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from hsi_geo.errors import MapError
from hsi_geo.io.files.beside import as_path, is_file, read_small_file
from hsi_geo.io.files.limits import TEXT_BYTES
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.virtual_files import is_remote_name
from hsi_geo.io.labels.rejected_classes import (
    REJECTED,
    REJECTED_PARENTS,
    read_rejected,
    rejected_by_name,
)
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.labels.virtual_names import OTHER_VALUES

#: Ending of the name of the map of the upper level, before the suffix.
_PARENTS = "_parents"

#: Most maps of a mosaic whose records are read.
_MOST_PARTS = 1000


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the record beside a map, or beside the file that a link to it leads to.

    Args:
        path: Path of the map, or one that was made from `beside.as_path`.

    Returns:
        The record; empty where there is none, or the file is none.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    found: dict[str, Any] = {}
    for place in _with_target(Path(path)):
        record = place.with_suffix(".json")
        require_text(record, "record", MapError)
        found = found or read_json(record)
    return found


def read_legend_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the record that tells which classes a map has: the one beside it, or that of a VRT's first map.

    All maps of a mosaic of a batch have the same classes. A VRT without names has those of the map that it shows.

    Args:
        path: Path of the map.

    Returns:
        The record; empty where there is none.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    own = read_record(path)
    if own or Path(path).suffix.lower() != ".vrt":
        return own
    root = _root_of(path)
    if root is None:
        return {}
    named = [one.text or "" for one in root.iter("Category")]
    changed = any(root.find(f".//{element}") is not None for element in OTHER_VALUES)
    if changed and not named:
        return {}
    for shown in _shown_by(root, Path(path)):
        found = read_record(shown)
        classes = found.get("classes")
        if isinstance(classes, list) and (not named or _are_named(classes, named)):
            return found
    return {}


def records_of_parts(path: str | os.PathLike[str]) -> Iterator[dict[str, Any]]:
    """Records of the maps that a raster consists of.

    A map has one, beside it or beside the file that a link shows. The upper level has that of its map. A VRT, such as a
    batch's mosaic, has those of the maps that it shows, at most `_MOST_PARTS`.

    Args:
        path: Path of the map.

    Yields:
        Records, each once.

    Raises:
        MapError: If a file is no regular file, or too large for a record.
    """
    seen, waiting = set[Path](), deque([Path(path)])
    while waiting and len(seen) < _MOST_PARTS:
        place = waiting.popleft()
        if place in seen:
            continue
        seen.add(place)
        record, _ = _own_record_of_level(place)
        if record:
            yield record
        elif place.suffix.lower() == ".vrt" and (root := _root_of(place)) is not None:
            waiting.extend(_shown_by(root, place))


def _root_of(vrt: str | os.PathLike[str]) -> ET.Element | None:
    """The root element of a VRT; None if it cannot be read."""
    try:
        return ET.fromstring(read_small_file(vrt, TEXT_BYTES) or b"")
    except (ET.ParseError, ValueError, LookupError, RecursionError):
        return None


def _shown_by(root: ET.Element, vrt: Path) -> Iterator[Path]:
    """Local files that a VRT shows, in its order."""
    for source in root.iter("SourceFilename"):
        name = source.text or ""
        if name and not is_remote_name(name):
            shown = Path(as_path(name))
            yield vrt.parent / shown if source.get("relativeToVRT") == "1" else shown


def _are_named(classes: Sequence[Any], named: Sequence[str]) -> bool:
    """Whether the classes of a record have these names, by their ids."""
    try:
        return bool(classes) and all(named[int(c["id"])] == c["name"] for c in classes)
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def rejected_in(name: str | os.PathLike[str], names: Mapping[int, str]) -> ClassTable:
    """Rejected classes of a map: those that its record lists, else those that have the names of such.

    The record lies beside the map, in a folder or an archive, or beside the file that a link or a VRT shows. The upper
    level has the record of its map.

    Args:
        name: Path of the map, of any program, or its name in an archive.
        names: Names of the raster's classes by value, for a copy without its record.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    record, key = _record_of_level(Path(as_path(os.fspath(name))))
    if "classes" in record or key in record:
        return read_rejected(record, key)
    return rejected_by_name(names)


def _record_of_level(path: Path) -> tuple[dict[str, Any], str]:
    """The record of a map, or of the map of which it is the upper level, and its key for the rejected classes."""
    own = read_legend_record(path)
    return (own, REJECTED) if own else _own_record_of_level(path)


def _own_record_of_level(path: Path) -> tuple[dict[str, Any], str]:
    """As `_record_of_level`, without the records of the maps that a VRT shows."""
    own = read_record(path)
    if own:
        return own, REJECTED
    for place in _with_target(path):
        of_map = place.stem.removesuffix(_PARENTS)
        if of_map not in ("", place.stem) and (found := read_record(place.with_stem(of_map))):
            return found, REJECTED_PARENTS
    return {}, REJECTED


def _with_target(path: Path) -> list[Path]:
    """A path, and the file that it leads to if it is a link."""
    is_link = os.path.islink(path)  # noqa: PTH114 (Path raises for names that are no paths)
    return [path, path.resolve()] if is_link else [path]


def read_json(path: Path) -> dict[str, Any]:
    """Read the object of a JSON file; empty where there is none, or the file is none."""
    try:
        if not is_file(path):  # raises for a name that is too long
            return {}
        found = json.loads(read_small_file(path, TEXT_BYTES) or b"")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
