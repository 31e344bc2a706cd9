"""All outputs of a job appear together and whole, or not at all."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import rasterio

from hsi_geo.errors import OptionError, OutputError, OutputExistsError
from hsi_geo.io.files import scratch
from hsi_geo.io.files.scratch import remove_leftovers
from hsi_geo.io.outputs.inputs import Name, refuse_input_overwrite
from hsi_geo.io.outputs.side_files import RASTERS, beside_output, world_files
from hsi_geo.io.readers.raster import quiet_gdal

__all__ = [
    "atomic_outputs",
    "make_folder",
    "refuse_input_overwrite",
    "remove_leftovers",
    "require_free",
    "sync",
]

#: Folder among the temporary files that holds what is replaced until all is done.
_EARLIER = "earlier"

#: Of a file that was not there at the beginning.
_APPEARED = "has appeared while this ran, and stays as it is"


@contextmanager
def atomic_outputs(
    finals: Iterable[Path],
    *,
    overwrite: bool,
    inputs: Iterable[Name] = (),
    stale: Iterable[Path] = (),
    name: str = "",
) -> Iterator[dict[Path, Path]]:
    """Write files under temporary names and rename them when all of them are whole.

    The temporary names lie in a hidden folder beside the final ones, so that renaming never
    copies; the folder goes whatever happens inside the block, and what killed jobs left beside it
    goes first. Files that the block does not write are not expected.

    Renaming follows the order of ``finals``. Either all files get their names, or none does and
    what was there is there again. Without ``overwrite`` nothing is replaced at the end either,
    whatever appeared meanwhile: of several jobs that write the same files one takes the first name, and
    the others fail.

    What others read as part of a file, such as pyramids of an earlier map, goes with the file that
    is replaced; without ``overwrite`` it is refused.

    Args:
        finals: Paths to write, all in one folder; none is fine.
        overwrite: Replace files that are there.
        inputs: What the job reads; see `refuse_input_overwrite`.
        stale: Files that go when the new ones come, if ``overwrite``; inputs among them stay.
        name: Of the job, so that `sweep` finds what it leaves behind wherever it is killed.

    Yields:
        Temporary path for each final path, with the same file name.

    Raises:
        OptionError: If a file would replace what it is made from, or two have one name.
        OutputExistsError: If a final path exists and ``overwrite`` is False.
        OutputError: If the folder is missing or cannot be written to, or the disk is full, or a file
            cannot be replaced.
    """
    targets = [Path(final) for final in finals]
    if not targets:
        yield {}
        return
    folder, inputs = targets[0].parent, list(inputs)
    _require_names(targets, folder)
    leaving = _free_to_leave(stale, inputs) if overwrite else []
    refuse_input_overwrite([*targets, *_read_along(targets)], inputs)
    if not overwrite:
        require_free(targets)
    stage = _make_stage(folder, name)
    try:
        _require_replaceable(targets, stage)
        yield {target: stage / target.name for target in targets}
        written = {stage / target.name: target for target in targets}
        written = {source: target for source, target in written.items() if source.exists()}
        _Change(stage, written, leaving, overwrite).make()
    except OSError as error:
        if isinstance(error, OutputError) or error.errno is None:
            raise
        raise failed(folder, error) from error
    finally:
        scratch.remove(stage)


def failed(folder: Path, error: OSError) -> OutputError:
    """The sentence for what the system says while files are written."""
    hint = "check the disk and that its folder can be written to"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        hint = "check the disk's free space"
    elif error.errno == errno.EFBIG:
        hint = "check how large files may be on this disk and for you (ulimit -f)"
    return OutputError(f"writing to '{folder}' failed ({error.strerror})", hint=hint)


def make_folder(folder: Path) -> bool:
    """Make a folder for outputs if it is not there.

    Returns:
        Whether it was made.

    Raises:
        OutputError: If it cannot be.
    """
    if folder.is_dir():
        return False
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"folder '{folder}' cannot be made ({error.strerror})", hint="choose another folder"
        ) from error
    return True


# Before anything is written ------------------------------------------------------------------


def _require_names(targets: Sequence[Path], folder: Path) -> None:
    if not folder.is_dir():
        raise OutputError(
            f"output folder '{folder}' does not exist", hint="create it or choose another"
        )
    taken = set()
    for target in targets:
        if target.is_dir():
            raise OutputError(f"output '{target}' is a folder", hint="give the path of a file")
        name = os.path.normcase(target)
        if name in taken:
            raise OptionError(
                f"two files would be written as '{target}'", hint="choose another name with -o"
            )
        taken.add(name)


def require_free(targets: Sequence[Path], found: str = "is already there") -> None:
    """Refuse to write over what is there.

    Raises:
        OutputExistsError: If there is a file of one of the names, or one that would be read with it.
    """
    for target in targets:
        if os.path.lexists(target):
            raise OutputExistsError(
                f"output '{target}' {found}", hint="choose another, or give --overwrite"
            )
    for path in _read_along(targets):
        raise OutputExistsError(
            f"'{path}' {found} and would be read as part of the output",
            hint="move it away, choose another output, or give --overwrite",
        )


def _read_along(targets: Sequence[Path]) -> list[Path]:
    """Files of others that would be read as part of an output."""
    found = dict.fromkeys(path for target in targets for path in beside_output(target))
    return [path for path in found if path not in targets]


def _free_to_leave(stale: Iterable[Path], inputs: Sequence[Name]) -> list[Path]:
    """What may be removed: an input stays, whoever wrote it."""
    found = []
    for path in stale:
        try:
            refuse_input_overwrite([path], inputs)
        except OptionError:
            continue
        found.append(path)
    return found


def _make_stage(folder: Path, name: str) -> Path:
    scratch.sweep_dead(folder)
    try:
        return scratch.make(folder, name)
    except OSError as error:
        raise OutputError(
            f"output folder '{folder}' cannot be written to ({error.strerror})",
            hint="choose another folder with -o",
        ) from error


def _require_replaceable(targets: Sequence[Path], stage: Path) -> None:
    """Refuse now what could not be replaced at the end; what only the end shows is undone there.

    A file that cannot be changed (`chattr +i`) cannot get a second name either, where others can.
    """
    there = [target for target in targets if target.is_file()]
    if not there or not _takes_links(stage):
        return
    for target in there:
        probe = stage / "probe"
        try:
            _link(target, probe)
        except PermissionError as error:
            if os.geteuid() in (0, target.stat().st_uid):
                raise _irreplaceable(target, error) from error
        except OSError:
            continue  # as many names as a file can have
        else:
            probe.unlink()


def _takes_links(stage: Path) -> bool:
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


def _irreplaceable(target: Path, error: OSError) -> OutputError:
    return OutputError(
        f"output '{target}' cannot be replaced ({error.strerror})",
        hint="make it writable, or choose another with -o",
    )


# At the end ----------------------------------------------------------------------------------


class _Change:
    """All renames, or none.

    Args:
        stage: Holds the new files, and what they replace until all is done.
        written: Temporary path to final path, in the order of renaming.
        leaving: To be removed.
        overwrite: Whether files may be replaced and removed.
    """

    def __init__(
        self, stage: Path, written: Mapping[Path, Path], leaving: Sequence[Path], overwrite: bool
    ) -> None:
        self.stage = stage
        self.written = written
        self.leaving = leaving
        self.overwrite = overwrite
        self.placed: dict[Path, Path] = {}
        self.earlier: dict[Path, Path] = {}

    def make(self) -> None:
        """Rename.

        Raises:
            OutputExistsError: If something has appeared under a name, and may not be replaced.
            OutputError: If a file cannot be replaced.
            OSError: If the disk fails.
        """
        if not self.written:
            return
        for source in self.written:
            sync(source)
        with _one_at_a_time(self.stage.parent):
            try:
                self._clear_the_way()
                for source, target in self.written.items():
                    self._place(source, target)
                _sync_folder(self.stage.parent)
            except BaseException:
                self._undo()
                raise

    def _clear_the_way(self) -> None:
        """Set aside what is replaced or goes: whatever cannot be is told before anything changes."""
        targets = list(self.written.values())
        along = [*_read_along(targets), *_misplacing(self.written, self.overwrite)]
        if not self.overwrite:
            require_free(targets, _APPEARED)
            return
        (self.stage / _EARLIER).mkdir()
        for path in dict.fromkeys([*targets, *self.leaving, *along]):
            if os.path.lexists(path):
                self._set_aside(path)
        for path in (*self.leaving, *along):
            if path in self.earlier:
                path.unlink(missing_ok=True)

    def _set_aside(self, path: Path) -> None:
        """Give a file a second name; where files have but one, this one instead of its own."""
        kept = self.stage / _EARLIER / path.name
        self.earlier[path] = kept
        try:
            try:
                _link(path, kept)
            except OSError:
                os.rename(path, kept)  # noqa: PTH104  (beside os.link and os.replace)
        except OSError as error:
            del self.earlier[path]
            raise _irreplaceable(path, error) from error

    def _place(self, source: Path, target: Path) -> None:
        self.placed[target] = source
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
        """Put everything back.

        Raises:
            OutputError: If that fails, too; the earlier files are kept then.
        """
        try:
            for target, source in reversed(self.placed.items()):
                if target not in self.earlier and _is_renamed(source, target):
                    target.unlink(missing_ok=True)
            for path, kept in self.earlier.items():
                if os.path.lexists(kept):
                    os.replace(kept, path)
        except OSError as error:
            kept_in = self._keep_earlier()
            raise OutputError(
                f"writing to '{self.stage.parent}' failed half way ({error.strerror}), and what was "
                f"there is now in '{kept_in}'",
                hint="move it back by hand",
            ) from error

    def _keep_earlier(self) -> Path:
        """Out of the folder that is about to go."""
        kept = self.stage.with_name(self.stage.name.removeprefix("."))
        os.rename(self.stage, kept)  # noqa: PTH104  (as above)
        return kept / _EARLIER


def _misplacing(written: Mapping[Path, Path], overwrite: bool) -> list[Path]:
    """World files that would place a raster which says nothing of its place.

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
                f"'{beside[0]}' is already there and would place '{target.name}', which has no "
                "place of its own",
                hint="move it away, or choose another output",
            )
        found += beside
    return found


def _link(path: Path, other: Path) -> None:
    """A second name for a file, or for a link itself."""
    as_it_is = {"follow_symlinks": False} if os.link in os.supports_follow_symlinks else {}
    os.link(path, other, **as_it_is)


def _is_renamed(source: Path, target: Path) -> bool:
    """Whether the file under the final name is ours."""
    if not source.exists():
        return True
    return target.exists() and source.samefile(target)


def _rename_new(source: Path, target: Path) -> None:
    """Rename a file, but replace none.

    Raises:
        FileExistsError: If there is one of that name.
    """
    try:
        os.link(source, target)
    except FileExistsError:
        raise
    except OSError:  # files have but one name here: take it first
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        try:
            os.replace(source, target)
        except OSError:
            target.unlink()
            raise


@contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Jobs on one machine rename their files into a folder one after the other, unmixed."""
    if sys.platform == "win32":
        yield
        return
    import fcntl

    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError as error:  # some network drives know no locks: records tell mixed files
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL, errno.EBADF):
                raise
        yield
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Wait until a file is on the disk: some errors are only told then."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


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
