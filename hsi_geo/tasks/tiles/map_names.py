"""Names of the maps of many tiles, so that no file of one map is a file of another."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hsi_geo.io.files.paths import stem_of
from hsi_geo.io.files.remote_files import as_link
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.readers.stac_collections import split_member

#: Digits of the hash in names of tiles whose paths differ in nothing else.
HASH_DIGITS = 12


def map_names(paths: Sequence[str], reserved: Collection[str]) -> list[str]:
    """Choose a stem for each tile: that of its file, with more of its path where names would collide.

    Tiles of one stem in one folder get their suffixes, others their folders. A tile with the name of a file
    that belongs to another map (``a_confidence``, beside ``a``) gets its folder, with and without that
    file: names do not depend on options. Names collide whatever their case and Unicode form, so that
    maps can be copied to any file system.

    Args:
        paths: Paths of the tiles, without duplicates.
        reserved: Stems that may not be used.

    Returns:
        Stem of each map.

    >>> map_names(["/t/a.tif", "/t/a_confidence.tif", "/u/b.tif"], reserved=())
    ['a', 't_a_confidence', 'b']
    """
    candidates = _all_candidates(paths)
    step = [0] * len(paths)
    taken = {file_key(stem) for stem in reserved}
    while True:
        names = [stems[i] for stems, i in zip(candidates, step, strict=True)]
        moving = [i for i in _clashing(names, taken) if step[i] < len(candidates[i]) - 1]
        if not moving:
            return names
        for i in moving:
            step[i] += 1


def file_key(name: str) -> str:
    """A key that is equal for names that some file system takes for the same.

    Args:
        name: Name or path of a file.

    >>> file_key("A.TIF") == file_key("a.tif")
    True
    """
    return unicodedata.normalize("NFC", name).casefold()


def _clashing(names: Sequence[str], taken: Collection[str]) -> set[int]:
    """Indices of the names that need to change."""
    owners = defaultdict(set)
    own = []
    for index, name in enumerate(names):
        map_ = Path(f"{name}.tif")
        own.append({file_key(path.name) for path in MapPaths.of(map_).all})
        every = MapPaths.of(map_, confidence=True, probabilities=True, parents=True).with_report()
        for path in every.all:
            owners[file_key(path.name)].add(index)
    return {
        index
        for index, name in enumerate(names)
        if file_key(name) in taken or any(len(owners[key]) > 1 for key in own[index])
    }


def _all_candidates(paths: Sequence[str]) -> list[list[str]]:
    """For each tile the names it may have, the shortest first."""
    named = [as_path(path) for path in paths]
    keys = [file_key(str(path.parent / stem_of(path))) for path in named]
    together = Counter(keys)
    return [
        list(_candidates(path, alone=together[key] == 1))
        for path, key in zip(named, keys, strict=True)
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
    folders = [part.strip(os.sep + ":") for part in path.parts[:-1]]
    for depth in range(len(folders) + 1):
        yield "_".join([*(f for f in folders[len(folders) - depth :] if f), first])
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    yield f"{stem_of(path)}_{digest[:HASH_DIGITS]}"
