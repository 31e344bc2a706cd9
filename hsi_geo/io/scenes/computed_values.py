"""Arrays that were computed from a scene, and the values to compute with."""

from __future__ import annotations

from collections import Counter

import numpy as np
import xarray as xr

from hsi_geo.arrays import Float32Array
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, by_band, without
from hsi_geo.io.scenes.lazy import Opened, files_with_values
from hsi_geo.io.scenes.windows import data_mask, stored_nodata

#: Bytes of stored values that are scaled at a time.
_PART_BYTES = 64 << 20

#: Attributes of a file's pixels that say nothing of values in memory.
_OF_FILES = ("packed", "unpacks", "opened_shape", "block_px")


def physical(scene: xr.DataArray) -> xr.DataArray:
    """The physical values of a scene in memory, to compute with.

    Args:
        scene: (band, y, x) array.

    Returns:
        (band, y, x) float32 array of scaled values with NaN for missing ones; see `read_window` for which are missing.
        It declares no nodata value, scale or offset.
    """
    values: Float32Array = np.empty(scene.shape, np.float32)
    scale, offset = by_band(scene, SCALE, 1.0), by_band(scene, OFFSET, 0.0)
    nodata = stored_nodata(scene)
    rows = max(1, _PART_BYTES // max(1, scene[:, :1].nbytes))
    for row in range(0, scene.shape[1], rows):
        stored = scene[:, row : row + rows].values
        present = data_mask(stored, nodata)
        with np.errstate(all="ignore"):  # what is missing may be NaN or too large
            scaled = stored * scale[:, None, None] + offset[:, None, None]
            values[:, row : row + rows] = np.where(present, scaled, np.nan)
    made = without(scene.copy(data=values), SCALE, OFFSET, NODATA)
    made.encoding.pop("opened", None)
    for key in _OF_FILES:
        made.attrs.pop(key, None)
    return made


def warn_of_declared(scene: xr.DataArray) -> tuple[str, ...]:
    """Say what is still declared of values that were computed from those of a file.

    xarray keeps attributes in arithmetic, also those that hold for stored values only. Whether a computation changed the
    scale cannot be told: ``where`` and ``astype`` do not.

    Args:
        scene: (band, y, x) array.

    Returns:
        One sentence, or none: if the array is not from `open_scene`, or its values may be stored ones, or nothing is
        declared.
    """
    if "driver" not in scene.attrs or files_with_values(scene) is not None or _may_be_stored(scene):
        return ()
    usual = {NODATA: np.nan, SCALE: 1.0, OFFSET: 0.0}
    titles = {NODATA: "nodata value", SCALE: "scale", OFFSET: "offset"}
    found = []
    for name, title in titles.items():
        numbers = np.unique(by_band(scene, name, usual[name]))
        if len(numbers) > 1:
            found.append(f"{title} by band")
        elif not np.array_equal(numbers, [usual[name]], equal_nan=True):
            found.append(f"{title} {numbers[0]:g}")
    if not found:
        return ()
    warning = (
        f"its values were computed or replaced, and these of the file still apply to them: {', '.join(found)}; if they "
        "should not, compute with scene.hsi.physical(), or drop what declares them"
    )
    return (warning,)


def _may_be_stored(scene: xr.DataArray) -> bool:
    """Whether values in memory may be those of the file, or others in their place: of its type, and on its grid."""
    opened: Opened | None = scene.encoding.get("opened")
    if opened is None or scene.dtype != opened.dtype or not _has_its_bands(scene, opened):
        return False
    left, bottom, right, top = opened.grid.bounds
    for axis, low, high, size in (
        ("x", left, right, opened.grid.width),
        ("y", bottom, top, opened.grid.height),
    ):
        if scene.sizes[axis] > size:
            return False
        if axis in scene.coords:
            places = scene[axis].values
            if not ((places >= low) & (places <= high)).all():
                return False
    return True


def _has_its_bands(scene: xr.DataArray, opened: Opened) -> bool:
    """Whether bands may all be those of the file. If no centre is that of a band, all were replaced."""
    if "wavelength" not in scene.coords or scene["wavelength"].dims != ("band",):
        return scene.shape[0] <= len(opened.centres_nm)
    left = Counter(opened.centres_nm)
    centres = Counter(scene["wavelength"].values.tolist())
    return centres <= left or (scene.shape[0] <= left.total() and not centres & left)
