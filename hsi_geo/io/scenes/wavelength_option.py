"""What ``--wavelengths`` may say: band centres for a scene that has none, or wrong ones."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from hsi_geo.errors import OptionError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_text
from hsi_geo.wavelength_units import are_band_numbers, parse_unit
from hsi_geo.wavelengths import Bands, DeclaredBands, resolve_bands, spacing

#: Names of columns of centres, without blanks, underscores and units; nothing but a unit will do.
COLUMNS = (
    *("", "wavelength", "wavelengths", "centerwavelength", "centrewavelength", "wl", "wvl"),
    *("centralwavelength", "wavelengthcenter", "wavelengthcentre", "bandcenter", "bandcentre"),
    *("center", "centre", "lambda"),
)


def bands_from_option(option: str, count: int, good: npt.NDArray[np.bool_] | None) -> Bands:
    """Bands as the user tells them.

    Args:
        option: A file (one centre a line, or a CSV with a column such as ``wavelength_nm`` or
            ``Wavelength (µm)``; without a unit, numbers under 100 are taken for micrometres),
            ``START:STOP`` in nm for evenly spread bands, or ``index`` for bands without a physical
            meaning.
        count: Bands of the scene.
        good: (count,) the scene's own bad-band list, False where bad; None if it has none.

    Raises:
        OptionError: If the option is none of these, or does not fit the scene.
        WavelengthError: If it tells no optical wavelengths.
    """
    if option == "index":
        centres = np.linspace(400.0, 2500.0, count)
        listed = np.ones(count, bool) if good is None else good  # no water vapour without nm
        return Bands(centres, spacing(centres), listed, "--wavelengths index (no physical meaning)")
    if exists(option) and not Path(option).is_dir():
        return resolve_bands(_read_centres(Path(option), count), good=good)
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


def _read_centres(path: Path, count: int) -> DeclaredBands:
    require_text(path, "wavelength file", OptionError)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            f"wavelength file '{path}' cannot be read as text",
            hint="write one centre in nm a line, or a CSV with a column named wavelength",
        ) from error
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    rows = [line for line in lines if not line.startswith("#")]
    comments = [line.lstrip("# ") for line in lines if line.startswith("#")]
    separator = next((s for s in (";", "\t", ",") if rows and s in rows[0]), ",")
    cells_in_a_row = rows[0].count(separator) if rows else 0
    above = [line for line in comments[::-1] if line.count(separator) == cells_in_a_row]
    header, column = _header(rows[:1] + above, separator)
    try:
        cells = [row.split(separator)[column] for row in rows if row != header]
        if separator != ",":
            cells = [cell.replace(",", ".") for cell in cells]  # decimal commas
        centres = np.array([float(cell) for cell in cells])
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
    told = [header.split(separator)[column]] if header else comments[::-1]
    unit = next((word for word in told if parse_unit(word) is not None), None)
    if are_band_numbers(centres, unit if header else None):
        raise OptionError(
            f"wavelength file '{path}' counts the bands in the column that was read",
            hint="name the column of the centres wavelength_nm",
        )
    return DeclaredBands(centres, unit, f"the file '{path}'")


def _header(lines: Sequence[str], separator: str) -> tuple[str | None, int]:
    """The first line that names a column of wavelengths, and which column it is."""
    for line in lines:
        for column, cell in enumerate(line.split(separator)):
            if _names_wavelengths(cell):
                return line, column
    return None, 0


def _names_wavelengths(cell: str) -> bool:
    """Whether a column's name is one of the usual ones, whatever unit stands in it."""
    words = [word for word in re.split(r"[^\w-]+|_", cell.lower()) if word and word != "in"]
    plain = "".join(word for word in words if parse_unit(word) is None)
    return plain in COLUMNS and bool(words)
