"""Shots on a small grid, with coordinates in pixels, and the pixels that they label."""

from __future__ import annotations

import io
import tarfile
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
from affine import Affine
from pyproj import CRS
from shapely import Point, Polygon, box

from hsi_geo.io.labels.shot_pixels import ShotPixels
from hsi_geo.io.labels.shots import Shots, make_shots
from hsi_geo.tiling import Grid

UTM = CRS.from_epsg(32633)
#: 30 x 20 m pixels, 12 rows and 17 columns.
GRID = Grid(12, 17, Affine(30.0, 0.0, 383472.5, 0.0, -20.0, 5818302.25), UTM)

Spot = tuple[float, float]


def at(*spots: Spot) -> list[Spot]:
    """Coordinates of (row, column) positions on GRID, in pixels from its corner."""
    return [GRID.transform @ (col, row) for row, col in spots]


def centre(row: int, col: int) -> Point:
    return Point(at((row + 0.5, col + 0.5)))


def patch(top: float, left: float, bottom: float, right: float) -> Polygon:
    """A rectangle from (row, column) to (row, column), in pixels from the corner of GRID."""
    (x0, y0), (x1, y1) = at((top, left), (bottom, right))
    return box(min(x0, x1), min(y0, y1), max(x0, x1), max(y0, y1))


def points_at(
    spots: Iterable[tuple[int, int]], labels: Sequence[Any], field: str = "class"
) -> gpd.GeoDataFrame:
    """Points at the centres of (row, column) pixels of GRID, with their classes in a field."""
    return gpd.GeoDataFrame(
        {field: list(labels)}, geometry=[centre(row, col) for row, col in spots], crs=UTM
    )


def points_in_row(labels: Sequence[Any], field: str = "class") -> gpd.GeoDataFrame:
    """Points in row 2 of GRID, one in each column."""
    return points_at([(2, col) for col in range(len(labels))], labels, field)


def shots_of(labelled: Iterable[tuple[Any, Any]], crs: CRS | None = UTM) -> Shots:
    """Make shots of pairs of geometry and class."""
    geometry, labels = zip(*labelled, strict=True)
    return make_shots(gpd.GeoSeries(list(geometry), crs=crs), list(labels))


def claimed(pixels: ShotPixels, class_id: int | None = None) -> list[tuple[int, int]]:
    """(row, column) of the labelled pixels, of one class or of all."""
    return [
        (int(row), int(col))
        for row, col, found in zip(pixels.rows, pixels.cols, pixels.class_ids, strict=True)
        if class_id is None or found == class_id
    ]


def archive_of(path: Path, files: Mapping[str, bytes]) -> Path:
    """Write an archive of the kind that its name says: ZIP or TAR, the latter compressed or not."""
    if path.suffix.lower() == ".zip":
        with zipfile.ZipFile(path, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
        return path
    compressed = path.name.lower().endswith((".tgz", ".gz"))
    with tarfile.open(path, "w:gz" if compressed else "w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return path


def write(
    path: Path,
    fields: Mapping[str, Any],
    geometry: Sequence[Any] | None = None,
    layer: str | None = None,
) -> Path:
    """Write features to a file; by default points along the diagonal of GRID."""
    count = len(next(iter(fields.values()), geometry or ()))
    geometry = [centre(i, i) for i in range(count)] if geometry is None else geometry
    frame = gpd.GeoDataFrame(dict(fields), geometry=list(geometry), crs=UTM)
    frame.to_file(path, layer=layer) if layer else frame.to_file(path)
    return path
