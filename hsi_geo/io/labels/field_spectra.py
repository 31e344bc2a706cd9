"""Files of field instruments: ASD FieldSpec (``.asd``) and Spectra Vista (``.sig``).

Layouts: ASD File Format, version 8; SVC HR-1024 user manual.
"""

from __future__ import annotations

import re
import struct

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.files.text_encoding import decode

#: Positions in an ASD file: type of the data, first wavelength, step, number format, number of channels, spectrum.
_TYPE, _FIRST_NM, _STEP_NM, _FORMAT, _CHANNELS, _SPECTRUM = 186, 191, 195, 199, 204, 484

#: NumPy's types of the number formats: float, integer, double.
_FORMATS = {0: "<f4", 1: "<i4", 2: "<f8"}

#: Types of data that are already reflectance as stored: none; they are divided by the white reference.
_RAW, _REFLECTANCE = 0, 1

#: Most channels of an instrument.
_MOST_CHANNELS = 10_000


def parse_asd(content: bytes, name: str) -> tuple[Float64Array, Float64Array]:
    """Reflectance in a file of an ASD spectrometer.

    Args:
        content: Bytes of the file.
        name: Name of the file, for messages.

    Returns:
        centres: (C,) wavelengths in nm.
        values: (C,) reflectance, 0 to 1.

    Raises:
        ShotsError: If it is cut short, or holds no reflectance and no white reference.
    """
    if len(content) < _SPECTRUM or content[:2].lower() != b"as":
        raise _unreadable(name, "it does not begin like an ASD file")
    kind, number_format = content[_TYPE], content[_FORMAT]
    first, step = struct.unpack_from("<ff", content, _FIRST_NM)
    (channels,) = struct.unpack_from("<H", content, _CHANNELS)
    dtype = np.dtype(_FORMATS.get(number_format, "V1"))
    sound = 100 < first < 10_000 and 0 < step < 100 and 1 < channels <= _MOST_CHANNELS
    if dtype.kind == "V" or not sound:
        raise _unreadable(name, "its header states no wavelengths")
    size = channels * dtype.itemsize
    target = _numbers(content, _SPECTRUM, channels, dtype, name)
    centres = first + step * np.arange(channels)
    if kind not in (_RAW, _REFLECTANCE):
        raise _unreadable(name, "it holds radiance or irradiance, not reflectance")
    # Flag of the reference, its time and that of the spectrum, and a description with its length.
    start = _SPECTRUM + size
    if len(content) < start + 20:
        return centres, target
    (length,) = struct.unpack_from("<H", content, start + 18)
    reference = _numbers(content, start + 20 + length, channels, dtype, name)
    if not (reference > 0).any():
        if kind == _REFLECTANCE:
            return centres, target
        raise _unreadable(name, "it holds counts and no white reference")
    with np.errstate(divide="ignore", invalid="ignore"):
        return centres, np.where(reference > 0, target / reference, np.nan)


def _numbers(
    content: bytes, start: int, count: int, dtype: np.dtype[np.generic], name: str
) -> Float64Array:
    if len(content) < start + count * dtype.itemsize:
        raise _unreadable(name, "it is cut short")
    return np.frombuffer(content, dtype, count, start).astype(np.float64)


def parse_sig(content: bytes, name: str) -> tuple[Float64Array, Float64Array]:
    """Reflectance in a text of a Spectra Vista (SVC) spectrometer.

    Args:
        content: Bytes of the file.
        name: Name of the file, for messages.

    Returns:
        centres: (C,) wavelengths in nm, increasing.
        values: (C,) reflectance, 0 to 1.

    Raises:
        ShotsError: If it has no lines of wavelength, reference, target and reflectance.
    """
    text = decode(content)[0]
    _, found, data = text.partition("data=")
    rows = []
    for line in data.splitlines():
        words = line.split()
        if len(words) < 4:
            words = re.split(r"[\s,]+", line.strip())
        try:  # some computers write a comma as decimal sign
            rows.append([float(word.strip(",").replace(",", ".")) for word in words[:4]])
        except ValueError:
            continue
    rows = [row for row in rows if len(row) == 4]
    if not found or len(rows) < 2:
        raise _unreadable(name, "it has no lines of wavelength, reference, target and reflectance")
    table = np.array(rows)
    order = np.argsort(table[:, 0], kind="stable")
    return table[order, 0], table[order, 3] / 100.0


def _unreadable(name: str, why: str) -> ShotsError:
    return ShotsError(
        f"field spectrum '{name}' cannot be used ({why})",
        hint="export reflectance from the instrument's software, for example as CSV",
    )
