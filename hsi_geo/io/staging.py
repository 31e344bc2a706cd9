"""All outputs of a job appear together and whole, or not at all."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_geo.errors import OptionError, OutputError, OutputExistsError

#: That `tempfile` puts at the end of a name.
RANDOM_LETTERS = 8


@contextmanager
def staged(
    finals: Iterable[Path], *, overwrite: bool, name: str = ""
) -> Iterator[dict[Path, Path]]:
    """Write files under temporary names and rename them when all of them are whole.

    The temporary names lie in a hidden folder beside the final ones, so that renaming never
    copies; the folder goes whatever happens inside the block. Files that the block does not
    write are not expected. Renaming follows the order of ``finals``: put the file that others
    wait for last.

    Args:
        finals: Paths to write, all in one folder; none is fine.
        overwrite: Replace files that are there.
        name: Of the job, so that `sweep` finds what it leaves behind when it is killed.

    Yields:
        Temporary path for each final path, with the same file name.

    Raises:
        OutputExistsError: If a final path exists and ``overwrite`` is False.
        OutputError: If the folder is missing or cannot be written to, or the disk is full.
    """
    targets = [Path(final) for final in finals]
    if not targets:
        yield {}
        return
    folder = targets[0].parent
    if not folder.is_dir():
        raise OutputError(
            f"output folder '{folder}' does not exist", hint="create it or choose another"
        )
    for target in targets:
        if target.is_dir():
            raise OutputError(f"output '{target}' is a folder", hint="give the path of a file")
        if target.exists() and not overwrite:
            raise OutputExistsError(
                f"output '{target}' is already there", hint="choose another, or give --overwrite"
            )
    try:
        stage = Path(tempfile.mkdtemp(prefix=_prefix(name), dir=folder))
    except OSError as error:
        raise OutputError(
            f"output folder '{folder}' cannot be written to ({error.strerror})",
            hint="choose another folder with -o",
        ) from error
    try:
        yield {target: stage / target.name for target in targets}
        for target in targets:
            written = stage / target.name
            if written.exists():
                os.replace(written, target)
    except OSError as error:
        if isinstance(error, OutputError) or error.errno is None:
            raise
        raise OutputError(
            f"writing to '{folder}' failed ({error.strerror})", hint="check the disk's free space"
        ) from error
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def keep_apart(finals: Iterable[Path], inputs: Iterable[str | os.PathLike[str]]) -> None:
    """No output may replace what it is made from, whatever --overwrite says.

    Raises:
        OptionError: If one would.
    """
    read = {Path(path).resolve() for path in inputs}
    for final in finals:
        if final.resolve() in read:
            raise OptionError(
                f"output '{final}' would replace what it is made from",
                hint="choose another with -o",
            )


def sweep(folder: Path, names: Iterable[str]) -> None:
    """Remove what killed jobs of these names left in a folder; whoever still writes there fails."""
    left: dict[str, list[Path]] = {}
    for path in folder.glob(".hsi-geo-*"):
        left.setdefault(path.name[:-RANDOM_LETTERS], []).append(path)
    for name in names:
        for path in left.get(_prefix(name), []):
            shutil.rmtree(path, ignore_errors=True)


def _prefix(name: str) -> str:
    return f".hsi-geo-{name}-" if name else ".hsi-geo-"


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
