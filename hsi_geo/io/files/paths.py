"""Where files are: on this machine, or somewhere that GDAL reaches by itself."""

from __future__ import annotations

import os
import re

#: "/vsizip/...", "https://...", and GDAL's names of subdatasets such as NETCDF:"a.nc":reflectance.
_GDAL_NAME = re.compile(r"/vsi|[A-Za-z][\w+.-]*://|[A-Z][A-Z0-9_]+:.", re.ASCII)


def exists(path: str | os.PathLike[str]) -> bool:
    """Whether there is something at a path; False also for what can be no path."""
    return os.path.exists(path)  # noqa: PTH110  (Path.exists raises for a name that is too long)


def is_gdal_name(name: str) -> bool:
    """Whether only GDAL can tell if there is something by that name."""
    return not exists(name) and _GDAL_NAME.match(name) is not None


def stamp(path: str | os.PathLike[str]) -> tuple[int, int]:
    """(mtime in ns, size): a file written anew must not be read through an old handle."""
    try:
        status = os.stat(path)  # noqa: PTH116  (as above)
    except (OSError, ValueError):
        return (0, 0)
    return status.st_mtime_ns, status.st_size
