"""A file that a virtual raster (VRT) shows, and how far several of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio

from hsi_geo.arrays import Float64Array
from hsi_geo.io.readers.masks import alpha_band, find_mask, fits
from hsi_geo.io.readers.spectral_tags import TaggedBands
from hsi_geo.io.readers.stored_values import StoredValues
from hsi_geo.io.readers.vrt_bands import may_have_gaps
from hsi_geo.wavelengths import SAME_NM, centres_in_nm

#: What warnings call the attributes of `StoredValues`.
_KINDS = {"nodata": "nodata values", "scale": "scales", "offset": "scales"}


@dataclass(frozen=True, eq=False)
class ShownFile:
    """A file that a VRT shows.

    Attributes:
        name: Its name without folders.
        count: Number of its bands.
        bands: (C,) its bands.
        values: How its stored values are decoded.
        beside: The part of ``values`` that only the files beside it tell; neutral where GDAL knows a value: then the VRT
            states its own.
        warnings: One sentence for each file with masks beside it.
    """

    name: str
    count: int
    bands: TaggedBands
    values: StoredValues
    beside: StoredValues
    warnings: tuple[str, ...]

    @property
    def centres_nm(self) -> Float64Array | None:
        """(C,) centres in nm; None without wavelengths."""
        return None if self.bands.found is None else centres_in_nm(self.bands.found)


def nodata_of_files(
    own: Float64Array, of_files: Float64Array, source: rasterio.DatasetReader, text: str
) -> tuple[Float64Array, list[str]]:
    """Nodata values of a VRT, or those beside the files that it shows.

    Where a VRT that declares no nodata value shows no file, its pixels are 0. Without a nodata value 0 in all bands that
    are read is missing. With one it is data, unless many bands are read.

    Args:
        own: (C,) nodata values that the VRT declares, NaN where it declares none.
        of_files: (C,) those beside its files.
        source: The open VRT.
        text: Text of the VRT.

    Returns:
        values: (C,) nodata values, NaN where there is none.
        warnings: A sentence if those beside its files cannot be used.
    """
    is_new = np.isnan(own) & fits(of_files, np.result_type(*source.dtypes))
    used = np.where(is_new, of_files, own)
    new = used[is_new & (used != 0)]
    if not new.size or any(value is not None for value in source.nodatavals):
        return used, []
    if not may_have_gaps(text) or find_mask(source, alpha_band(source)) is not None:
        return used, []
    warning = (
        f"the files beside those that it shows declare the nodata value {new[0]:g}, which is not used, as pixels that show "
        "none of them are 0: build it with gdalbuildvrt -srcnodata"
    )
    return own, [warning]


def of_other_bands(files: Sequence[ShownFile], listed: Sequence[int]) -> str | None:
    """A warning if files of a mosaic have other wavelengths or bad bands than the first one; None if none has.

    Args:
        files: Files of the mosaic.
        listed: (B,) their bands that it shows, from 1.
    """
    bands = indices(listed)
    known = [
        (
            file,
            nm[bands],
            np.ones(len(bands), bool) if file.bands.good is None else file.bands.good[bands],
        )
        for file in files
        if (nm := file.centres_nm) is not None
    ]
    for file, centres, good in known[1:]:
        first, used, used_good = known[0]
        if (np.abs(centres - used) > SAME_NM).any():
            what = "wavelengths"
        elif (good != used_good).any():
            what = "bad bands"
        else:
            continue
        return (
            f"the files '{first.name}' and '{file.name}', which it shows, have other {what}: those of '{first.name}' are used "
            "for both"
        )
    return None


def differing(files: Sequence[ShownFile], listed: Sequence[int], keys: Sequence[str]) -> list[str]:
    """A warning if files of a mosaic have another scale or nodata value than the first one; none if all have the same.

    Args:
        files: Files of the mosaic.
        listed: (B,) their bands that it shows, from 1.
        keys: Names of the attributes of `StoredValues` that are compared.
    """
    first, bands = files[0], indices(listed)
    for file in files[1:]:
        kinds = [_KINDS[key] for key in keys if _differ(first, file, bands, key)]
        if kinds:
            warning = (
                f"the files '{first.name}' and '{file.name}', which it shows, have other {' and '.join(dict.fromkeys(kinds))}"
                f", as files beside them tell: those of '{first.name}' are used for both"
            )
            return [warning]
    return []


def _differ(
    first: ShownFile, other: ShownFile, bands: np.ndarray[tuple[int], np.dtype[np.intp]], key: str
) -> bool:
    """Whether bands of two files are decoded otherwise, and a file beside one of them is the reason."""
    is_beside = [_is_declared(getattr(file.beside, key)[bands], key) for file in (first, other)]
    one, another = (getattr(file.values, key)[bands] for file in (first, other))
    return any(is_beside) and not np.allclose(one, another, rtol=1e-6, equal_nan=True)


def _is_declared(values: Float64Array, key: str) -> bool:
    """Whether a value is not the neutral one."""
    neutral = {"nodata": np.nan, "scale": 1.0, "offset": 0.0}[key]
    return not np.array_equal(values, np.full_like(values, neutral), equal_nan=True)


def indices(bands: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """(B,) bands from 0.

    Args:
        bands: (B,) bands from 1.
    """
    return np.array(bands, np.intp) - 1
