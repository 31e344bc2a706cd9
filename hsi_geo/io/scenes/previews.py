"""Small pictures of scenes of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from hsi_geo.arrays import BoolArray, Float32Array, UInt8Array
from hsi_geo.display.images import FALSE_COLOUR_NM, false_colour, stretch
from hsi_geo.io.scenes.composites import choose_bands
from hsi_geo.io.scenes.properties import bands_of, name_of, select_good_bands
from hsi_geo.io.scenes.windows import block_shape, physical_values

#: Longest side of a picture in pixels.
SIDE_PX = 900

#: Most rows that are read at once, whatever the blocks of the file.
MOST_ROWS = 512

#: Most bytes of a scene that is read for a picture that nobody asked for, in a summary. All of a compressed
#: file may have to be unpacked.
QUICK_BYTES, QUICK_PACKED_BYTES = 512 << 20, 32 << 20


def preview(scene: xr.DataArray, side_px: int = SIDE_PX) -> UInt8Array:
    """Read a scene in false colour at a lower resolution: every n-th row and column of three bands.

    Args:
        scene: (C, H, W) scene.
        side_px: Longest side of the picture in pixels.

    Returns:
        (h, w, 3) colours from 0 to 255, white where there is no data.

    Example:
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.arange(1.0, 13.0).reshape(3, 2, 2)
        >>> preview(scene_from_array(values, np.array([550.0, 650.0, 860.0]))).shape
        (2, 2, 3)
    """
    view = select_good_bands(scene)
    centres = bands_of(view).centres_nm
    chosen = sorted({int(np.abs(centres - nm).argmin()) for nm in FALSE_COLOUR_NM})
    image, valid = _read_every_nth(view.isel(band=chosen), block_shape(scene)[0], side_px)
    return false_colour(image, centres[chosen], valid)


def composite(
    scene: xr.DataArray, side_px: int = SIDE_PX, wanted: str = "colour infrared"
) -> tuple[UInt8Array, str]:
    """Read a scene at a lower resolution, in the colours of a composite that it has the bands for.

    Args:
        scene: (C, H, W) scene.
        side_px: Longest side of the picture in pixels.
        wanted: Composite that is taken if the scene has its bands, a key of `composites.COMPOSITES`.

    Returns:
        picture: (h, w, 3) colours from 0 to 255, white where there is no data.
        title: Name of the composite, and its wavelengths; numbers of the bands if those mean nothing.

    Example:
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.arange(1.0, 13.0).reshape(3, 2, 2)
        >>> composite(scene_from_array(values, np.array([550.0, 650.0, 860.0])))[1]
        'colour infrared (860, 650, 550 nm)'
    """
    bands = bands_of(scene)
    name, chosen = choose_bands(bands, wanted)
    # Bands are read in the order of the file, each once.
    order = sorted(set(chosen))
    image, valid = _read_every_nth(scene.isel(band=order), block_shape(scene)[0], side_px)
    picture = stretch(image[[order.index(band) for band in chosen]], valid)
    if scene.attrs.get("wavelength_option") == "index":  # the centres mean nothing
        return picture, "bands " + ", ".join(str(scene["band"].values[band]) for band in chosen)
    shown = ", ".join(f"{bands.centres_nm[band]:.0f}" for band in chosen)
    return picture, f"{name} ({shown} nm)"


def _read_every_nth(
    few: xr.DataArray, block_rows: int, side_px: int
) -> tuple[Float32Array, BoolArray]:
    """(C, h, w) physical values of every n-th row and column, and (h, w) which are data."""
    height, width = few.shape[-2:]
    step = max(1, -(-max(height, width) // side_px))
    # Rows of one block are read together: a block is decompressed once, and no more is in memory.
    strip = min(block_rows, MOST_ROWS)
    rows = np.arange(0, height, step)
    parts = [rows[rows // strip == number] for number in np.unique(rows // strip)]
    stored = np.concatenate([few[:, part, ::step].values for part in parts], axis=1)
    image, valid, _ = physical_values(stored, few)
    return image, valid


def is_quick(scene: xr.DataArray) -> bool:
    """Whether a picture of a scene can be read at once: it is in memory, or a small file on the disk.

    Args:
        scene: (band, y, x) array.
    """
    if "driver" not in scene.attrs:  # an array that no reader made
        return scene.size * scene.dtype.itemsize <= QUICK_BYTES
    if not Path(name_of(scene)).exists():
        return False
    most = QUICK_PACKED_BYTES if scene.attrs.get("packed") else QUICK_BYTES
    return scene.size * scene.dtype.itemsize <= most
