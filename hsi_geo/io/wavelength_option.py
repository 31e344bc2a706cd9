"""What ``--wavelengths`` may say: band centres for a scene that has none, or wrong ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from hsi_geo.errors import OptionError
from hsi_geo.io.places import exists
from hsi_geo.io.references import require_file
from hsi_geo.wavelengths import Bands, make_bands, spacing, to_nm


def bands_from_option(option: str, count: int, good: npt.NDArray[np.bool_] | None) -> Bands:
    """Bands as the user tells them.

    Args:
        option: A file (one centre in nm a line, or a CSV with a ``wavelength`` column; all under
            100 are taken for micrometres), ``START:STOP`` in nm for evenly spread bands, or
            ``index`` for bands without a physical meaning.
        count: Bands of the scene.
        good: (count,) the scene's own bad-band list, False where bad; None if it has none.

    Raises:
        OptionError: If the option is none of these, or does not fit the scene.
    """
    if option == "index":
        centres = np.linspace(400.0, 2500.0, count)
        listed = np.ones(count, bool) if good is None else good  # no water vapour without nm
        return Bands(centres, spacing(centres), listed, "--wavelengths index (no physical meaning)")
    if exists(option) and not Path(option).is_dir():
        centres = _read_centres(Path(option), count)
        return make_bands(centres, good=good, source=f"the file '{option}'")
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
    return make_bands(np.linspace(low, high, count), good=good, source=f"--wavelengths {option}")


def _read_centres(path: Path, count: int) -> npt.NDArray[np.float64]:
    require_file(path, "wavelength file", OptionError)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise OptionError(
            f"wavelength file '{path}' cannot be read as text",
            hint="write one centre in nm a line, or a CSV with a column named wavelength",
        ) from error
    lines = [line.strip() for line in text.splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    header = [word.strip().lower() for word in lines[0].split(",")] if lines else []
    named = [i for i, word in enumerate(header) if word in ("wavelength", "wavelength_nm")]
    column = named[0] if named else 0
    try:
        centres = [float(line.split(",")[column]) for line in lines[bool(named) :]]
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
    return to_nm(np.array(centres), None)
