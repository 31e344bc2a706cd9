"""Wavelengths in the names of bands, as programs and people write them.

A number before a wavelength may be the lower limit of the band (450-460 nm), thousands (1 230,5 nm), or no part of
it, such as the number of the band (Band 3 450 nm). All names of a file together tell which of them it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from hsi_geo.io.readers.band_limits import Limits, are_limits
from hsi_geo.io.readers.written_numbers import Written, are_counted

#: What units of wavelengths are called in names.
UNIT = r"(?:nanomet(?:er|re)s?|micromet(?:er|re)s?|microns?|nm|um|[µμ]m)"

_NUMBER = r"(?:(?<!\d)\d+(?:[.,p'\u2019\u00a0\u2009\u202f]\d+|[ ]\d{3}(?!\d))*\.?|(?<!\d)\.\d+)(?:e[-+]?\d+)?"

#: The limits of a band (450-460 nm), or a number with a unit, which may have a tolerance.
_LIMITS_OR_CENTRE = re.compile(
    rf"(?P<low>{_NUMBER})\s*(?P<first>{UNIT})?\s*(?:-|\u2013|to)\s*(?P<high>{_NUMBER})\s*(?P<last>{UNIT})(?![^\W_])"
    rf"|(?P<centre>{_NUMBER})(?:\s*(?:±|\+/?-)\s*{_NUMBER})?\s*(?P<unit>{UNIT})(?![^\W_])",
    re.IGNORECASE,
)

#: What stands before the width of a band.
_BEFORE_WIDTH = re.compile(r"(?:fwhm|width|resolution)[\W_]*$", re.IGNORECASE)

#: Longer names are read up to here.
_LONGEST = 200

Wavelength = tuple[float, str]


def parse_band_names(names: Sequence[str]) -> list[Wavelength | None] | None:
    """The wavelengths and their units in the names of the bands of a file.

    Args:
        names: (C,) descriptions of its bands, in their order.

    Returns:
        (C,) the first wavelength of each name that is no width, and the middle if the name has the limits of the band;
        None for a name without one. None instead of the list if the names can be read in two ways.

    Example:
        >>> parse_band_names(["band 7 (0.5436 Micrometers)", "450-460 nm", "1,650.5 nm", "NDVI"])
        [(0.5436, 'Micrometers'), (455.0, 'nm'), (1650.5, 'nm'), None]
        >>> parse_band_names(["1 450 nm", "2 550 nm", "3 650 nm"])
        [(450.0, 'nm'), (550.0, 'nm'), (650.0, 'nm')]
        >>> parse_band_names(["950 nm", "1 050 nm", "1 450 nm"])
        [(950.0, 'nm'), (1050.0, 'nm'), (1450.0, 'nm')]
        >>> parse_band_names(["1 650 nm", "2 200 nm"]) is None
        True
    """
    matches = [_match(name) for name in names]
    pairs = {band: pair for band, match in enumerate(matches) if match and (pair := _pair(match))}
    have_limits = are_limits(list(pairs.values()))
    written = {
        band: _centre(match)
        for band, match in enumerate(matches)
        if match is not None and not (have_limits and band in pairs)
    }
    have_counts = are_counted(list(written.values()))
    if have_limits is None or have_counts is None:
        return None
    found: list[Wavelength | None] = [None] * len(names)
    for band, number in written.items():
        found[band] = number.value(counted=have_counts), number.unit
    if have_limits:
        for band, pair in pairs.items():
            found[band] = pair.middle, pair.unit
    for band, match in enumerate(matches):
        if match is not None and (middle := _middle_of_two(match)) is not None:
            found[band] = middle
    return found


def _match(name: str) -> re.Match[str] | None:
    name = name[:_LONGEST]
    matches = _LIMITS_OR_CENTRE.finditer(name)
    return next((m for m in matches if not _BEFORE_WIDTH.search(name[: m.start()])), None)


def _written(match: re.Match[str], group: str, unit: str) -> Written:
    return Written.of(match[group], unit, match.string[: match.start(group)])


def _pair(match: re.Match[str]) -> Limits | None:
    """Two numbers before one unit, which may be limits; None if there are none."""
    if match["low"] is None or match["first"]:
        return None
    low, high = (_written(match, side, match["last"]) for side in ("low", "high"))
    return Limits.of(low, high)


def _centre(match: re.Match[str]) -> Written:
    """The wavelength of a name without limits."""
    if match["unit"]:
        return _written(match, "centre", match["unit"])
    high = _written(match, "high", match["last"])
    if not match["first"]:
        return high
    low = _written(
        match, "low", match["first"]
    )  # a width may stand after the wavelength, or before it
    return high if low.optical is None and high.optical is not None else low


def _middle_of_two(match: re.Match[str]) -> Wavelength | None:
    """The middle of limits that have a unit each; None if there are none."""
    if not match["first"]:
        return None
    low, high = (
        _written(match, side, match[unit]).optical
        for side, unit in (("low", "first"), ("high", "last"))
    )
    if low is None or high is None or not low < high:
        return None
    return (low + high) / 2, "nm"
