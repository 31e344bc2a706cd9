"""Bands of real sensors, and their numbers in other units."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.wavelengths import DeclaredBands

#: Band centres of sensors, in nm.
SENSORS = {
    "VNIR": np.linspace(402.5, 998.0, 60),
    "VNIR and SWIR": np.linspace(418.2, 2445.5, 224),
    "SWIR": np.linspace(1002.0, 2496.0, 90),
    "thermal": np.linspace(7_850.0, 11_950.0, 32),
    "VNIR, SWIR and thermal": np.r_[np.linspace(450, 2400, 50), np.linspace(8200, 12300, 6)],
    "four bands": np.array([485.0, 560.0, 660.0, 830.0]),
    "a single band": np.array([865.0]),
    "a single thermal band": np.array([10_900.0]),
    "unordered": np.array([1649.0, 462.0, 2200.5, 551.5, 960.0]),
}

#: Numbers for wavelengths in nm, by the name of their unit.
NUMBERS: dict[str, Callable[[Float64Array], Float64Array]] = {
    "Nanometers": lambda nm: nm,
    "Micrometers": lambda nm: nm / 1e3,
    "Millimeters": lambda nm: nm / 1e6,
    "Meters": lambda nm: nm / 1e9,
    "Angstroms": lambda nm: nm * 10,
    "Wavenumber": lambda nm: 1e7 / nm,
    "GHz": lambda nm: 299_792_458.0 / nm,
}


def declared(values: Float64Array, unit: str | None, **more: Any) -> DeclaredBands:
    return DeclaredBands(values, unit, "a test", **more)
