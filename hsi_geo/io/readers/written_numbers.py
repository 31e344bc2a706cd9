"""Wavelengths as they are written: decimal signs, thousands, and numbers of bands before them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from hsi_geo.wavelength_units import OPTICAL_NM, to_nm

#: A number with a decimal sign. A p is one after two digits or a zero: 443p5, 0p443, but b1p450.
_DECIMAL = re.compile(r"(?:\d+(?:[.,]\d*)?|\.\d+|(?:\d{2,}|0)p\d+)(?:e[-+]?\d+)?")

#: A number with separators of thousands. Before a blank, only one digit is usual: 1 230,5.
_GROUPED = re.compile(
    r"(?! |\d\d+ )[1-9]\d{0,2}(?P<mark>[.,'\u2019 \u00a0\u2009\u202f])\d{3}"
    r"(?:(?P=mark)\d{3})*(?P<part>(?!(?P=mark))[.,]\d*)?"
)

_MARKS = re.compile(r"[.,p'\u2019 \u00a0\u2009\u202f]")

#: What stands before the number of a band, any word before a number, and a number before another one.
_BEFORE_COUNT = re.compile(r"(?:(?<![^\W_])(?:b|ch)|band|channel)[\s_.:#]*$", re.IGNORECASE)
_WORD = re.compile(r"[^\W\d_][\s_]*$")
_COUNT = re.compile(r"(?:^|[\W_]|b|band|channel|ch)\d{1,3} $", re.IGNORECASE)

#: So many numbers that count the bands are no chance.
_FEWEST_COUNTS = 3


@dataclass(frozen=True, slots=True)
class Written:
    """A number before a unit.

    Attributes:
        unit: The unit.
        text: The number in lower case.
        before: What stands before it in the name.
        whole: All of it as a wavelength; None if it is none.
        thousands: Whether ``whole`` has separators of thousands that may separate the number of the band.
        rest: The wavelength in it if it begins with the number of the band; None if it is none.
    """

    unit: str
    text: str
    before: str
    whole: float | None
    thousands: bool
    rest: float | None

    @classmethod
    def of(cls, text: str, unit: str, before: str) -> Written:
        """Read a number.

        Args:
            text: The number, such as "1 230,5".
            unit: Its unit.
            before: What stands before it in the name.
        """
        text = text.lower()
        whole = _grouped(text, unit)
        is_open = whole is not None and _mark(text) in (" ", ",", ".")
        if whole is not None:
            return cls(unit, text, before, whole, is_open, _rest(text, unit) if is_open else None)
        whole = _decimal(text, unit)
        # A decimal number that is no wavelength may be one in another unit than the declared one.
        is_cut = _as_float(text) is None or (_mark(text) == "," and _BEFORE_COUNT.search(before))
        rest = _rest(text, unit) if whole is None and is_cut else None
        return cls(unit, text, before, whole, False, rest)

    @property
    def is_ambiguous(self) -> bool:
        """Whether its beginning may be thousands or the number of the band."""
        return self.thousands and self.rest is not None

    @property
    def is_blank(self) -> bool:
        """Whether a blank stands after its beginning."""
        return _mark(self.text) == " "

    @property
    def is_named(self) -> bool:
        """Whether the word Band, or one like it, stands directly before it."""
        return _BEFORE_COUNT.search(self.before) is not None

    @property
    def follows_word(self) -> bool:
        """Whether any word stands directly before it."""
        return _WORD.search(self.before) is not None

    @property
    def head(self) -> int:
        """The number before its first mark."""
        return int(_MARKS.split(self.text)[0] or 0)

    @property
    def is_counted(self) -> bool:
        """Whether it can only be a wavelength after the number of the band."""
        if self.whole is None:
            return self.rest is not None and (self.is_blank or self.is_named)
        return not self.thousands and _COUNT.search(self.before) is not None

    @property
    def optical(self) -> float | None:
        """The wavelength in nm as far as this number alone tells; None if it is none."""
        value = self.rest if self.whole is None else self.whole
        return None if value is None else _nm(value, self.unit)

    def value(self, *, counted: bool) -> float:
        """The wavelength in the unit.

        Args:
            counted: Whether numbers of bands stand before wavelengths.
        """
        values = (self.rest, self.whole) if counted else (self.whole, self.rest)
        return next((value for value in values if value is not None), None) or _any(self.text)


def are_counted(numbers: Sequence[Written]) -> bool | None:
    """Whether what may be thousands are the numbers of the bands.

    Args:
        numbers: Wavelengths in the names of the bands of a file, in their order.

    Returns:
        None if both is possible.
    """
    both = [number for number in numbers if number.is_ambiguous]
    blank, named = all(n.is_blank for n in both), all(n.is_named for n in both)
    if not both or not (blank or named):
        return False
    if blank and named:
        return True
    counted = any(n.is_counted for n in numbers)
    if counted != any(n.thousands and n.rest is None for n in numbers):
        return counted
    if len(both) < len(numbers) and not counted:
        return False  # wavelengths below 1000 have nothing before them
    if len(both) == 1:
        return False if not blank or re.search("[.,]", both[0].text) else None
    heads = [n.head for n in both]
    if len(both) >= _FEWEST_COUNTS and all(two - one == 1 for one, two in pairwise(heads)):
        return True
    is_repeated = len(set(heads)) < len(heads)
    return False if is_repeated and (named or not any(n.follows_word for n in both)) else None


def _mark(text: str) -> str:
    found = _MARKS.search(text)
    return found[0] if found else ""


def _nm(value: float, unit: str) -> float | None:
    """A wavelength in nm; None if it is none."""
    low, high = OPTICAL_NM
    nm = float(to_nm(np.array([value]), unit)[0])
    return nm if low <= nm <= high else None


def _grouped(text: str, unit: str) -> float | None:
    """A wavelength with separators of thousands."""
    match = _GROUPED.fullmatch(text)
    if match is None:
        return None
    part = match["part"] or ""
    if match["mark"] == "." and not part and text.count(".") == 1:
        return None  # a decimal number
    whole = re.sub(r"\D", "", text[: len(text) - len(part)])
    value = float(f"{whole}.{part[1:]}")
    return value if _nm(value, unit) is not None else None


def _decimal(text: str, unit: str) -> float | None:
    """A wavelength with a decimal sign, or none."""
    value = _as_float(text)
    return value if value is not None and _nm(value, unit) is not None else None


def _as_float(text: str) -> float | None:
    return float(re.sub("[,p]", ".", text)) if _DECIMAL.fullmatch(text) else None


def _rest(text: str, unit: str) -> float | None:
    """The first wavelength in a number that begins at one of its marks."""
    values = (_decimal(text[mark.end() :], unit) for mark in _MARKS.finditer(text))
    return next((value for value in values if value is not None), None)


def _any(text: str) -> float:
    """The last number of a text in which there is no wavelength."""
    whole = _as_float(text)
    return float(re.findall(r"\d+", text)[-1]) if whole is None else whole
