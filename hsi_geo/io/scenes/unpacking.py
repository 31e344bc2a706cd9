"""Scenes in compressed streams, unpacked for as long as a job needs them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import xarray as xr

from hsi_geo.errors import OutputError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.io.scenes.properties import name_of

#: Bytes that are copied at a time.
PIECE = 128 << 20


@contextmanager
def unpacked(
    scenes: list[xr.DataArray], tell: Callable[[str], None]
) -> Iterator[list[xr.DataArray]]:
    """The same scenes, those that cannot be read by windows from a temporary copy.

    Args:
        scenes: From `open_scene`; others are passed on.
        tell: Receives a message for each copy.

    Yields:
        The scenes, in their order. Copies go when the block is left.

    Raises:
        OutputError: If there is no room for a copy.
    """
    with ExitStack() as stack:
        found = []
        for scene in scenes:
            if scene.attrs.get("packed"):
                folder = stack.enter_context(scratch_folder())
                tell(
                    f"scene '{name_of(scene)}' is compressed as a whole: it is read through a "
                    f"temporary copy of {scene.nbytes / 2**20:.0f} MiB"
                )
                scene = _copied(scene, folder / "scene.raw")
            found.append(scene)
        yield found


def _reserve(path: Path, size: int) -> None:
    """Make a file that has its room on the disk: a mapped one would end the process for want of it.

    Raises:
        OSError: If there is none.
    """
    with path.open("wb") as file:
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(file.fileno(), 0, size)
        else:
            for start in range(0, size, PIECE):
                file.write(bytes(min(PIECE, size - start)))


def _copied(scene: xr.DataArray, path: Path) -> xr.DataArray:
    """A scene over a raw file; rows are read once, from first to last."""
    bands, height, width = scene.shape
    rows = max(1, PIECE // (bands * width * scene.dtype.itemsize))
    try:
        _reserve(path, scene.nbytes)
        values = np.memmap(path, scene.dtype, "r+", shape=scene.shape)
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
    copy.attrs.update(packed=False, block_px=(1, width))
    return copy
