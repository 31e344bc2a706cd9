"""The record of a map: its provenance, and size and SHA-256 of each of its files.

It detects copies that were cut short, and files of different maps under one name.
"""

from __future__ import annotations

import hashlib
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.io.labels.map_records import read_json
from hsi_geo.io.labels.rejected_classes import REJECTED, REJECTED_PARENTS, read_rejected
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.class_styles import aux_xml
from hsi_geo.io.maps.vector_names import FORMATS
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.text import plain_json

#: Key of the record for size and hash of the map's files, by their names in `MapPaths.as_dict`, so
#: that the files may be moved or renamed together.
FILES = "files"

#: File that GDAL and QGIS add statistics to: a difference does not mean another map.
_WRITTEN_BY_OTHERS = ("names", "parents_names")

#: File that people change in QGIS.
_CHANGED_BY_PEOPLE = ("style", "parents_style")

#: Endings of the names, without suffix, of rasters that belong to a map.
_ENDS = ("_confidence", "_probabilities", "_parents", "_parents_confidence")

#: Key of the record for the upper level of the classes: a list of {id, name, color, pixels, share}.
PARENTS = "parents"

#: Layer that QGIS changes when it opens a GeoPackage, and what its name may have after the map's stem.
_LAYER = "polygons"
_LAYER_ENDINGS = ("_polygons.gpkg", *FORMATS)


