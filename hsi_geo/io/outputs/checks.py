"""Checks before a job writes: names that are usable, free, and replaceable."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from hsi_geo.errors import SHORTER_NAME, OptionError, OutputError, OutputExistsError
from hsi_geo.io.files.side_files import beside_output
from hsi_geo.io.outputs.inputs import Name, refuse_input_overwrite


def require_usable_names(targets: Sequence[Path]) -> None:
    """Refuse names that no file can get.

    Args:
        targets: Final paths.

    Raises:
        OutputError: If a folder is missing, a path is a folder, or a name is too long for the disk.
        OptionError: If two paths are the same.
    """
    for folder in dict.fromkeys(target.parent for target in targets):
        if not folder.is_dir():
            raise OutputError(
                f"output folder '{folder}' does not exist", hint="create it or choose another"
            )
    taken = set()
    for target in targets:
        _require_short_name(target)
        if target.is_dir():
            raise OutputError(f"output '{target}' is a folder", hint="give the path of a file")
        name = os.path.normcase(target)
        if name in taken:
            raise OptionError(
                f"two files would be written as '{target}'", hint="choose another name with -o"
            )
        taken.add(name)


def _require_short_name(target: Path) -> None:
    try:
        target.lstat()
    except OSError as error:
        if error.errno == errno.ENAMETOOLONG:
            raise OutputError(
                f"output '{target.name}' cannot be written ({error.strerror})", hint=SHORTER_NAME
            ) from error


def require_free(targets: Sequence[Path], found: str = "is already there") -> None:
    """Refuse to write over files that exist.

    Args:
        targets: Final paths.
        found: What the message says of a file that exists.

    Raises:
        OutputExistsError: If there is a file of one of the names, or one that would be read with it.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     require_free([Path(folder) / "map.tif"])
    """
    for target in targets:
        if os.path.lexists(target):
            raise OutputExistsError(
                f"output '{target}' {found}", hint="choose another, or give --overwrite"
            )
    for path in read_along(targets):
        raise OutputExistsError(
            f"'{path}' {found} and would be read as part of the output",
            hint="move it away, choose another output, or give --overwrite",
        )


def read_along(targets: Sequence[Path]) -> list[Path]:
    """Files beside the outputs, and none of them, that other programs would read as part of one.

    Args:
        targets: Final paths.
    """
    found = dict.fromkeys(path for target in targets for path in beside_output(target))
    return [path for path in found if path not in targets]


def without_inputs(paths: Iterable[Path], inputs: Sequence[Name]) -> list[Path]:
    """Those of some files that the job does not read, and that may be removed.

    Args:
        paths: Files to remove.
        inputs: What the job reads; see `refuse_input_overwrite`.
    """
    found = []
    for path in paths:
        try:
            refuse_input_overwrite([path], inputs)
        except OptionError:
            continue
        found.append(path)
    return found


def require_replaceable(targets: Sequence[Path], stage: Path) -> None:
    """Refuse files that could not be replaced at the end of the job.

    A file that cannot be changed (`chattr +i`) cannot get a second name (hard link) either, so a link is
    tried. What only the end of the job shows is undone there.

    Args:
        targets: Final paths.
        stage: Temporary folder on the same disk.

    Raises:
        OutputError: If a file cannot be replaced.
    """
    existing = [target for target in targets if target.is_file()]
    if not existing or not _supports_links(stage):
        return
    for target in existing:
        probe = stage / "probe"
        try:
            link(target, probe)
        except PermissionError as error:
            if os.geteuid() in (0, target.stat().st_uid):
                raise irreplaceable(target, error) from error
        except OSError:
            continue  # the file has as many names as the disk allows
        else:
            probe.unlink()


def irreplaceable(target: Path, error: OSError) -> OutputError:
    """The error for a file that cannot be replaced.

    Args:
        target: The file.
        error: The error of the operating system.
    """
    return OutputError(
        f"output '{target}' cannot be replaced ({error.strerror})",
        hint="make it writable, or choose another with -o",
    )


def link(path: Path, other: Path) -> None:
    """Give a file, or a symbolic link itself, a second name.

    Args:
        path: The file.
        other: Its second name.

    Raises:
        OSError: If the disk does not allow it.
    """
    options = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
    os.link(path, other, **options)


def _supports_links(stage: Path) -> bool:
    if not hasattr(os, "geteuid"):
        return False
    one, other = stage / "one", stage / "other"
    one.touch()
    try:
        os.link(one, other)
    except OSError:
        return False
    else:
        other.unlink()
        return True
    finally:
        one.unlink()
