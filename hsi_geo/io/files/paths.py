"""Paths of files, and other names that GDAL opens."""

from __future__ import annotations

import os
import re
from pathlib import Path

#: "/vsizip/...", "https://...", and GDAL's names of subdatasets such as NETCDF:"a.nc":reflectance.
_GDAL_NAME = re.compile(r"/vsi|[A-Za-z][\w+.-]*://|[A-Z][A-Z0-9_]+:.", re.ASCII)

#: What follows the last point of names without an ending: the number of a version, or of a day.
_NUMBERED = re.compile(r"\.v?\d+", re.IGNORECASE)


def stem_of(path: str | os.PathLike[str]) -> str:
    """The name of a file without its ending. The last number of a date or a version is no ending.

    Args:
        path: Path of a file.

    Example:
        >>> stem_of("a/scene.v2.bsq"), stem_of("a/scene.v2"), stem_of("L2A_2019.05.01")
        ('scene.v2', 'scene.v2', 'L2A_2019.05.01')
    """
    file = Path(path)
    return file.name if _NUMBERED.fullmatch(file.suffix) else file.stem


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether something exists at a path; False for names that cannot be paths.

    Example:
        >>> exists("no such file"), exists("x" * 10_000)
        (False, False)
    """
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises for names that are too long)


def real_path(path: str | os.PathLike[str]) -> str:
    r"""The path that all names of a file have in common: absolute, without links and "..".

    A link to itself, and a name that cannot be a path, are returned as they are.

    Example:
        >>> real_path("/a/b/../c.tif"), real_path("c\0.tif")
        ('/a/c.tif', 'c\x00.tif')
    """
    try:
        return os.path.realpath(path)
    except (OSError, ValueError):
        return os.fspath(path)


def is_gdal_name(name: str) -> bool:
    """Whether a name is no path of a file, but may be one of GDAL's names.

    Example:
        >>> is_gdal_name("/vsicurl/https://example.org/a.tif"), is_gdal_name("a.tif")
        (True, False)
    """
    return not exists(name) and _GDAL_NAME.match(name) is not None


def stamp(path: str | os.PathLike[str]) -> tuple[int, int]:
    """State of a file, so that a file that was written again is opened again.

    Args:
        path: Path of the file.

    Returns:
        (modification time in ns, size in bytes); (0, 0) if there is no such file.
    """
    try:
        status = os.stat(path)  # noqa: PTH116  (as above)
    except (OSError, ValueError):
        return (0, 0)
    return status.st_mtime_ns, status.st_size
