"""Which files among those that are given as tiles hsi-geo made itself."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from hsi_geo.io.files.paths import exists, real_path
from hsi_geo.io.files.side_files import RASTERS
from hsi_geo.io.maps.record import RecordedFile, read_recorded_files

#: Endings of the names, without suffix, of files that belong to a map.
_ENDS = (
    "_confidence",
    "_probabilities",
    "_parents",
    "_parents_confidence",
    "_polygons",
    "_report",
    "_zones",
    "_stac",
)


class OwnOutputs:
    """Files of maps, known by the records beside them, and in the output folder also by the log of its last batch.

    Args:
        folder: Output folder of the batch, which need not exist; None without one.
        logged: SHA-256 of the files that the log names, by their names in that folder.
    """

    def __init__(self, folder: Path | None = None, logged: Mapping[str, str] | None = None) -> None:
        self._folder = None if folder is None else real_path(folder)
        self._logged = logged or {}

    def is_folder(self, path: str | os.PathLike[str]) -> bool:
        """Whether a path is the output folder, by whatever name.

        Args:
            path: Path of a folder.
        """
        return self._folder is not None and real_path(path) == self._folder

    def in_folder(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file lies in the output folder.

        Args:
            path: Path of a file.
        """
        return self._folder is not None and real_path(Path(path).parent) == self._folder

    def has(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file is a map, or belongs to one.

        A raster of another size than the record says may be a scene that took the place of a map. It is none. Other
        programs and people change styles and statistics.

        Args:
            path: Path of a file, or another name of a scene.
        """
        for one in self._files(path):
            entry = _entry_of(one)
            if _is_record(one) or (entry is not None and _may_be(one, entry)):
                return True
            if self._is_logged(one) and _sha256(one) == self._logged[one.name]:
                return True
        return False

    def had(self, path: str | os.PathLike[str]) -> bool:
        """Whether a file has the name of a file that hsi-geo made, as it was written or not.

        Args:
            path: Path of a file, or another name of a scene.
        """
        return any(_entry_of(one) or self._is_logged(one) for one in self._files(path))

    def _files(self, path: str | os.PathLike[str]) -> Iterator[Path]:
        """The file itself and, for a link, the file that it leads to: records lie beside that one."""
        if exists(path) and Path(path).is_file():
            yield from (Path(one) for one in dict.fromkeys([os.fspath(path), real_path(path)]))

    def _is_logged(self, path: Path) -> bool:
        return path.name in self._logged and self.in_folder(path)


def described_rasters(record: Path) -> list[Path]:
    """Maps that a record may describe: its name does not tell whether that of the map ends in .tif or .tiff.

    Args:
        record: Path of any file.

    Returns:
        Paths of the rasters that have the size in the record; if none has, the paths that the map may have had.
        Empty if the file is not the record of a map.
    """
    maps = [one for one in _listed(record) if one.name == "map"]
    return [one.path for one in maps if one.has_size] or [one.path for one in maps]


def recorded_files(record: Path) -> Iterator[Path]:
    """List a record and the unchanged files that it describes.

    Args:
        record: Path of any file.

    Yields:
        The paths; none if the file is not the record of a map.
    """
    found = [one.path for one in _listed(record) if one.is_unchanged]
    if found:
        yield record
        yield from found


def _listed(record: Path) -> list[RecordedFile]:
    """What a record lists, for each name that its map may have; empty if the file is no record."""
    if record.suffix.lower() != ".json":
        return []
    return [one for end in RASTERS for one in read_recorded_files(record.with_suffix(end))]


def _entry_of(path: Path) -> RecordedFile | None:
    """What the record of a map beside a file says of it; None if none lists it."""
    stem = Path(path.name.removesuffix(".aux.xml")).stem
    for name in (stem, *(stem.removesuffix(end) for end in _ENDS if stem.endswith(end))):
        for suffix in RASTERS:
            for one in read_recorded_files(path.with_name(f"{name}{suffix}")):
                if one.path == path:
                    return one
    return None


def _is_record(path: Path) -> bool:
    return path.suffix.lower() == ".json" and bool(read_recorded_files(path.with_suffix(".tif")))


def _may_be(path: Path, entry: RecordedFile) -> bool:
    return path.suffix.lower() not in RASTERS or path.stat().st_size == entry.size


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
