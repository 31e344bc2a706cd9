"""The record of a map (MAP.json): which files beside it were written together.

hsi-geo writes size and SHA-256 of each file of a map into its record. A file that was cut short by a copy, or
that belongs to another map, differs from them. Only the standard library is used.
"""

from __future__ import annotations

import hashlib
import json
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
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


def relink_item(item: str, class_map: str, moved: Mapping[str, str]) -> None:
    """Let a STAC item name files where they have been moved, and its record the item as it is then.

    Args:
        item: Path of the item.
        class_map: Path of the class map, whose record lists the item.
        moved: New path of each file by its path when the item was written. Those that are not there do not count.

    Raises:
        OSError: If a file cannot be written.
    """
    found, folder = _read(item), os.path.dirname(os.path.abspath(item))
    places = {os.path.abspath(old): new for old, new in moved.items() if os.path.exists(new)}
    is_changed = False
    assets = found.get("assets")
    for asset in assets.values() if isinstance(assets, dict) else ():
        new = places.get(os.path.abspath(os.path.join(folder, str(asset.get("href")))))
        if new is not None:
            asset["href"], is_changed = _href(new, folder), True
    if not is_changed:
        return
    rewrite_file(item, json.dumps(found, indent=1, ensure_ascii=False) + "\n", class_map, "item")


def rewrite_file(path: str, text: str, class_map: str, name: str) -> None:
    """Replace a file of a map by another text, and what the map's record says of the file.

    Args:
        path: Path of the file, which may have been moved.
        text: Its new content.
        class_map: Path of the class map.
        name: Name of the file in the record.

    Raises:
        OSError: If a file cannot be written.
    """
    _write(path, text)
    record = _read(record_path(class_map))
    files = record.get("files")
    entry = files.get(name) if isinstance(files, dict) else None
    if isinstance(entry, dict):
        entry.update(size=os.path.getsize(path), sha256=_sha256(path))
        whole = json.dumps(record, indent=2, sort_keys=True, ensure_ascii=False)
        _write(record_path(class_map), whole + "\n")


def _href(path: str, folder: str) -> str:
    """A link to a file, relative to the folder of the item."""
    try:
        relative = os.path.relpath(os.path.abspath(path), folder)
    except ValueError:  # on another drive
        return Path(os.path.abspath(path)).as_uri()
    relative = relative.replace(os.sep, "/")
    return relative if relative.startswith("../") else f"./{relative}"


def _write(path: str, text: str) -> None:
    """Replace a file in one step, so that it is never there in part."""
    beside = f"{path}.{uuid.uuid4().hex[:8]}.part"
    try:
        with open(beside, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        os.replace(beside, path)
    finally:
        if os.path.exists(beside):
            os.remove(beside)


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
