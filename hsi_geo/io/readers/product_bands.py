"""The bands in the METADATA.XML of EnMAP and DESIS products."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from operator import itemgetter

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.errors import SceneError

#: XML elements of a band's properties, by EnMAP and by DESIS.
CENTRE = ("wavelengthCenterOfBand",)
WIDTH = ("FWHMOfBand", "wavelengthWidthOfBand")
GAIN = ("GainOfBand", "gainOfBand")
OFFSET = ("OffsetOfBand", "offsetOfBand")

#: Mean of a band without data in EnMAP's statistics.
_NO_MEAN = -1_000_000.0


def described_bands(root: ET.Element) -> list[ET.Element]:
    """The elements that describe bands, by the numbers of the bands. DESIS lists bands in other elements, too.

    Args:
        root: Root of a METADATA.XML.
    """
    for element in root.iter("bandCharacterisation"):
        return _in_order([band for band in element if band.find(CENTRE[0]) is not None])
    return []


def column(bands: list[ET.Element], tags: tuple[str, ...], missing: float) -> Float64Array:
    """(C,) a number of each band.

    Args:
        bands: Elements of the bands.
        tags: Names of the element that holds the number, the best first.
        missing: The number of bands without one.
    """
    values = []
    for band in bands:
        texts = [text for tag in tags if (text := band.findtext(tag))]
        values.append(_number(texts[0] if texts else "", missing))
    return np.array(values)


def factors(
    bands: list[ET.Element], tags: tuple[str, ...], missing: float, name: str
) -> Float64Array:
    """(C,) gains or offsets of the bands.

    Args:
        bands: Elements of the bands.
        tags: As in `column`.
        missing: The number of all bands if none has one.
        name: Name of the scene, for messages.

    Raises:
        SceneError: If some bands have one and others have none, or it is no number.
    """
    values = column(bands, tags, np.nan)
    unknown = np.isnan(values)
    if unknown.all() and not any(band.findtext(tag) for band in bands for tag in tags):
        return np.full(len(bands), missing)
    if unknown.any():
        raise SceneError(
            f"scene '{name}' has a METADATA.XML in which '{tags[0]}' of band {int(unknown.argmax()) + 1} is no number",
            hint="download or unpack the product again",
        )
    return values


def good_bands(root: ET.Element, count: int) -> BoolArray | None:
    """(C,) EnMAP's good bands: expected by a detector, and with data; None if all are good.

    Args:
        root: Root of a METADATA.XML.
        count: Number of bands.
    """
    good = np.ones(count, bool)
    lists = [element.text or "" for element in root.iter("expectedChannelsList")]
    expected = [int(_number(word, 0)) for text in lists for word in text.split(",")]
    if any(expected):
        good = np.isin(np.arange(1, count + 1), expected)
    statistics = _in_order([band for element in root.iter("bandStatistics") for band in element])
    if len(statistics) == count:
        mean = column(statistics, ("mean",), np.nan)
        deviation = column(statistics, ("stdDeviation",), np.nan)
        good &= ~((mean == _NO_MEAN) & (deviation == 0))
    return None if good.all() else good


def _in_order(bands: list[ET.Element]) -> list[ET.Element]:
    """Elements of bands by their numbers; as they are if these are not 1, 2, 3, ..."""
    numbers = [
        _number(band.get("number") or band.findtext("bandNumber") or "", 0) for band in bands
    ]
    if sorted(numbers) != list(range(1, len(bands) + 1)):
        return bands
    return [band for _, band in sorted(zip(numbers, bands, strict=True), key=itemgetter(0))]


def _number(text: str, missing: float) -> float:
    try:
        return float(text.strip().replace(",", "."))
    except ValueError:
        return missing
