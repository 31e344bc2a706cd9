"""Raw files that are cut short: GDAL reads zeros where they end."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO
from zlib import decompressobj, error

import numpy as np
import rasterio
from rasterio.errors import RasterioError

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.header_lists import plain_key
from hsi_geo.io.readers.pixel_files import vrt_sources
from hsi_geo.io.readers.spectral_tags import ENVI_TYPES, Tags, header_beside

#: Drivers whose pixels are plain numbers in one file, without compression.
_RAW_DRIVERS = (
    "ENVI",
    "EHdr",
    "ERS",
    "GenBin",
    "ISCE",
    "PAux",
    "PDS4",
    "ROI_PAC",
    "RRASTER",
)

#: Endings of sources of a mosaic that are no cubes: a header beside a GeoTIFF only names its bands, and GDAL takes an
#: archive for the cube of a header beside it.
_NO_CUBES = (".tif", ".tiff", ".hdr", ".vrt", ".zip", ".tar", ".gz", ".tgz", ".7z", ".rar")

#: Bytes that are unpacked at a time.
_CHUNK_BYTES = 1 << 22


def require_whole(source: rasterio.DatasetReader, path: str, name: str) -> None:
    """Refuse a raster whose file ends before its last pixel, or a mosaic of ENVI cubes with such a file.

    Files in archives and on other machines are not looked at.

    Args:
        source: The open raster.
        path: Name that GDAL opens.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If a file is too short.
    """
    if source.driver == "VRT":
        for file in vrt_sources(Path(path)) if Path(path).is_file() else ():
            _require_envi_whole(str(file), name)
    elif source.driver in _RAW_DRIVERS and source.compression is None and Path(path).is_file():
        files = [path] if source.driver == "ENVI" else source.files
        files = [file for file in files if Path(file).is_file() and not file.endswith(".xml")]
        bits = [_bits(source, band) for band in source.indexes]
        pixels = source.height * ((source.width * sum(bits) + 7) // 8)
        _require_bytes(max(files, key=_bytes, default=path), pixels, source.tags(ns="ENVI"), name)


def _bits(source: rasterio.DatasetReader, band: int) -> int:
    """Bits of a stored number, which may be fewer than those of its type."""
    declared = source.tags(band, ns="IMAGE_STRUCTURE").get("NBITS", "")
    return int(declared) if declared.isdecimal() else 8 * np.dtype(source.dtypes[band - 1]).itemsize


def _require_envi_whole(path: str, name: str) -> None:
    """Refuse a file with an ENVI header that says more than the file holds; others pass.

    Raises:
        SceneError: If it is too short.
    """
    if path.lower().endswith(_NO_CUBES) or not Path(path).is_file():
        return
    header = header_beside(path)
    tags = {plain_key(key): value for key, value in header.items()}
    try:
        size = np.dtype(ENVI_TYPES[tags["datatype"]]).itemsize
        pixels = int(tags["samples"]) * int(tags["lines"]) * int(tags["bands"]) * size
    except (KeyError, ValueError):
        return  # no cube; GDAL reads it, or raises the error
    try:
        _require_bytes(path, pixels, header, name)
    except SceneError:
        if _is_envi(path):  # not a picture or an archive beside a header that only names bands
            raise


def _is_envi(path: str) -> bool:
    try:
        with rasterio.open(path) as source:
            return bool(source.driver == "ENVI")
    except RasterioError:
        return False


def _require_bytes(path: str, pixels: int, tags: Tags, name: str) -> None:
    """Refuse a file that is too short for its pixels.

    Raises:
        SceneError: If it is.
    """
    plain = {plain_key(key): value.strip() for key, value in tags.items()}
    offset = plain.get("headeroffset", "0")
    wanted = pixels + (int(offset) if offset.isdecimal() else 0)
    packed = plain.get("filecompression", "0") == "1"
    found = _unpacked_bytes(Path(path), wanted) if packed else _bytes(path)
    if found < wanted:
        of = "" if Path(path).name == Path(name).name else f" '{Path(path).name}'"
        raise SceneError(
            f"scene '{name}' is cut short: its file{of} has {found:,} bytes{' unpacked' * packed}, "
            f"where its header says {wanted:,}",
            hint="copy the file again, or correct its header",
        )


def _bytes(path: str) -> int:
    return Path(path).stat().st_size


def _unpacked_bytes(path: Path, wanted: int) -> int:
    """Number of bytes in a gzip file. It is unpacked only if its last four bytes do not confirm the number.

    Source: RFC 1952, section 2.3.1: they are the size modulo 2^32 of the last member.
    """
    with path.open("rb") as file:
        file.seek(-4, os.SEEK_END)
        if int.from_bytes(file.read(4), "little") == wanted % (1 << 32):
            return wanted
        file.seek(0)
        return _count(file, wanted)


def _count(file: BinaryIO, wanted: int) -> int:
    """Number of bytes in the members of a gzip stream, up to a number that is enough."""
    total, stream = 0, decompressobj(31)
    data = file.read(_CHUNK_BYTES)
    with suppress(error):  # what follows is damaged, or no member
        while data and total < wanted:
            total += len(stream.decompress(data))
            data = stream.unused_data or file.read(_CHUNK_BYTES)
            stream = decompressobj(31) if stream.eof else stream
    return total
