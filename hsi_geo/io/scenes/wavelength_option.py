"""The option ``--wavelengths``: band centres for a scene that has none, or wrong ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsi_geo.arrays import BoolArray, Float64Array
from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.scenes.comma_numbers import values_with_commas
from hsi_geo.wavelength_units import are_band_numbers, parse_unit
from hsi_geo.wavelengths import Bands, DeclaredBands, resolve_bands, spacing

#: Names of columns of centres, without blanks, underscores and units; a column may also be named by
#: its unit alone.
CENTRE_COLUMNS = (
    *("", "wavelength", "wavelengths", "centerwavelength", "centrewavelength", "wl", "wvl"),
    *("centralwavelength", "wavelengthcenter", "wavelengthcentre", "bandcenter", "bandcentre"),
    *("center", "centre", "lambda"),
)

#: Names of columns of full widths at half maximum, likewise.
WIDTH_COLUMNS = (
    *("fwhm", "width", "bandwidth", "bandwidths", "widths", "fullwidthhalfmax"),
    *("fullwidthhalfmaximum", "fullwidthathalfmaximum"),
)

#: Characters that no text file has.
_CONTROL = re.compile("[\x00-\x08\x0e-\x1f\x7f]")


def bands_from_option(option: str, count: int, good: BoolArray | None) -> Bands:
    """Bands with the centres that the option gives.

    Args:
        option: A file (one centre a line, or a CSV with a column such as ``wavelength_nm`` or
            ``Wavelength (µm)`` and maybe one such as ``fwhm``; numbers without a unit whose median is
            below 100 are micrometres), ``START:STOP`` in nm for evenly spread bands, or ``index`` for
            bands without a physical meaning.
        count: Number of bands of the scene.
        good: (count,) the scene's own bad-band list, False where bad; None if it has none.

    Raises:
        OptionError: If the option is none of these, or does not fit the scene.
        WavelengthError: If the centres are no optical wavelengths.

    Example:
        >>> bands_from_option("400:1000", 4, None).centres_nm.tolist()
        [400.0, 600.0, 800.0, 1000.0]
    """
    if option == "index":
        centres = np.linspace(400.0, 2500.0, count)
        listed = np.ones(count, bool) if good is None else good  # no water vapour without nm
        return Bands(centres, spacing(centres), listed, "--wavelengths index (no physical meaning)")
    if exists(option) and not Path(option).is_dir():
        return resolve_bands(_read_file(Path(option), count), good=good)
    start, colon, stop = option.partition(":")
    try:
        low, high = float(start), float(stop)
    except ValueError:
        low = high = np.nan
    if not colon or not 0 < low < high < np.inf:
        raise OptionError(
            f"--wavelengths '{option}' is neither a file, nor START:STOP in nm with START below "
            "STOP, nor the word index",
            hint="give for example --wavelengths 400:2500",
        )
    spread = DeclaredBands(np.linspace(low, high, count), "nm", f"--wavelengths {option}")
    return resolve_bands(spread, good=good)


def _read_file(path: Path, count: int) -> DeclaredBands:
    """Centres and widths of a file with one band a line."""
    rows, comments = _lines(path)
    separator = next((s for s in (";", "\t", ",") if rows and s in rows[0]), ",")
    separators = rows[0].count(separator) if rows else 0
    above = [line for line in comments[::-1] if line.count(separator) == separators]
    header, column = _header(rows[:1] + above, separator)
    names = header.split(separator) if header else []
    unit_texts = [names[column]] if header else comments[::-1]
    unit = next((text for text in unit_texts if parse_unit(text) is not None), None)
    body = [row for row in rows if row != header]
    cells = [row.split(separator) for row in body]
    if separator != ",":
        cells = [[cell.replace(",", ".") for cell in row] for row in cells]  # decimal commas
    elif header is None or separator not in header:
        values = values_with_commas(body, f"wavelength file '{path}'", unit)
        cells = [[value] for value in values] or cells
    try:
        centres = np.array([float(row[column]) for row in cells])
    except (ValueError, IndexError) as error:
        raise OptionError(
            f"wavelength file '{path}' has a line that is not a number in nm ({error})",
            hint="write one centre a line, or a CSV with a column named wavelength",
        ) from error
    if len(centres) != count:
        raise OptionError(
            f"wavelength file '{path}' has {len(centres)} centres and the scene {count} bands",
            hint="write one centre for each band, in the scene's order",
        )
    if are_band_numbers(centres, unit if header else None):
        raise OptionError(
            f"wavelength file '{path}' counts the bands in the column that was read",
            hint="name the column of the centres wavelength_nm",
        )
    widths, widths_unit = _widths(cells, names)
    return DeclaredBands(centres, unit, f"the file '{path}'", widths, widths_unit)


def _lines(path: Path) -> tuple[list[str], list[str]]:
    """Lines of a text file that are not empty, and its comments without their mark."""
    require_text(path, "wavelength file", OptionError)
    try:
        text, _ = decode(path.read_bytes())
    except OSError as error:
        raise _no_text(path) from error
    if _CONTROL.search(text):
        raise _no_text(path)
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line for line in lines if not line.startswith("#")]
    return rows, [line.lstrip("# ") for line in lines if line.startswith("#")]


def _no_text(path: Path) -> OptionError:
    return OptionError(
        f"wavelength file '{path}' cannot be read as text",
        hint="write one centre in nm a line, or a CSV with a column named wavelength",
    )


def _header(lines: Sequence[str], separator: str) -> tuple[str | None, int]:
    """The first line that names a column of wavelengths, and the index of that column."""
    for line in lines:
        for column, cell in enumerate(line.split(separator)):
            if _is_named(cell, CENTRE_COLUMNS):
                return line, column
    return None, 0


def _widths(
    cells: Sequence[Sequence[str]], names: Sequence[str]
) -> tuple[Float64Array | None, str | None]:
    """The column of widths, NaN where a cell is no number, and the unit in its name."""
    column = next((i for i, name in enumerate(names) if _is_named(name, WIDTH_COLUMNS)), None)
    if column is None:
        return None, None
    widths = np.array([_number(row[column] if column < len(row) else "") for row in cells])
    name = names[column]
    return widths, name if parse_unit(name) is not None else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")


def _is_named(cell: str, names: Sequence[str]) -> bool:
    """Whether a column's name is one of the usual ones, with any unit in it."""
    words = [word for word in re.split(r"[^\w-]+|_", cell.lower()) if word and word != "in"]
    plain = "".join(word for word in words if parse_unit(word) is None)
    return plain in names and bool(words)
