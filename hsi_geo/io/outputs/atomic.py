"""All outputs of a job appear together and whole, or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from pathlib import Path

from hsi_geo.errors import SHORTER_NAME, OutputError
from hsi_geo.interrupts import finished_first, note_outputs, uninterrupted
from hsi_geo.io.files import scratch
from hsi_geo.io.outputs.checks import (
    read_along,
    require_free,
    require_replaceable,
    require_usable_names,
    without_inputs,
)
from hsi_geo.io.outputs.inputs import Name, refuse_input_overwrite
from hsi_geo.io.outputs.replacement import Replacement

#: See `before_renaming`.
_BEFORE_RENAMING: ContextVar[Callable[[Sequence[Path]], None] | None] = ContextVar(
    "before_renaming", default=None
)


@contextmanager
def before_renaming(call: Callable[[Sequence[Path]], None]) -> Iterator[None]:
    """Call a function inside a ``with`` block when outputs are complete, before they get their names.

    A job that can be cancelled ends here, or not at all: it raises an error, or is no longer cancelled. Outputs in the
    temporary folder of another job do not count.

    Args:
        call: The function; it is given the final paths. What it raises ends the job, and nothing is written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder, before_renaming(lambda files: print(files[0].name)):
    ...     final = Path(folder) / "numbers.txt"
    ...     with atomic_outputs([final], overwrite=False) as temporary:
    ...         _ = temporary[final].write_text("1 2 3")
    numbers.txt
    """
    token = _BEFORE_RENAMING.set(call)
    try:
        yield
    finally:
        _BEFORE_RENAMING.reset(token)


@contextmanager
@finished_first
def atomic_outputs(
    finals: Iterable[Path],
    *,
    overwrite: bool,
    inputs: Iterable[Name] = (),
    stale: Iterable[Path] = (),
    name: str = "",
) -> Iterator[dict[Path, Path]]:
    """Write files under temporary names and rename them when all of them are whole.

    The temporary names lie in a hidden folder beside the final ones, in each folder of these, so that a rename never
    copies. The folder is removed at the end, whatever happens inside the block. Folders that killed jobs left beside
    it are removed first. Files that the block does not write are not expected.

    Files are renamed in the order of ``finals``. Either all files get their names, or none does and
    the earlier files are restored. Without ``overwrite`` nothing is replaced at the end either: of
    several jobs that write the same files one succeeds, and the others fail. Ctrl-C waits from the first
    rename until the folder is removed.

    Files that other programs read as part of an output, such as pyramids of an earlier map, are removed
    with the file that is replaced or removed. Without ``overwrite`` they are an error.

    Args:
        finals: Paths to write. None is fine.
        overwrite: Whether files that exist are replaced.
        inputs: What the job reads; see `refuse_input_overwrite`.
        stale: Files to remove when the new ones appear, if ``overwrite``. Inputs among them stay.
        name: Name of the job, by which `remove_leftovers` finds its folder after a kill.

    Yields:
        Temporary path of each final path, with the same file name.

    Raises:
        OptionError: If a file would replace an input of the job, or two have one name.
        OutputExistsError: If a final path exists and ``overwrite`` is False.
        OutputError: If the folder is missing or cannot be written to, or the disk is full, or a file
            cannot be replaced.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     final = Path(folder) / "numbers.txt"
    ...     with atomic_outputs([final], overwrite=False) as temporary:
    ...         _ = temporary[final].write_text("1 2 3")
    ...         before = final.exists()
    ...     print(before, final.read_text())
    False 1 2 3
    """
    targets = [Path(final) for final in finals]
    if not targets:
        yield {}
        return
    folder, inputs = targets[0].parent, list(inputs)
    require_usable_names(targets)
    stale = [path for path in stale if path not in targets]
    gone = [*stale, *(path for path in read_along(stale) if path not in targets)]
    removable = without_inputs(gone, inputs) if overwrite else []
    refuse_input_overwrite([*targets, *read_along(targets)], inputs)
    if not overwrite:
        require_free(targets)
    stages: dict[Path, Path] = {}
    with ExitStack() as waiting:  # an interrupt waits until all is done
        try:
            for one in dict.fromkeys(
                target.parent for target in targets
            ):  # they may be on several disks
                stages[one] = _make_stage(one, name)
                require_replaceable([t for t in targets if t.parent == one], stages[one])
            where = {target: stages[target.parent] / target.name for target in targets}
            yield dict(where)
            written = {source: target for target, source in where.items() if source.exists()}
            before = _BEFORE_RENAMING.get()
            if before is not None and not scratch.is_temporary(folder):
                before(targets)
            Replacement(stages, written, removable, overwrite).apply(waiting)
            if not scratch.is_temporary(folder):
                note_outputs(written.values())
        except OSError as error:
            if isinstance(error, OutputError) or error.errno is None:
                raise
            raise _write_error(folder, error) from error
        finally:
            with uninterrupted():
                for stage in stages.values():
                    scratch.remove(stage)


#: Endings of files that are given where a folder is wanted: a job of one scene writes a file, one of several a folder.
_FILE_ENDINGS = (
    ".tif",
    ".tiff",
    ".gpkg",
    ".fgb",
    ".parquet",
    ".vrt",
    ".json",
    ".png",
    ".safetensors",
)


def make_folder(folder: Path) -> bool:
    """Make a folder for outputs if it does not exist.

    Args:
        folder: Path of the folder.

    Returns:
        Whether it was made.

    Raises:
        OutputError: If it cannot be made, or ends as a file does.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     [make_folder(Path(parent) / "maps") for _ in range(2)]
    [True, False]
    """
    if folder.is_dir():
        return False
    if folder.suffix.lower() in _FILE_ENDINGS:
        raise OutputError(
            f"folder '{folder}' would have the name of a file ({folder.suffix})",
            hint="give a folder: several files are written there",
        )
    try:
        folder.mkdir(parents=True)
    except OSError as error:
        raise OutputError(
            f"folder '{folder}' cannot be made ({error.strerror})", hint="choose another folder"
        ) from error
    return True


def require_cache_folder(folder: Path) -> None:
    """Make a folder for files that later jobs may use, or check that it can be written to.

    Args:
        folder: Path of the folder.

    Raises:
        OutputError: If it cannot be made, is no folder, or cannot be written to.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as parent:
    ...     require_cache_folder(Path(parent) / "cache")
    """
    make_folder(folder)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OutputError(
            f"folder '{folder}' cannot be written to", hint="choose another folder for the cache"
        )


def _write_error(folder: Path, error: OSError) -> OutputError:
    """The error for what the operating system reports while files are written."""
    hint = "check the disk and that its folder can be written to"
    if error.errno in (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)):
        hint = "check the disk's free space"
    elif error.errno == errno.EFBIG:
        hint = "check how large files may be on this disk and for you (ulimit -f)"
    elif error.errno == errno.ENAMETOOLONG:
        hint = SHORTER_NAME
    return OutputError(f"writing to '{folder}' failed ({error.strerror})", hint=hint)


def _make_stage(folder: Path, name: str) -> Path:
    scratch.remove_abandoned(folder)
    try:
        return scratch.make(folder, name)
    except OSError as error:
        raise OutputError(
            f"output folder '{folder}' cannot be written to ({error.strerror})",
            hint="choose another folder with -o",
        ) from error
