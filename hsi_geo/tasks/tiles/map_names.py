"""Names of the maps of many tiles, so that no file of one map is a file of another."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hsi_geo.errors import MapError
from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.files.remote_files import as_link
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.readers.stac_collections import split_member
from hsi_geo.io.scenes.tile_files import tile_key

#: Digits of the hash in names of tiles whose paths differ in nothing else.
HASH_DIGITS = 12


def map_names(
    paths: Sequence[str],
    reserved: Collection[str],
    earlier: EarlierMaps | None = None,
    ending: str = "",
) -> list[str]:
    """Choose a stem for each tile: that of its file, with more of its path where names would collide.

    Tiles of one stem in one folder get their suffixes, others their folders. A tile with the name of a file
    that belongs to another map (``a_confidence``, beside ``a``) gets its folder, with and without that
    file: names do not depend on options. Names collide whatever their case and Unicode form, so that
    maps can be copied to any file system. A tile that has a map keeps its name when tiles of the same name are
    added, unless a file of another map would get that name.

    Args:
        paths: Paths of the tiles, without duplicates.
        reserved: Stems that may not be used.
        earlier: Maps in the output folder; None for none.
        ending: What follows the stem in the name of each map.

    Returns:
        Stem of each map, without the ending.

    >>> map_names(["/t/a.tif", "/t/a_confidence.tif", "/u/b.tif"], reserved=())
    ['a', 't_a_confidence', 'b']
    >>> map_names(["/t/a.tif", "/t/a_confidence.tif", "/u/a.tif"], reserved=(), ending="_classes")
    ['t_a', 'a_confidence', 'u_a']
    """
    candidates = _all_candidates(paths)
    taken = {file_key(stem) for stem in reserved}
    names = _choose(candidates, {}, taken, ending)
    if earlier is None:
        return names
    possible = [
        [*usual, *more]
        for usual, more in zip(candidates, _all_candidates(paths, alone=True), strict=True)
    ]
    # Records are read only if there are maps of other names than these.
    if not any(
        stem != name and earlier.has(stem)
        for name, stems in zip(names, possible, strict=True)
        for stem in stems
    ):
        return names
    kept = {
        index: stem
        for index, stems in enumerate(possible)
        for stem in reversed(stems)
        if earlier.is_of(stem, paths[index])
    }
    return _choose(candidates, kept, taken, ending)


def _choose(
    candidates: Sequence[Sequence[str]],
    kept: dict[int, str],
    taken: Collection[str],
    ending: str,
) -> list[str]:
    """Choose a name of each tile, so that none clashes.

    Args:
        candidates: For each tile the names it may have, the shortest first.
        kept: Names by the index of the tile that change only if they clash with each other.
        taken: Keys of names that may not be used.
        ending: What follows the stem in the name of each map.
    """
    step = [0] * len(candidates)
    kept = dict(kept)
    while True:
        names = [
            kept.get(index, stems[at])
            for index, (stems, at) in enumerate(zip(candidates, step, strict=True))
        ]
        clashing = _clashing(names, taken, ending)
        moving = [i for i in clashing - set(kept) if step[i] < len(candidates[i]) - 1]
        for i in moving:
            step[i] += 1
        if not moving:
            if clashing.isdisjoint(kept):
                return names
            for i in clashing & set(kept):
                del kept[i]


class EarlierMaps:
    """Maps of batches in a folder, by their records.

    Args:
        folder: Folder of the maps, which need not exist.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        try:
            self._names = {entry.name for entry in folder.iterdir()}
        except OSError:
            self._names = set()

    def has(self, stem: str) -> bool:
        """Whether there may be a map with a stem.

        Args:
            stem: Name of the map without its suffix.
        """
        return f"{stem}.json" in self._names

    def is_of(self, stem: str, tile: str) -> bool:
        """Whether a batch made the map with a stem, of a tile.

        Args:
            stem: Name of the map without its suffix.
            tile: Path of the tile.
        """
        if not self.has(stem):
            return False
        try:
            record = read_record(self._folder / f"{stem}.tif")
            return "job" in record["hashes"] and tile_key(str(record["scene"])) == tile_key(tile)
        except (MapError, TypeError, KeyError):
            return False


def file_key(name: str) -> str:
    """A key that is equal for names that some file system takes for the same.

    Args:
        name: Name or path of a file.

    >>> file_key("A.TIF") == file_key("a.tif")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def _clashing(names: Sequence[str], taken: Collection[str], ending: str) -> set[int]:
    """Indices of the names that need to change."""
    owners = defaultdict(set)
    own = []
    for index, name in enumerate(names):
        map_ = Path(f"{name}{ending}.tif")
        own.append({file_key(path.name) for path in MapPaths.of(map_).all})
        every = MapPaths.of(map_, confidence=True, probabilities=True, parents=True).with_report()
        for path in every.all:
            owners[file_key(path.name)].add(index)
    return {
        index
        for index, name in enumerate(names)
        if file_key(name) in taken or any(len(owners[key]) > 1 for key in own[index])
    }


def _all_candidates(paths: Sequence[str], *, alone: bool = False) -> list[list[str]]:
    """For each tile the names it may have, the shortest first; with ``alone`` as if no other had its stem."""
    named = [Path(os.path.normpath(as_path(path))) for path in paths]  # ".." is no part of a name
    keys = [file_key(str(path.parent / stem_of(path))) for path in named]
    together = Counter(keys)
    return [
        [*_candidates(path, alone=alone or together[key] == 1), f"{stem_of(path)}_{_digest(name)}"]
        for name, path, key in zip(paths, named, keys, strict=True)
    ]


def as_path(name: str) -> Path:
    """The path that a name has: links without their query, items of a collection by their id.

    Args:
        name: Name of a scene or tile: a path, a link, or an item of a collection.

    Examples:
        >>> print(as_path("https://host/a/b.tif?token=x.y").name)
        b.tif
    """
    member = split_member(name)
    if member is not None:
        safe = re.sub(r"[^\w.-]", "_", member[1])
        return Path(member[0]).parent / f"{safe}.json"
    return Path(re.split(r"[?#]", name, maxsplit=1)[0] if as_link(name) else name)


def _candidates(path: Path, *, alone: bool) -> Iterator[str]:
    first = stem_of(path) if alone else path.name.replace(".", "_")
    folders = [part.strip(os.sep + ":").lstrip(".") for part in path.parts[:-1]]
    for depth in range(len(folders) + 1):
        yield "_".join([*(f for f in folders[len(folders) - depth :] if f), first])


def _digest(name: str) -> str:
    return hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:HASH_DIGITS]
