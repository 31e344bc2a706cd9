"""Whether pairs of numbers in the names of bands are limits of the bands, or numbers of bands before wavelengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.io.readers.written_numbers import Written
from hsi_geo.wavelength_units import MICROMETRE_LIMIT

#: The upper limit of a band is at most this many times the lower one.
WIDEST = 2

#: Where all upper numbers are at most this many times the lower ones, they are limits: few bands have such numbers.
_NARROW = 1.1


@dataclass(frozen=True, slots=True)
class Limits:
    """Two numbers before one unit.

    Attributes:
        low: The first number.
        high: The second one.
        unit: Their unit.
        text: The first number as it is written.
        is_named: Whether the word Band, or one like it, stands directly before them.
    """

    low: float
    high: float
    unit: str
    text: str
    is_named: bool

    @classmethod
    def of(cls, low: Written, high: Written) -> Limits:
        """Two numbers, of whose readings those count that can be limits.

        Args:
            low: The first number.
            high: The second one.
        """
        pairs = [
            (low.value(counted=first), high.value(counted=second))
            for first, second in product((False, True), repeat=2)
        ]
        fitting = (pair for pair in pairs if pair[0] < pair[1] <= WIDEST * pair[0])
        return cls(*next(fitting, pairs[0]), high.unit, low.text, low.is_named)

    @property
    def middle(self) -> float:
        """Their middle."""
        return (self.low + self.high) / 2

    @property
    def is_padded(self) -> bool:
        """Whether the first number has zeros before it, as numbers of images have."""
        return len(self.text) > 1 and self.text[0] == "0" and self.text.isdigit()


def are_limits(pairs: Sequence[Limits]) -> bool | None:
    """Whether pairs of numbers are limits of bands.

    Args:
        pairs: Pairs in the names of the bands of a file, in their order.

    Returns:
        False if the first numbers are those of bands or images. None if both is possible.
    """
    lows, highs = (np.array([getattr(pair, side) for pair in pairs]) for side in ("low", "high"))
    if not pairs or (highs <= lows).any() or any(pair.is_padded for pair in pairs):
        return False
    if len(pairs) > 1 and (lows == lows[0]).all():
        return False
    # In micrometres, limits may be 3-4 and 4-5.5, or 8-9.5.
    other = None if lows.max() < MICROMETRE_LIMIT else False
    if len(pairs) > 1 and _count(lows, highs):
        return other
    if (highs <= _NARROW * lows).all():
        return True
    too_wide = (highs > WIDEST * lows).mean()
    if too_wide > 0:
        return False if too_wide >= 0.5 else None
    is_named = any(pair.is_named for pair in pairs)
    if len(pairs) == 1:
        return False if is_named else _have_parts(lows) == _have_parts(highs) or other
    # Bands of a sensor lie side by side. After the word Band, one beyond the other is no chance.
    ends = highs if is_named else (lows + highs) / 2
    order = np.argsort(lows)
    apart = (lows[order][1:] >= ends[order][:-1]).mean()
    if apart >= 0.5:
        return True
    return None if apart > 0 else False


def _count(lows: Float64Array, highs: Float64Array) -> bool:
    """Whether the first numbers count by one, or are whole while none of the others is."""
    steps = np.diff(lows)
    if not _have_parts(lows) and (highs % 1 != 0).all():
        return True
    return bool((np.abs(steps) == 1).all() and (steps != np.diff(highs)).any())


def _have_parts(numbers: Float64Array) -> bool:
    return bool((numbers % 1 != 0).any())
