"""The files of a mask for many tiles: their path for workers, and a hash that changes with them."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.outputs.inputs import files_behind
from hsi_geo.io.scenes.mask_option import is_words
from hsi_geo.tasks.runtime import file_hash, text_hash

#: Endings of files beside a mask that say nothing of what is masked: styles, pyramids, statistics, spatial indices, locks,
#: and what a database keeps while it is open.
_NOT_READ = (
    ".qml", ".qmd", ".ovr", ".aux.xml", ".lock", ".sbn", ".sbx", ".qix", "-shm", "-journal",
)  # fmt: skip


def absolute_mask(option: str) -> str:
    """The option, with the path of a mask made absolute: workers run in other folders.

    Args:
        option: The option ``mask``, see `mask_option.with_mask`.
    """
    return str(Path(option).absolute()) if not is_words(option) and exists(option) else option


def mask_hash(option: str) -> str | None:
    """Hash of all files of a mask: a Shapefile, a geodatabase, a cube and its header, the sources of a virtual raster or layer.

    Args:
        option: The option ``mask``, see `mask_option.with_mask`.

    Returns:
        SHA-256; None for words, and for what is no file of this machine.
    """
    if is_words(option) or not (exists(option) or is_gdal_name(option)):
        return None
    found = sorted({path for path, _ in files_behind(option) if path.is_file()})
    read = [path for path in found if _says_what_is_masked(path, found)]
    if len(read) == 1:
        return file_hash(read[0])
    return (
        text_hash("\n".join(f"{path.name}\t{file_hash(path)}" for path in read)) if read else None
    )


def _says_what_is_masked(path: Path, files: Collection[Path]) -> bool:
    name = path.name.lower()
    # Programs describe a file in another one of its whole name, and leave the log of a database empty behind.
    is_description = name.endswith(".xml") and path.with_suffix("") in files
    return not name.endswith(_NOT_READ) and not is_description and path.stat().st_size > 0
