"""Kinds of the columns of a text table, which states none: whole numbers, other values, or text as it is written."""

from __future__ import annotations

import re
from collections.abc import Sequence

import geopandas as gpd
import numpy as np

#: A whole number that is written as such, or as pandas writes it in a column with gaps (3.0). Others stay as they are
#: written: codes such as 007, 1E2, +1 and 1.10 are no numbers.
_WHOLE = re.compile(r"(0|-?[1-9]\d*)(?:\.0*|,0)?")

#: Largest whole number that a float holds as any other below it.
_LARGEST = 2**53

#: Decimal numbers, whose sign may be a comma. What begins with a zero, such as 007, is a text.
_NUMBER = re.compile(
    r"[+-]?(?:(?:(?:0|[1-9]\d*)(?:[.,]\d*)?|[.,]\d+)(?:e[+-]?\d+)?|inf(?:inity)?)",
    re.IGNORECASE,
)

#: Dates and times of day in the order of ISO 8601.
_TIME = re.compile(
    r"(?:\d{4}[-/]\d\d[-/]\d\d)?(?:[T ]?\d\d?:\d\d(?::\d\d(?:\.\d*)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?"
)

_TRUTHS = frozenset(("true", "false", "yes", "no", "on", "off", "t", "f", "y", "n"))


def type_columns(frame: gpd.GeoDataFrame) -> tuple[gpd.GeoDataFrame, frozenset[str]]:
    """Take columns of whole numbers for such; all others stay as they are written.

    GDAL would read the codes 1.1 and 1.10 as one number, and looks at the first megabyte only.

    Args:
        frame: Rows of a table of text, all of them texts.

    Returns:
        frame: The rows.
        measures: Names of columns that hold something else than classes, unless their names say so: decimal numbers,
            truth values, or dates and times.

    Examples:
        >>> table = gpd.GeoDataFrame({"id": ["3", "10"], "code": ["1.1", "1.10"]}, geometry=[None, None])
        >>> found, measures = type_columns(table)
        >>> found["id"].tolist(), found["code"].tolist(), sorted(measures)
        ([3, 10], ['1.1', '1.10'], ['code'])
    """
    found = frame.copy()
    measures = set()
    for index, name in enumerate(frame.columns):
        column = frame.iloc[:, index]
        if name == frame.geometry.name:
            continue
        cells = [cell.strip() if isinstance(cell, str) else "" for cell in column.tolist()]
        distinct = [cell for cell in dict.fromkeys(cells) if cell]
        if not distinct:
            continue
        if (numbers := _whole_numbers(distinct)) is not None:
            # Floats beside gaps, as GDAL reads a field of integers.
            values = np.array([numbers.get(cell, np.nan) for cell in cells])
            found.isetitem(index, values)
        elif _are_measures(distinct):
            measures.add(str(name))
    return found, frozenset(measures)


def _whole_numbers(cells: Sequence[str]) -> dict[str, int] | None:
    """Number by text; None if some cell is no whole number."""
    found = {}
    for cell in cells:
        match = _WHOLE.fullmatch(cell)
        if match is None or abs(number := int(match[1])) > _LARGEST:
            return None
        found[cell] = number
    return found


def _are_measures(cells: Sequence[str]) -> bool:
    if all(map(_NUMBER.fullmatch, cells)):
        return not all(float(cell.replace(",", ".")).is_integer() for cell in cells)
    return all(map(_TIME.fullmatch, cells)) or all(cell.lower() in _TRUTHS for cell in cells)
