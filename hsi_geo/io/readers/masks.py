"""Validity that a raster keeps apart from its values: masks, `.msk` files and alpha bands.

Masked pixels get a value that means no data as they are read, so that whoever uses a scene has only
one kind of missing value to know.
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

#: Flags of bands whose validity their values and `nodata` tell alone.
_TOLD_BY_VALUES = ({MaskFlags.all_valid}, {MaskFlags.nodata})


@dataclass(frozen=True, slots=True)
class Mask:
    """Where to look up which pixels have data.

    Attributes:
        alpha: Number of the alpha band, from 1; None for GDAL's own mask.
        shared: Whether one mask is for all bands.
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
        """(1 or B, height, width) True where there is data.

        Args:
            source: The raster.
            numbers: (B,) bands, from 1.
            window: Part of it, None for all.
            out_shape: (height, width) that it is thinned to.
        """
        if self.alpha is not None:
            alpha = source.read([self.alpha], window=window, out_shape=_with_bands(1, out_shape))
            return np.asarray(alpha > 0)
        wanted = list(numbers[:1] if self.shared else numbers)
        shape = _with_bands(len(wanted), out_shape)
        return np.asarray(source.read_masks(wanted, window=window, out_shape=shape) != 0)

    @property
    def told(self) -> str:
        """A note for people."""
        if self.alpha is None:
            return "a mask in the file, or beside it, says which pixels have data"
        return f"band {self.alpha} is an alpha band: it says which pixels have data"


@dataclass(frozen=True, eq=False)
class MaskFill:
    """What masked pixels are read as.

    Attributes:
        mask: Tells them.
        values: (C,) stored value of each band of the file.
        dtype: That holds these values beside the file's own.
    """

    mask: Mask
    values: Float64Array
    dtype: np.dtype[Any]

    def over(
        self,
        stored: npt.NDArray[Any],
        source: rasterio.DatasetReader,
        numbers: Sequence[int],
        window: GdalWindow,
    ) -> npt.NDArray[Any]:
        """(B, height, width) stored values, and the fill where the mask says that there is none."""
        masked = np.broadcast_to(~self.mask.valid(source, numbers, window), stored.shape)
        filled = stored.astype(self.dtype, copy=False)
        if masked.any():
            fill = self.values[np.asarray(numbers) - 1].astype(self.dtype)
            filled = np.where(masked, fill[:, None, None], filled)
        return filled


def find_mask(source: rasterio.DatasetReader, alpha: int | None = None) -> Mask | None:
    """What tells which pixels of a raster have data, None where its values do.

    Args:
        source: The raster.
        alpha: Number of its alpha band, see `alpha_band`; None if it has none or that is a band
            like the others.
    """
    if alpha is not None:
        return Mask(alpha, True)
    by_band = [set(flags) for flags in source.mask_flag_enums]
    if all(flags in _TOLD_BY_VALUES or MaskFlags.alpha in flags for flags in by_band):
        return None
    return Mask(None, all(MaskFlags.per_dataset in flags for flags in by_band))


def alpha_band(source: rasterio.DatasetReader) -> int | None:
    """Number of a raster's alpha band, from 1; None if it has none.

    GDAL's own mask leaves out those that are not bytes, and those of rasters with a nodata value.
    """
    if source.count < 2:
        return None
    found = [number for number, is_ in enumerate(source.colorinterp, 1) if is_ == ColorInterp.alpha]
    return found[-1] if found else None


def only_band(source: rasterio.DatasetReader) -> tuple[int, Mask | None] | None:
    """The band of a raster of classes and what masks it; None if there are several bands."""
    alpha = alpha_band(source)
    numbers = [number for number in source.indexes if number != alpha]
    return (numbers[0], find_mask(source, alpha)) if len(numbers) == 1 else None


def fill_for(mask: Mask, nodata: Float64Array, dtype: np.dtype[Any]) -> MaskFill:
    """What masked pixels are read as: the declared nodata value, else one that no pixel can have.

    Args:
        mask: Of the raster.
        nodata: (C,) declared values of all its bands, NaN where there is none.
        dtype: Of its pixels.
    """
    if dtype.kind not in "iu" or not np.isnan(nodata).any():
        return MaskFill(mask, nodata, dtype)
    wider = np.dtype({1: "i2", 2: "i4", 4: "i8"}.get(dtype.itemsize, "f8"))
    free = np.nan if wider.kind == "f" else float(np.iinfo(dtype).min) - 1
    return MaskFill(mask, np.where(np.isnan(nodata), free, nodata), wider)


def _with_bands(count: int, shape: tuple[int, int] | None) -> tuple[int, int, int] | None:
    return None if shape is None else (count, *shape)
