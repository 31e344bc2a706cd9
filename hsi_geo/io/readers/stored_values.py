"""How the stored values of a raster are decoded: nodata, scale and offset, by GDAL and by the files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array, IndexArray
from hsi_geo.io.files.paths import exists
from hsi_geo.io.readers.base import per_band
from hsi_geo.io.readers.gain_files import find_gains
from hsi_geo.io.readers.header_lists import HeaderLists, plain_key
from hsi_geo.io.readers.masks import fits
from hsi_geo.io.readers.raster_bands import whole_tags
from hsi_geo.io.readers.spectral_tags import ENVI_TYPES, Tags
from hsi_geo.io.readers.stac_sidecar import find_item
from hsi_geo.io.readers.vrt_bands import changes_values, file_bands, stacked_bands

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


def find_stored_values(source: rasterio.DatasetReader, whole: Tags, path: str) -> StoredValues:
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
    if source.driver == "VRT" and _all_are(scale, 1.0) and _all_are(offset, 0.0):
        hidden = _of_files(source, path)
        if hidden is not None:
            scale, offset = hidden.scale, hidden.offset
            warnings += hidden.warnings
    return StoredValues(nodata, scale, offset, tuple(warnings))


def _of_files(mosaic: rasterio.DatasetReader, path: str) -> StoredValues | None:
    """Scale and offset in the files beside those that a VRT shows: GDAL does not know them, and copies none.

    Args:
        mosaic: An open VRT without scale and offset.
        path: Its path.

    Returns:
        Scale, offset and warnings; None if the VRT is no file, changes the values itself, or shows none of one file
        or of one file a band.
    """
    text, numbers = mosaic.tags(ns="xml:VRT").get("xml:VRT", ""), mosaic.indexes
    if not exists(path) or changes_values(text):
        return None
    shown = file_bands(text, numbers)
    if shown is not None:
        return _of_first_file(mosaic.files[1:], shown)
    stacked = stacked_bands(text, numbers, Path(path).parent)
    groups = [] if stacked is None else groupby(stacked, key=itemgetter(0))
    found = [_of_first_file([file], [band for _, band in group]) for file, group in groups]
    parts = [one for one in found if one is not None]
    if not parts or len(parts) < len(found):
        return None
    return StoredValues(
        np.concatenate([one.nodata for one in parts]),
        np.concatenate([one.scale for one in parts]),
        np.concatenate([one.offset for one in parts]),
        tuple(dict.fromkeys(warning for one in parts for warning in one.warnings)),
    )


def _of_first_file(files: Sequence[str], shown: Sequence[int]) -> StoredValues | None:
    """What the files beside the first file that can be opened say of some of its bands, from 1."""
    for path in files:
        try:
            with rasterio.open(path) as file:
                if file.count >= max(shown):
                    return _beside(file, path, np.array(shown) - 1)
        except RasterioError:
            continue  # reading its pixels raises the error
    return None


def _beside(file: rasterio.DatasetReader, path: str, bands: IndexArray) -> StoredValues:
    """Scale and offset of some bands of a file; neutral ones where GDAL knows them: then the VRT states its own."""
    item = find_item(path)
    found = find_stored_values(file, whole_tags(file, path, item), path)
    known = (per_band(file.scales, file.count) != 1) | (per_band(file.offsets, file.count) != 0)
    masks = [] if item is None or not item.masks else [_unread_masks(path)]
    return StoredValues(
        found.nodata[bands],
        np.where(known, 1.0, found.scale)[bands],
        np.where(known, 0.0, found.offset)[bands],
        tuple(masks),
    )


def _unread_masks(path: str) -> str:
    name = Path(path).name
    return f"the masks beside '{name}' are not applied, as it is read through a virtual raster"


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
