"""Spectral profiles of the EnMAP-Box in a field of a GeoPackage or GeoJSON."""

from __future__ import annotations

import io
import json
import pickle
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.files.references import require_local
from hsi_geo.io.labels.library_tables import NAMES
from hsi_geo.io.labels.spectral_library import (
    MAX_SPECTRA,
    LibrarySpectrum,
    library_nm,
    make_spectrum,
)
from hsi_geo.io.labels.vectors import gdal_offline


def profile_fields(path: Path) -> list[str]:
    """Fields of a vector file that hold profiles, by its first features.

    Args:
        path: Path of the file.
    """
    require_local(path, "shots file", ShotsError)
    with gdal_offline(str(path)), warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's, of geometries that are broken
        layers = pyogrio.list_layers(str(path))
        if not len(layers):
            return []
        _, _, _, columns = _raw(path, str(layers[0][0]), most=20)
        names = _raw_names(path, str(layers[0][0]))
    return [
        name
        for name, values in zip(names, columns, strict=True)
        if any(_profile(value) is not None for value in values)
    ]


def _raw(path: Path, layer: str, most: int | None = None) -> Any:
    read: Any = pyogrio.raw.read  # without types
    return read(str(path), layer=layer, max_features=most, read_geometry=False)


def _raw_names(path: Path, layer: str) -> list[str]:
    return [str(name) for name in pyogrio.read_info(str(path), layer=layer)["fields"]]


def read_profiles(path: Path) -> list[LibrarySpectrum]:
    """Read the profiles of a vector file; its geometries are not used.

    Args:
        path: Path of the file.

    Raises:
        ShotsError: If no field holds profiles.
    """
    chosen = profile_fields(path)
    if not chosen:
        raise ShotsError(
            f"spectral library '{path}' has no field with profiles",
            hint="export the profiles of the EnMAP-Box as GeoJSON or GeoPackage",
        )
    with gdal_offline(str(path)):
        layer = str(pyogrio.list_layers(str(path))[0][0])
        _, _, _, columns = _raw(path, layer, most=MAX_SPECTRA + 1)
        names = _raw_names(path, layer)
    table = dict(zip(names, columns, strict=True))
    own = next((name for name in names if NAMES.match(name) and name not in chosen), None)
    found = []
    for number, value in enumerate(table[chosen[0]], start=1):
        profile = _profile(value)
        if profile is None:
            continue
        fields = {
            name: "" if (cell := table[name][number - 1]) is None else str(cell)
            for name in names
            if name not in chosen and name != own
        }
        name = str(table[own][number - 1]) if own else f"profile {number}"
        unit = profile.get("xUnit")
        centres = library_nm(
            np.array(profile["x"], np.float64), None if unit is None else str(unit), str(path)
        )
        found.append(make_spectrum(name, centres, _values(profile), fields=fields))
    return found


def _values(profile: dict[str, Any]) -> Float64Array:
    """The values of a profile, NaN in bad bands."""
    values, good = np.array(profile["y"], np.float64), profile.get("bbl")
    if isinstance(good, list | tuple) and len(good) == len(values):
        is_bad = np.array([one in (0, False) for one in good])
        values[is_bad & (not is_bad.all())] = np.nan
    return values


def _profile(value: Any) -> dict[str, Any] | None:
    """The profile in a field: a dictionary with the lists x and y, as JSON text or as pickled bytes."""
    if isinstance(value, bytes | bytearray | memoryview):
        content: Any = _unpickled(bytes(value))
    elif isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            content = json.loads(value)
        except (ValueError, RecursionError):
            return None
    else:
        content = value
    if not isinstance(content, dict) or not {"x", "y"} <= set(content):
        return None
    lists = [content["x"], content["y"]]
    if not all(isinstance(one, list | tuple) and one for one in lists):
        return None
    numbers = all(isinstance(v, int | float) for one in lists for v in one)
    return content if numbers and len(lists[0]) == len(lists[1]) else None


#: What reading bytes that are no plain values may raise.
_NOT_PLAIN = (
    *(pickle.UnpicklingError, ValueError, EOFError, AttributeError, LookupError, TypeError),
    *(ImportError, MemoryError, OverflowError, RecursionError),
)


class _PlainUnpickler(pickle.Unpickler):
    """Reads lists, dictionaries, texts and numbers; anything that could run code is refused."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"{module}.{name} is no plain value")


def _unpickled(content: bytes) -> Any:
    try:
        return json.loads(content)
    except _NOT_PLAIN:
        pass
    try:
        return _plain_values(content)
    except _NOT_PLAIN:
        return None


def _plain_values(content: bytes) -> Any:
    reader: Any = _PlainUnpickler(io.BytesIO(content))
    return reader.load()
