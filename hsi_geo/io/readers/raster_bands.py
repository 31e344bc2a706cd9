"""Wavelengths and bad bands of an open raster, from its tags and the files beside it."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType

import rasterio

from hsi_geo.io.readers.descriptions import descriptions_of
from hsi_geo.io.readers.spectral_tags import TaggedBands, Tags, find_bands
from hsi_geo.io.readers.stac_sidecar import StacSidecar

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


def whole_tags(
    source: rasterio.DatasetReader, item: StacSidecar | None, header: Tags = MappingProxyType({})
) -> Tags:
    """Tags of a raster and of the files beside it, which take precedence.

    Args:
        source: The open raster.
        item: What a STAC item tells of it.
        header: The ENVI header beside it. Lists of a STAC item with wavelengths come before those of a header.
    """
    of_item = {} if item is None else item.tags
    if "wavelength" in {key.lower() for key in of_item}:
        header = {}
    return {**_tags(source, 0), **of_item, **header}


def only_band_tags(source: rasterio.DatasetReader, whole: Tags) -> tuple[Tags, Tags]:
    """Tags of a raster's only band.

    Args:
        source: The open raster.
        whole: From `shown_files.find_tags`.

    Returns:
        own: Tags of the band and of the raster; of lists with one word the word.
        imagery: Tags in GDAL's IMAGERY domain.
    """
    own = {**whole, **_tags(source, 1)}
    return {key: value.strip("{} ") for key, value in own.items()}, _imagery(source, 1)


def own_bands(source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int]) -> TaggedBands:
    """Wavelengths of some bands of a raster by its own tags and the files beside it.

    Args:
        source: The open raster.
        whole: From `shown_files.find_tags`.
        numbers: (B,) bands, from 1.

    Returns:
        (B,) bands in the order of the numbers.
    """
    # One pass over the bands: repeated calls of tags() take seconds on 426 bands.
    by_band = [_tags(source, band) for band in numbers]
    imagery = [_imagery(source, band) for band in numbers]
    described = descriptions_of(source)
    names = [described[band - 1] for band in numbers]
    return find_bands(whole, by_band, imagery, names, one_source=source.driver == "ENVI")


def _imagery(source: rasterio.DatasetReader, band: int) -> Tags:
    tags: dict[str, str] = {}
    if "IMAGERY" in source.tag_namespaces(band):
        tags = source.tags(band, ns="IMAGERY")
    return tags


def _tags(source: rasterio.DatasetReader, band: int) -> Tags:
    """Tags of a band, or of the raster (0), from all domains; those of ENVI take precedence."""
    domains = [name for name in source.tag_namespaces(band) if not name.startswith(_GDAL_DOMAINS)]
    tags: dict[str, str] = source.tags(band)
    for domain in sorted(domains, key=lambda name: name == "ENVI"):
        tags.update(source.tags(band, ns=domain))
    return tags
