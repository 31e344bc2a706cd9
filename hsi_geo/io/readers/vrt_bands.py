"""Which bands of its files a VRT shows."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

#: Elements of a VRT, and subclasses of it and its bands, by which its values differ from those of its files.
_CHANGES = frozenset(
    ["ScaleRatio", "ScaleOffset", "SrcMin", "LUT", "Exponent", "PixelFunctionType"]
)
_CHANGING = frozenset(["VRTDerivedRasterBand", "VRTProcessedDataset", "VRTPansharpenedDataset"])

#: Texts that GDAL takes for no.
_NO = ("", "0", "no", "off", "false")

#: Number of files up to which it is found out whether they cover a VRT.
_MOST_PLACES = 2000


def file_bands(text: str, numbers: Sequence[int]) -> list[int] | None:
    """Band of the files that each band of a VRT shows.

    Args:
        text: Text of the VRT.
        numbers: (B,) bands of the VRT, from 1.

    Returns:
        (B,) numbers from 1. None if a band shows several bands of its files, or bands show different files.

    Example:
        >>> band = "<VRTRasterBand><SimpleSource><SourceBand>{}</SourceBand></SimpleSource></VRTRasterBand>"
        >>> file_bands(f"<VRTDataset>{band.format(7)}{band.format(2)}</VRTDataset>", [1, 2])
        [7, 2]
    """
    root = _parsed(text)
    if root is None:
        return None
    warped = {one.get("dst", ""): one.get("src", "") for one in root.iter("BandMapping")}
    if warped:
        return _as_numbers([warped.get(str(number), "") for number in numbers])
    shown = _shown(root, numbers)
    files = {frozenset(file for file, _ in sources) for sources in shown}
    bands = [{band for _, band in sources} for sources in shown]
    if len(files) != 1 or any(len(found) != 1 for found in bands):
        return None
    return _as_numbers([band for found in bands for band in found])


def changes_values(text: str, alpha: int | None = None) -> bool:
    """Whether a VRT computes values from those of its files.

    Args:
        text: Text of the VRT.
        alpha: Number of a band that does not count, from 1; None if all count.

    Example:
        >>> changes_values("<VRTDataset/>"), changes_values("<VRTDataset><LUT>0:1</LUT></VRTDataset>")
        (False, True)
    """
    root = _parsed(text)
    if root is None:
        return True
    left_out = set() if alpha is None else set(root.findall("VRTRasterBand")[alpha - 1].iter())
    return any(_changes(one) for one in root.iter() if one not in left_out)


def is_made_up(text: str, number: int) -> bool:
    """Whether a band of a VRT is none of its files, as the alpha band that ``gdalbuildvrt -addalpha`` or ``gdalwarp`` makes.

    Args:
        text: Text of the VRT.
        number: Number of the band, from 1.

    Example:
        >>> band = "<VRTRasterBand><ComplexSource>{}</ComplexSource></VRTRasterBand>"
        >>> text = f"<VRTDataset>{band.format('')}{band.format('<ScaleRatio>0</ScaleRatio>')}</VRTDataset>"
        >>> is_made_up(text, 1), is_made_up(text, 2)
        (False, True)
    """
    root = _parsed(text)
    bands = [] if root is None else root.findall("VRTRasterBand")
    if root is None or number > len(bands):
        return False
    warped = [one.get("dst") for one in root.iter("BandMapping")]
    return str(number) not in warped if warped else any(map(_changes, bands[number - 1].iter()))


def _changes(one: ET.Element) -> bool:
    """Whether an element of a VRT means that values are computed."""
    return one.tag in _CHANGES or one.get("subClass") in _CHANGING


def may_have_gaps(text: str) -> bool:
    """Whether pixels of a VRT may show none of its files.

    This is so where it is warped, where the places of its files leave pixels free, and where values or masks of its
    files do.

    Args:
        text: Text of the VRT.

    Example:
        >>> band = '<VRTRasterBand><SimpleSource><DstRect xOff="0" yOff="0" xSize="{}" ySize="2"/></SimpleSource></VRTRasterBand>'
        >>> vrt = '<VRTDataset rasterXSize="3" rasterYSize="2">{}</VRTDataset>'
        >>> may_have_gaps(vrt.format(band.format(3))), may_have_gaps(vrt.format(band.format(2)))
        (False, True)
    """
    root = _parsed(text)
    if root is None or root.find("GDALWarpOptions") is not None:
        return True
    width, height = _number(root, "rasterXSize"), _number(root, "rasterYSize")
    whole = _Rectangle(0, 0, width, height)
    places = set()
    for band in root.findall("VRTRasterBand"):
        sources = [one for one in band if one.tag.endswith("Source")]
        if len(sources) > _MOST_PLACES or any(map(_leaves_pixels_free, sources)):
            return True
        places.add(frozenset(_place(one, whole) for one in sources))
    return any(not _cover(one, whole) for one in places)


def _leaves_pixels_free(source: ET.Element) -> bool:
    """Whether a source does not fill its place: pixels without data are left out, or a part lies outside of the file."""
    uses_mask = source.findtext("UseMaskBand", "").strip().lower() not in _NO
    if source.find("NODATA") is not None or uses_mask:
        return True
    part, size = source.find("SrcRect"), source.find("SourceProperties")
    if part is None:
        return False
    for axis in "xy":
        start, length = _number(part, f"{axis}Off"), _number(part, f"{axis}Size")
        end = np.inf if size is None else _number(size, f"Raster{axis.upper()}Size")
        if start < 0 or start + length > end:
            return True
    return False


def _place(source: ET.Element, whole: _Rectangle) -> _Rectangle:
    """Columns and rows that a source fills; without a rectangle all."""
    rectangle = source.find("DstRect")
    if rectangle is None:
        return whole
    col, row = _number(rectangle, "xOff"), _number(rectangle, "yOff")
    width, height = _number(rectangle, "xSize"), _number(rectangle, "ySize")
    return _Rectangle(col, row, col + width, row + height)


def _cover(places: frozenset[_Rectangle], whole: _Rectangle) -> bool:
    """Whether rectangles cover another one."""
    cols = np.unique([edge for one in (whole, *places) for edge in (one.col, one.end_col)])
    rows = np.unique([edge for one in (whole, *places) for edge in (one.row, one.end_row)])
    covered = np.zeros((len(rows), len(cols)), bool)

    def cells(one: _Rectangle) -> tuple[slice, slice]:
        first, end = np.searchsorted(rows, [one.row, one.end_row])
        first_col, end_col = np.searchsorted(cols, [one.col, one.end_col])
        return slice(first, end), slice(first_col, end_col)

    for one in places:
        covered[cells(one)] = True
    return bool(covered[cells(whole)].all())


def _number(element: ET.Element, key: str) -> float:
    """The number of an attribute; 0 if it is none."""
    try:
        return float(element.get(key, "0"))
    except ValueError:
        return 0.0


def states_values(content: bytes) -> bool:
    """Whether a VRT states a scale or an offset of its bands, also a neutral one, which GDAL's programs do not write.

    Args:
        content: The file. GDAL's own text of a VRT leaves out neutral ones.

    Example:
        >>> states_values(b"<Scale>1</Scale>"), states_values(b"<ScaleRatio>1</ScaleRatio>")
        (True, False)
    """
    return re.search(rb"<(?:Scale|Offset)\b", content) is not None


def stacked_bands(text: str, numbers: Sequence[int], folder: Path) -> list[tuple[str, int]] | None:
    """File and band that each band of a VRT shows, where it shows one file each, as after ``gdalbuildvrt -separate``.

    Args:
        text: Text of the VRT.
        numbers: (B,) bands of the VRT, from 1.
        folder: Folder of the VRT, to which names in it may be relative.

    Returns:
        (B,) paths, and bands from 1. None for other VRTs.

    Example:
        >>> band = "<VRTRasterBand><SimpleSource><SourceFilename>{}</SourceFilename></SimpleSource></VRTRasterBand>"
        >>> stacked_bands(f"<VRTDataset>{band.format('red')}{band.format('nir')}</VRTDataset>", [1, 2], Path())
        [('red', 1), ('nir', 1)]
    """
    root = _parsed(text)
    shown = [] if root is None else _shown(root, numbers)
    if not shown or any(len(sources) != 1 for sources in shown):
        return None
    only = [next(iter(sources)) for sources in shown]
    bands = _as_numbers([band for _, band in only])
    if bands is None:
        return None
    paths = [str(folder / file.name) if file.is_relative else file.name for file, _ in only]
    return list(zip(paths, bands, strict=True))


class _Rectangle(NamedTuple):
    """A rectangle in columns and rows of a VRT."""

    col: float
    row: float
    end_col: float
    end_row: float


class _File(NamedTuple):
    """A file as a VRT names it."""

    name: str
    is_relative: bool


def _parsed(text: str) -> ET.Element | None:
    """The root element; None if the text is no XML."""
    try:
        return ET.fromstring(text)
    except ET.ParseError:
        return None


def _shown(root: ET.Element, numbers: Sequence[int]) -> list[set[tuple[_File, str]]]:
    """Files and bands that each band shows; empty if a band is missing. Without a number GDAL takes a file's first band."""
    bands = root.findall("VRTRasterBand")
    if max(numbers) > len(bands):
        return []
    return [
        {_source(one) for one in bands[number - 1] if one.tag.endswith("Source")}
        for number in numbers
    ]


def _source(element: ET.Element) -> tuple[_File, str]:
    file = element.find("SourceFilename")
    is_relative = file is not None and file.get("relativeToVRT") == "1"
    name = element.findtext("SourceFilename", "").strip()
    return _File(name, is_relative), element.findtext("SourceBand", "1").strip()


def _as_numbers(texts: list[str]) -> list[int] | None:
    """Numbers from 1; None if a text is none, as that of a mask ("mask,1")."""
    numbers = [int(text) if text.isdecimal() else 0 for text in texts]
    return numbers if all(number > 0 for number in numbers) else None
