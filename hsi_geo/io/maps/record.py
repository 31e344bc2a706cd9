"""The record of a map: what made it, and which files are the map's, by size and SHA-256.

A copy that was cut short, or a mix of two maps, is known by it: `find_mismatched_files`.
"""

from __future__ import annotations

import hashlib
import json
import os
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.errors import MapError
from hsi_geo.io.files.references import require_text
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.writer import MapPaths, aux_xml
from hsi_geo.text import plain_json

#: Key of the record that holds size and hash of each of the map's files, by their names in
#: `MapPaths.as_dict`: moved or renamed together they stay together.
FILES = "files"

#: What GDAL and QGIS write into by themselves, such as statistics: it tells no other map.
_WRITTEN_BY_OTHERS = "names"

#: What people change in QGIS.
_CHANGED_BY_PEOPLE = "style"

#: Of the stems of rasters that belong to a map.
_ENDS = ("_confidence", "_probabilities")


def write_record(paths: MapPaths, record: Mapping[str, Any]) -> dict[str, Any]:
    """Write the record of a map, as JSON with sorted keys, once all other files are whole.

    A page about the map is made from the record: with one, write it again.

    Args:
        paths: Of the map.
        record: What made it.

    Returns:
        The record with what was found of the files.
    """
    files = {
        name: {"size": path.stat().st_size, "sha256": _sha256(path)}
        for name, path in paths.as_dict().items()
        if path != paths.record and path.exists()
    }
    whole = {**record, FILES: files}
    text = json.dumps(whole, indent=2, sort_keys=True, ensure_ascii=False)
    paths.record.write_text(plain_json(text) + "\n", encoding="utf-8")
    return whole


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The record beside a map; empty where there is none.

    Raises:
        MapError: If it is none that can be read to an end.
    """
    record = Path(path).with_suffix(".json")
    require_text(record, "record", MapError)
    return _read(record)


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """What a record tells of one of the map's files.

    Attributes:
        name: See `MapPaths.as_dict`.
        path: Where it should be.
        size: In bytes.
        sha256: Of its bytes.
    """

    name: str
    path: Path
    size: int
    sha256: str

    @property
    def is_unchanged(self) -> bool:
        """Whether the file stands there as it was written."""
        try:
            return self.path.stat().st_size == self.size and _sha256(self.path) == self.sha256
        except OSError:
            return False


def read_recorded_files(class_map: str | os.PathLike[str]) -> list[RecordedFile]:
    """The files that the record beside a map tells of; none for records of other programs."""
    path = Path(class_map)
    return _files_in(path, _read(path.with_suffix(".json")))


def _files_in(class_map: Path, record: Mapping[str, Any]) -> list[RecordedFile]:
    every = MapPaths.of(class_map, confidence=True, probabilities=True).with_report().as_dict()
    files = record.get(FILES)
    found = []
    for name, told in files.items() if isinstance(files, dict) else ():
        if name in every and isinstance(told, dict):
            size, digest = told.get("size"), told.get("sha256")
            if isinstance(size, int) and isinstance(digest, str):
                found.append(RecordedFile(name, every[name], size, digest))
    return found


def find_mismatched_files(class_map: str | os.PathLike[str]) -> list[Path]:
    """Files beside a map that are not those its record tells of, the map itself among them.

    Names, which other programs add statistics to, and styles do not count, and neither does a file
    that is missing, unless it is the map.

    Returns:
        Empty where all fits, or there is no record that tells.
    """
    return [
        one.path
        for one in read_recorded_files(class_map)
        if one.name not in (_WRITTEN_BY_OTHERS, _CHANGED_BY_PEOPLE)
        and (one.path.exists() or one.name == "map")
        and not one.is_unchanged
    ]


def find_damage(paths: MapPaths) -> str:
    """Which of a map's files is not as its record tells, and why; empty if all are whole.

    Names that hold what this map is called, and styles that QGIS can read, are whole whatever else
    stands in them: GDAL adds statistics to the ones, and people change the others.
    """
    record = _read(paths.record)
    told = {one.name: one for one in _files_in(paths.classes, record)}
    for name, path in paths.as_dict().items():
        if path == paths.record:
            continue
        if name not in told:
            return f"its record tells nothing of '{path.name}'"
        if not told[name].is_unchanged and (found := _describe_damage(told[name], record)):
            return found
    return ""


def mixed_file_warnings(class_map: str | os.PathLike[str], names: Sequence[str]) -> list[str]:
    """Sentences on files of a map that do not belong together.

    Args:
        class_map: The map.
        names: Of its classes, as read from it and the file beside it.
    """
    record = Path(class_map).with_suffix(".json")
    found = [
        f"'{path.name}' is not the file that '{record.name}' tells of: it was cut short, changed, or "
        "belongs to another map"
        for path in find_mismatched_files(class_map)
    ]
    content = _read(record)
    if FILES in content:
        told = [one.get("name") for one in content.get("classes", ()) if isinstance(one, dict)]
        if list(names) != told:
            found.append(
                f"the class names of '{Path(class_map).name}' are not those that '{record.name}' "
                "tells of: they belong to another map"
            )
    return found


def is_complete(paths: MapPaths) -> bool:
    """Whether all files of a map are as its record tells; see `find_damage`."""
    return not find_damage(paths)


def _describe_damage(one: RecordedFile, record: Mapping[str, Any]) -> str:
    try:
        size = one.path.stat().st_size
        if one.name == _WRITTEN_BY_OTHERS and _names_fit(one.path, record):
            return ""
        if one.name == _CHANGED_BY_PEOPLE and ET.parse(one.path).getroot().tag == "qgis":
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


def _names_fit(path: Path, record: Mapping[str, Any]) -> bool:
    """Whether a sidecar calls the classes as the record does."""
    try:
        classes = [LandClass(c["id"], c["name"], c["color"]) for c in record["classes"]]
        wanted = ET.fromstring(aux_xml(tuple(classes)))
    except (KeyError, TypeError, ValueError):
        return False
    found = ET.parse(path).getroot()
    return all(
        [e.text or "" for e in found.iter(tag)] == [e.text or "" for e in wanted.iter(tag)]
        for tag in ("Category", "F")
    )


def owner_of(path: Path, paths: MapPaths) -> Path | None:
    """Another map to which a file belongs by that map's record, None if there is none.

    Args:
        path: Where something would be written.
        paths: Of the map that it would be written for, which does not count.
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
    """Optional files of the map that stands there which this one does not bring: they would mislead.

    Only what its record tells, and only as it was written: all else is somebody's own.
    """
    return [
        one.path
        for one in read_recorded_files(paths.classes)
        if one.path not in paths.all and one.is_unchanged
    ]


def recorded_files(record: Path) -> Iterator[Path]:
    """The record and the files that it tells of, as they were written; none if it is no record."""
    if record.suffix.lower() != ".json":
        return
    content = _read(record)
    # A map's name ends in .tif or .tiff, and the record does not say which.
    found = [
        one.path
        for suffix in (".tif", ".tiff")
        for one in _files_in(record.with_suffix(suffix), content)
        if one.is_unchanged
    ]
    if found:
        yield record
        yield from found


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
