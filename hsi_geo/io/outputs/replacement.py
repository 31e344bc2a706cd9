"""The end of a job: all new files get their final names, or none does."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import rasterio

from hsi_geo.errors import OutputError, OutputExistsError
from hsi_geo.interrupts import uninterrupted
from hsi_geo.io.files.side_files import RASTERS, world_files
from hsi_geo.io.outputs.checks import irreplaceable, link, read_along, require_free
from hsi_geo.io.readers.gdal import quiet_gdal

#: Subfolder of the temporary folder for the files that are replaced, until all renames are done.
_EARLIER = "earlier"

#: Of a file that did not exist when the job began.
_APPEARED = "has appeared while this ran, and stays as it is"


class Replacement:
    """All renames, or none.

    Args:
        stages: Temporary folder by the folder that it is in. They hold the new files, and keep what these replace
            until all is done.
        written: Temporary path to final path, in the order of renaming.
        stale: Files to remove.
        overwrite: Whether files may be replaced and removed.
    """

    def __init__(
        self,
        stages: Mapping[Path, Path],
        written: Mapping[Path, Path],
        stale: Sequence[Path],
        overwrite: bool,
    ) -> None:
        self.stages = stages
        self.written = written
        self.stale = stale
        self.overwrite = overwrite
        self.renamed: dict[Path, Path] = {}
        self.earlier: dict[Path, Path] = {}

    def apply(self, waiting: ExitStack) -> None:
        """Rename the new files and remove the stale ones.

        Args:
            waiting: An interrupt that comes between the first rename and the end of this waits until this is closed: an
                undo that is interrupted would leave some files new and some old, and lose those that were set aside.

        Raises:
            OutputExistsError: If a file has appeared under a final name, and may not be replaced.
            OutputError: If a file cannot be replaced.
            OSError: If the disk fails.
        """
        if not self.written:
            return
        for source in self.written:
            sync(source)
        with ExitStack() as locks:
            for folder in _distinct(self.stages):
                locks.enter_context(_folder_lock(folder))
            waiting.enter_context(uninterrupted())
            try:
                self._set_earlier_aside()
                for source, target in self.written.items():
                    self._rename(source, target)
                for folder in self.stages:
                    _sync_folder(folder)
            except BaseException:
                self._undo()
                raise

    def _set_earlier_aside(self) -> None:
        """Set aside what is replaced or removed, so that errors come before anything changes."""
        targets = list(self.written.values())
        along = [*read_along(targets), *_misplacing(self.written, self.overwrite)]
        if not self.overwrite:
            require_free(targets, _APPEARED)
            return
        for stage in self.stages.values():
            (stage / _EARLIER).mkdir()
        for path in dict.fromkeys([*targets, *self.stale, *along]):
            if os.path.lexists(path):
                self._set_aside(path)
        for path in (*self.stale, *along):
            if path in self.earlier:
                path.unlink(missing_ok=True)

    def _set_aside(self, path: Path) -> None:
        """Give a file a second name, or move it where a disk has no hard links."""
        stage = self.stages.get(path.parent) or next(iter(self.stages.values()))
        kept = stage / _EARLIER / path.name
        self.earlier[path] = kept
        try:
            try:
                link(path, kept)
            except OSError:
                os.rename(path, kept)  # noqa: PTH104  (beside os.link and os.replace)
        except OSError as error:
            del self.earlier[path]
            raise irreplaceable(path, error) from error

    def _rename(self, source: Path, target: Path) -> None:
        self.renamed[target] = source
        if self.overwrite:
            os.replace(source, target)
            return
        try:
            _rename_new(source, target)
        except FileExistsError as error:
            raise OutputExistsError(
                f"output '{target}' {_APPEARED}",
                hint="choose another, or give --overwrite",
            ) from error

    def _undo(self) -> None:
        """Restore the files that were there.

        Raises:
            OutputError: If that fails, too. The earlier files are kept in a folder then.
        """
        try:
            for target, source in reversed(self.renamed.items()):
                if target not in self.earlier and _is_renamed(source, target):
                    target.unlink(missing_ok=True)
            for path, kept in self.earlier.items():
                if os.path.lexists(kept):
                    os.replace(kept, path)
        except OSError as error:
            kept_in = "', '".join(map(str, self._keep_earlier()))
            first = next(iter(self.stages))
            raise OutputError(
                f"writing to '{first}' failed half way ({error.strerror}), and the earlier "
                f"files are now in '{kept_in}'",
                hint="move them back by hand",
            ) from error

    def _keep_earlier(self) -> list[Path]:
        """Rename the temporary folders with earlier files, so that they are not removed."""
        found = []
        for stage in self.stages.values():
            if any((stage / _EARLIER).iterdir()):
                kept = stage.with_name(stage.name.removeprefix("."))
                os.rename(stage, kept)  # noqa: PTH104  (as above)
                found.append(kept / _EARLIER)
        return found


def sync(path: Path) -> None:
    """Wait until a file is on the disk: some errors appear only then.

    Args:
        path: The file.

    Raises:
        OSError: If the disk fails or is full.
    """
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _misplacing(written: Mapping[Path, Path], overwrite: bool) -> list[Path]:
    """World files that would georeference a new raster that has no geotransform.

    Raises:
        OutputExistsError: If there are some, and they may not be removed.
    """
    found = []
    for source, target in written.items():
        if target.suffix.lower() not in RASTERS or not (beside := world_files(target)):
            continue
        with quiet_gdal(), rasterio.open(source) as file:
            if not file.transform.is_identity:
                continue
        if not (overwrite and target.exists()):
            raise OutputExistsError(
                f"'{beside[0]}' is already there and would georeference '{target.name}', which has no "
                "geotransform",
                hint="move it away, or choose another output",
            )
        found += beside
    return found


def _is_renamed(source: Path, target: Path) -> bool:
    """Whether the file under the final name is the new one."""
    if not source.exists():
        return True
    return target.exists() and source.samefile(target)


def _rename_new(source: Path, target: Path) -> None:
    """Rename a file without replacing another.

    Raises:
        FileExistsError: If there is a file of that name.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # no hard links on this disk: create the name first
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, target)
        except OSError:
            target.unlink()
            raise


def _distinct(folders: Iterable[Path]) -> list[Path]:
    """Folders, each under one of its names: a process that locks one twice waits for itself.

    They are in the same order for every job, so that no two jobs wait for each other.
    """
    found = {}
    for folder in folders:
        status = folder.stat()
        found[status.st_dev, status.st_ino] = folder
    return [found[key] for key in sorted(found)]


@contextmanager
def _folder_lock(folder: Path) -> Iterator[None]:
    """Jobs on one machine rename their files into a folder one after the other."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:  # network drives without locks: records show mixed files
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.EBADF):
                raise
        yield
    finally:
        os.close(handle)


def _sync_folder(folder: Path) -> None:
    if sys.platform == "win32":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:  # some network drives cannot
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(handle)
