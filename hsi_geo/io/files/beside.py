"""Small files beside a raster: in its folder, or in its archive under GDAL's names ("/vsizip/{a.zip}/b.hdr")."""

from __future__ import annotations

import os
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path, PurePosixPath

from hsi_geo.io.files.archive_members import UNREADABLE, ArchiveMember, parse_archive_name
from hsi_geo.io.files.paths import exists, stamp

_ARCHIVES = ("/vsizip/", "/vsitar/")


def as_path(name: str) -> str:
    """A name from which the names of other files in the same folder are made by `pathlib`.

    Args:
        name: Path of a file, or a name that GDAL opens.

    Returns:
        GDAL's name with the archive in braces, for a file in an archive on this machine; else the same name.
    """
    member = _member(name)
    if member is None or "}" in str(member.archive):
        return name
    return f"/vsi{member.kind}/{{{member.archive}}}/{member.name}"


def gdal_name_of(path: str | os.PathLike[str]) -> str:
    """GDAL's name of a file, with the slashes that it needs in an archive.

    Args:
        path: Path of a file, or one that was made from `as_path`.
    """
    name = os.fspath(path)
    in_archive = name.replace("\\", "/") if os.sep != "/" else name
    return in_archive if in_archive.startswith(_ARCHIVES) else name


def is_file(path: str | os.PathLike[str]) -> bool:
    """Whether there is a file, in a folder or in an archive on this machine.

    Args:
        path: Path of a file, or one that was made from `as_path`.
    """
    member = _member(path)
    if member is None:
        return exists(path) and Path(path).is_file()
    return _stored_name(member) is not None


def read_small_file(path: str | os.PathLike[str], most: int) -> bytes | None:
    """The content of a file.

    Args:
        path: Path of a file, or one that was made from `as_path`.
        most: Most bytes of it.

    Returns:
        The bytes; None if there is no such file, it has more, or it cannot be read.
    """
    member = _member(path)
    try:
        if member is not None:
            return _read_member(member, stamp(member.archive), most)
        file = Path(path)
        return file.read_bytes() if file.is_file() and file.stat().st_size <= most else None
    except OSError:
        return None


def files_in(folder: str | os.PathLike[str], pattern: str) -> list[Path]:
    """Files in a folder, in the order of the alphabet.

    Args:
        folder: Path of the folder, or the parent of a path that was made from `as_path`.
        pattern: Glob of their names.
    """
    member = _member(folder)
    if member is None:
        return sorted(Path(folder).glob(pattern)) if exists(folder) else []
    found = [PurePosixPath(name) for name in _names(member)]
    parent = PurePosixPath(member.name)
    return sorted(
        Path(folder, one.name)
        for one in found
        if one.parent == parent and fnmatchcase(one.name, pattern)
    )


def _member(path: str | os.PathLike[str]) -> ArchiveMember | None:
    """A file or a folder in an archive; None for all other paths."""
    name = gdal_name_of(path)
    return parse_archive_name(name) if name.startswith(_ARCHIVES) else None


def _names(member: ArchiveMember) -> frozenset[str]:
    try:
        return member.names()
    except UNREADABLE:
        return frozenset()


def _stored_name(member: ArchiveMember) -> str | None:
    """The name of a file as its archive has it: GDAL leaves "./" out."""
    names = _names(member)
    return next((one for one in (member.name, f"./{member.name}") if one in names), None)


@lru_cache(maxsize=8)
def _read_member(member: ArchiveMember, _state: tuple[int, int], most: int) -> bytes | None:
    name = _stored_name(member)
    if name is None:
        return None
    try:
        with member.open(name) as file:
            content = file.read(most + 1)
    except UNREADABLE:
        return None
    return content if len(content) <= most else None
