"""How the stored values of a raster are decoded: nodata, scale and offset, by GDAL and by the files beside it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio

from hsi_geo.arrays import Float64Array
from hsi_geo.io.readers.base import per_band
from hsi_geo.io.readers.gain_files import find_gains
from hsi_geo.io.readers.header_lists import HeaderLists, plain_key
from hsi_geo.io.readers.masks import fits
from hsi_geo.io.readers.spectral_tags import ENVI_TYPES, Tags

#: Texts in a header that declare no nodata value, or one that is missing anyway.
_NO_NODATA = ("", "none", "nan", "+nan", "-nan", "inf", "+inf", "-inf")

#: Keys in headers that tell how stored values are decoded, as `plain_key` makes them.
_VALUE_KEYS = ("datagainvalues", "dataoffsetvalues", "dataignorevalue", "reflectancescalefactor")


@dataclass(frozen=True, eq=False)
class StoredValues:
    """How stored values are decoded.

    Attributes:
        nodata: (C,) values that mean no data, NaN where there is none.
        scale: (C,) factors from stored to physical values.
        offset: (C,) offsets, added after scaling.
        warnings: One sentence for each list that cannot be used.
    """

    nodata: Float64Array
    scale: Float64Array
    offset: Float64Array
    warnings: tuple[str, ...]


def own_stored_values(source: rasterio.DatasetReader, whole: Tags, path: str) -> StoredValues:
    """Nodata, scale and offset of the bands; without them, of the ENVI header.

    GDAL parses only the beginning of each word in ENVI's lists, and takes words that are no numbers for 0.
    For an ENVI cube, the header is parsed here instead.

    Args:
        source: The open raster.
        whole: Tags of the raster and of the files beside it.
        path: Name that GDAL opens.
    """
    count, warnings = source.count, list[str]()
    is_envi = source.driver == "ENVI"
    if not is_envi:
        whole, warnings = _of_the_same_type(whole, source.dtypes[0])
    lists = HeaderLists.of(whole, count, warnings)

    def declared(own: Float64Array, neutral: float, key: str) -> Float64Array:
        if key not in lists.tags or not (is_envi or _all_are(own, neutral)):
            return own
        listed = lists.numbers(key, or_one=True)
        if listed is not None:
            return listed
        return per_band(neutral, count) if is_envi else own

    scale = declared(per_band(source.scales, count), 1.0, "datagainvalues")
    offset = declared(per_band(source.offsets, count), 0.0, "dataoffsetvalues")
    nodata = np.array([np.nan if v is None else v for v in source.nodatavals], np.float64)
    if lists.tags.get("dataignorevalue", "").strip("{} ").lower() not in _NO_NODATA:
        nodata = declared(nodata, np.nan, "dataignorevalue")
    elif is_envi:
        nodata = per_band(None, count)
    dtype = np.result_type(*source.dtypes)
    unfit = ~np.isnan(nodata) & ~fits(nodata, dtype)
    if unfit.any():
        warnings.append(
            f"its nodata value {nodata[unfit][0]:g} is no number of the type {dtype}: not used"
        )
        nodata = np.where(unfit, np.nan, nodata)
    factor = lists.numbers("reflectancescalefactor", or_one=True)
    if factor is not None and not (factor > 0).all():
        warnings.append(f"its 'reflectance scale factor' is {factor.min():g}: not used")
    elif factor is not None and _all_are(scale, 1.0):
        scale = scale / factor
    if is_envi and _all_are(scale, 1.0) and np.dtype(source.dtypes[0]).kind in "iu":
        gains, warning = find_gains(path, count)
        scale = scale if gains is None else 1.0 / gains
        warnings += [warning] if warning else []
    return StoredValues(nodata, scale, offset, tuple(warnings))


def _of_the_same_type(whole: Tags, dtype: str) -> tuple[Tags, list[str]]:
    """Tags without those that decode stored values, if a header beside a raster describes numbers of another type.

    Such a header is that of a cube of integers from which the raster was made.

    Args:
        whole: Tags of the raster and of the header.
        dtype: Type of the raster.

    Returns:
        tags: The tags that hold for the raster.
        warnings: One sentence if some do not.
    """
    declared = ENVI_TYPES.get(next((v for k, v in whole.items() if plain_key(k) == "datatype"), ""))
    kept = {key: value for key, value in whole.items() if plain_key(key) not in _VALUE_KEYS}
    if declared in (None, dtype) or len(kept) == len(whole):
        return whole, []
    left_out = [key for key in whole if key not in kept]
    names = ", ".join(f"'{key}'" for key in left_out)
    return kept, [
        f"the header beside it describes {declared}, and it holds {dtype}: {names} not used"
    ]


def _all_are(values: Float64Array, neutral: float) -> bool:
    return bool((np.isnan(values) if np.isnan(neutral) else values == neutral).all())
