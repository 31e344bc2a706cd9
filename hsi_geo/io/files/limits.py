"""How much of a file is looked at before anybody trusts it: all bounds on what comes from outside.

Each is far above what any product of a mission holds, and far below what would occupy a machine.
"""

from __future__ import annotations

import os
from typing import IO

from hsi_geo.errors import HsiGeoError

Errors = type[HsiGeoError]

#: Bytes of a text that is read as a whole: METADATA.XML of EnMAP has half a million.
TEXT_BYTES = 64 << 20

#: The same of a text that names files: a VRT of 100,000 files in 400 bands is as large.
NAMES_BYTES = 256 << 20

#: Files in an archive, and in it or in a folder those of a product.
ARCHIVE_FILES = 200_000

#: Groups in groups of an HDF5 file or a Zarr store, and all that is in them together.
NESTED_GROUPS = 32
STORED_OBJECTS = 20_000


def require_short_text(size: int, what: str, wrong: Errors, most: int = TEXT_BYTES) -> None:
    """Refuse a text before it is read, or unpacked.

    Args:
        size: Its bytes.
        what: For messages: "class file 'a.json'".
        wrong: Raised.
        most: Bytes that it may have.
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
    """As `require_short_text`, of a file that may be missing."""
    try:
        size = os.stat(path).st_size  # noqa: PTH116  (Path would raise for names that are none)
    except (OSError, ValueError):
        return  # told where it is opened
    require_short_text(size, f"{what} '{os.fspath(path)}'", wrong, most)


def read_short(file: IO[bytes], what: str, wrong: Errors) -> bytes:
    """All of a stream, whatever size it states."""
    content = file.read(TEXT_BYTES + 1)
    require_short_text(len(content), what, wrong)
    return content
