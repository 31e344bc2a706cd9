"""A file that a virtual raster (VRT) shows, and how far several of them agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import rasterio

from hsi_geo.arrays import Float64Array
from hsi_geo.io.readers.masks import MANY_BANDS, alpha_band, find_mask, fits
from hsi_geo.io.readers.spectral_tags import TaggedBands
from hsi_geo.io.readers.vrt_bands import may_have_gaps
from hsi_geo.wavelengths import SAME_NM, centres_in_nm


@dataclass(frozen=True, eq=False)
class ShownFile:
    """A file that a VRT shows.

    Attributes:
        name: Its name without folders.
        count: Number of its bands.
        bands: (C,) its bands.
        scale: (C,) factors in the files beside it; 1 where GDAL knows the factor: then the VRT states its own.
        offset: (C,) offsets, as ``scale``.
        nodata: (C,) nodata values in the files beside it, NaN where there is none, or GDAL knows it.
        warnings: One sentence for each file with masks beside it.
    """

    name: str
    count: int
    bands: TaggedBands
    scale: Float64Array
    offset: Float64Array
    nodata: Float64Array
    warnings: tuple[str, ...]

    @property
    def centres_nm(self) -> Float64Array | None:
        """(C,) centres in nm; None without wavelengths."""
        return None if self.bands.found is None else centres_in_nm(self.bands.found)


def nodata_of_files(
    own: Float64Array, of_files: Float64Array, source: rasterio.DatasetReader, text: str
) -> tuple[Float64Array, list[str]]:
    """Nodata values of a VRT, or those beside the files that it shows.

    Where a VRT shows no file its pixels are 0. Without a nodata value 0 in all bands is missing. With one it is
    missing only in many bands, where no spectrum has one value in all.

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
    if not new.size or not np.isnan(own).all() or len(own) >= MANY_BANDS:
        return used, []
    if not may_have_gaps(text) or find_mask(source, alpha_band(source)) is not None:
        return used, []
    warning = (
        f"the files beside those that it shows declare the nodata value {new[0]:g}, which is not used, as 0 is missing where "
        "it shows none of them: build it with gdalbuildvrt -srcnodata"
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
        keys: Names of the attributes of `ShownFile` that are compared.
    """
    first, bands = files[0], indices(listed)
    for file in files[1:]:
        pairs = [(getattr(file, key)[bands], getattr(first, key)[bands]) for key in keys]
        if not all(np.allclose(*pair, rtol=1e-6, equal_nan=True) for pair in pairs):
            kinds = (("scale", "scales"), ("nodata", "nodata values"))
            what = " or ".join(name for key, name in kinds if key in keys)
            warning = (
                f"the files beside '{first.name}' and '{file.name}', which it shows, tell different {what}: those "
                f"of '{first.name}' are used for both"
            )
            return [warning]
    return []


def indices(bands: Sequence[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """(B,) bands from 0.

    Args:
        bands: (B,) bands from 1.
    """
    return np.array(bands, np.intp) - 1
