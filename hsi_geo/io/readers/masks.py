"""Masks of rasters: internal masks, `.msk` files and alpha bands.

Masked pixels are read as a nodata value, so a scene has only one kind of missing value.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import rasterio
from rasterio.enums import ColorInterp, MaskFlags
from rasterio.windows import Window as GdalWindow

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.io.readers.descriptions import descriptions_of

#: Key of the tag in rasters that `convert` writes: the scene that a raster was made from.
SOURCE_TAG = "HSI_GEO_SOURCE"

#: Description of the band of a raster of confidence, which tells it from a class map.
CONFIDENCE_BAND = "confidence (per cent)"

#: With this many bands or more, no spectrum has the same value in all of them.
MANY_BANDS = 8

#: Mask flags of bands without a mask of their own.
_NO_MASK = ({MaskFlags.all_valid}, {MaskFlags.nodata})


@dataclass(frozen=True, slots=True)
class Mask:
    """The mask of a raster.

    Attributes:
        alpha: Number of the alpha band, from 1; None for GDAL's mask.
        shared: Whether all bands share one mask.
    """

    alpha: int | None
    shared: bool

    def valid(
        self,
        source: rasterio.DatasetReader,
        numbers: Sequence[int],
        window: GdalWindow | None = None,
        out_shape: tuple[int, int] | None = None,
    ) -> BoolArray:
        """Read the mask.

        Args:
            source: The open raster.
            numbers: (B,) numbers of bands, from 1.
            window: The window to read; None for the whole raster.
            out_shape: (height, width) to sample it to; None for no sampling.

        Returns:
            (1 or B, height, width) True where there is data.
        """
        if self.alpha is not None:
            alpha = source.read([self.alpha], window=window, out_shape=_with_bands(1, out_shape))
            return np.asarray(alpha > 0)
        masks = list(numbers[:1] if self.shared else numbers)
        shape = _with_bands(len(masks), out_shape)
        return np.asarray(source.read_masks(masks, window=window, out_shape=shape) != 0)

    @property
    def note(self) -> str:
        """A note for the user."""
        if self.alpha is None:
            return "a mask in the file, or beside it, marks the pixels that have data"
        return f"band {self.alpha} is an alpha band: it marks the pixels that have data"


@dataclass(frozen=True, eq=False)
class MaskFill:
    """Values that masked pixels are read as.

    Attributes:
        mask: The mask.
        values: (C,) stored value of masked pixels in each band of the file. NaN in integers stands for 0, which is no
            declared nodata value.
        dtype: Type that can hold these values and those of the file.
    """

    mask: Mask
    values: Float64Array
    dtype: np.dtype[Any]

    @property
    def is_zero(self) -> bool:
        """Whether masked pixels are 0 in all bands, without a declared nodata value."""
        return self.dtype.kind in "iu" and bool(np.isnan(self.values).all())

    def apply(
        self,
        stored: npt.NDArray[Any],
        source: rasterio.DatasetReader,
        numbers: Sequence[int],
        window: GdalWindow,
    ) -> npt.NDArray[Any]:
        """Replace masked pixels.

        Args:
            stored: (B, height, width) stored values.
            source: The open raster.
            numbers: (B,) numbers of bands, from 1.
            window: The window that `stored` was read from.

        Returns:
            (B, height, width) in the type `dtype`.
        """
        masked = np.broadcast_to(~self.mask.valid(source, numbers, window), stored.shape)
        filled = stored.astype(self.dtype, copy=False)
        if masked.any():
            fill = self.values[np.asarray(numbers) - 1]
            fill = (np.nan_to_num(fill) if self.dtype.kind in "iu" else fill).astype(self.dtype)
            filled = np.where(masked, fill[:, None, None], filled)
        return filled


def find_mask(source: rasterio.DatasetReader, alpha: int | None = None) -> Mask | None:
    """Find the mask of a raster.

    Args:
        source: The open raster.
        alpha: Number of its alpha band, see `alpha_band`; None if it has none, or if that is a spectral
            band.

    Returns:
        None if only nodata values mark missing pixels.
    """
    if alpha is not None:
        return Mask(alpha, True)
    by_band = [set(flags) for flags in source.mask_flag_enums]
    if all(flags in _NO_MASK or MaskFlags.alpha in flags for flags in by_band):
        return None
    return Mask(None, all(MaskFlags.per_dataset in flags for flags in by_band))


def alpha_band(source: rasterio.DatasetReader) -> int | None:
    """Number of a raster's alpha band, from 1; None if it has none.

    GDAL's mask ignores alpha bands that are not of bytes, and those of rasters with a nodata value.
    """
    if source.count < 2:
        return None
    found = [number for number, is_ in enumerate(source.colorinterp, 1) if is_ == ColorInterp.alpha]
    return found[-1] if found else None


def only_band(source: rasterio.DatasetReader) -> tuple[int, Mask | None] | None:
    """Number and mask of a class raster's band; None if it has several bands beside alpha."""
    alpha = alpha_band(source)
    numbers = [number for number in source.indexes if number != alpha]
    return (numbers[0], find_mask(source, alpha)) if len(numbers) == 1 else None


