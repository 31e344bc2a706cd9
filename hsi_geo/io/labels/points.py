"""Suggested places as a file that QGIS opens, to be filled in."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely
from pyogrio.errors import (
    DataLayerError,
    DataSourceError,
    FeatureError,
    FieldError,
    GeometryError,
)
from pyproj import CRS

from hsi_geo.errors import OptionError, OutputError
from hsi_geo.io.readers.base import plain

#: Field to be filled in; shots without a class are left out when they are read.
CLASS_FIELD = "class"


@dataclass(frozen=True, slots=True)
class Point:
    """A place to label.

    Attributes:
        rank: 1 for the most helpful.
        x: In the scene's CRS.
        y: In the scene's CRS.
        guess: Name of the class that a model takes it for.
        confidence: How sure it is, in per cent.
    """

    rank: int
    x: float
    y: float
    guess: str
    confidence: int


def require_points(path: str | os.PathLike[str]) -> Path:
    """The path of a file of points.

    Raises:
        OptionError: If it does not end in .gpkg.
    """
    found = Path(path)
    if found.suffix.lower() != ".gpkg":
        raise OptionError(
            f"output '{found}' does not end in .gpkg", hint="points are written as GeoPackage"
        )
    return found


def write_geopackage(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write features as a GeoPackage, and read them back: SQLite's last words may get lost.

    Raises:
        OutputError: If they are not all there.
    """
    try:
        frame.to_file(path, driver="GPKG")
        back = gpd.read_file(path)
        whole = back.geometry.geom_equals_exact(frame.geometry, 0.0).all() and all(
            back[field].astype("string").equals(frame[field].astype("string"))
            for field in frame.columns.drop(frame.geometry.name)
        )
    except (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError) as error:
        raise _cannot_be_written(path, plain(error)) from error
    if not whole:
        raise _cannot_be_written(path, "it does not hold what was written")


def _cannot_be_written(path: Path, why: str) -> OutputError:
    return OutputError(
        f"points '{path.name}' cannot be written ({why})", hint="check the disk's free space"
    )


def write_points(points: Sequence[Point], crs: CRS | None, path: Path) -> None:
    """Write points with the fields rank, guess, confidence and an empty ``class``."""
    frame = gpd.GeoDataFrame(
        {
            "rank": [p.rank for p in points],
            "guess": [p.guess for p in points],
            "confidence": [p.confidence for p in points],
            CLASS_FIELD: pd.Series([None] * len(points), dtype="string"),
        },
        geometry=shapely.points([p.x for p in points], [p.y for p in points]),
        crs=crs,
    )
    with warnings.catch_warnings():
        if crs is None:  # pyogrio says so; the map's warning has said it before
            warnings.simplefilter("ignore", UserWarning)
        write_geopackage(frame, path)
