"""Limits on the size of input files, checked before a file is read.

Each limit is far above what any mission's product holds, and far below what would block a machine.
"""

from __future__ import annotations

import os
from typing import IO

from hsi_geo.errors import HsiGeoError

Errors = type[HsiGeoError]

#: Largest text that is read as a whole, in bytes. EnMAP's METADATA.XML has half a million.
TEXT_BYTES = 64 << 20

#: Largest text that names other files, in bytes: the size of a VRT of 100,000 files with 400 bands.
NAMES_BYTES = 256 << 20

#: Largest number of files in an archive or in a product's folder.
ARCHIVE_FILES = 200_000

#: Deepest nesting of groups, and largest number of objects, in an HDF5 file or a Zarr store.
NESTED_GROUPS = 32
STORED_OBJECTS = 20_000


def require_short_text(size: int, what: str, wrong: Errors, most: int = TEXT_BYTES) -> None:
    """Refuse a text that is too large, before it is read or unpacked.

    Args:
        size: Size of the text in bytes.
        what: Description and name of the file, for messages ("class file 'a.json'").
        wrong: Exception class to raise.
        most: The largest size in bytes.

    Example:
        >>> text = "class file 'a.json'"
        >>> require_short_text(2 << 20, text, HsiGeoError, most=1 << 20)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        hsi_geo.errors.HsiGeoError: class file 'a.json' is a text of 2 MiB, ...
    """
    if size > most:
        raise wrong(
            f"{what} is a text of {size / 2**20:,.0f} MiB, and none of more than "
            f"{most >> 20} MiB is read",
            hint="check that it is the file that is meant",
        )


def require_short_file(
    path: str | os.PathLike[str], what: str, wrong: Errors, most: int = TEXT_BYTES
) -> None:
    """Refuse a file that is too large to be read as a whole; a missing file passes.

    Args:
        path: Path of the file.
        what: What the file is meant to be, for messages ("class file").
        wrong: Exception class to raise.
        most: The largest size in bytes.
    """
    try:
        size = os.stat(path).st_size  # noqa: PTH116  (Path raises for names that are no paths)
    except (OSError, ValueError):
        return  # the error is raised where the file is opened
    require_short_text(size, f"{what} '{os.fspath(path)}'", wrong, most)


def read_short(file: IO[bytes], what: str, wrong: Errors) -> bytes:
    """Read a whole stream, but no more than `TEXT_BYTES`.

    Args:
        file: The stream. An archive may state a wrong size for it.
        what: Description and name of the file, for messages.
        wrong: Exception class to raise if the stream is longer.
    """
    content = file.read(TEXT_BYTES + 1)
    require_short_text(len(content), what, wrong)
    return content
