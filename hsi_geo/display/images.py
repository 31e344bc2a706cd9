"""Pictures as arrays of colours, and as PNG."""

from __future__ import annotations

import base64
import struct
import zlib
from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, UInt8Array

#: Wavelengths in nm that are shown as red, green and blue. Vegetation is red, as in colour infrared
#: film.
FALSE_COLOUR_NM = (860.0, 650.0, 550.0)


class ColoredClass(Protocol):
    """A class with a name and a colour, such as `io.labels.shots.LandClass`."""

    @property
    def id(self) -> int:
        """Value in the map, from 1."""

    @property
    def name(self) -> str:
        """Name that is shown to people."""

    @property
    def color(self) -> str:
        """The colour as "#rrggbb"."""


def false_colour(
    cube: Float32Array,
    centres_nm: Float64Array,
    valid: BoolArray,
) -> UInt8Array:
    """Draw a scene in false colour, each channel stretched from its 2nd to its 98th percentile.

    Args:
        cube: (C, H, W) reflectance or radiance.
        centres_nm: (C,) wavelengths of the bands.
        valid: (H, W) False for pixels without data, which become white.

    Returns:
        (H, W, 3) colours from 0 to 255.

    Examples:
        >>> cube = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
        >>> picture = false_colour(cube, np.array([550.0, 650.0, 860.0]), np.ones((2, 2), bool))
        >>> picture.shape, int(picture.min()), int(picture.max())
        ((2, 2, 3), 0, 255)
    """
    nearest = [int(np.abs(centres_nm - wanted).argmin()) for wanted in FALSE_COLOUR_NM]
    return stretch(cube[nearest], valid)


def stretch(channels: Float32Array, valid: BoolArray) -> UInt8Array:
    """Draw three channels, each from its 2nd to its 98th percentile.

    Args:
        channels: (3, H, W) values for red, green and blue; (1, H, W) for grey.
        valid: (H, W) False for pixels without data, which become white.

    Returns:
        (H, W, 3) colours from 0 to 255.

    Examples:
        >>> grey = np.array([[[1.0, 2.0, 3.0, 0.0]]], np.float32)
        >>> stretch(grey, grey[0] > 0)[0, :, 0].tolist()
        [0, 127, 255, 255]
    """
    drawn = []
    for band in channels:
        low, high = np.percentile(band[valid], (2, 98)) if valid.any() else (0.0, 1.0)
        drawn.append(np.clip((band - low) / max(high - low, 1e-12), 0, 1))
    image = np.stack(drawn * (3 // len(drawn)), axis=-1)
    return np.asarray(255 * np.where(valid[..., None], image, 1.0), np.uint8)


def paint(ids: npt.NDArray[np.integer], classes: Sequence[ColoredClass]) -> UInt8Array:
    """Colour class ids.

    Args:
        ids: (H, W) class ids, 0 for no class.
        classes: Class table.

    Returns:
        (H, W, 3) colours from 0 to 255, white for no class.

    Examples:
        >>> from types import SimpleNamespace
        >>> paint(np.array([[0, 1]]), (SimpleNamespace(id=1, color="#0000ff"),)).tolist()
        [[[255, 255, 255], [0, 0, 255]]]
    """
    table = np.full((max((c.id for c in classes), default=0) + 1, 3), 255, np.uint8)
    for c in classes:
        table[c.id] = list(bytes.fromhex(c.color.removeprefix("#")))
    return np.asarray(table[ids])


def shrink(image: UInt8Array, side_px: int) -> UInt8Array:
    """Every n-th row and column of an image, n a whole number.

    Args:
        image: (H, W, 3) colours.
        side_px: Longest side of the result in pixels.

    Examples:
        >>> shrink(np.zeros((100, 30, 3), np.uint8), 40).shape
        (34, 10, 3)
    """
    step = max(1, -(-max(image.shape[:2]) // side_px))
    return image[::step, ::step]


def png_uri(image: UInt8Array) -> str:
    """Encode an image as PNG in a data URI, without matplotlib, which takes a second to import.

    Args:
        image: (H, W, 3) colours from 0 to 255.

    Examples:
        >>> png_uri(np.zeros((2, 3, 3), np.uint8))[:22]
        'data:image/png;base64,'
    """
    height, width = image.shape[:2]
    rows = np.zeros(
        (height, 1 + 3 * width), np.uint8
    )  # each row begins with its filter, 0 for none
    rows[:, 1:] = image.reshape(height, -1)
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits, red green blue
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows.tobytes(), 6)), (b"IEND", b""))
    png = b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, data) for kind, data in chunks)
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