def is_confidence(source: rasterio.DatasetReader) -> bool:
    """Whether a raster is the confidence of a map of hsi-geo: whole per cent look like class ids."""
    return CONFIDENCE_BAND in descriptions_of(source)


def fits(values: Float64Array, dtype: np.dtype[Any]) -> BoolArray:
    """Which numbers a type can hold.

    Args:
        values: (C,) numbers.
        dtype: Type of stored values. Floats may round a number, but not to infinity.

    Returns:
        (C,) True for numbers that stored values can be; False for NaN.

    Example:
        >>> fits(np.array([7.0, -9999.0, 0.5, np.nan]), np.dtype("uint16")).tolist()
        [True, False, False, False]
    """
    if dtype.kind == "f":
        with np.errstate(over="ignore"):
            rounded = values.astype(dtype)
        return ~np.isnan(values) & (np.isfinite(rounded) | np.isinf(values))
    limits = np.iinfo(np.uint8 if dtype.kind == "b" else dtype)
    # The largest 64-bit number rounds up as a float: the first number beyond it is exact.
    inside = (values >= limits.min) & (values < float(limits.max) + 1)
    return np.asarray(inside & (values == np.floor(values)))


def marks_zeros(source: rasterio.DatasetReader) -> bool:
    """Whether the mask of a raster is one that `convert` wrote: its masked pixels are 0 in all bands.

    Other programs need it. In hsi-geo 0 in all bands of integers means missing anyway, so the raster can have the
    type and the values of its scene.
    """
    return source.count > 1 and SOURCE_TAG in source.tags() and find_mask(source) is not None


def fill_for(
    mask: Mask, nodata: Float64Array, dtype: np.dtype[Any], *, zeros: bool = False
) -> MaskFill:
    """Choose the values of masked pixels: the declared nodata value, else one that no pixel can have.

    Args:
        mask: Mask of the raster.
        nodata: (C,) declared nodata values of all its bands, NaN where there is none.
        dtype: Type of its stored values.
        zeros: Whether masked pixels of integers stay 0 if no band has a nodata value; see `marks_zeros`.
    """
    if dtype.kind not in "iu" or not np.isnan(nodata).any():
        return MaskFill(mask, nodata, dtype)
    if zeros and np.isnan(nodata).all():
        return MaskFill(mask, nodata, dtype)
    wider = np.dtype({1: "i2", 2: "i4", 4: "i8"}.get(dtype.itemsize, "f8"))
    free = np.nan if wider.kind == "f" else float(np.iinfo(dtype).min) - 1
    return MaskFill(mask, np.where(np.isnan(nodata), free, nodata), wider)


def _with_bands(count: int, shape: tuple[int, int] | None) -> tuple[int, int, int] | None:
    return None if shape is None else (count, *shape)
