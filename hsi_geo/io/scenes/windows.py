"""Windows of a scene as physical values, and which of them are data.

The rule for missing data and the scaling of stored values have their only home here.
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from hsi_geo.arrays import AnyArray, BoolArray, Float32Array, Float64Array
from hsi_geo.io.readers.masks import MANY_BANDS
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, by_band, declared
from hsi_geo.tiling import Window

#: Larger numbers are fill values that the file does not declare: no sensor measures them.
MAX_MAGNITUDE = 1e30

#: A number above the first is an outlier if it is more than the second times most of its spectrum.
SUSPECT_MAGNITUDE, OUTLIER_FACTOR = 1e9, 1e6


def read_window(scene: xr.DataArray, window: Window) -> tuple[Float32Array, BoolArray]:
    """Read the physical values of a window, which may reach beyond the scene.

    A pixel is valid if at least one band has data there. Its missing bands take the value of the
    nearest band (in order) that has data. These values are missing: declared nodata values, NaN,
    infinities, numbers beyond `MAX_MAGNITUDE`, and numbers far beyond the rest of their own spectrum.
    A pixel with the same value in all of many bands is missing, too: this is fill or saturation.
    If no nodata value is declared (other than NaN), a pixel with 0 in all of several bands is missing.

    Args:
        scene: (band, y, x) array, usually from `select_good_bands`.
        window: The pixels to read, in rows and columns of the scene.

    Returns:
        image: (C, height, width) scaled values, 0 where there is no data.
        valid: (height, width) True where there is data.

    Example:
        >>> import numpy as np
        >>> from hsi_geo.io.scenes.scene import scene_from_array
        >>> values = np.array([[[0, 10, 20]], [[0, 11, 21]]])
        >>> scene = scene_from_array(values, np.array([550.0, 660.0]))
        >>> image, valid = read_window(scene, Window(0, 0, 1, 4))
        >>> valid.tolist()
        [[False, True, True, False]]
        >>> image[1].tolist()
        [[0.0, 11.0, 21.0, 0.0]]
    """
    image, valid, _ = read_window_and_band_mask(scene, window)
    return image, valid


def read_window_and_band_mask(
    scene: xr.DataArray, window: Window
) -> tuple[Float32Array, BoolArray, BoolArray]:
    """Read a window as `read_window` does, and find which bands have data in it.

    Args:
        scene: (band, y, x) array.
        window: The pixels to read, in rows and columns of the scene.

    Returns:
        image: (C, height, width) scaled values, 0 where there is no data.
        valid: (height, width) True where there is data.
        present: (C,) True for bands with data in at least one pixel.
    """
    inside = window.clip(*scene.shape[-2:])
    image = np.zeros((scene.shape[0], *window.shape), np.float32)
    valid = np.zeros(window.shape, bool)
    if not (inside.height and inside.width):
        return image, valid, np.zeros(scene.shape[0], bool)
    rows, cols = inside.slices
    stored = scene[:, rows, cols].values
    target = inside.relative_to(window).slices
    image[:, target[0], target[1]], valid[target], present = physical_values(stored, scene)
    return image, valid, present


def block_shape(scene: xr.DataArray) -> tuple[int, int]:
    """(rows, columns) of the blocks in which the file stores the pixels of a scene.

    Args:
        scene: (band, y, x) array; without a record of its blocks, one row of pixels is a block.
    """
    rows, cols = scene.attrs.get("block_px", (1, scene.shape[-1]))
    return int(rows), int(cols)


def block_bytes(scene: xr.DataArray) -> int:
    """Size in bytes of a block with all bands of the file, as it is unpacked.

    Args:
        scene: (band, y, x) array, which may have some of the file's bands.
    """
    rows, cols = block_shape(scene)
    opened = scene.encoding.get("opened")
    bands = scene.shape[0] if opened is None else len(opened.centres_nm)
    return rows * cols * bands * scene.dtype.itemsize


def physical_values(
    stored: AnyArray, scene: xr.DataArray
) -> tuple[Float32Array, BoolArray, BoolArray]:
    """Scale stored values and fill their gaps; see `read_window` for the rule.

    Args:
        stored: (C, height, width) values as the file stores them.
        scene: The scene that they were read from, for its nodata value, scale and offset.

    Returns:
        The same three arrays as `read_window_and_band_mask`.
    """
    present = data_mask(stored, by_band(scene, NODATA, np.nan))
    if np.issubdtype(stored.dtype, np.floating):
        stored = np.where(present, stored, 0)  # NaN and what float32 cannot hold
    image = stored.astype(np.float32)
    scale, offset = by_band(scene, SCALE, 1.0), by_band(scene, OFFSET, 0.0)
    if ((scale != 1) | (offset != 0)).any():
        image *= scale.astype(np.float32)[:, None, None]
        image += offset.astype(np.float32)[:, None, None]
    valid = present.any(axis=0)
    gaps = valid & ~present.all(axis=0)
    if gaps.any():
        image[:, gaps] = _fill_from_nearest_band(image[:, gaps], present[:, gaps])
    if not valid.all():
        image[:, ~valid] = 0.0
    return image, valid, present.any(axis=(1, 2))


def data_mask(stored: AnyArray, nodata: Float64Array | None) -> BoolArray:
    """Find which stored values are data, by the rule of `read_window`.

    Args:
        stored: (C, height, width) values as the file stores them.
        nodata: (C,) stored value that means no data in each band, NaN where none is declared. None
            if no band declares one.

    Returns:
        (C, height, width) True where a band has data.

    Example:
        >>> import numpy as np
        >>> data_mask(np.array([[[5, -1]], [[6, 7]]]), np.array([-1.0, -1.0])).tolist()
        [[[True, False]], [[True, True]]]
    """
    floating = np.issubdtype(stored.dtype, np.floating)
    present = _plausible(stored) if floating else np.ones(stored.shape, bool)
    if len(stored) >= MANY_BANDS:
        present &= ~_have_one_value(stored)
    if nodata is None or np.isnan(nodata).all():
        if len(stored) > 1:
            present &= (stored != 0).any(axis=0)
        return present
    for band, value in enumerate(nodata):
        if not np.isnan(value):
            # A float file keeps its nodata value rounded to its own type.
            with np.errstate(over="ignore"):
                rounded = stored.dtype.type(value) if floating else value
            present[band] &= stored[band] != rounded
    return present


def count_constant(stored: AnyArray, nodata: Float64Array | None) -> int:
    """Count the pixels that are missing only because all of their bands have the same value.

    Args:
        stored: (C, height, width) values as the file stores them.
        nodata: (C,) declared nodata values, as in `data_mask`.

    Returns:
        Number of pixels with one value in all bands, of `MANY_BANDS` or more. Declared nodata, NaN and fill values are
        not counted, and 0 is not where no nodata is declared.

    Example:
        >>> import numpy as np
        >>> pixels = np.repeat([[7, 0, -1]], 9, axis=0)[:, None]  # 9 bands, a row of 3 pixels
        >>> count_constant(pixels, None), count_constant(pixels, np.full(9, -1.0))
        (2, 2)
    """
    if len(stored) < MANY_BANDS:
        return 0
    values = stored[:, _have_one_value(stored)]
    if not values.shape[1]:
        return 0
    if np.issubdtype(stored.dtype, np.floating):
        values = values[:, np.abs(values[0]) < MAX_MAGNITUDE]
    if nodata is None or np.isnan(nodata).all():
        return int((values[0] != 0).sum())
    declared = nodata.astype(stored.dtype if stored.dtype.kind == "f" else np.float64)
    return int((values != declared[:, None]).all(axis=0).sum())


def _have_one_value(stored: AnyArray) -> BoolArray:
    """(height, width) True for pixels whose bands all have the same value."""
    # Few pixels have the same value in three bands: only those are compared in all bands.
    constant: BoolArray = (stored[0] == stored[-1]) & (stored[0] == stored[len(stored) // 2])
    constant[constant] = (stored[:, constant] == stored[0, constant]).all(axis=0)
    return constant


def constant_note(count: int, pixels: int) -> str:
    """Say how many pixels count as nodata since all of their bands have the same value.

    Args:
        count: Number of these pixels, from `count_constant`.
        pixels: Number of all pixels that were looked at.

    Example:
        >>> constant_note(30, 120)
        '30 pixels (25.0 %) have the same value in all bands and count as nodata (fill or saturation)'
    """
    return (
        f"{count:,} pixels ({100 * count / max(1, pixels):.1f} %) have the same value in all bands and count as nodata "
        "(fill or saturation)"
    )


def stored_nodata(scene: xr.DataArray) -> Float64Array | None:
    """The stored value that means no data in each band of a scene.

    Args:
        scene: (band, y, x) array from `open_scene`, or some of its bands.

    Returns:
        (C,) values, NaN where none is declared; None if no band declares one.
    """
    return None if declared(scene, NODATA) is None else by_band(scene, NODATA, np.nan)


def _plausible(stored: AnyArray) -> BoolArray:
    """(C, height, width) False for NaN, infinities, and numbers that no spectrum has.

    A spectrum in any unit keeps its bands within a few powers of ten. A number that is large and more
    than `OUTLIER_FACTOR` times most of its own spectrum is an undeclared fill value, such as 1e20.
    """
    size = np.abs(stored).astype(np.promote_types(stored.dtype, np.float32), copy=False)
    plausible: BoolArray = size < MAX_MAGNITUDE
    if len(stored) > 2 and (large := size > SUSPECT_MAGNITUDE).any():
        suspect = (plausible & large).any(axis=0)
        spectra = np.where(plausible[:, suspect], size[:, suspect], np.inf).astype(np.float64)
        usual = np.quantile(spectra, 0.25, axis=0, method="lower")
        plausible[:, suspect] &= spectra <= np.maximum(OUTLIER_FACTOR * usual, SUSPECT_MAGNITUDE)
    return plausible


def _fill_from_nearest_band(spectra: Float32Array, present: BoolArray) -> Float32Array:
    """Fill gaps in (C, N) spectra, each with at least one present band."""
    bands = np.arange(len(spectra))[:, None]
    before = np.maximum.accumulate(np.where(present, bands, -len(spectra)), axis=0)
    after = np.where(present, bands, 2 * len(spectra))[::-1]
    after = np.minimum.accumulate(after, axis=0)[::-1]
    nearest = np.where(bands - before <= after - bands, before, after)
    return np.take_along_axis(spectra, nearest, axis=0)
