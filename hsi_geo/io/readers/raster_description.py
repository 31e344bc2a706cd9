"""Describing rasters: grid, wavelengths, nodata, scale and mask, without reading pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.files.beside import as_path
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import (
    Geolocation,
    PickedPixels,
    Pixels,
    SceneFile,
    per_band,
    require_real,
)
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.file_sizes import require_whole
from hsi_geo.io.readers.gain_files import find_gains
from hsi_geo.io.readers.header_lists import HeaderLists, plain_key
from hsi_geo.io.readers.masks import alpha_band, fill_for, find_mask, fits, marks_zeros
from hsi_geo.io.readers.pixel_files import raster_files
from hsi_geo.io.readers.quality_layers import QualityLayer
from hsi_geo.io.readers.raster_bands import find_raster_bands, whole_tags
from hsi_geo.io.readers.raster_geolocation import find_geolocation
from hsi_geo.io.readers.raster_pixels import RasterPixels, block_bytes, too_large_blocks
from hsi_geo.io.readers.side_masks import find_side_masks
from hsi_geo.io.readers.spectral_tags import ENVI_TYPES, Tags, unused_header
from hsi_geo.io.readers.stac_sidecar import FolderItems, StacSidecar, find_item
from hsi_geo.io.readers.vrt_blocks import block_lines
from hsi_geo.tiling import Grid

#: Texts in a header that declare no nodata value, or one that is missing anyway.
_NO_NODATA = ("", "none", "nan", "+nan", "-nan", "inf", "+inf", "-inf")

#: Keys in headers that tell how stored values are decoded, as `plain_key` makes them.
_VALUE_KEYS = ("datagainvalues", "dataoffsetvalues", "dataignorevalue", "reflectancescalefactor")

#: Warning about a raster whose CRS says nothing of its pixels.
_NOWHERE = "it has a coordinate reference system and no geotransform: its place is not known"

#: Largest block in bytes. A window of a larger block does not fit into memory.
LARGEST_BLOCK = 8 << 30


def describe_raster(
    source: rasterio.DatasetReader, path: str, name: str, item: StacSidecar | None = None
) -> SceneFile:
    """Describe an open raster.

    Args:
        source: The raster.
        path: Name that GDAL opens.
        name: Name of the scene, for messages.
        item: What a STAC item tells of it; None looks for an item beside it.

    Returns:
        The scene; its pixels are not read.

    Raises:
        SceneError: If the raster has no bands, no real numbers, or blocks that are too large, or its file is cut short.
    """
    head = read_head(source, path, name, item)
    alpha, spectral = alpha_band(source), list(source.indexes)
    bands = find_raster_bands(source, path, head.tags, spectral)
    if bands.found is not None:
        alpha = None  # a spectral band: GDAL takes the fourth of four byte bands for alpha
    elif alpha is not None:
        spectral.remove(alpha)
        bands = find_raster_bands(source, path, head.tags, spectral)
    kept = np.array(spectral) - 1
    mask = find_mask(source, alpha)
    values = head.values
    dtype = np.result_type(*(source.dtypes[band] for band in kept))
    zeros = marks_zeros(source) and alpha is None
    fill = None if mask is None else fill_for(mask, values.nodata, dtype, zeros=zeros)
    lines = block_lines(path) if source.driver == "VRT" and source.count > 1 else None
    pixels: Pixels = RasterPixels(path, name, stamp(path), lines, fill, raster_files(source, path))
    return SceneFile(
        name=name,
        driver=_label(source.driver, head.item),
        grid=head.grid,
        geolocation=head.geolocation,
        found=bands.found,
        found_warnings=bands.found_warnings,
        good=bands.good,
        good_source=bands.good_source,
        dtype=dtype if fill is None else fill.dtype,
        nodata=(values.nodata if fill is None else fill.values)[kept],
        scale=values.scale[kept],
        offset=values.offset[kept],
        pixels=pixels if alpha is None else PickedPixels(pixels, kept),
        block_px=source.block_shapes[0] if lines is None else lines.block_px,
        packed=_is_compressed(path, head.tags),
        notes=() if mask is None else (mask.note,),
        quality=head.quality,
        warnings=(*bands.warnings, *head.warnings),
    )


@dataclass(frozen=True, eq=False)
class RasterHead:
    """What a raster and the files beside it tell, but for wavelengths and mask.

    Attributes:
        grid: Size, geotransform and CRS; without a CRS if the raster has no geotransform.
        geolocation: Where the pixels lie, if they are not on a grid.
        item: What a STAC item tells of the raster.
        tags: Tags of the raster as a whole, and lists in the files beside it.
        values: How stored values are decoded.
        quality: Flags in the files beside it.
        warnings: One sentence for each thing that cannot be used.
    """

    grid: Grid
    geolocation: Geolocation | None
    item: StacSidecar | None
    tags: Tags
    values: StoredValues
    quality: tuple[QualityLayer, ...]
    warnings: tuple[str, ...]


def read_head(
    source: rasterio.DatasetReader,
    path: str,
    name: str,
    item: StacSidecar | None = None,
    folder_items: FolderItems | None = None,
) -> RasterHead:
    """Read what a raster and the files beside it tell; see `describe_raster` and `find_item`."""
    if source.count == 0:
        raise SceneError(
            f"scene '{name}' holds {len(source.subdatasets)} subdatasets and no bands of its own",
            hint="give one of its subdatasets as gdalinfo lists them",
        )
    for dtype in source.dtypes:
        require_real(dtype, name)
    require_whole(source, path, name)
    path = as_path(path)
    geolocation = find_geolocation(source, name)
    if block_bytes(source) > LARGEST_BLOCK:
        raise too_large_blocks(source, name)
    item = find_item(path, folder_items) if item is None else item
    tags = whole_tags(source, path, item)
    values = _stored_values(source, tags, path)
    quality, mask_warnings = find_side_masks(
        path, source.shape, source.transform, () if item is None else item.masks
    )
    # GDAL's identity stands for no geotransform: pixels of a metre at the origin of a CRS are none of a scene.
    nowhere = geolocation is None and bool(source.crs) and source.transform.is_identity
    crs = (
        parse_crs(source.crs.to_wkt(), name)
        if source.crs and geolocation is None and not nowhere
        else None
    )
    return RasterHead(
        grid=Grid(source.height, source.width, source.transform, crs),
        geolocation=geolocation,
        item=item,
        tags=tags,
        values=values,
        quality=quality,
        warnings=(
            *values.warnings,
            *(unused_header(path) if source.driver == "ENVI" else ()),
            *((_NOWHERE,) if nowhere else ()),
            *(() if item is None else item.warnings),
            *mask_warnings,
        ),
    )


def _label(driver: str, item: StacSidecar | None) -> str:
    """The format, with the sensor that a STAC item names."""
    return f"{item.sensor}, {driver}" if item is not None and item.sensor else driver


def _is_compressed(path: str, whole: Tags) -> bool:
    """Whether the file is a compressed stream, in which GDAL cannot seek; a plain tar is none."""
    streams = ("/vsigzip/", "/vsizip/", "/vsitar/", "/vsi7z/", "/vsirar/")
    compressed = whole.get("file_compression", whole.get("file compression", "0"))
    if path.startswith("/vsitar/"):
        return ".tar/" not in path.lower()
    return path.startswith(streams) or "/vsigzip/" in path or compressed.strip() == "1"


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


def _stored_values(source: rasterio.DatasetReader, whole: Tags, path: str) -> StoredValues:
    """Nodata, scale and offset of the bands; without them, of the ENVI header.

    GDAL parses only the beginning of each word in ENVI's lists, and takes words that are no numbers for 0.
    For an ENVI cube, the header is parsed here instead.
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
