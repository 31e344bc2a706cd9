"""HDF5 files, netCDF-4 among them, whose values are in other files.

External storage makes any local file readable as pixels. External links and virtual datasets name other files, too.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.limits import NESTED_GROUPS, STORED_OBJECTS

if TYPE_CHECKING:
    import h5py

#: Signature of HDF5 files: at byte 0, or after a user block.
SIGNATURE = b"\x89HDF\r\n\x1a\n"

Errors = type[HsiGeoError]

#: What h5py raises for damaged files.
DAMAGED = (OSError, RuntimeError, KeyError, ValueError, TypeError, AttributeError, OverflowError)


def is_hdf5(path: Path) -> bool:
    """Whether a file has HDF5's signature: at byte 0, or after a user block of 512, 1024, 2048, ... bytes.

    Args:
        path: Path of a file.

    Raises:
        OSError: If the file cannot be read.
    """
    with path.open("rb") as file:
        size, offset = file.seek(0, 2), 0
        while offset < size:
            file.seek(offset)
            if file.read(len(SIGNATURE)) == SIGNATURE:
                return True
            offset = max(512, 2 * offset)
    return False


def open_shared[H](open_: Callable[..., H]) -> H:
    """Open a local HDF5 file for reading, whoever else has it open.

    HDF5 opens a file a second time in one process only with the same choice of locks. Others open with HDF5's own
    choice, which is tried first. Network drives may know no locks, and a program that writes the file keeps its
    lock: then it is opened without.

    Args:
        open_: Function that opens the file, with h5py's argument ``locking`` or without.

    Returns:
        What the function returns.

    Raises:
        OSError: If the file is damaged, or another program writes it.
    """
    try:
        return open_()
    except OSError as error:
        refused = error
    try:
        return open_(locking=False)
    except OSError as error:
        raise (refused if is_being_written(refused) else error) from None


def is_being_written(error: BaseException) -> bool:
    """Whether a file could not be opened because another program has it open for writing.

    Args:
        error: What HDF5 raised.
    """
    return isinstance(error, BlockingIOError) or "already open for write" in str(error)


#: What to do about a file that another program writes.
WRITTEN_HINT = "close it there, or wait until it is written"


def require_own_data(path: Path, what: str, wrong: Errors) -> None:
    """Refuse an HDF5 file that takes values from other files, or that has too many groups.

    Args:
        path: Path of the file. A damaged file passes, and so does a file of another format.
        what: What the file is meant to be, for messages ("scene").
        wrong: Exception class to raise.
    """
    try:
        if not is_hdf5(path):
            return
        import h5py

        with open_shared(partial(h5py.File, path, "r")) as file:
            require_own_values(file, f"{what} '{path}'", wrong)
    except HsiGeoError:
        raise
    except (ImportError, *DAMAGED):
        return  # the error is raised where the file is read


def require_own_values(file: h5py.File, called: str, wrong: Errors) -> None:
    """As `require_own_data`, for an open file.

    Args:
        file: The file.
        called: What the file is meant to be, and its name, for messages.
        wrong: Exception class to raise.
    """
    import h5py

    waiting: list[tuple[h5py.Group, int]] = [(file, 0)]
    seen, objects = {h5py.h5o.get_info(file.id).addr}, 0
    while waiting:
        group, depth = waiting.pop()
        for name in group:
            objects += 1
            if depth >= NESTED_GROUPS or objects > STORED_OBJECTS:
                raise wrong(
                    f"{called} holds groups nested {NESTED_GROUPS} deep, or more than "
                    f"{STORED_OBJECTS:,} objects",
                    hint="convert it to GeoTIFF, and give that",
                )
            link = group.get(name, getlink=True)
            if isinstance(link, h5py.ExternalLink):
                raise _external_values(f"{group.name}/{name}", link.filename, called, wrong)
            if isinstance(link, h5py.SoftLink):
                continue
            entry = group[name]
            if isinstance(entry, h5py.Dataset):
                _require_own_dataset(entry, called, wrong)
            elif isinstance(entry, h5py.Group):
                address = h5py.h5o.get_info(entry.id).addr
                if address not in seen:
                    seen.add(address)
                    waiting.append((entry, depth + 1))


def _require_own_dataset(dataset: h5py.Dataset, called: str, wrong: Errors) -> None:
    for file, *_ in dataset.external or ():
        raise _external_values(dataset.name, file, called, wrong)
    if dataset.is_virtual:
        for source in dataset.virtual_sources():
            if source.file_name != ".":
                raise _external_values(dataset.name, source.file_name, called, wrong)


def _external_values(dataset: str, file: str, called: str, wrong: Errors) -> HsiGeoError:
    return wrong(
        f"{called} takes '{dataset.lstrip('/')}' from another file, '{file}'",
        hint="give a file that holds its values itself",
    )
