"""AVIRIS's file of gains beside a cube of radiance: a factor for each band, by which stored numbers are divided.

Layout: the readme of AVIRIS Classic's orthocorrected radiance; a gain and the number of its band a line.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.io.files.beside import files_in, is_file, read_small_file
from hsi_geo.io.files.limits import TEXT_BYTES

#: Most files of gains in a folder that are looked at.
_MOST_FILES = 64


def find_gains(path: str, count: int) -> tuple[Float64Array | None, str]:
    """The gains of a cube.

    Args:
        path: Path of the cube.
        count: Number of its bands.

    Returns:
        gains: (C,) numbers to divide by; None without a file, or if it cannot be used.
        warning: Why it cannot, in one sentence; empty if it can.
    """
    found = _file_beside(path)
    if found is None:
        return None, ""
    text = (read_small_file(found, TEXT_BYTES) or b"").decode("latin-1")
    try:
        gains = np.array([float(line.split()[0]) for line in text.splitlines() if line.strip()])
    except (ValueError, IndexError):
        gains = np.empty(0)
    if len(gains) == count and (gains > 0).all() and np.isfinite(gains).all():
        return gains, ""
    return None, f"its '{found.name}' has no gain for each of the {count} bands: not used"


def _file_beside(path: str) -> Path | None:
    """The file whose name is the beginning of the cube's; None without one."""
    cube = Path(path)
    if not is_file(path):
        return None
    beside = files_in(cube.parent, "*.gain")[:_MOST_FILES]
    named = [file for file in beside if _is_of(cube, file) and is_file(file)]
    return max(named, key=lambda file: len(file.stem), default=None)


def _is_of(cube: Path, gains: Path) -> bool:
    """Whether a cube's name goes on after that of the gains, but not by a number: "scene1.gain" is not of scene12."""
    rest = cube.name.removeprefix(gains.stem)
    return rest != cube.name and re.match(r"\d|\.v?\d", rest, re.IGNORECASE) is None
