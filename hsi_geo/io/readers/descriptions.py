"""Names of a raster's bands, also in headers that are not UTF-8."""

from __future__ import annotations

import rasterio

from hsi_geo.io.files.beside import as_path
from hsi_geo.io.readers.header_lists import plain_key
from hsi_geo.io.readers.spectral_tags import header_beside


def descriptions_of(source: rasterio.DatasetReader) -> tuple[str, ...]:
    """Names of the bands; empty texts for bands without one.

    rasterio reads them as UTF-8 only. Names in another encoding are read from the header of an ENVI cube; those of other formats
    are left out.

    Args:
        source: The open raster.
    """
    try:
        return tuple(name or "" for name in source.descriptions)
    except UnicodeDecodeError:
        names = _in_header(source)
        return names if len(names) == source.count else ("",) * source.count


def _in_header(source: rasterio.DatasetReader) -> tuple[str, ...]:
    header = header_beside(as_path(source.name)) if source.driver == "ENVI" else {}
    listed = next((text for key, text in header.items() if plain_key(key) == "bandnames"), "")
    return tuple(" ".join(name.split()) for name in listed.strip("{} \n").split(","))
