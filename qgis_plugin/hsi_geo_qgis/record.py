"""The record of a map (MAP.json): which files beside it were written together.

hsi-geo writes size and SHA-256 of each file of a map into its record. A file that was cut short by a copy, or
that belongs to another map, differs from them. Only the standard library is used.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from typing import Any

#: What follows the map's name without its suffix, by the file's name in the record. Class names (.aux.xml)
#: and style (.qml) are left out: QGIS and people change them.
_ENDINGS = {
    "confidence": "_confidence.tif",
    "probabilities": "_probabilities.tif",
    "parents": "_parents.tif",
}

#: Bytes that are hashed at a time.
_CHUNK = 1 << 20


def record_path(class_map: str) -> str:
    """Path of the record that belongs to a class map."""
    return os.path.splitext(class_map)[0] + ".json"


def has_record(class_map: str) -> bool:
    """Whether a record lies beside a class map.

    Args:
        class_map: Path of the class map.
    """
    return isinstance(_read(record_path(class_map)).get("files"), dict)


def mismatched_files(class_map: str, moved: Mapping[str, str] | None = None) -> list[str]:
    """Files of a map that differ from its record.

    Args:
        class_map: Path of the class map.
        moved: Path of each file that no longer lies beside the map, by its name in the record
            (a key of `_ENDINGS`).

    Returns:
        Paths. Empty if all files are as they were written, or there is no record. A missing file
        counts only if it is the map.
    """
    stem = os.path.splitext(class_map)[0]
    paths = {
        "map": class_map,
        **{name: stem + ending for name, ending in _ENDINGS.items()},
        **(moved or {}),
    }
    files = _read(record_path(class_map)).get("files")
    if not isinstance(files, dict):
        return []
    return [
        path
        for name, path in paths.items()
        if isinstance(files.get(name), dict)
        and (name == "map" or os.path.exists(path))
        and not _is_as_written(path, files[name])
    ]


def mismatch_warning(path: str, class_map: str) -> str:
    """One sentence on a file that differs from the record of its map.

    Args:
        path: Path of the file.
        class_map: Path of the class map.
    """
    return (
        f"'{os.path.basename(path)}' differs from its record "
        f"'{os.path.basename(record_path(class_map))}' in size or SHA-256: it was cut short or changed, or it "
        "belongs to another map; make the map again, or copy all of its files again"
    )


def _is_as_written(path: str, entry: Mapping[str, Any]) -> bool:
    size, digest = entry.get("size"), entry.get("sha256")
    if not isinstance(size, int) or not isinstance(digest, str):
        return True
    try:
        return os.path.getsize(path) == size and _sha256(path) == digest
    except OSError:
        return False


def _sha256(path: str) -> str:
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def _read(path: str) -> dict[str, Any]:
    try:
        with open(path, encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
