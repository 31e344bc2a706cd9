"""Block boundaries of a VRT's files. Windows are split there, so that each block is unpacked once.

GDAL reads a VRT band by band unless all its sources are simple ones, which gdalbuildvrt does not make if
nodata is declared. Files that are pixel-interleaved (GeoTIFF's default) are then unpacked once for each band,
unless the window lies in one block: with 200 bands that is a hundred times slower.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.tiling import Window

#: Largest number of splits for each block along a side. Files whose blocks are not aligned give more, and
#: reading many narrow windows costs as much as it saves.
MOST_CUTS = 4


@dataclass(frozen=True, slots=True)
class BlockLines:
    """Block boundaries of the files of a mosaic.

    Attributes:
        rows: First rows of blocks, increasing.
        cols: First columns of blocks, increasing.
        block_px: (rows, columns) of a block.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    block_px: tuple[int, int]

    def parts(self, window: Window) -> Iterator[Window]:
        """Split a window at the boundaries, row by row.

        Args:
            window: Window of the mosaic.

        Example:
            >>> lines = BlockLines((0, 4), (0,), (4, 8))
            >>> [part.height for part in lines.parts(Window(2, 0, 5, 8))]
            [2, 3]
        """
        for top, bottom in _between(self.rows, window.row, window.row + window.height):
            for left, right in _between(self.cols, window.col, window.col + window.width):
                yield Window(top, left, bottom - top, right - left)


@dataclass(frozen=True, slots=True)
class _Source:
    """A part of a file that the mosaic shows without resampling."""

    path: str
    from_row: int
    from_col: int
    to_row: int
    to_col: int
    height: int
    width: int


def block_lines(path: str) -> BlockLines | None:
    """Find the block boundaries of a local VRT.

    Args:
        path: Path of the VRT.

    Returns:
        None where splitting does not help: the files are band-interleaved, resampled or not aligned, or the
        VRT is no mosaic of files.
    """
    try:
        sources = _sources(Path(path))
        if not sources:
            return None
        with rasterio.open(sources[0].path) as first:
            if first.count < 2 or first.interleaving is None:
                return None
            if first.interleaving.value.upper() != "PIXEL":
                return None
            block = first.block_shapes[0]
    except (OSError, ET.ParseError, RasterioError, ValueError, TypeError, AttributeError):
        return None  # GDAL reads it, or raises the error
    rows = _lines([(s.from_row, s.to_row, s.height) for s in sources], block[0])
    cols = _lines([(s.from_col, s.to_col, s.width) for s in sources], block[1])
    if rows is None or cols is None:
        return None
    return BlockLines(rows, cols, block)


def _sources(path: Path) -> list[_Source]:
    """Sources of the first band, which stands for the others; empty if one is resampled."""
    found = []
    for _, element in ET.iterparse(path, events=("end",)):
        if element.tag in ("SimpleSource", "ComplexSource"):
            name = element.find("SourceFilename")
            source_box, target_box = element.find("SrcRect"), element.find("DstRect")
            if name is None or name.text is None or source_box is None or target_box is None:
                return []
            keys = ("yOff", "xOff", "ySize", "xSize")
            source = [float(source_box.attrib[key]) for key in keys]
            target = [float(target_box.attrib[key]) for key in keys]
            if source[2:] != target[2:] or any(number % 1 for number in (*source, *target)):
                return []
            relative = name.get("relativeToVRT") == "1"
            file = str(path.parent / name.text) if relative else name.text
            numbers = (int(number) for number in (*source[:2], *target))
            found.append(_Source(file, *numbers))
        elif element.tag == "VRTRasterBand":
            break
    return found


def _lines(sources: Sequence[tuple[int, int, int]], block: int) -> tuple[int, ...] | None:
    """Starts of blocks along one side, from (first in the file, first in the mosaic, length)."""
    starts: set[int] = set()
    least = 0
    for origin, first, length in set(sources):
        offset = first - origin
        lines = range((origin // block + 1) * block + offset, first + length, block)
        starts.update([first, *lines])
        least = max(least, first + length)
    return tuple(sorted(starts)) if len(starts) <= MOST_CUTS * (least // block + 2) else None


def _between(lines: tuple[int, ...], first: int, last: int) -> list[tuple[int, int]]:
    inside = [line for line in lines if first < line < last]
    return list(zip([first, *inside], [*inside, last], strict=True))
