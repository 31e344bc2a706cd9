"""Wavelengths in the names of bands, as programs and people write them.

The number before a unit is the wavelength. A number before that one may be the lower limit of the band (450-460 nm), its thousands
(1 230 nm), or the number of the band (3 450 nm): all names of a file together tell which, or the names are not used.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hsi_geo.wavelength_units import NANOMETRES, OPTICAL_NM, parse_unit, to_nm

#: What units of wavelengths are called in names.
UNIT = r"(?:nanomet(?:er|re)s?|micromet(?:er|re)s?|microns?|nm|um|[µμ]m)"

#: The upper limit of a band is at most this many times the lower one.
WIDEST = 2

#: Digits with decimal signs and separators of thousands. A p is a decimal sign after two digits or a 0: 443p5, 0p443, but b1p450.
_NUMBER = r"(?:(?<!\d)(?:(?:\d{2,}|0)p\d+|\d+(?:[.,'\u2019\u00a0\u202f]\d+)*\.?)|(?<!\d)\.\d+)(?:e[-+]?\d+)?"

#: A number with a unit, which may have the lower limit of the band before it, or a tolerance.
_WAVELENGTH = re.compile(
    rf"(?:(?P<low>{_NUMBER})\s*(?P<low_unit>{UNIT})?\s*(?:-|\u2013|to)\s*)?"
    rf"(?P<number>{_NUMBER})(?:\s*(?:±|\+/?-)\s*{_NUMBER})?\s*(?P<unit>{UNIT})(?![^\W_])",
    re.IGNORECASE,
)

#: The plain number that a text of `_NUMBER` ends with.
_LAST = re.compile(r"(?:\d+(?:\.\d*)?|\.\d+)(?:e[-+]?\d+)?$")

#: Thousands, with a decimal sign that is another one.
_GROUPED = re.compile(
    r"[1-9]\d{0,2}(?P<mark>[.,'\u2019\u00a0\u202f])\d{3}(?:(?P=mark)\d{3})*(?P<part>(?!(?P=mark))[.,]\d+)?"
)

#: What stands before the width of a band, and before its number.
_BEFORE_WIDTH = re.compile(r"(?:fwhm|width|resolution)[\W_]*$", re.IGNORECASE)
_BEFORE_COUNT = re.compile(
    r"(?:(?<![^\W_])(?:b|ch)|bands?|bande|banda|channel|kanal|canal)[\s_.:#]*$", re.IGNORECASE
)

#: One to three digits and a blank before a number of three digits, and what may stand before them.
_HEAD = re.compile(r"(?P<before>.*?)(?<![\d.,])(?P<head>[1-9]\d{0,2}) $", re.DOTALL)
_THREE_DIGITS = re.compile(r"\d{3}(?!\d)")
_AFTER_COMMA = re.compile(r"(?P<head>[1-9]\d{0,2}),(?P<rest>\d{3}(?:\.\d+)?)")
_WORD = re.compile(r"[^\W\d_]\w*[\s_]*$")

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
        >>> parse_band_names(["1 650 nm", "2 200 nm"]) is None
        True
    """
    found = [_read(name) for name in names]
    known = [one for one in found if one is not None]
    have_limits = _are_limits([one for one in known if one.low is not None])
    have_thousands = _are_thousands(known)
    if have_limits is None or have_thousands is None:
        return None
    return [None if one is None else one.wavelength(have_limits, have_thousands) for one in found]


@dataclass(frozen=True, slots=True)
class _Found:
    """What a name has before its unit.

    Attributes:
        number: The number directly before the unit.
        unit: The unit.
        low: The number before a dash, in the same unit; None if there is none.
        is_named: Whether the word Band, or one like it, stands before ``low``.
        is_padded: Whether ``low`` has zeros before it, as numbers of images have.
        head: Digits and a blank, or a comma after the word Band, before the number; None if there are none.
    """

    number: float
    unit: str
    low: float | None = None
    is_named: bool = False
    is_padded: bool = False
    head: int | None = None

    @property
    def is_counted(self) -> bool:
        """Whether ``head`` can only be the number of the band: as thousands it makes no wavelength."""
        return self.head is not None and _nm(1000.0 * self.head + self.number, self.unit) is None

    def wavelength(self, have_limits: bool, have_thousands: bool) -> Wavelength:
        """The wavelength and its unit.

        Args:
            have_limits: Whether numbers before a dash are limits.
            have_thousands: Whether digits and a blank are thousands.
        """
        if have_limits and self.low is not None:
            return (self.low + self.number) / 2, self.unit
        if have_thousands and self.head is not None:
            return 1000.0 * self.head + self.number, self.unit
        return self.number, self.unit


