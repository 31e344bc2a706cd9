"""Maps that exist in the folder of a batch: to keep, to make again, or not to replace."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hsi_geo.errors import OutputExistsError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.remote_files import without_query
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.maps.record import find_damage, owner_of
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.tasks.runtime import file_hash


@dataclass(frozen=True, slots=True)
class ExistingMap:
    """A map that an earlier batch wrote.

    Attributes:
        job: Hash of all that the map depended on.
        tile: Path of its tile.
        scene: Hash of its tile; see `runtime.scene_hash`. Empty if the record has none.
        files: Files of the map, complete or not.
        warnings: Warnings of the batch that made it.
        damage: Sentence on a file that is not as it was written; empty if all are.
        drifts: Whether the tile's spectra are unlike those that the model was adapted to.
    """

    job: str
    tile: str
    scene: str
    files: tuple[Path, ...]
    warnings: tuple[str, ...] = ()
    damage: str = ""
    drifts: bool = False

    def is_valid_for(self, job: str) -> bool:
        """Whether it is complete and of the same tile, model and parameters.

        Args:
            job: Hash of all that the map of the tile depends on now.
        """
        return self.job == job and not self.damage


def find_existing_map(paths: MapPaths) -> ExistingMap | None:
    """The map that an earlier batch wrote under a tile's names.

    Args:
        paths: Paths of the tile's map.

    Returns:
        The map; None if there is no record of a batch.
    """
    record = read_record(paths.classes)
    try:
        parameters, warnings = record["parameters"], record.get("warnings", [])
        files = MapPaths.of(
            paths.classes,
            confidence=parameters["confidence"] is True,
            probabilities=parameters["probabilities"] is True,
            parents=parameters.get("parents") is True,
        )
        hashes, tile = record["hashes"], str(record["scene"])
        job, scene = str(hashes["job"]), str(hashes.get("scene", ""))
    except (TypeError, KeyError):
        return None
    texts = tuple(map(str, warnings)) if isinstance(warnings, list) else ()
    drifts = record.get("drifts") is True
    return ExistingMap(job, tile, scene, tuple(files.all), texts, find_damage(files), drifts)


def find_logged_files(paths: MapPaths, hashes: Mapping[str, str]) -> tuple[Path, ...]:
    """Files that a batch made according to its log, if the map's record is missing or cannot be read.

    Args:
        paths: Paths of the map.
        hashes: SHA-256 of the map's files by their names, from the log.

    Returns:
        Files that are as they were written, and the record. Empty if a file of the map's names is
        somebody else's.
    """
    if paths.record.exists():
        try:
            json.loads(paths.record.read_bytes())
        except (ValueError, RecursionError):
            pass
        else:
            return ()
    existing = [path for path in paths.all if path.name in hashes and path.is_file()]
    unchanged = [path for path in existing if file_hash(path) == hashes[path.name]]
    return (paths.record, *unchanged) if unchanged else ()


def require_own_outputs(
    paths: MapPaths,
    tile: str,
    existing: ExistingMap | None,
    logged: Collection[Path] = (),
    *,
    overwrite: bool,
) -> None:
    """Refuse to replace files that are not those of the tile's earlier map.

    Args:
        paths: Paths to write.
        tile: Path of the tile to map.
        existing: Map that an earlier batch wrote under these names.
        logged: Files that a batch made according to its log, if there is no record.
        overwrite: Whether files that no batch made may be replaced. Files of maps with other names are
            never replaced.

    Raises:
        OutputExistsError: If a file belongs to another map; without ``overwrite``, also if the map is
            that of another tile, or nothing shows that a batch made a file.
    """
    for path in reversed(paths.all):
        if (owner := owner_of(path, paths)) is not None:
            raise OutputExistsError(
                f"output '{path}' belongs to the map '{owner.name}'",
                hint="choose another folder, or rename the tile",
            )
    if overwrite:
        return
    if existing is not None and _is_another(existing.tile, tile):
        raise OutputExistsError(
            f"output '{paths.classes}' is the map of '{existing.tile}'",
            hint="choose another folder, or give --overwrite",
        )
    own = logged if existing is None else existing.files
    for path in reversed(paths.all):
        if path not in own and path.exists():
            raise OutputExistsError(
                f"output '{path}' is already there and no record shows that a batch made it",
                hint="choose another folder, or give --overwrite",
            )


def require_same_tile(
    paths: MapPaths, existing: ExistingMap, names: Sequence[str], scene: str, logged: str | None
) -> None:
    """Refuse to replace a map whose tile is not there now, unless it is the tile to map that has moved.

    A missing tile may also lie on a disk that is away, and its map may be all that is left of it here. A tile that has
    moved keeps its size and its time of modification, which are in its hash.

    Args:
        paths: Paths of the map.
        existing: The map.
        names: Path of the tile to map, and other names of it.
        scene: Hash of the tile to map; see `runtime.scene_hash`.
        logged: Path of the tile whose map it was in the last batch, according to its log; None if that is not known.

    Raises:
        OutputExistsError: If nothing shows that it is the same tile.
    """
    if existing.tile in names or logged in names or exists(existing.tile):
        return  # of a tile that is there: see `require_own_outputs`
    # A link has neither size nor time: only its query may differ, as it may hold a key.
    is_link_of_tile = without_query(existing.tile) in map(without_query, names)
    may_have_moved = exists(names[0]) or is_link_of_tile
    if existing.scene == scene and may_have_moved:
        return
    raise OutputExistsError(
        f"output '{paths.classes}' is the map of '{existing.tile}', which is not there now",
        hint="choose another folder, or give --overwrite if it is the same tile, copied or moved",
    )


def _is_another(tile: str, path: str) -> bool:
    """Whether a tile is another file than that at a path; see `require_same_tile` for one that is not there."""
    if tile == path or not exists(tile):
        return False
    here, there = Path(path), Path(tile)
    return not (here.exists() and there.exists() and here.samefile(there))
