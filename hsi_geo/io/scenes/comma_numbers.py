"""Lists with a number a line and commas in them: decimal signs, separators of thousands, or of two columns."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import HsiGeoError, OptionError
from hsi_geo.wavelength_units import NANOMETRES, OPTICAL_NM, parse_unit, to_nm

#: What commas may be, as parts of a sentence.
_DECIMALS, _THOUSANDS = "decimal signs", "separators of thousands"
_COLUMNS, _NUMBERED = "between two columns", "after the number of each band"

_DECIMAL = re.compile(r"\d*,\d+|\d+")
_WITH_THOUSANDS = re.compile(r"\d{1,3}(?:,\d{3})*(?:\.\d+)?|\d+(?:\.\d+)?")

#: Readings whose wavelengths differ by less are the same: 1,450 is 1.45 micrometres and 1450 nm.
_SAME_NM = 0.001


def values_with_commas(lines: Sequence[str], what: str, unit: str | None) -> list[str]:
    """The numbers of lines that hold one each, with a comma for a decimal sign or a separator of thousands.

    Args:
        lines: The lines, without a header.
        what: What messages call the list.
        unit: Text that states the unit; None if nothing does.

    Returns:
        The numbers as texts without commas; empty if the commas separate columns, or there are none.

    Raises:
        OptionError: If the commas may mean several of these.

    Examples:
        >>> values_with_commas(["400,5", "400,9", "401,3"], "the list", None)
        ['400.5', '400.9', '401.3']
        >>> values_with_commas(["950.5", "1,010.25"], "the list", None)
        ['950.5', '1010.25']
        >>> values_with_commas(["400,violet", "500,green"], "the list", None)
        []
    """
    if not any("," in line for line in lines):
        return []
    columns = [line.split(",") for line in lines]
    readings = {
        _DECIMALS: _replaced(lines, _DECIMAL, "."),
        _THOUSANDS: _replaced(lines, _WITH_THOUSANDS, ""),
        _COLUMNS: [cells[0] for cells in columns],
        _NUMBERED: [cells[1] if len(cells) == 2 else "" for cells in columns],
    }
    if not _count_bands(readings[_COLUMNS]):
        del readings[_NUMBERED]
    plausible = {meaning: nm for meaning, texts in readings.items() if len(nm := _nm(texts))}
    different = {
        meaning
        for meaning, nm in plausible.items()
        if np.abs(nm - next(iter(plausible.values()))).max() > _SAME_NM
    }
    all_numbers = any(readings[meaning] for meaning in (_DECIMALS, _THOUSANDS))
    if different or (all_numbers and not plausible):
        possible = list(plausible) or [_DECIMALS, _THOUSANDS, _COLUMNS]
        raise OptionError(
            f"the commas in {what}, such as in '{lines[0]}', may be {' or '.join(possible)}",
            hint="write decimal points, or name the columns in the first line, such as wavelength_nm,fwhm_nm",
        )
    if {_COLUMNS, _NUMBERED} & set(plausible) or not plausible:
        return []
    in_nm = _THOUSANDS in plausible and parse_unit(unit) == NANOMETRES
    return readings[_THOUSANDS if in_nm else next(iter(plausible))]


def _replaced(lines: Sequence[str], pattern: re.Pattern[str], comma: str) -> list[str]:
    """Lines with something in place of their commas; empty if one of them has another form."""
    if not all(map(pattern.fullmatch, lines)):
        return []
    return [line.replace(",", comma) for line in lines]


def _nm(texts: Sequence[str]) -> Float64Array:
    """Wavelengths in nm of numbers without a unit; empty if they are not those of increasing bands."""
    nothing = np.empty(0)
    try:
        values = np.array([float(text) for text in texts])
        nm = to_nm(values, None) if len(values) else nothing
    except (ValueError, HsiGeoError):
        return nothing
    inside = (nm >= OPTICAL_NM[0]).all() and (nm <= OPTICAL_NM[1]).all()
    return nm if inside and (np.diff(nm) > 0).all() and not _count_bands(texts) else nothing


def _count_bands(texts: Sequence[str]) -> bool:
    """Whether numbers are 1, 2, 3 and so on, or 0, 1, 2."""
    return list(texts) in [[str(n) for n in range(first, first + len(texts))] for first in (0, 1)]
