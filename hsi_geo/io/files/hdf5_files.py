"""HDF5 files, netCDF-4 among them, whose values are in other files.

External storage makes any local file readable as pixels. External links and virtual datasets name other files, too.
"""

from __future__ import annotations

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

        with h5py.File(path, "r", locking=False) as file:  # read-only folders and network drives
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
