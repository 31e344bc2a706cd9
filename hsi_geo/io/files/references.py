"""Which other files GDAL opens for a local file. None of them may be on another machine, and no code runs.

A text named `scene.tif` may be a virtual raster whose pixels come from the web, the description of a web
service, or a chain of such files. Only a URL that the user gives is followed.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.archive_members import UNREADABLE, ArchiveMember, parse_archive_name
from hsi_geo.io.files.hdf5_files import require_own_data
from hsi_geo.io.files.limits import TEXT_BYTES, require_short_file
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.virtual_files import (
    CheckedFile,
    is_remote_name,
    is_tile_index,
    names_in_file,
    names_in_name,
    names_in_tile_index,
)

Errors = type[HsiGeoError]

#: Endings of side files that GDAL opens by itself: appended to a file's name, or in place of its suffix.
_SIDE_FILES = (
    *(".aux.xml", ".ovr", ".msk", ".hdr", ".aux", ".stac.json", ".prj", ".wld"),
    *(".tfw", ".tifw", ".tab", ".rrd", ".rpb", ".imd", "_rpc.txt"),
    *(".shx", ".dbf", ".cpg", ".qix", ".sbn", ".qml", ".gfs", ".xsd", ".gml.xsd", "-wal"),
)

#: Side files that are read as a whole.
_SIDE_TEXTS = (".stac.json", ".prj", ".qml", ".cpg")

_KINDS = (
    (stat.S_ISDIR, "folder"),
    (stat.S_ISFIFO, "named pipe"),
    (stat.S_ISSOCK, "socket"),
    (stat.S_ISCHR, "device"),
    (stat.S_ISBLK, "device"),
)


def is_link(name: str) -> bool:
    """Whether a name that the user gave is a URL, or another name of something on other machines."""
    return not exists(name) and is_remote_name(name)


def require_file(path: str | os.PathLike[str], what: str, wrong: Errors) -> None:
    """Refuse a path that is a folder, pipe, socket or device: reading a pipe never ends.

    Args:
        path: Path of a file; a path where nothing is passes.
        what: What the file is meant to be, for messages ("class file").
        wrong: Exception class to raise.
    """
    kind = _kind_of(path)
    if kind is not None:
        raise wrong(
            f"{what} '{os.fspath(path)}' is a {kind}, not a file",
            hint="give a file, or copy what it holds into one",
        )


def require_text(
    path: str | os.PathLike[str], what: str, wrong: Errors, most: int = TEXT_BYTES
) -> None:
    """Refuse a path that is not a file, and a file that is too large to be read as a whole.

    Args:
        path: Path of a file; a path where nothing is passes.
        what: What the file is meant to be, for messages ("class file").
        wrong: Exception class to raise.
        most: The largest size in bytes.
    """
    require_file(path, what, wrong)
    require_short_file(path, what, wrong, most)


def _kind_of(path: str | os.PathLike[str]) -> str | None:
    """What is at a path instead of a file; None for files, and where nothing is."""
    try:
        mode = os.stat(path).st_mode  # noqa: PTH116  (Path raises for names that are no paths)
    except (OSError, ValueError):
        return None
    return next((name for is_kind, name in _KINDS if is_kind(mode)), None)


def require_local(path: str | os.PathLike[str], what: str, wrong: Errors) -> None:
    """Refuse a local file for which GDAL would use a network, run code, or wait for ever.

    Checks the file, its side files, and all files that they name, also in archives.

    Args:
        path: Path of a file, or GDAL's name of a file in an archive; URLs pass.
        what: What the file is meant to be, for messages ("scene").
        wrong: Exception class to raise.
    """
    checked = CheckedFile(os.fspath(path), what, wrong)
    name = checked.name
    if exists(name):
        if Path(name).is_dir():
            return
        _require_utf8(checked)
        waiting = [(file, False) for file in (Path(name), *_side_files(Path(name)))]
    elif is_remote_name(name):
        return
    else:
        if (member := parse_archive_name(name)) is not None:
            _require_plain_member(member, checked)
        waiting = list(_local_files(name, Path()))
    seen = set()
    while waiting:
        entry = waiting.pop()
        if entry not in seen:
            seen.add(entry)
            waiting += _references(*entry, checked)


def require_local_archive(path: str | os.PathLike[str], what: str, wrong: Errors) -> None:
    """Refuse an archive that holds a text which names other files, such as a virtual layer.

    Args:
        path: Path of a ZIP or TAR file; files of other kinds pass.
        what: What the file is meant to be, for messages ("shots file").
        wrong: Exception class to raise.
    """
    checked = CheckedFile(os.fspath(path), what, wrong)
    for kind in ("zip", "tar"):
        _require_plain_member(ArchiveMember(kind, Path(path), ""), checked)


def _references(file: Path, is_index: bool, checked: CheckedFile) -> Iterator[tuple[Path, bool]]:
    """Local files that a file names, with whether they are the index of a tile index."""
    if kind := _kind_of(file):
        raise checked.error(
            f"cannot be read: '{file}' is a {kind}, not a file",
            "put a file in its place, or take it away",
        )
    if file.name.lower().endswith(_SIDE_TEXTS):
        called = f"{checked.what} '{checked.name}' cannot be read:"
        require_short_file(file, called, checked.wrong)
    require_own_data(file, checked.what, checked.wrong)
    try:
        opened = file.open("rb")
    except OSError:
        return  # the error is raised where the file is read
    with opened:
        for name in dict.fromkeys(
            names_in_file(opened, file.name, checked)
        ):  # a VRT's for each band
            yield from _follow(name, file.parent, checked)
    if is_index or is_tile_index(file):
        for name in names_in_tile_index(file, checked):
            yield from _follow(name, file.parent, checked)


def _follow(name: str, folder: Path, checked: CheckedFile) -> Iterator[tuple[Path, bool]]:
    """Local files that a name in a text means.

    Raises:
        HsiGeoError: If it means something on another machine, or in an archive that cannot be checked.
    """
    for text in (name, *_broken_links(name, folder)):
        if is_remote_name(text):
            raise checked.error(
                f"refers to '{text.strip()}', which is not on this machine",
                "download that, or give its address itself",
            )
        for inner in names_in_name(text, checked):
            yield from _follow(inner, folder, checked)
        for spelling, _ in _spellings(text):
            if spelling.strip().startswith("/vsi"):
                _require_plain_name(spelling, checked)
        yield from _local_files(text, folder)


def _require_plain_name(name: str, checked: CheckedFile) -> None:
    member = parse_archive_name(name)
    if member is None:
        raise checked.error(
            f"refers to '{name.strip()}', and files that are named in this way are not checked",
            "unpack that file, and build the text that names it anew",
        )
    _require_plain_member(member, checked)


def _require_plain_member(member: ArchiveMember, checked: CheckedFile) -> None:
    """Refuse a file in an archive that names other files, or whose side files do."""
    try:
        names = member.names()
        if member.kind == "gzip":
            chosen = {member.archive.stem}
        elif member.name:
            inside = PurePosixPath(member.name)
            chosen = {member.name, *(str(inside.with_name(n)) for n in _side_names(inside))} & names
            chosen = chosen or {name for name in names if name.startswith(f"{inside}/")}
        else:
            chosen = set(names)
        for name in sorted(chosen):
            if name.endswith("/"):
                continue
            with member.open(name) as file:
                for named in names_in_file(file, PurePosixPath(name).name, checked):
                    raise checked.error(
                        f"holds '{name}' in an archive, which refers to '{named.strip()}'",
                        "unpack the archive, and give the file in it",
                    )
    except UNREADABLE:
        return  # GDAL cannot read it either


def _require_utf8(checked: CheckedFile) -> None:
    try:
        checked.name.encode()
    except UnicodeEncodeError as error:
        raise checked.wrong(
            f"{checked.what} '{ascii(checked.name)[1:-1]}' is not named in UTF-8, and GDAL cannot be "
            "given such a name",
            hint="rename the file, or the folder that it is in",
        ) from error


def _side_names(path: PurePosixPath | Path) -> Iterator[str]:
    for stem in {path.name, path.stem}:
        for end in _SIDE_FILES:
            yield from (stem + spelling for spelling in {end, end.upper()})


def _side_files(path: Path) -> Iterator[Path]:
    for name in _side_names(path):
        file = path.with_name(name)
        if file != path and exists(file) and not file.is_dir():
            yield file


def _spellings(text: str) -> Iterator[tuple[str, bool]]:
    """A name, and parts of it that may be a path; with whether that is the index of a tile index.

    GDAL puts drivers before paths (``NETCDF:"a.nc":cube``, ``GTIFF_DIR:1:a.tif``, ``vrt://a.tif?bands=1``).
    """
    yield text, False
    prefix = re.match(r"\s*([A-Za-z]\w*):(?://)?", text)
    if prefix is None:
        return
    rest, is_index = text[prefix.end() :], prefix[1].upper() == "GTI"
    yield rest, is_index
    for quoted in re.findall(r'"([^"]+)"', rest):
        yield quoted, is_index
    for mark in re.finditer("[?:,]", rest):
        yield rest[: mark.start()], is_index
        yield rest[mark.end() :], is_index


def _local_files(text: str, folder: Path) -> Iterator[tuple[Path, bool]]:
    """Files that a name may mean: GDAL takes it as a path, or relative to the text that names it."""
    for spelling, is_index in _spellings(text):
        for candidate in (Path(spelling), folder / spelling):
            if exists(candidate) and not candidate.is_dir():
                yield candidate, is_index


def _broken_links(text: str, folder: Path) -> Iterator[str]:
    """Targets of links that lead to no file: GDAL takes a target for a name."""
    for candidate in (text, os.path.join(folder, text)):  # noqa: PTH118  (Path collapses "//")
        try:
            if os.path.islink(candidate) and not exists(candidate):  # noqa: PTH114
                yield os.readlink(candidate)  # noqa: PTH115
        except ValueError:
            continue