def write_record(paths: MapPaths, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record of a map, as JSON with sorted keys, once all other files are whole.

    The report on a map is made from the record and is a file of the map: write the record again
    after the report.

    Args:
        paths: Files of the map.
        record: Provenance, parameters and classes, as JSON values.

    Returns:
        The record with the size and hash of each file.
    """
    files: dict[str, dict[str, Any]] = {
        name: {"size": path.stat().st_size, "sha256": _sha256(path)}
        for name, path in paths.as_dict().items()
        if path != paths.record and path.exists()
    }
    if paths.polygons is not None and _LAYER in files:
        files[_LAYER]["ending"] = paths.polygons.name.removeprefix(paths.classes.stem)
    whole = {**record, FILES: files}
    text = json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False)
    paths.record.write_text(plain_json(text) + "\n", encoding="utf-8")
    return whole


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """A file of a map as its record describes it.

    Attributes:
        name: Kind of the file, a key of `MapPaths.as_dict`.
        path: Where the file should be.
        size: Size in bytes.
        sha256: SHA-256 of its bytes, in hexadecimal digits.
    """

    name: str
    path: Path
    size: int
    sha256: str

    @property
    def has_size(self) -> bool:
        """Whether the file exists and has the size that was written."""
        try:
            return self.path.stat().st_size == self.size
        except OSError:
            return False

    @property
    def is_unchanged(self) -> bool:
        """Whether the file exists and holds the bytes that were written."""
        try:
            return self.has_size and _sha256(self.path) == self.sha256
        except OSError:
            return False


def read_recorded_files(class_map: str | os.PathLike[str]) -> list[RecordedFile]:
    """List the files that the record beside a map describes.

    Args:
        class_map: Path of the map.

    Returns:
        The files; none if there is no record, or it is that of another program.
    """
    path = Path(class_map)
    return _files_in(path, read_json(path.with_suffix(".json")))


def _files_in(class_map: Path, record: Mapping[str, Any]) -> list[RecordedFile]:
    every = (
        MapPaths.of(
            class_map, confidence=True, probabilities=True, parents=True, zones=True, item=True
        )
        .with_report()
        .as_dict()
    )
    files = record.get(FILES)
    found = []
    for name, entry in files.items() if isinstance(files, dict) else ():
        if name == _LAYER and isinstance(entry, dict) and entry.get("ending") in _LAYER_ENDINGS:
            every[name] = class_map.with_name(f"{class_map.stem}{entry['ending']}")
        if name in every and isinstance(entry, dict):
            size, digest = entry.get("size"), entry.get("sha256")
            if isinstance(size, int) and isinstance(digest, str):
                found.append(RecordedFile(name, every[name], size, digest))
    return found


def find_mismatched_files(class_map: str | os.PathLike[str]) -> list[Path]:
    """Find files of a map that differ from its record.

    Class names and styles do not count, since other programs and people change them, nor does a
    missing file other than the map itself.

    Args:
        class_map: Path of the map.

    Returns:
        Paths of files that differ; empty if there is no record.
    """
    return [
        one.path
        for one in read_recorded_files(class_map)
        if one.name not in (*_WRITTEN_BY_OTHERS, *_CHANGED_BY_PEOPLE, _LAYER)
        and (one.path.exists() or one.name == "map")
        and not one.is_unchanged
    ]


def find_damage(paths: MapPaths) -> str:
    """Find the first file of a map that is missing or damaged by its record.

    Statistics that GDAL adds to the class names are no damage, nor are changes of a style that QGIS
    can read.

    Args:
        paths: Files of the map.

    Returns:
        What is wrong with the file, as part of a sentence; empty if all files are complete.
    """
    record = read_json(paths.record)
    recorded = {one.name: one for one in _files_in(paths.classes, record)}
    for name, path in paths.as_dict().items():
        if path == paths.record:
            continue
        if name not in recorded:
            return f"its record does not list '{path.name}'"
        if not recorded[name].is_unchanged and (damage := _describe_damage(recorded[name], record)):
            return damage
    return ""


def mixed_file_warnings(class_map: str | os.PathLike[str], names: Sequence[str]) -> list[str]:
    """Warn of files of a map that do not belong together.

    Args:
        class_map: Path of the map.
        names: Names of its classes, as read from the map and the `.aux.xml` beside it.

    Returns:
        One sentence for each such file.
    """
    record = Path(class_map).with_suffix(".json")
    found = [
        f"'{path.name}' is not the file that '{record.name}' describes: it was cut short, changed, or "
        "belongs to another map"
        for path in find_mismatched_files(class_map)
    ]
    content = read_json(record)
    if FILES in content:
        listed = [one.get("name") for one in content.get("classes", ()) if isinstance(one, dict)]
        listed += [c.name for c in read_rejected(content)]
        if list(names) != listed:
            found.append(
                f"the class names of '{Path(class_map).name}' are not those that '{record.name}' "
                "lists: they belong to another map"
            )
    return found


def is_complete(paths: MapPaths) -> bool:
    """Whether all files of a map exist and are as its record describes them; see `find_damage`.

    Args:
        paths: Files of the map.
    """
    return not find_damage(paths)


def _describe_damage(one: RecordedFile, record: Mapping[str, Any]) -> str:
    try:
        size = one.path.stat().st_size
        if one.name in _WRITTEN_BY_OTHERS and _same_names(one.path, record, one.name):
            return ""
        if one.name in _CHANGED_BY_PEOPLE and ET.parse(one.path).getroot().tag == "qgis":
            return ""
    except FileNotFoundError:
        return f"'{one.path.name}' is missing"
    except OSError as error:
        return f"'{one.path.name}' cannot be read ({error.strerror})"
    except ET.ParseError:
        pass
    if size != one.size:
        return f"'{one.path.name}' has {size} bytes instead of {one.size}"
    return f"'{one.path.name}' holds other bytes than were written"


def _same_names(path: Path, record: Mapping[str, Any], name: str) -> bool:
    """Whether an `.aux.xml` file has the class names and colours of the record."""
    try:
        level = record["classes"] if name == "names" else record[PARENTS]
        classes = [LandClass(c["id"], c["name"], c["color"], None, c.get("parent")) for c in level]
        rejected = read_rejected(record, REJECTED if name == "names" else REJECTED_PARENTS)
        wanted = ET.fromstring(aux_xml((*classes, *rejected)))
    except (KeyError, TypeError, ValueError):
        return False
    found = ET.parse(path).getroot()
    return all(
        [e.text or "" for e in found.iter(tag)] == [e.text or "" for e in wanted.iter(tag)]
        for tag in ("Category", "F")
    )


def owner_of(path: Path, paths: MapPaths) -> Path | None:
    """Find another map whose record lists a file.

    Args:
        path: Path of a file that is to be written.
        paths: Files of the map that it is written for, which does not count.

    Returns:
        Path of the other map; None if there is none.
    """
    stem = path.stem
    candidates = [
        path,
        *(path.with_stem(stem.removesuffix(end)) for end in _ENDS if stem.endswith(end)),
    ]
    for candidate in candidates:
        if candidate == paths.classes or candidate.suffix.lower() not in (".tif", ".tiff"):
            continue
        if any(one.path == path for one in read_recorded_files(candidate)):
            return candidate
    return None


def find_stale_files(paths: MapPaths) -> list[Path]:
    """Find optional files of an earlier map under the same name that the new map does not replace.

    Args:
        paths: Files of the new map.

    Returns:
        Files that the earlier record lists and that are unchanged; others are the user's own.
    """
    return [
        one.path
        for one in read_recorded_files(paths.classes)
        if one.path not in paths.all and one.is_unchanged
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
