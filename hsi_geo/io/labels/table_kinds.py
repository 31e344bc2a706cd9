"""Tables of spectra or of points: a table with wavelengths and coordinates may be either."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.coordinate_texts import parse_coordinate, parse_geometry
from hsi_geo.io.labels.library_tables import Rows, first_rows, has_wavelengths, layout_of
from hsi_geo.io.labels.point_tables import TABLES, Columns, find_columns
from hsi_geo.io.labels.scene_surroundings import any_inside
from hsi_geo.tiling import Grid


@dataclass(frozen=True, slots=True)
class TableKind:
    """What a table holds.

    Attributes:
        is_library: Whether it holds the spectra of a library, not points.
        note: What was decided, as a sentence, if it may be read as either; else None.
    """

    is_library: bool
    note: str | None = None


def kind_of_table(
    path: Path, near: Sequence[Grid] = (), *, needs_places: bool = False
) -> TableKind:
    """Find out whether a table holds spectra or points, by its beginning.

    A table with coordinates is one of points: programs write the values of pixels beside them, in columns that are
    named by wavelength, band or year. Libraries of field spectra tell the longitude and latitude of the measurement,
    which hardly ever lies in the scene.

    Args:
        path: Path of the table.
        near: Grids of the scenes, if they are known. A table with wavelengths whose longitudes and latitudes lie in
            none of them is a library; so is one if no scene is known.
        needs_places: Whether a table that may be read as either is one of points.
    """
    if path.suffix.lower() not in TABLES:
        return TableKind(False)
    rows = first_rows(path)
    layout = layout_of(rows)
    if layout is None:
        return TableKind(False)
    columns = find_columns(str(path)) if layout == "rows" else None
    if columns is None:
        return TableKind(True)
    points = _points(rows, columns)
    if 2 * len(points) < len(rows) - 1:  # the columns are only named like coordinates
        return TableKind(True)
    if not has_wavelengths(rows[0]):
        return TableKind(False)
    either = f"'{path}' has wavelengths, and coordinates in {columns}"
    as_points = f"{either}: it is read as a table of points, and would be a spectral library without these columns"
    if needs_places or not columns.degrees:
        return TableKind(False, as_points)
    inside = any_inside(points, columns.geographic, near)
    if inside:
        return TableKind(False, as_points)
    where = "" if inside is None else ", none of them in the scene"
    return TableKind(True, f"{either}{where}: it is read as a spectral library")


def points_notes(path: Path) -> list[str]:
    """Notes on a table of points that has wavelengths, too.

    Args:
        path: Path of any file that is read as places.
    """
    try:
        note = kind_of_table(path, needs_places=True).note
    except (OSError, ValueError, HsiGeoError):
        return []
    return [] if note is None else [note]


def _points(rows: Rows, columns: Columns) -> Float64Array:
    """(N, 2) coordinates in the rows that have them."""
    header = [cell.strip("\"'") for cell in rows[0]]
    if not set(columns.names) <= set(header):
        return np.empty((0, 2))
    at = [header.index(name) for name in columns.names]
    found: list[tuple[float | None, ...]] = []
    for row in rows[1:]:
        cells = [row[index] if index < len(row) else "" for index in at]
        if len(cells) == 1:
            shape, _ = parse_geometry(cells[0])
            place = None if shape is None or shape.is_empty else shape.representative_point()
            found.append((None, None) if place is None else (place.x, place.y))
        else:
            found.append(
                tuple(
                    parse_coordinate(cell, axis, columns.degrees)
                    for cell, axis in zip(cells, "xy", strict=True)
                )
            )
    return np.array([pair for pair in found if None not in pair], np.float64).reshape(-1, 2)
