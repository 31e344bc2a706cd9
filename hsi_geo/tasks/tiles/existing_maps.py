"""What stands in a batch's folder already: maps to keep, to make again, or to leave to others."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from hsi_geo.errors import OutputExistsError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.maps.record import find_damage, owner_of, read_record
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.tasks.runtime import file_hash


@dataclass(frozen=True, slots=True)
class Standing:
    """What a batch left under a tile's names.

    Attributes:
        job: Hash of all that the map depended on.
        tile: That it is the map of.
        made: Files that it brought, whole or not.
        warnings: What was told when it was made.
        flaw: What is wrong with its files; empty if nothing is.
        drifts: Whether the tile looks unlike what the model was adapted to.
    """

    job: str
    tile: str
    made: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    flaw: str = ""
    drifts: bool = False

    def is_of(self, job: str) -> bool:
        """Whether it is whole and of the same tile, model and parameters."""
        return self.job == job and not self.flaw


def standing(paths: MapPaths) -> Standing | None:
    """What a batch left under a tile's names, None if no record tells of a batch."""
    record = read_record(paths.classes)
    try:
        told, warnings = record["parameters"], record.get("warnings", [])
        made = MapPaths.of(
            paths.classes,
            confidence=told["confidence"] is True,
            probabilities=told["probabilities"] is True,
        )
        job, tile = str(record["hashes"]["job"]), str(record["scene"])
    except (TypeError, KeyError):
        return None
    said = tuple(map(str, warnings)) if isinstance(warnings, list) else ()
    drifts = record.get("drifts") is True
    return Standing(job, tile, tuple(made.all), said, find_damage(made), drifts)


def made_by_log(paths: MapPaths, told: Mapping[str, str]) -> tuple[Path, ...]:
    """Files that a batch made, where the record that would tell so is missing or cannot be read.

    Args:
        paths: Of a map.
        told: SHA-256 of its files by their names, from the log.

    Returns:
        Those that are as they were made, and the record; none if somebody's own file has its name.
    """
    if paths.record.exists():
        try:
            json.loads(paths.record.read_bytes())
        except (ValueError, RecursionError):
            pass
        else:
            return ()
    there = [path for path in paths.all if path.name in told and path.is_file()]
    made = [path for path in there if file_hash(path) == told[path.name]]
    return (paths.record, *made) if made else ()


def require_own(
    paths: MapPaths,
    tile: str,
    stands: Standing | None,
    made: Collection[Path] = (),
    *,
    overwrite: bool,
) -> None:
    """Refuse to replace what this tile's earlier map did not bring.

    Args:
        paths: To be written.
        tile: That they will be the map of.
        stands: What a batch left under these names.
        made: Files that a batch made by its log, where no record tells.
        overwrite: Whether what others made may be replaced, but for maps of other tiles' names.

    Raises:
        OutputExistsError: If a file belongs to another map; without ``overwrite``, also if the map is
            that of another tile, or nothing tells that a batch made a file.
    """
    for path in reversed(paths.all):
        if (owner := owner_of(path, paths)) is not None:
            raise OutputExistsError(
                f"output '{path}' belongs to the map '{owner.name}'",
                hint="choose another folder, or rename the tile",
            )
    if overwrite:
        return
    if stands is not None and _is_another(stands.tile, tile):
        raise OutputExistsError(
            f"output '{paths.classes}' is the map of '{stands.tile}'",
            hint="choose another folder, or give --overwrite",
        )
    own = made if stands is None else stands.made
    for path in reversed(paths.all):
        if path not in own and path.exists():
            raise OutputExistsError(
                f"output '{path}' is already there and no record tells that a batch made it",
                hint="choose another folder, or give --overwrite",
            )


def _is_another(tile: str, path: str) -> bool:
    """Whether a tile is another file than the one at a path; one that has moved is the same."""
    if tile == path or not exists(tile):
        return False
    here, there = Path(path), Path(tile)
    return not (here.exists() and there.exists() and here.samefile(there))
