"""Files of spectral libraries: ENVI, tables, profiles of the EnMAP-Box, field instruments."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from hsi_geo.errors import HsiGeoError, ShotsError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.labels.envi_libraries import CUBES, library_header, read_envi_library
from hsi_geo.io.labels.field_spectra import parse_asd, parse_sig
from hsi_geo.io.labels.library_profiles import profile_fields, read_profiles
from hsi_geo.io.labels.library_tables import NAMES, read_table, rows_of
from hsi_geo.io.labels.spectral_library import MAX_SPECTRA, LibrarySpectrum, make_spectrum
from hsi_geo.io.labels.table_kinds import kind_of_table
from hsi_geo.io.labels.vectors import UNREADABLE
from hsi_geo.tiling import Grid

#: Endings of libraries that are known by them.
_INSTRUMENTS = (".asd", ".sig")
_TABLES = (".csv", ".txt", ".tsv")
_VECTORS = (".gpkg", ".geojson", ".json", ".fgb", ".sqlite")


def is_library(path: object, near: Sequence[Grid] = (), *, needs_places: bool = False) -> bool:
    """Whether a path is that of a spectral library, not of labelled places.

    Args:
        path: Path of a file or of a folder with files of field instruments.
        near: Grids of the scenes, if they are known: see `table_kinds.kind_of_table`.
        needs_places: Whether a table that may be read as either is one of places.
    """
    if not isinstance(path, str | os.PathLike) or not exists(path):
        return False
    here = Path(path)
    suffix = here.suffix.lower()
    if here.is_dir():
        return bool(_instrument_files(here))
    if not here.is_file():  # reading a pipe never ends
        return False
    if suffix in (*CUBES, *_INSTRUMENTS):
        return True
    if suffix == ".hdr":
        return "library" in library_header(here).get("filetype", "").lower()
    try:
        if suffix in _TABLES:
            return kind_of_table(here, near, needs_places=needs_places).is_library
        return suffix in _VECTORS and profile_fields(here) != []
    except (OSError, ValueError, HsiGeoError, *UNREADABLE):
        return False


def read_library(path: str | os.PathLike[str]) -> tuple[LibrarySpectrum, ...]:
    """Read the spectra of a library.

    Args:
        path: ENVI spectral library or its header, table with wavelengths in its first row or first column,
            GeoPackage or GeoJSON with profiles of the EnMAP-Box, file of an ASD or SVC instrument, or a folder
            of these.

    Raises:
        ShotsError: If it cannot be read, or holds no spectrum.
    """
    here, name = Path(path), os.fspath(path)
    suffix = here.suffix.lower()
    try:
        if here.is_dir():
            spectra = _described(_read_folder(here), _folder_table(here))
        elif suffix in _INSTRUMENTS:
            spectra = _described([_read_instrument(here)], _side_table(here))
        elif suffix in (*CUBES, ".hdr"):
            spectra = _described(read_envi_library(here), _side_table(here))
        elif suffix in _TABLES:
            spectra = _described(read_table(here), _side_json(here))
        else:
            spectra = read_profiles(here)
    except OSError as error:
        raise ShotsError(
            f"spectral library '{name}' cannot be read ({error.strerror})",
            hint="check the path and your right to read it",
        ) from error
    usable = [one for one in spectra if np.isfinite(one.values).sum() >= 2]
    if not usable:
        raise ShotsError(
            f"spectral library '{name}' holds no spectrum", hint="give a library with spectra"
        )
    if len(usable) > MAX_SPECTRA:
        raise ShotsError(
            f"spectral library '{name}' holds {len(usable):,} spectra, and none of more than "
            f"{MAX_SPECTRA:,} is used",
            hint="give the spectra of your classes only",
        )
    return tuple(usable)


# Field instruments ----------------------------------------------------------------------------


def _instrument_files(folder: Path) -> list[Path]:
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _INSTRUMENTS)
    return [file for file in files if file.is_file()]


def _read_folder(folder: Path) -> list[LibrarySpectrum]:
    return [_read_instrument(file) for file in _instrument_files(folder)[: MAX_SPECTRA + 1]]


def _read_instrument(path: Path) -> LibrarySpectrum:
    require_text(path, "field spectrum", ShotsError)
    parse = parse_asd if path.suffix.lower() == ".asd" else parse_sig
    centres, values = parse(path.read_bytes(), str(path))
    return make_spectrum(path.stem, centres, values)


# Side files with classes ----------------------------------------------------------------------


def _side_table(path: Path) -> dict[str, dict[str, str]]:
    """Fields of each spectrum, by its name, in a CSV or JSON beside the library."""
    beside = path.with_suffix(".csv")
    if beside.is_file() and beside != path:
        return _table_of_fields(beside)
    return _side_json(path)


def _folder_table(folder: Path) -> dict[str, dict[str, str]]:
    tables = sorted(folder.glob("*.csv"))
    if len(tables) == 1:
        return _table_of_fields(tables[0])
    return {}


def _table_of_fields(path: Path) -> dict[str, dict[str, str]]:
    require_text(path, "table of classes", ShotsError)
    rows = rows_of(decode(path.read_bytes())[0])
    if not rows or len(rows[0]) < 2:
        return {}
    header, body = rows[0], rows[1:]
    named = next((index for index, cell in enumerate(header) if NAMES.match(cell)), 0)
    found = {}
    for row in body:
        cells = row + [""] * (len(header) - len(row))
        fields = {key: cells[i] for i, key in enumerate(header) if i != named and key}
        found[_key(cells[named])] = fields
    return found


def _side_json(path: Path) -> dict[str, dict[str, str]]:
    """A JSON such as {"grass 1": "grass"}, or {"grass 1": {"class": "grass"}}."""
    beside = path.with_suffix(".json")
    if not beside.is_file() or beside == path:
        return {}
    require_text(beside, "file of classes", ShotsError)
    try:
        content = json.loads(decode(beside.read_bytes())[0])
    except (ValueError, RecursionError) as error:
        raise ShotsError(
            f"the classes in '{beside}' are no JSON ({error})",
            hint='write them such as {"grass 1": "grass", "grass 2": "grass"}',
        ) from error
    if not isinstance(content, dict):
        return {}
    found = {}
    for name, value in content.items():
        fields = value if isinstance(value, dict) else {"class": value}
        found[_key(name)] = {str(key): str(one) for key, one in fields.items() if one is not None}
    return found


def _key(name: str) -> str:
    return " ".join(Path(name).name.split()).casefold()


def _described(
    spectra: Iterable[LibrarySpectrum], fields: dict[str, dict[str, str]]
) -> list[LibrarySpectrum]:
    """Spectra with the fields of a side file; those that it does not name have empty ones."""
    listed = list(spectra)
    if not fields:
        return listed
    keys = list(dict.fromkeys(key for one in fields.values() for key in one))
    empty = dict.fromkeys(keys, "")
    by_stem = {Path(name).stem: value for name, value in fields.items()}
    return [
        LibrarySpectrum(
            one.name,
            one.centres_nm,
            one.values,
            one.fwhm_nm,
            one.fields | empty | (fields.get(_key(one.name)) or by_stem.get(_key(one.name)) or {}),
        )
        for one in listed
    ]
