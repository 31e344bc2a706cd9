"""Wavelengths and bad bands of an open raster, from its tags, the files beside it, and the files that a VRT shows."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from hsi_geo.io.readers.spectral_tags import (
    TaggedBands,
    Tags,
    find_bands,
    header_beside,
    joined_bands,
)
from hsi_geo.io.readers.stac_sidecar import StacSidecar, find_item
from hsi_geo.io.readers.vrt_bands import file_bands, stacked_bands

#: Metadata domains without tags of the user, and those that are parsed elsewhere.
_GDAL_DOMAINS = (
    "IMAGE_STRUCTURE",
    "DERIVED_",
    "SUBDATASETS",
    "IMAGERY",
    "RPC",
    "xml:",
    "json:",
    "GEOLOC",
)


def whole_tags(source: rasterio.DatasetReader, path: str, item: StacSidecar | None) -> Tags:
    """Tags of a raster and of the files beside it, which take precedence.

    Args:
        source: The open raster.
        path: Name that GDAL opens.
        item: What a STAC item tells of it.
    """
    return {**_tags(source, 0), **_side_tags(path, item)}


def only_band_tags(source: rasterio.DatasetReader, whole: Tags) -> tuple[Tags, Tags]:
    """Tags of a raster's only band.

    Args:
        source: The open raster.
        whole: From `whole_tags`.

    Returns:
        own: Tags of the band and of the raster; of lists with one word the word.
        imagery: Tags in GDAL's IMAGERY domain.
    """
    own = {**whole, **_tags(source, 1)}
    return {key: value.strip("{} ") for key, value in own.items()}, _imagery(source, 1)


def _side_tags(path: str, item: StacSidecar | None) -> Tags:
    """Lists in the files beside a raster. Those of a STAC item come before those of an ENVI header."""
    if item is not None and "wavelength" in {key.lower() for key in item.tags}:
        return item.tags
    return {**({} if item is None else item.tags), **header_beside(path)}


def find_raster_bands(
    source: rasterio.DatasetReader, path: str, whole: Tags, numbers: Sequence[int]
) -> TaggedBands:
    """Wavelengths of some bands of a raster; those of its files if it is a VRT and has none itself.

    Args:
        source: The open raster.
        path: Name that GDAL opens.
        whole: From `whole_tags`.
        numbers: (B,) bands, from 1.

    Returns:
        (B,) bands in the order of the numbers.
    """
    bands = _find_bands(source, whole, numbers)
    if bands.found is None and source.driver == "VRT":
        return _bands_of_files(source, path, numbers) or bands
    return bands


def _find_bands(source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int]) -> TaggedBands:
    # One pass over the bands: repeated calls of tags() take seconds on 426 bands.
    by_band = [_tags(source, band) for band in numbers]
    imagery = [_imagery(source, band) for band in numbers]
    names = [source.descriptions[band - 1] or "" for band in numbers]
    return find_bands(whole, by_band, imagery, names, one_source=source.driver == "ENVI")


def _imagery(source: rasterio.DatasetReader, band: int) -> Tags:
    tags: dict[str, str] = {}
    if "IMAGERY" in source.tag_namespaces(band):
        tags = source.tags(band, ns="IMAGERY")
    return tags


def _bands_of_files(
    mosaic: rasterio.DatasetReader, path: str, numbers: Sequence[int]
) -> TaggedBands | None:
    """Wavelengths of the files that a mosaic or a stack shows: gdalbuildvrt does not copy them.

    Args:
        mosaic: An open VRT.
        path: Its path.
        numbers: Its bands, numbers from 1.
    """
    text = mosaic.tags(ns="xml:VRT").get("xml:VRT", "")
    shown = file_bands(text, numbers)
    if shown is not None:
        return _bands_of_first_file(mosaic.files[1:], shown)
    stacked = stacked_bands(text, numbers, Path(path).parent)
    return None if stacked is None else _bands_of_stack(stacked)


def _bands_of_first_file(files: Sequence[str], shown: Sequence[int]) -> TaggedBands | None:
    """Wavelengths of some bands of the first file that has them; bands from 1."""
    for path in files:
        try:
            bands, count = _bands_of(path)
        except RasterioError:
            continue  # reading its pixels raises the error
        if count >= max(shown):
            return bands.picked(np.array(shown) - 1).of_file(Path(path).name)
    return None


def _bands_of_stack(stacked: Sequence[tuple[str, int]]) -> TaggedBands | None:
    """Wavelengths of the bands of several files; paths, and bands from 1."""
    parts = []
    for path, group in groupby(stacked, key=itemgetter(0)):
        shown = np.array([band for _, band in group])
        try:
            bands, count = _bands_of(path)
        except RasterioError:
            return None
        if shown.max() > count:
            return None  # reading its pixels raises the error
        parts.append(bands.picked(shown - 1))
    joined = joined_bands(parts)
    return joined if joined is None else joined.of_file(f"{len(parts)} files")


def _bands_of(path: str) -> tuple[TaggedBands, int]:
    """Bands of a file, and their number."""
    with rasterio.open(path) as file:
        whole = whole_tags(file, path, find_item(path))
        return find_raster_bands(file, path, whole, file.indexes), file.count


def _tags(source: rasterio.DatasetReader, band: int) -> Tags:
    """Tags of a band, or of the raster (0), from all domains; those of ENVI take precedence."""
    domains = [name for name in source.tag_namespaces(band) if not name.startswith(_GDAL_DOMAINS)]
    tags: dict[str, str] = source.tags(band)
    for domain in sorted(domains, key=lambda name: name == "ENVI"):
        tags.update(source.tags(band, ns=domain))
    return tags
