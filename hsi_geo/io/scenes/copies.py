"""Scenes as rasters that every program opens: GeoTIFF copies, and virtual rasters over the original."""

from __future__ import annotations

import os
import warnings
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import rasterio
import rasterio.windows
import xarray as xr
from rasterio.crs import CRS
from rasterio.errors import NotGeoreferencedWarning

from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.read_back import checksum, require_written
from hsi_geo.io.files.remote_files import gdal_name
from hsi_geo.io.readers import SceneFile
from hsi_geo.io.readers.gdal import GDAL_TYPES, open_raster, quiet_gdal
from hsi_geo.io.readers.masks import SOURCE_TAG, fits, marks_zeros
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.scenes.declared_values import NODATA, OFFSET, SCALE, by_band
from hsi_geo.io.scenes.properties import bands_of, grid_of, name_of
from hsi_geo.tiling import Window

#: Rows of a strip of a GeoTIFF copy.
STRIP_ROWS = 32

#: Bytes of a scene that are copied at a time.
COPY_BYTES = 128 << 20


def raster_of(file: SceneFile) -> str | None:
    """The raster that holds a scene's pixels as they are: the same bands, on the same grid.

    Args:
        file: From `readers.read_scene`.

    Returns:
        Name that GDAL opens. None if GDAL cannot read the pixels, or not in their place, or only by
        unpacking the whole file.
    """
    pixels = file.pixels
    if not isinstance(pixels, RasterPixels) or file.packed:
        return None
    if pixels.fill is not None and not pixels.fill.is_zero:
        return None
    if file.dtype.name not in GDAL_TYPES:
        return None
    with quiet_gdal(pixels.path), open_raster(pixels.path) as source:
        same = source.count == file.band_count and source.shape == file.grid.shape
    return pixels.path if same else None


def virtual_raster(scene: xr.DataArray, raster: str, chosen: Sequence[int]) -> str:
    """The text of a VRT over the raster of a scene, with the scene's wavelengths, scale and grid.

    It has the mask of a raster that is a copy by `write_copy`.

    Args:
        scene: (band, y, x) array from `open_scene`.
        raster: See `raster_of`.
        chosen: Indices of the bands, in the order of the VRT.
    """
    grid, nodata = grid_of(scene), by_band(scene, NODATA, np.nan)
    scale, offset = by_band(scene, SCALE, 1.0), by_band(scene, OFFSET, 0.0)
    root = ET.Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    if grid.crs is not None:
        # Without a mapping of axes GDAL takes x for the first: longitude or easting.
        ET.SubElement(root, "SRS").text = grid.crs.to_wkt()
    transform = ", ".join(repr(value) for value in grid.transform.to_gdal())
    ET.SubElement(root, "GeoTransform").text = transform
    _add_tags(root, {SOURCE_TAG: name_of(scene)})
    path = os.path.abspath(raster) if exists(raster) else gdal_name(raster)  # noqa: PTH100  (a name of GDAL's may be no path)
    names, tags = _band_texts(scene)
    size = {"xOff": "0", "yOff": "0", "xSize": str(grid.width), "ySize": str(grid.height)}
    for number, band in enumerate(chosen, start=1):
        element = ET.SubElement(
            root, "VRTRasterBand", dataType=GDAL_TYPES[scene.dtype.name], band=str(number)
        )
        ET.SubElement(element, "Description").text = names[band]
        _add_tags(element, tags[band])
        if not np.isnan(nodata[band]):
            ET.SubElement(element, "NoDataValue").text = repr(float(nodata[band]))
        ET.SubElement(element, "Offset").text = repr(float(offset[band]))
        ET.SubElement(element, "Scale").text = repr(float(scale[band]))
        _add_source(element, path, str(band + 1), size)
    if len(chosen) > 1 and _has_mask_of_zeros(raster):
        element = ET.SubElement(ET.SubElement(root, "MaskBand"), "VRTRasterBand", dataType="Byte")
        _add_source(element, path, "mask,1", size)
    ET.indent(root)
    return ET.tostring(root, encoding="unicode") + "\n"


def _add_source(element: ET.Element, path: str, band: str, size: dict[str, str]) -> None:
    source = ET.SubElement(element, "SimpleSource")
    ET.SubElement(source, "SourceFilename", relativeToVRT="0").text = path
    ET.SubElement(source, "SourceBand").text = band
    ET.SubElement(source, "SrcRect", size)
    ET.SubElement(source, "DstRect", size)


def _has_mask_of_zeros(raster: str) -> bool:
    with quiet_gdal(raster), open_raster(raster) as source:
        return marks_zeros(source)


