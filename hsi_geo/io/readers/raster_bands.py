"""Wavelengths and bad bands of an open raster, from its tags and the files beside it."""

from __future__ import annotations

from collections.abc import Sequence

import rasterio

from hsi_geo.io.readers.spectral_tags import TaggedBands, Tags, find_bands, header_beside
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


def own_bands(source: rasterio.DatasetReader, whole: Tags, numbers: Sequence[int]) -> TaggedBands:
    """Wavelengths of some bands of a raster by its own tags and the files beside it.

    Args:
        source: The open raster.
        whole: From `whole_tags`.
        numbers: (B,) bands, from 1.

    Returns:
        (B,) bands in the order of the numbers.
    """
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


def _tags(source: rasterio.DatasetReader, band: int) -> Tags:
    """Tags of a band, or of the raster (0), from all domains; those of ENVI take precedence."""
    domains = [name for name in source.tag_namespaces(band) if not name.startswith(_GDAL_DOMAINS)]
    tags: dict[str, str] = source.tags(band)
    for domain in sorted(domains, key=lambda name: name == "ENVI"):
        tags.update(source.tags(band, ns=domain))
    return tags
