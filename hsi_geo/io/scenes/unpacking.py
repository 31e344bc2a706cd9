"""Temporary copies of scenes that are compressed as a whole."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_geo.errors import OutputError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.scenes.lazy import files_with_values
from hsi_geo.io.scenes.properties import name_of

#: Number of bytes that are copied at a time.
CHUNK_BYTES = 128 << 20


@contextmanager
def unpacked(
    scenes: list[xr.DataArray], log: Callable[[str], None]
) -> Iterator[list[xr.DataArray]]:
    """Copy scenes that cannot be read by windows to temporary files.

    Args:
        scenes: Arrays from `open_scene`. Those that can be read by windows, or are in memory, are passed on.
        log: Called with a message for each copy.

    Yields:
        The scenes in the same order. The copies are removed when the block ends.

    Raises:
        OutputError: If the disk has no room for a copy.
    """
    with ExitStack() as stack:
        readable = []
        for scene in scenes:
            if scene.attrs.get("packed") and not _is_in_memory(scene):
                folder = stack.enter_context(scratch_folder())
                log(
                    f"scene '{name_of(scene)}' is compressed as a whole: it is read through a "
                    f"temporary copy of {scene.nbytes / 2**20:.0f} MiB"
                )
                scene = _copied(scene, folder / "scene.raw")
            readable.append(scene)
        yield readable


def _reserve(path: Path, size: int) -> None:
    """Allocate a file on the disk; a full disk would end the process while a mapped file is written.

    Raises:
        OSError: If the disk has no room for it.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            for start in range(0, size, CHUNK_BYTES):
                file.write(bytes(min(CHUNK_BYTES, size - start)))


def _is_in_memory(scene: xr.DataArray) -> bool:
    """Whether a scene was read, or its values were computed."""
    return files_with_values(scene) is None and scene.chunks is None


def _is_whole(scene: xr.DataArray) -> bool:
    """Whether a scene is as it was opened: the values of the file, all bands in their order, all pixels."""
    if files_with_values(scene) is None:
        return False
    bands = np.arange(1, scene.shape[0] + 1)
    same = scene.attrs.get("opened_shape") == scene.shape
    return same and np.array_equal(scene["band"].values, bands)


def _copied(scene: xr.DataArray, path: Path) -> xr.DataArray:
    """Copy a scene to a raw file, the rows of its own file read once from first to last."""
    bands, height, width = scene.shape
    rows = max(1, CHUNK_BYTES // (bands * width * scene.dtype.itemsize))
    try:
        _reserve(path, scene.nbytes)
        values = np.memmap(path, scene.dtype, "r+", shape=scene.shape)
        unpacks = scene.attrs.get("unpacks")
        if unpacks is not None and _is_whole(scene):
            unpacks.unpack(values)
        else:
            for row in range(0, height, rows):
                values[:, row : row + rows] = scene[:, row : row + rows].values
        values.flush()
    except OSError as error:
        raise OutputError(
            f"there is no room for a temporary copy of scene '{name_of(scene)}' in "
            f"'{path.parent.parent}' ({error.strerror})",
            hint="set TMPDIR to a folder with more free space, or unpack the scene beforehand",
        ) from error
    copy = scene.copy(data=values)
    if files_with_values(scene) is not None:
        copy.encoding["opened"] = dataclasses.replace(scene.encoding["opened"], is_copied=True)
    copy.attrs.update(packed=False, block_px=(1, width))
    for key in ("unpacks", "opened_shape"):
        copy.attrs.pop(key, None)
    return copy
