"""The geotransform in the ``map info`` of an ENVI header."""

from __future__ import annotations

import math
import re

import rasterio
from affine import Affine

from hsi_geo.io.files.beside import as_path
from hsi_geo.io.readers.header_lists import plain_key
from hsi_geo.io.readers.spectral_tags import header_beside

#: Share of a pixel by which two places of a cube may differ without a word.
_SAME_PX = 0.05


def disputed_place_warning(source: rasterio.DatasetReader) -> tuple[str, ...]:
    """Say how far the place of a rotated ENVI cube by GDAL is from that in its header; nothing if they are one.

    GDAL turns a cube around its first corner, also if the place in its header is that of another pixel, and skews
    pixels that are no squares; by 180 degrees it mirrors. Scenes follow GDAL, so that labels that were drawn in QGIS lie where they were drawn.

    Args:
        source: The open raster.
    """
    used: Affine = source.transform
    if source.driver != "ENVI" or used.is_degenerate or used.is_identity:
        return ()
    header = header_beside(as_path(source.name))
    try:
        text = next(text for key, text in header.items() if plain_key(key) == "mapinfo")
        other = map_info(text)
    except (StopIteration, ValueError):
        return ()
    if not _rotation(text):
        return ()
    corners = [(0, 0), (source.width, 0), (0, source.height)]
    moved = max(math.dist(used @ corner, other @ corner) for corner in corners)
    size = math.sqrt(abs(used.determinant))
    if moved <= _SAME_PX * size or not math.isfinite(moved):
        return ()
    warning = (
        f"it is rotated, and it may lie up to {moved / size:.1f} pixels away: its place is that which GDAL and QGIS show, "
        "not that of the pixel which its header names"
    )
    return (warning,)


def map_info(text: str) -> Affine:
    """Parse ENVI's ``map info``: projection, reference pixel (from 1), its coordinates, pixel size, ...

    Args:
        text: The list, with or without braces. A "rotation=" entry is in degrees.

    Returns:
        The geotransform.

    Raises:
        ValueError: If it has too few numbers, or the rotation is none.

    Example:
        >>> map_info("{UTM, 1, 1, 500000, 4000000, 30, 20, 33, North}").to_gdal()
        (500000.0, 30.0, 0.0, 4000000.0, 0.0, -20.0)
    """
    words = [word.strip() for word in text.strip("{} ").split(",")]
    col, row, x, y, width, height = (float(word) for word in words[1:7])
    origin = Affine.translation(x, y) @ Affine.rotation(_rotation(text))
    return origin @ Affine.scale(width, -height) @ Affine.translation(1 - col, 1 - row)


def _rotation(text: str) -> float:
    """The rotation in a ``map info`` in degrees; 0 if it has none."""
    stated = re.search(r"\brotation\s*=([^,}]*)", text, re.IGNORECASE)
    return 0.0 if stated is None else float(stated[1])
