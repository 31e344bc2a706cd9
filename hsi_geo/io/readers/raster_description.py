"""Describing rasters: grid, wavelengths, nodata, scale and mask, without reading pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import rasterio

from hsi_geo.errors import SceneError
from hsi_geo.io.files.beside import as_path
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.readers.base import Geolocation, PickedPixels, Pixels, SceneFile, require_real
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.envi_grid import disputed_place_warning
from hsi_geo.io.readers.file_sizes import require_whole
from hsi_geo.io.readers.masks import alpha_band, fill_for, find_mask, marks_zeros
from hsi_geo.io.readers.pixel_files import raster_files
from hsi_geo.io.readers.quality_layers import QualityLayer
from hsi_geo.io.readers.raster_geolocation import find_geolocation
from hsi_geo.io.readers.raster_pixels import RasterPixels, block_bytes, too_large_blocks
from hsi_geo.io.readers.shown_files import (
    ShownFiles,
    find_raster_bands,
    find_stored_values,
    find_tags,
    made_up_alpha,
)
from hsi_geo.io.readers.side_masks import find_side_masks
from hsi_geo.io.readers.spectral_tags import Tags, unused_header
from hsi_geo.io.readers.stac_sidecar import FolderItems, StacSidecar, find_item
from hsi_geo.io.readers.stored_values import StoredValues
from hsi_geo.io.readers.vrt_blocks import block_lines
from hsi_geo.tiling import Grid

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
    alpha, made_up = alpha_band(source), made_up_alpha(source)
    spectral = [number for number in source.indexes if number != made_up]
    bands = find_raster_bands(source, head.tags, spectral, head.shown)
    if made_up is None and bands.found is not None:
        alpha = None  # a spectral band: GDAL takes the fourth of four byte bands for alpha
    elif made_up is None and alpha is not None:
        spectral.remove(alpha)
        bands = find_raster_bands(source, head.tags, spectral, head.shown)
    kept = np.array(spectral) - 1
    mask = find_mask(source, alpha)
    values = head.values
    dtype = np.result_type(*(source.dtypes[band] for band in kept))
    zeros = marks_zeros(source) and alpha is None
    fill = None if mask is None else fill_for(mask, values.nodata, dtype, zeros=zeros)
    lines = block_lines(path) if source.driver == "VRT" and source.count > 1 else None
    pixels: Pixels = RasterPixels(
        *(path, name, stamp(path), lines, fill, raster_files(source, path)),
        block_bytes=block_bytes(source, lines),
    )
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
        shown: The files that it shows, if it is a VRT.
        values: How stored values are decoded.
        quality: Flags in the files beside it.
        warnings: One sentence for each thing that cannot be used.
    """

    grid: Grid
    geolocation: Geolocation | None
    item: StacSidecar | None
    tags: Tags
    shown: ShownFiles
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
    shown = ShownFiles(path)
    tags, tag_warnings = find_tags(source, path, item, shown)
    values = find_stored_values(source, tags, shown)
    transform = source.transform
    quality, mask_warnings = find_side_masks(
        path, source.shape, transform, () if item is None else item.masks
    )
    # GDAL's identity stands for no geotransform: pixels of a metre at the origin of a CRS are none of a scene.
    nowhere = geolocation is None and bool(source.crs) and source.transform.is_identity
    crs = (
        parse_crs(source.crs.to_wkt(), name)
        if source.crs and geolocation is None and not nowhere
        else None
    )
    return RasterHead(
        grid=Grid(source.height, source.width, transform, crs),
        geolocation=geolocation,
        item=item,
        tags=tags,
        shown=shown,
        values=values,
        quality=quality,
        warnings=(
            *tag_warnings,
            *values.warnings,
            *(unused_header(path) if source.driver == "ENVI" else ()),
            *disputed_place_warning(source),
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
