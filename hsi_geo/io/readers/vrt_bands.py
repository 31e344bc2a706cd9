"""Which bands of its files a VRT shows."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Sequence


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
    try:
        root = ET.fromstring(text)
    except ET.ParseError:
        return None
    warped = {one.get("dst", ""): one.get("src", "") for one in root.iter("BandMapping")}
    if warped:
        return _as_numbers([warped.get(str(number), "") for number in numbers])
    elements = root.findall("VRTRasterBand")
    if max(numbers) > len(elements):
        return None
    shown = [_shown_by(elements[number - 1]) for number in numbers]
    files = {frozenset(file for file, _ in sources) for sources in shown}
    bands = [{band for _, band in sources} for sources in shown]
    if len(files) != 1 or any(len(found) != 1 for found in bands):
        return None
    return _as_numbers([band for found in bands for band in found])


def _shown_by(band: ET.Element) -> set[tuple[str, str]]:
    """File and band of each source. Without a number GDAL takes the first band of the file."""
    sources = [one for one in band if one.tag.endswith("Source")]
    return {
        (one.findtext("SourceFilename", "").strip(), one.findtext("SourceBand", "1").strip())
        for one in sources
    }


def _as_numbers(texts: list[str]) -> list[int] | None:
    """Numbers from 1; None if a text is none, as that of a mask ("mask,1")."""
    numbers = [int(text) if text.isdecimal() else 0 for text in texts]
    return numbers if all(number > 0 for number in numbers) else None