def _read(name: str) -> _Found | None:
    name = name[:_LONGEST]
    for match in _WAVELENGTH.finditer(name):
        if not _BEFORE_WIDTH.search(name[: match.start()]):
            return _found(match)
    return None


def _found(match: re.Match[str]) -> _Found:
    number, unit = _value(match, "number", match["unit"]), match["unit"]
    if match["low"] is None:
        return _with_head(match, number)
    low_unit = match["low_unit"]
    low = _value(match, "low", low_unit or unit)
    before = match.string[: match.start("low")]
    if low_unit is None:
        is_padded = match["low"].isdigit() and match["low"][0] == "0"
        return _Found(number, unit, low, _BEFORE_COUNT.search(before) is not None, is_padded)
    low_nm, high_nm = _nm(low, low_unit), _nm(number, unit)
    if low_nm is None or high_nm is None:  # a width beside the wavelength
        return _Found(number, unit) if low_nm is None else _Found(low, low_unit)
    return _Found((low_nm + high_nm) / 2, "nm")


def _value(match: re.Match[str], group: str, unit: str) -> float:
    """A number as it is meant: of its readings the first one that is a wavelength, or else the first one."""
    text = match[group].lower()
    last = _LAST.search(text)
    assert last is not None  # it ends with digits and maybe a point
    readings = [float(text)] if last[0] == text else []
    grouped = _GROUPED.fullmatch(text)
    if grouped and not readings:
        part = grouped["part"] or ""
        whole = re.sub(r"\D", "", text[: len(text) - len(part)])
        readings.append(float(f"{whole}.{part[1:]}"))
    if re.fullmatch(r"\d+[,p]\d+", text):
        readings.append(float(re.sub("[,p]", ".", text)))
    # A number of the band may stand before a comma.
    readings.append(float(last[0]))
    return next((one for one in readings if _nm(one, unit) is not None), readings[0])


def _with_head(match: re.Match[str], number: float) -> _Found:
    """A number without a dash before it, with what may be its thousands. After a word, as in "VNIR 1 450 nm", it is no part of it."""
    unit, before = match["unit"], match.string[: match.start()]
    named = _AFTER_COMMA.fullmatch(match["number"])
    if named and _BEFORE_COUNT.search(before) and _nm(float(named["rest"]), unit) is not None:
        return _Found(float(named["rest"]), unit, head=int(named["head"]))
    blank = _HEAD.fullmatch(before)
    if blank is None or not _THREE_DIGITS.match(match["number"]) or _WORD.search(blank["before"]):
        return _Found(number, unit)
    return _Found(number, unit, head=int(blank["head"]))


def _are_limits(pairs: Sequence[_Found]) -> bool | None:
    """Whether numbers before a dash are the lower limits of bands; None if they may be something else."""
    if not pairs or any(one.is_padded or _nm(one.low or 0.0, one.unit) is None for one in pairs):
        return False
    lows, highs = np.array([one.low for one in pairs]), np.array([one.number for one in pairs])
    if (lows >= highs).any() or (len(pairs) > 1 and (lows == lows[0]).all()):
        return False
    if (lows % 1 == 0).all() and (highs % 1 != 0).all():
        return False
    steps = np.diff(lows)
    is_count = len(pairs) > 1 and abs(steps[0]) == 1 and (steps == steps[0]).all()
    if is_count and (np.diff(highs) != steps).any():
        return False if parse_unit(pairs[0].unit) == NANOMETRES else None
    is_narrow = bool((highs <= WIDEST * lows).all())
    return None if any(one.is_named for one in pairs) or not is_narrow else True


def _are_thousands(found: Sequence[_Found]) -> bool | None:
    """Whether digits and a blank before numbers are thousands, not numbers of bands; None if they may be both."""
    heads = [one.head for one in found if one.head is not None]
    if not heads or any(one.is_counted for one in found):
        return False
    if len(heads) < len(found):
        return True  # wavelengths below 1000 have none
    steps = np.diff(heads)
    return False if len(steps) > 1 and abs(steps[0]) == 1 and (steps == steps[0]).all() else None


def _nm(value: float, unit: str) -> float | None:
    """A wavelength in nm; None if it is none."""
    low, high = OPTICAL_NM
    nm = float(to_nm(np.array([value]), unit)[0])
    return nm if low <= nm <= high else None
