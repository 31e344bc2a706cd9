"""ENVI spectral libraries."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.spectral_library import (
    MAX_SPECTRA,
    LibrarySpectrum,
    library_nm,
    make_spectrum,
)
from hsi_geo.io.readers.header_lists import plain_key
from hsi_geo.io.readers.spectral_tags import read_envi_header

#: Endings of the data file.
CUBES = (".sli", ".esl")

#: ENVI's data types.
_ENVI_TYPES = {1: "u1", 2: "i2", 3: "i4", 4: "f4", 5: "f8", 12: "u2", 13: "u4", 14: "i8", 15: "u8"}


def library_header(path: Path) -> dict[str, str]:
    """Keys and values of a header of ENVI.

    Args:
        path: Path of the header.
    """
    return {plain_key(key): value for key, value in read_envi_header(path).items()}


def read_envi_library(path: Path) -> list[LibrarySpectrum]:
    """Read an ENVI spectral library.

    Args:
        path: Path of the data file or of its header.

    Raises:
        ShotsError: If one of the two is missing, or they do not fit each other.
    """
    is_header = path.suffix.lower() == ".hdr"
    headers = [path] if is_header else [Path(f"{path}.hdr"), path.with_suffix(".hdr")]
    found = next((one for one in headers if one.is_file()), None)
    header = {} if found is None else library_header(found)
    cubes = (
        [path]
        if not is_header
        else [path.with_suffix(""), *(path.with_suffix(end) for end in CUBES)]
    )
    cube = next((one for one in cubes if one.is_file()), None)
    if not header or cube is None:
        raise ShotsError(
            f"spectral library '{path}' has no {'data file' if header else 'header (.hdr)'} beside it",
            hint="give both, under one name",
        )
    try:
        bands, lines = int(header["samples"]), int(header["lines"])
        dtype = np.dtype(_ENVI_TYPES[int(header["datatype"])])
        offset = int(header.get("headeroffset") or 0)
    except (KeyError, ValueError) as error:
        raise ShotsError(
            f"spectral library '{path}' has a header without samples, lines or data type",
            hint="write it again where it was made",
        ) from error
    size = bands * lines * dtype.itemsize
    stored = cube.stat().st_size - offset
    if not (0 < bands <= 100_000 and 0 < lines <= MAX_SPECTRA and offset >= 0 and size <= stored):
        raise ShotsError(
            f"spectral library '{path}' has {stored:,} bytes, and its header states {lines} spectra of "
            f"{bands} bands",
            hint="copy or download it again",
        )
    is_big_endian = header.get("byteorder", "0").strip() == "1"
    values = np.fromfile(
        cube, dtype.newbyteorder(">" if is_big_endian else "<"), bands * lines, offset=offset
    )
    table = values.reshape(lines, bands).astype(np.float64)
    centres, widths = _numbers(header.get("wavelength", "")), _numbers(header.get("fwhm", ""))
    if len(centres) != bands:
        raise ShotsError(
            f"spectral library '{path}' has {bands} bands and {len(centres)} wavelengths",
            hint="add the list 'wavelength' to its header",
        )
    unit = header.get("wavelengthunits")
    nm = library_nm(centres, unit, str(path))
    fwhm = None
    if len(widths) == bands:
        fwhm = widths * (nm.mean() / centres.mean())
    ignored = _numbers(header.get("dataignorevalue", ""))
    if len(ignored):
        table[table == ignored[0]] = np.nan
    good = _numbers(header.get("bbl", ""))
    if len(good) == bands and good.any():
        table[:, good == 0] = np.nan  # bad bands
    names = _names(header.get("spectranames", ""), lines)
    return [make_spectrum(name, nm, row, fwhm) for name, row in zip(names, table, strict=True)]


def _numbers(text: str) -> Float64Array:
    words = [word for word in re.split(r"[\s,;{}]+", text) if word]
    try:
        return np.array([float(word) for word in words])
    except ValueError:
        return np.empty(0)


def _names(text: str, count: int) -> list[str]:
    listed = [" ".join(word.split()) for word in text.strip().strip("{}").split(",")]
    if len(listed) != count:
        return [f"spectrum {number}" for number in range(1, count + 1)]
    return [name or f"spectrum {number}" for number, name in enumerate(listed, start=1)]
