"""Records beside class maps: which classes a map has, whether it is read as a map or as labels."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hsi_geo.errors import MapError
from hsi_geo.io.files.beside import as_path, is_file, read_small_file
from hsi_geo.io.files.limits import TEXT_BYTES
from hsi_geo.io.files.paths import exists
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


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the record beside a map.

    Args:
        path: Path of the map, or one that was made from `beside.as_path`.

    Returns:
        The record; empty where there is none, or the file is none.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    record = Path(path).with_suffix(".json")
    require_text(record, "record", MapError)
    return read_json(record)


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
    try:
        root = ET.fromstring(read_small_file(path, TEXT_BYTES) or b"")
    except (ET.ParseError, ValueError, LookupError, RecursionError):
        return {}
    named = [one.text or "" for one in root.iter("Category")]
    changed = any(root.find(f".//{element}") is not None for element in OTHER_VALUES)
    if changed and not named:
        return {}
    for source in root.iter("SourceFilename"):
        name = source.text or ""
        if not name or is_remote_name(name):
            continue
        shown = Path(as_path(name))
        found = read_record(
            Path(path).parent / shown if source.get("relativeToVRT") == "1" else shown
        )
        classes = found.get("classes")
        if isinstance(classes, list) and (not named or _are_named(classes, named)):
            return found
    return {}


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
    path = Path(as_path(os.fspath(name)))
    for place in (path, path.resolve()) if exists(path) and path.is_symlink() else (path,):
        record, key = _record_of_level(place)
        if "classes" in record or key in record:
            return read_rejected(record, key)
    return rejected_by_name(names)


def _record_of_level(path: Path) -> tuple[dict[str, Any], str]:
    """The record of a map, or of the map of which it is the upper level, and its key for the rejected classes."""
    own = read_legend_record(path)
    of_map = path.stem.removesuffix(_PARENTS)
    if own or of_map in ("", path.stem):
        return own, REJECTED
    return read_record(path.with_stem(of_map)), REJECTED_PARENTS


def read_json(path: Path) -> dict[str, Any]:
    """Read the object of a JSON file; empty where there is none, or the file is none."""
    try:
        if not is_file(path):  # raises for a name that is too long
            return {}
        found = json.loads(read_small_file(path, TEXT_BYTES) or b"")
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
