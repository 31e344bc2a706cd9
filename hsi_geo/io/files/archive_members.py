"""Files in archives by GDAL's names for them ("/vsizip/a.zip/b.tif"), opened without unpacking."""

from __future__ import annotations

import gzip
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import IO, cast

from hsi_geo.io.files.limits import ARCHIVE_FILES
from hsi_geo.io.files.paths import exists, stamp

#: What `zipfile`, `tarfile` and `gzip` raise for archives that are damaged, encrypted (RuntimeError), compressed in an unknown
#: way (NotImplementedError, which is a RuntimeError) or without a member that they list (KeyError).
UNREADABLE = (
    *(zipfile.BadZipFile, tarfile.TarError, zlib.error, OSError, EOFError),
    *(RuntimeError, KeyError),
)

_NAME = re.compile(r"/vsi(zip|tar|gzip)/(.+)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ArchiveMember:
    """A file in an archive.

    Attributes:
        kind: "zip", "tar" or "gzip".
        archive: Path of the archive.
        name: Name of the file in the archive; empty if GDAL chooses it.
    """

    kind: str
    archive: Path
    name: str

    def names(self) -> frozenset[str]:
        """Names of all files in the archive; without them in a gzip file.

        Raises:
            OSError: As all of `UNREADABLE`, if the archive is damaged.
        """
        return _names(self.kind, self.archive, stamp(self.archive))

    @contextmanager
    def open(self, name: str) -> Iterator[IO[bytes]]:
        """Open a file of the archive.

        Args:
            name: Its name in the archive; a gzip file has only one, whatever its name.

        Yields:
            The stream of its bytes.

        Raises:
            OSError: As all of `UNREADABLE`, if the archive is damaged.
        """
        if self.kind == "zip":
            with zipfile.ZipFile(self.archive) as archive, archive.open(name) as file:
                yield file
        elif self.kind == "tar":
            with tarfile.open(self.archive) as tar:
                member = tar.extractfile(name)
                if member is None:
                    raise KeyError(name)
                with member:
                    yield member
        else:
            with gzip.open(self.archive) as stream:
                yield cast("IO[bytes]", stream)


def parse_archive_name(name: str) -> ArchiveMember | None:
    """Split GDAL's name of a file in a ZIP, TAR or gzip file on this machine.

    Args:
        name: Such as "/vsizip/a.zip/b.tif" or "/vsitar/{a.tar}/b.tif".

    Returns:
        The archive and the file; None for other names, and where there is no such archive.
    """
    match = _NAME.match(name.strip())
    if match is None:
        return None
    kind, rest = match[1], match[2]
    braced = re.match(r"\{([^{}]+)\}/*(.*)", rest, re.DOTALL)
    if braced and exists(braced[1]):
        return ArchiveMember(kind, Path(braced[1]), braced[2])
    ends = [place.start() for place in re.finditer("/", rest)] + [len(rest)]
    for end in ends:
        if end and exists(rest[:end]) and Path(rest[:end]).is_file():
            return ArchiveMember(kind, Path(rest[:end]), rest[end:].strip("/"))
    return None


@lru_cache(maxsize=16)
def _names(kind: str, archive: Path, _state: tuple[int, int]) -> frozenset[str]:
    if kind == "zip":
        with zipfile.ZipFile(archive) as file:
            return frozenset(file.namelist())
    names: set[str] = set()
    if kind == "tar":
        with tarfile.open(archive) as tar:
            for member in tar:
                if member.isfile():
                    names.add(member.name)
                if len(names) > ARCHIVE_FILES:
                    break
    return frozenset(names)