def write_copy(
    scene: xr.DataArray, path: Path, chosen: Sequence[int], report: Callable[[int, int], None]
) -> None:
    """Write a GeoTIFF of stored values, with the scene's wavelengths, scale and grid.

    Other programs find its missing pixels by a nodata value. Without a declared one it is NaN for floats; for
    integers the GeoTIFF has a mask, if pixels have 0 in all bands.

    Args:
        scene: (band, y, x) array from `open_scene`.
        path: Path of the GeoTIFF.
        chosen: Indices of the bands, in the order of the GeoTIFF.
        report: Called with the number of rows that are written, and of all rows.

    Raises:
        SceneError: If the scene cannot be read.
        RasterioError: If the copy cannot be written.
        OutputError: If it does not hold what was written.
    """
    grid, part = grid_of(scene), scene.isel(band=list(chosen))
    nodata = by_band(scene, NODATA, np.nan)[list(chosen)]
    nodata = np.where(fits(nodata, scene.dtype), nodata, np.nan)
    common = next((float(value) for value in nodata if not np.isnan(value)), None)
    profile = {
        "driver": "GTiff",
        "dtype": scene.dtype.name,
        "count": len(chosen),
        "height": grid.height,
        "width": grid.width,
        "crs": None if grid.crs is None else CRS.from_wkt(grid.crs.to_wkt()),
        "transform": grid.transform,
        "nodata": np.nan if common is None and scene.dtype.kind == "f" else common,
        # GDAL's own choice for four bands of bytes is a picture, with the fourth band as its alpha.
        "photometric": "rgb" if len(chosen) == 3 and scene.dtype == np.uint8 else "minisblack",
        "interleave": "band",
        "tiled": False,
        "blockysize": min(STRIP_ROWS, grid.height),
        "compress": "deflate",
        "zlevel": 1,
        "predictor": 3 if scene.dtype.kind == "f" else 2,
        "num_threads": "ALL_CPUS",
        "bigtiff": "IF_SAFER",
    }
    row_bytes = max(1, len(chosen) * grid.width * scene.dtype.itemsize)
    rows = max(1, COPY_BYTES // row_bytes // STRIP_ROWS) * STRIP_ROWS
    names, tags = _band_texts(scene)
    written, missing = list[tuple[Window, int]](), list[AnyArray]()
    zero = _has_zeros_for_nodata(part, common)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as file:
            file.update_tags(**{SOURCE_TAG: name_of(scene)})
            file.scales = tuple(by_band(scene, SCALE, 1.0)[list(chosen)])
            file.offsets = tuple(by_band(scene, OFFSET, 0.0)[list(chosen)])
            for number, band in enumerate(chosen, start=1):
                file.set_band_description(number, names[band])
                file.update_tags(number, **tags[band])
            for row in range(0, grid.height, rows):
                stored = _with_one_nodata(part[:, row : row + rows].values, nodata, common)
                window = rasterio.windows.Window(0, row, grid.width, stored.shape[1])
                file.write(stored, window=window)
                written.append((Window(row, 0, stored.shape[1], grid.width), checksum(stored)))
                if zero:
                    missing.append(np.packbits(~stored.any(axis=0), axis=1))
                report(min(row + rows, grid.height), grid.height)
        windows = [window for window, _ in written]
        masks = _write_mask(path, windows, missing) if any(map(np.any, missing)) else []
        require_written(path, written, "raster", masks)


def _has_zeros_for_nodata(scene: xr.DataArray, nodata: float | None) -> bool:
    """Whether 0 in all bands means that a pixel is missing; see `windows.read_window`."""
    return nodata is None and scene.dtype.kind != "f" and len(scene) > 1


def _write_mask(
    path: Path, windows: Sequence[Window], missing: Sequence[AnyArray]
) -> list[tuple[Window, int]]:
    """Write the mask of a GeoTIFF that is whole: GDAL's threads confuse it with the pixels that they still compress.

    Args:
        path: Path of the GeoTIFF.
        windows: Windows that cover it, each once.
        missing: Bits of the missing pixels of each window; each row begins with a byte of its own.

    Returns:
        Each window, and the checksum of its mask.
    """
    written = []
    # With its driver a file that a full disk cut short is an error of GDAL's, not a TypeError.
    with (
        rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True),
        rasterio.open(path, "r+", driver="GTiff") as file,
    ):
        for window, bits in zip(windows, missing, strict=True):
            absent = np.unpackbits(bits, axis=1, count=window.width)
            values = np.where(absent, np.uint8(0), np.uint8(255))
            pixels = rasterio.windows.Window(window.col, window.row, window.width, window.height)
            file.write_mask(values, window=pixels)
            written.append((window, checksum(values)))
    return written


def _with_one_nodata(stored: AnyArray, nodata: Float64Array, common: float | None) -> AnyArray:
    """Values with the same nodata value in all bands: a GeoTIFF has one only."""
    if common is None or (nodata == common).all():
        return stored
    stored = stored.copy()
    for band, value in enumerate(nodata):
        if value != common and not np.isnan(value):
            stored[band][stored[band] == value] = common
    return stored


def _band_texts(scene: xr.DataArray) -> tuple[list[str], list[dict[str, str]]]:
    """Name and tags of each band: its wavelength, its width, and whether it is good."""
    bands = bands_of(scene)
    names, tags = [], []
    for centre, width, good in zip(bands.centres_nm, bands.fwhm_nm, bands.good, strict=True):
        names.append(f"{centre:.1f} nm" + ("" if good else " (bad band)"))
        tag = {"wavelength": repr(float(centre)), "wavelength_units": "Nanometers"}
        tag |= {"fwhm": repr(float(width)), "bbl": str(int(good))}
        tags.append(tag)
    return names, tags


def _add_tags(element: ET.Element, tags: dict[str, str]) -> None:
    metadata = ET.SubElement(element, "Metadata")
    for key, value in tags.items():
        ET.SubElement(metadata, "MDI", key=key).text = value
