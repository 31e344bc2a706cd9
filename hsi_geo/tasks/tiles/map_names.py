"""What the maps of many tiles are called, so that no file of one is a file of another."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

from hsi_geo.io.maps.writer import MapPaths

#: Digits of the hash that tells tiles apart when nothing else does.
HASH_DIGITS = 12


def map_names(paths: Sequence[str], reserved: Collection[str]) -> list[str]:
    """A stem for each tile: its file's, with more of its path where files would collide.

    Tiles of one stem in one folder take their suffixes, others their folders. A tile that is called
    as what belongs to the map of another (``a_confidence``, beside ``a``) takes its folder, whether
    that file is asked for or not: names do not hang on options. Names collide whatever their case
    and Unicode form, so that maps can be kept on, or copied to, any file system.

    Args:
        paths: Of the tiles, each another one.
        reserved: Stems that are not free.
    """
    ladders = _ladders(paths)
    step = [0] * len(paths)
    taken = {file_key(stem) for stem in reserved}
    while True:
        names = [ladder[i] for ladder, i in zip(ladders, step, strict=True)]
        moving = [i for i in _clashing(names, taken) if step[i] < len(ladders[i]) - 1]
        if not moving:
            return names
        for i in moving:
            step[i] += 1


def file_key(name: str) -> str:
    """What two names have in common that some file system takes for one."""
    return unicodedata.normalize("NFC", name).casefold()


def _clashing(names: Sequence[str], taken: Collection[str]) -> set[int]:
    """Indices of those that need another name."""
    owners = defaultdict(set)
    own = []
    for index, name in enumerate(names):
        map_ = Path(f"{name}.tif")
        own.append({file_key(path.name) for path in MapPaths.of(map_).all})
        every = MapPaths.of(map_, confidence=True, probabilities=True).with_report()
        for path in every.all:
            owners[file_key(path.name)].add(index)
    return {
        index
        for index, name in enumerate(names)
        if file_key(name) in taken or any(len(owners[key]) > 1 for key in own[index])
    }


def _ladders(paths: Sequence[str]) -> list[list[str]]:
    """For each tile the names it may have, the shortest first."""
    keys = [file_key(str(path.parent / path.stem)) for path in map(Path, paths)]
    together = Counter(keys)
    return [
        list(_ladder(Path(path), alone=together[key] == 1))
        for path, key in zip(paths, keys, strict=True)
    ]


def _ladder(path: Path, *, alone: bool) -> Iterator[str]:
    first = path.stem if alone else path.name.replace(".", "_")
    folders = [part.strip(os.sep + ":") for part in path.parts[:-1]]
    for depth in range(len(folders) + 1):
        yield "_".join([*(f for f in folders[len(folders) - depth :] if f), first])
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()
    yield f"{path.stem}_{digest[:HASH_DIGITS]}"
