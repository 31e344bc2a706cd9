"""Files whose names the libraries below would misunderstand."""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hsi_geo.io.files.paths import exists

#: Pyogrio takes what follows "!" for a place in an archive.
_NOT_TAKEN = re.compile("[!;]")


@contextmanager
def openable(name: str) -> Iterator[str]:
    """A name under which GDAL opens a file, with those that belong to it.

    Args:
        name: Of a file, or of anything else, which is left as it is.

    Yields:
        The same name, or one in a folder that is there for a while.
    """
    if not _NOT_TAKEN.search(name) or not exists(name) or not Path(name).is_file():
        yield name
        return
    path = Path(name)
    stem = _NOT_TAKEN.sub("_", path.stem)
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        for one in path.parent.iterdir():
            if one.name.startswith(f"{path.stem}.") and one.is_file():
                _show(one, Path(folder) / f"{stem}{one.name.removeprefix(path.stem)}")
        yield str(Path(folder) / f"{stem}{path.suffix}")


def _show(file: Path, where: Path) -> None:
    """By a link, or a copy where there are none."""
    try:
        where.symlink_to(file.absolute())
    except OSError:
        shutil.copyfile(file, where)
