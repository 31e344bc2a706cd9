"""Axes of a plot: round numbers on them, and the parts of a line without gaps."""

from __future__ import annotations

import math
from collections.abc import Sequence

#: A line is interrupted where bands are missing: where they lie so many usual distances apart.
GAP = 4.0

Point = tuple[float, float]


def ticks(low: float, high: float, most: int) -> list[float]:
    """Round numbers between two ends.

    Args:
        low: The lower end.
        high: The upper end.
        most: Number of ticks at most, 2 or more.

    >>> ticks(380, 2510, 5)
    [500.0, 1000.0, 1500.0, 2000.0, 2500.0]
    >>> ticks(0, 0.61, 4)
    [0.0, 0.2, 0.4, 0.6]
    """
    if not high > low:
        return [low]
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    for factor in (1.0, 2.0, 2.5, 5.0, 10.0, 20.0):
        step = factor * power
        first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
        if last - first + 1 <= most:
            break
    return [round(number * step, 12) for number in range(first, last + 1)]


def tick_text(value: float, step: float) -> str:
    """A tick as text, with the decimals that its step needs.

    Args:
        value: The value.
        step: Distance of two ticks.

    >>> tick_text(0.2, 0.2), tick_text(12000.0, 2000.0)
    ('0.2', '12,000')
    """
    decimals = max(0, -math.floor(math.log10(step) + 1e-9)) if step > 0 else 2
    if round(step * 10**decimals, 6) % 1:
        decimals += 1
    return f"{value:,.{decimals}f}"


def line_parts(centres: Sequence[float], values: Sequence[float | None]) -> list[list[Point]]:
    """A spectrum as lines that are interrupted where a value or a band is missing.

    Args:
        centres: (C,) centres of the bands in nm, increasing.
        values: (C,) values; None where there is none.

    >>> line_parts([1, 2, 3, 4], [5, None, 6, 7])
    [[(1, 5)], [(3, 6), (4, 7)]]
    """
    steps = sorted(b - a for a, b in zip(centres, centres[1:]))
    usual = steps[len(steps) // 2] if steps else 0.0
    parts: list[list[Point]] = []
    last: float | None = None
    for centre, value in zip(centres, values):
        if value is None or not math.isfinite(value):
            last = None
            continue
        if last is None or centre - last > GAP * usual:
            parts.append([])
        parts[-1].append((centre, value))
        last = centre
    return parts


def value_range(lines: Sequence[Sequence[float | None]]) -> tuple[float, float]:
    """Ends of the axis of values: 0, or below, to a little above the highest value.

    Args:
        lines: Values of each line.

    >>> value_range([[0.2, None, 0.5]])
    (0.0, 0.525)
    """
    found = [v for line in lines for v in line if v is not None and math.isfinite(v)]
    if not found:
        return 0.0, 1.0
    low, high = min(0.0, *found, 0.0), max(found)
    return (low, low + 1.0) if high <= low else (low, high + 0.05 * (high - low))
