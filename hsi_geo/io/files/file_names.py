"""File names that GDAL or pyogrio would misread."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_geo.io.files.paths import exists

#: Pyogrio takes what follows "!" for a path in an archive.
_MISREAD = re.compile("[!;]")


@contextmanager
def openable(name: str) -> Iterator[str]:
    """A name by which GDAL opens a file and its side files.

    Args:
        name: Path of a file, or any other name, which is not changed.

    Yields:
        The same name; or the path of a link (or copy) in a temporary folder, if GDAL would misread it.

    Example:
        >>> with openable("no such file!.tif") as name:
        ...     name
        'no such file!.tif'
    """
    if not _MISREAD.search(name) or not exists(name) or not Path(name).is_file():
        yield name
        return
    path = Path(name)
    stem = _MISREAD.sub("_", path.stem)
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        for one in path.parent.iterdir():
            if one.name.startswith(f"{path.stem}.") and one.is_file():
                _link(one, Path(folder) / f"{stem}{one.name.removeprefix(path.stem)}")
        yield str(Path(folder) / f"{stem}{path.suffix}")


def _link(file: Path, target: Path) -> None:
    """Make a link to a file, or a copy where links are not allowed."""
    try:
        target.symlink_to(file.absolute())
    except OSError:
        shutil.copyfile(file, target)
