"""Files in GDAL's names of parts of files, and in texts that name files."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Container, Iterator
from pathlib import Path

from hsi_geo.io.files.paths import exists

#: Characters around a path in GDAL's names of parts of files and in its virtual file systems.
MARKS = re.compile(r"/vsi\w+/|://|[:\"'{}(),;=?&!]")

SLASHES = re.compile(r"[/\\]")


def paths_in(
    name: str, folder: Path | None = None, entries: Container[str] | None = None
) -> Iterator[Path]:
    """Files and folders in a name: the longest from each position where a path may begin.

    Args:
        name: A path, GDAL's name of a part of a file, or a text with one.
        folder: Folder that relative paths begin in; None for the working directory.
        entries: `comparable` names of what is in the folder, which saves a look at the disk for each part of a long text.
    """
    for whole in [name] if folder is None else [str(folder / name), name]:
        if exists(whole):
            yield Path(whole)
            return
    marks = list(MARKS.finditer(name))
    stops = {len(name), *(mark.start() for mark in marks)}
    slashes = {at for at, letter in enumerate(name) if letter in "/\\"}
    for start in (0, *(mark.end() for mark in marks)):
        for stop in sorted((end for end in stops | slashes if end > start), reverse=True):
            part = name[start:stop]
            one_name = not SLASHES.search(part)
            if entries is not None and one_name and comparable(part) not in entries:
                continue
            path = Path(part) if folder is None else folder / part
            # A folder that is only part of a longer path is not read.
            if exists(path) and (path.is_file() or (stop in stops and path.is_dir())):
                yield path
                break


def comparable(name: str) -> str:
    """Form of a file's name that is the same for all names that a file system takes for equal."""
    return unicodedata.normalize("NFC", name).casefold()
