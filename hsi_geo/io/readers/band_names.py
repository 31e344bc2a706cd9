"""Wavelengths in the names of bands, as programs and people write them."""

from __future__ import annotations

import re

import numpy as np

from hsi_geo.wavelength_units import OPTICAL_NM, to_nm

_NUMBER = r"(?:\d+(?:[.,p]\d+)*\.?|\.\d+)(?:e[-+]?\d+)?"
_UNIT = r"(?:nanomet(?:er|re)s?|micromet(?:er|re)s?|microns?|nm|um|µm|μm)"

#: The limits of a band (450-460 nm), or a number with a unit, which may have a tolerance.
_LIMITS_OR_CENTRE = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?P<first>{_UNIT})?\s*(?:-|\u2013|to)\s*(?P<high>{_NUMBER})\s*(?P<last>{_UNIT})(?![^\W_])"
    rf"|(?P<centre>{_NUMBER})(?:\s*(?:±|\+/?-)\s*{_NUMBER})?\s*(?P<unit>{_UNIT})(?![^\W_])",
    re.IGNORECASE,
)

#: What stands before the width of a band, and before its number.
_BEFORE_WIDTH = re.compile(r"(?:fwhm|width|resolution)[\W_]*$", re.IGNORECASE)
_BEFORE_COUNT = re.compile(r"(?:\bb|band|channel|\bch)[\s_.:#]*$", re.IGNORECASE)

#: Numbers whose commas may separate thousands.
_THOUSANDS = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+(?:\.\d*)?")

#: A number with a decimal point.
_PLAIN = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?")

#: The upper limit of a band is at most this many times the lower one.
_WIDEST = 2


def parse_band_name(name: str) -> tuple[float, str] | None:
    """The wavelength and its unit in the name of a band, None if there is none.

    Args:
        name: Description of a band in a file.

    Returns:
        The first wavelength that is no width. It is the middle if the name has the limits of the band.

    Example:
        >>> parse_band_name("band 7 (0.5436 Micrometers)")
        (0.5436, 'Micrometers')
        >>> parse_band_name("450-460 nm"), parse_band_name("1,650.5 nm"), parse_band_name("450,5 nm")
        ((455.0, 'nm'), (1650.5, 'nm'), (450.5, 'nm'))
    """
    for match in _LIMITS_OR_CENTRE.finditer(name):
        if not _BEFORE_WIDTH.search(name[: match.start()]):
            return _wavelength(match)
    return None


def _wavelength(match: re.Match[str]) -> tuple[float, str]:
    if match["unit"]:
        return _number(match, "centre", match["unit"]), match["unit"]
    first, last = match["first"] or match["last"], match["last"]
    low, high = _number(match, "low", first), _number(match, "high", last)
    if first == last and low < high <= _WIDEST * low and not _is_numbered(match):
        return (low + high) / 2, last
    # The number of a band before its wavelength, or a width after it.
    return (low, first) if match["first"] else (high, last)


def _is_numbered(match: re.Match[str]) -> bool:
    """Whether a dash stands between the number of a band and its wavelength, as in "Band 500 - 800 nm"."""
    has_blanks = match.string[match.end("low")].isspace()
    return has_blanks and not match["first"] and _follows_count(match, "low")


def _follows_count(match: re.Match[str], group: str) -> bool:
    return _BEFORE_COUNT.search(match.string[: match.start(group)]) is not None


def _number(match: re.Match[str], group: str, unit: str) -> float:
    """A number in the name of a band. A comma in it is the decimal sign, or separates thousands or the number of the band."""
    text = match[group].lower().replace("p", ".")
    if "," in text and _follows_count(match, group):
        text = text.partition(",")[2]
    if _THOUSANDS.fullmatch(text):
        whole = float(text.replace(",", ""))
        low, high = OPTICAL_NM
        if "." in text or low <= to_nm(np.array([whole]), unit)[0] <= high:
            return whole
    *_, number = _PLAIN.findall(text.replace(",", "."))
    return float(number)
