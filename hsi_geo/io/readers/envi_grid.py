"""The geotransform in the ``map info`` of an ENVI header."""

from __future__ import annotations

import math

import rasterio
from affine import Affine

from hsi_geo.io.files.beside import as_path
from hsi_geo.io.readers.header_lists import plain_key
from hsi_geo.io.readers.spectral_tags import header_beside

#: Share of a pixel by which two places of a cube may differ without a word.
_SAME_PX = 0.05


def geotransform_of(source: rasterio.DatasetReader) -> Affine:
    """The geotransform of an open raster.

    GDAL turns a rotated ENVI cube around its corner, also if the place in its header is that of another pixel, and skews
    pixels that are no squares.

    Args:
        source: The raster.
    """
    own: Affine = source.transform
    if source.driver != "ENVI" or not (own.b or own.d):
        return own
    header = header_beside(as_path(source.name))
    try:
        return map_info(next(text for key, text in header.items() if plain_key(key) == "mapinfo"))
    except (StopIteration, ValueError):
        return own


def elsewhere_warning(source: rasterio.DatasetReader) -> tuple[str, ...]:
    """Say that other programs show a rotated cube in another place than `geotransform_of`; nothing if they do not."""
    ours, theirs = geotransform_of(source), source.transform
    corners = [(0, 0), (source.width, 0), (0, source.height)]
    moved = max(math.dist(ours @ corner, theirs @ corner) for corner in corners)
    size = math.sqrt(abs(theirs.determinant))
    if moved <= _SAME_PX * size:
        return ()
    warning = (
        "it is rotated, and GDAL does not place it as its header says: programs that use GDAL, such as QGIS, show it up "
        f"to {moved / size:.1f} pixels away"
    )
    return (warning,)


def map_info(text: str) -> Affine:
    """Parse ENVI's ``map info``: projection, reference pixel (from 1), its coordinates, pixel size, ...

    Args:
        text: The list, with or without braces. A "rotation=" entry is in degrees.

    Returns:
        The geotransform.

    Raises:
        ValueError: If it has too few numbers.

    Example:
        >>> map_info("{UTM, 1, 1, 500000, 4000000, 30, 20, 33, North}").to_gdal()
        (500000.0, 30.0, 0.0, 4000000.0, 0.0, -20.0)
    """
    words = [word.strip() for word in text.strip("{} ").split(",")]
    col, row, x, y, width, height = (float(word) for word in words[1:7])
    rotation = [float(word.split("=")[1]) for word in words if word.lower().startswith("rotation")]
    origin = Affine.translation(x, y) @ Affine.rotation(rotation[0] if rotation else 0.0)
    return origin @ Affine.scale(width, -height) @ Affine.translation(1 - col, 1 - row)
