"""The log of a batch: what became of each tile, and which files belong to its map."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hsi_geo.io.maps.record import read_recorded_files
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.scenes.tile_list import ListedTile
from hsi_geo.tasks.tiles.jobs import MAPPED, UNCHANGED, Outcome
from hsi_geo.tasks.tiles.overview_files import LOG, write_texts


def write_log(folder: Path, entries: Sequence[tuple[ListedTile, MapPaths, Outcome]]) -> None:
    """Write the log: a JSON object a line, for each tile.

    A tile that was not mapped keeps the hashes that the log before has of its earlier map: the next batch knows the map by them.

    Args:
        folder: Folder of the maps.
        entries: Each tile with the paths of its map and its outcome.

    Raises:
        OutputError: If it cannot be written.
    """
    earlier = _EarlierLog(files_in_log(folder), tiles_in_log(folder))
    lines = [
        {
            "tile": listed.path,
            "map": str(paths.classes),
            "state": outcome.state,
            "seconds": round(outcome.seconds, 3),
            "error": outcome.error or None,
            "warnings": list(outcome.warnings),
            "files": {one.path.name: one.sha256 for one in read_recorded_files(paths.classes)}
            if outcome.state in (MAPPED, UNCHANGED)
            else earlier.files(listed.path, paths),
            "code": outcome.code or None,
            "drifts": outcome.drifts,
        }
        for listed, paths, outcome in entries
    ]
    text = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    write_texts(folder, {LOG: text})


@dataclass(frozen=True, slots=True)
class _EarlierLog:
    """What the log of the batch before tells: see `files_in_log` and `tiles_in_log`."""

    files_of: Mapping[str, dict[str, str]]
    tile_of: Mapping[str, str]

    def files(self, tile: str, paths: MapPaths) -> dict[str, str]:
        """Hashes of the files of a map by their names; empty if it was not the map of a tile."""
        name = str(paths.classes)
        return self.files_of.get(name, {}) if self.tile_of.get(name) == tile else {}


def files_in_log(folder: Path) -> dict[str, dict[str, str]]:
    """Read the hashes of files from the log of an earlier batch.

    Args:
        folder: Folder of the maps.

    Returns:
        By the path of each map, SHA-256 of its files by their names. Empty if there is no log that can be read.
    """
    try:
        return {entry["map"]: dict(entry["files"]) for entry in _entries_of_log(folder)}
    except (ValueError, TypeError, KeyError):
        return {}


def tiles_in_log(folder: Path) -> dict[str, str]:
    """Read from the log of an earlier batch which tile each map shows.

    Args:
        folder: Folder of the maps.

    Returns:
        Path of the tile by the path of its map, of maps that were complete then or before. Empty if there is no log that can
        be read.
    """
    try:
        return {
            entry["map"]: entry["tile"]
            for entry in _entries_of_log(folder)
            if entry["state"] in (MAPPED, UNCHANGED) or entry.get("files")
        }
    except (TypeError, KeyError):
        return {}


def _entries_of_log(folder: Path) -> list[Any]:
    try:
        lines = (folder / LOG).read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines]
    except (OSError, ValueError, RecursionError):
        return []
