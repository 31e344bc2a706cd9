"""Where the blocks of a VRT's files end, so that none is unpacked more often than it has to be.

GDAL reads a VRT band by band unless its sources are of the simplest kind; gdalbuildvrt makes others
as soon as nodata is declared. Of files that keep all bands of a pixel together (GeoTIFF's default)
each block is then unpacked for each band, unless one block is all that is asked for: on 200 bands
that is a hundred times slower.
"""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import rasterio
from rasterio.errors import RasterioError

from hsi_geo.tiling import Window

#: Cuts for each block along a side, at most: files that lie crooked to each other give more, and
#: reading many slivers costs as much as it saves.
MOST_CUTS = 4


@dataclass(frozen=True, slots=True)
class BlockLines:
    """Lines that blocks of the files behind a mosaic end at.

    Attributes:
        rows: First rows of blocks, increasing.
        cols: First columns of blocks, increasing.
        block_px: (rows, columns) of a block.
    """

    rows: tuple[int, ...]
    cols: tuple[int, ...]
    block_px: tuple[int, int]

    def parts(self, window: Window) -> Iterator[Window]:
        """Cut a window along the lines, row by row."""
        for top, bottom in _between(self.rows, window.row, window.row + window.height):
            for left, right in _between(self.cols, window.col, window.col + window.width):
                yield Window(top, left, bottom - top, right - left)


@dataclass(frozen=True, slots=True)
class _Source:
    """A part of a file, pixel for pixel a part of the mosaic."""

    path: str
    from_row: int
    from_col: int
    to_row: int
    to_col: int
    height: int
    width: int


def block_lines(path: str) -> BlockLines | None:
    """The lines of a VRT on this machine.

    Args:
        path: Of the VRT.

    Returns:
        None where cutting does not help: files keep bands apart, or are resampled, or lie in no
        order; or the VRT is something else than a mosaic of files.
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
        return None  # GDAL reads it, or tells what is wrong
    rows = _lines([(s.from_row, s.to_row, s.height) for s in sources], block[0])
    cols = _lines([(s.from_col, s.to_col, s.width) for s in sources], block[1])
    if rows is None or cols is None:
        return None
    return BlockLines(rows, cols, block)


def _sources(path: Path) -> list[_Source]:
    """Of the first band; the others are taken to be alike. Empty if one is not pixel for pixel."""
    found = []
    for _, element in ET.iterparse(path, events=("end",)):
        if element.tag in ("SimpleSource", "ComplexSource"):
            name = element.find("SourceFilename")
            given, shown = element.find("SrcRect"), element.find("DstRect")
            if name is None or name.text is None or given is None or shown is None:
                return []
            keys = ("yOff", "xOff", "ySize", "xSize")
            source = [float(given.attrib[key]) for key in keys]
            target = [float(shown.attrib[key]) for key in keys]
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
