"""Tables of spectra: a spectrum a row, or a spectrum a column."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import HsiGeoError, ShotsError
from hsi_geo.io.files.limits import TEXT_BYTES
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.labels.separator_lines import split_separator
from hsi_geo.io.labels.spectral_library import LibrarySpectrum, library_nm, make_spectrum
from hsi_geo.wavelength_units import OPTICAL_NM

#: Fewest columns of numbers in the header of a table of spectra.
_FEWEST_COLUMNS = 5

#: Narrowest range of the wavelengths of a table that also has coordinates.
_NARROWEST_NM = 100.0

#: Names of the first column of a table with a spectrum a column.
_WAVELENGTH = re.compile(r"^(wave|wvl|lambda|nm$|um$|nanomet|micromet)", re.IGNORECASE)

#: Names of the column with the names of spectra.
NAMES = re.compile(
    r"^(spectra|spectrum|profile|sample)?[\s_]*names?$|^(spectrum|sample|id|fid)$", re.IGNORECASE
)

Rows = list[list[str]]


def rows_of(text: str) -> Rows:
    """Cells of a table with commas, semicolons or tabs between them; without empty rows.

    Args:
        text: The table.
    """
    stated, text = split_separator(text)
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = stated or max(";\t,", key=first.count)  # a comma may be a decimal sign
    if not first.count(separator):
        separator = ","
    csv.field_size_limit(TEXT_BYTES)
    try:
        rows = list(csv.reader(text.splitlines(), delimiter=separator))
    except csv.Error:  # no text of cells
        return []
    cells = [[cell.strip() for cell in row] for row in rows]
    return [row for row in cells if any(row)]


def first_rows(path: Path) -> Rows:
    """The header and at most 49 more rows of a table.

    Args:
        path: Path of the table.
    """
    with path.open("rb") as file:
        start = file.read(1 << 20)
    text = decode(start)[0]
    whole = text if len(start) < 1 << 20 else text.rpartition("\n")[0] or text
    return rows_of(whole)[:50]


def _number(text: str) -> float | None:
    """The number in a text, which may begin with a letter or end in a unit, as "X450", "450nm", "450,5"."""
    match = re.fullmatch(r"[A-Za-z]{0,4}[_ ]?(\d+(?:[.,]\d+)?)\s*(nm|um|µm)?", text.strip())
    return None if match is None else float(match[1].replace(",", "."))


def layout_of(rows: Rows) -> str | None:
    """How a table holds spectra: "rows", "columns", or None if it holds none.

    Args:
        rows: Its rows, the header first.
    """
    if len(rows) < 2:
        return None
    header = rows[0]
    numbers = [_number(cell) for cell in header]
    wavelengths = [number for number in numbers if number is not None and number > 0.1]
    if len(wavelengths) >= _FEWEST_COLUMNS and 2 * len(wavelengths) > len(header) - 20:
        return "rows"
    if len(header) < 2 or not _WAVELENGTH.match(header[0]):
        return None
    first = [_plain_number(row[0]) for row in rows[1:]]
    return "columns" if len(first) >= 2 and all(value is not None for value in first) else None


def _plain_number(text: str) -> float | None:
    """A number, whose decimal sign may be a comma."""
    try:
        value = float(text.replace(",", ".", 1))
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_table(path: Path) -> list[LibrarySpectrum]:
    """Read a table of spectra.

    Args:
        path: Path of the table.

    Raises:
        ShotsError: If it has no wavelengths in its first row or first column.
    """
    require_text(path, "spectral library", ShotsError)
    rows = rows_of(decode(path.read_bytes())[0])
    layout = layout_of(rows)
    if layout is None:
        raise ShotsError(
            f"spectral library '{path}' has no wavelengths in its first row or first column",
            hint="name the columns of the bands by their wavelength in nm",
        )
    return _by_rows(rows, str(path)) if layout == "rows" else _by_columns(rows, str(path))


def has_wavelengths(header: Sequence[str]) -> bool:
    """Whether the numbers in the names of columns are those of a spectrum, not of years, dates or bands.

    Args:
        header: Names of the columns of a table with a spectrum a row.

    Examples:
        >>> has_wavelengths(["class", "X450.0", "X700.5", "X2400.0"]), has_wavelengths(["2018", "2019", "2020"])
        (True, False)
    """
    try:
        centres = _centres(header, _bands(header), "")
    except HsiGeoError:
        return False
    low, high = float(centres.min()), float(centres.max())
    return OPTICAL_NM[0] <= low and high <= OPTICAL_NM[1] and high - low >= _NARROWEST_NM


def _bands(header: Sequence[str]) -> dict[int, float]:
    """The number in the name of each column that has one."""
    return {
        index: number
        for index, cell in enumerate(header)
        if (number := _number(cell)) and number > 0.1
    }


def _centres(header: Sequence[str], bands: Mapping[int, float], source: str) -> Float64Array:
    return _in_nm(np.array(list(bands.values())), header[next(iter(bands))], source)


def _by_rows(rows: Rows, source: str) -> list[LibrarySpectrum]:
    header = rows[0]
    bands = _bands(header)
    centres = _centres(header, bands, source)
    others = [index for index in range(len(header)) if index not in bands]
    named = next((index for index in others if NAMES.match(header[index])), None)
    found = []
    for number, row in enumerate(rows[1:], start=1):
        cells = row + [""] * (len(header) - len(row))
        values = np.array([np.nan if (v := _plain_number(cells[i])) is None else v for i in bands])
        fields = {
            header[index]: cells[index] for index in others if index != named and header[index]
        }
        name = cells[named] if named is not None and cells[named] else f"spectrum {number}"
        found.append(make_spectrum(name, centres, values, fields=fields))
    return found


def _by_columns(rows: Rows, source: str) -> list[LibrarySpectrum]:
    header, body = rows[0], rows[1:]
    centres = _in_nm(
        np.array([_plain_number(row[0]) for row in body], np.float64), header[0], source
    )
    found = []
    for index, name in enumerate(header[1:], start=1):
        cells = [row[index] if index < len(row) else "" for row in body]
        values = np.array([np.nan if (v := _plain_number(cell)) is None else v for cell in cells])
        found.append(make_spectrum(name or f"spectrum {index}", centres, values))
    return found


def _in_nm(values: Float64Array, named: str, source: str) -> Float64Array:
    lower = named.lower()
    unit = (
        "um"
        if re.search("um|µm|micro", lower)
        else "nm"
        if "nm" in lower or "nano" in lower
        else None
    )
    return library_nm(values, unit, source)
