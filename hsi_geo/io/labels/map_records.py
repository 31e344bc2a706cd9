"""Records beside class maps: which classes a map has, whether it is read as a map or as labels."""

from __future__ import annotations

import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hsi_geo.errors import MapError
from hsi_geo.io.files.references import require_text
from hsi_geo.io.labels.rejected_classes import REJECTED_PARENTS, read_rejected
from hsi_geo.io.labels.shots import ClassTable


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the record beside a map.

    Args:
        path: Path of the map.

    Returns:
        The record; empty where there is none, or the file is none.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    record = Path(path).with_suffix(".json")
    require_text(record, "record", MapError)
    return read_json(record)


def read_legend_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the record that tells which classes a map has: the one beside it, or that of a mosaic's first map.

    All maps of a mosaic of a batch have the same classes.

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
        root = ET.fromstring(Path(path).read_bytes())
    except (ET.ParseError, OSError, RecursionError):
        return {}
    named = [one.text or "" for one in root.iter("Category")]
    for source in root.iter("SourceFilename"):
        name = source.text or ""
        if source.get("relativeToVRT") != "1" or Path(name).name != name:
            continue  # the maps of a batch lie beside its mosaic
        found = read_record(Path(path).with_name(name))
        classes = found.get("classes")
        if isinstance(classes, list) and _are_named(classes, named):
            return found
    return {}


def _are_named(classes: Sequence[Any], named: Sequence[str]) -> bool:
    """Whether the classes of a record have these names, by their ids."""
    try:
        return bool(classes) and all(named[int(c["id"])] == c["name"] for c in classes)
    except (KeyError, TypeError, ValueError, IndexError):
        return False


def rejected_beside(name: str | os.PathLike[str]) -> ClassTable:
    """Rejected classes that the record of a map lists; the upper level has the record of its map.

    Args:
        name: Path of the map, of any program.

    Raises:
        MapError: If the file is no regular file, or too large for a record.
    """
    path = Path(name)
    if path.with_suffix(".json").is_file():
        return read_rejected(read_record(path))
    if path.suffix.lower() == ".vrt":
        return read_rejected(read_legend_record(path))
    of_map = path.with_stem(path.stem.removesuffix("_parents"))
    if of_map != path and of_map.with_suffix(".json").is_file():
        return read_rejected(read_record(of_map), REJECTED_PARENTS)
    return ()


def read_json(path: Path) -> dict[str, Any]:
    """Read the object of a JSON file; empty where there is none, or the file is none."""
    try:
        if not path.is_file():  # raises for a name that is too long
            return {}
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
