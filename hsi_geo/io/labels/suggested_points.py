"""Places that are suggested for labelling, as a GeoPackage that QGIS opens and an analyst fills in."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas as gpd
import pandas as pd
import shapely
from pyproj import CRS

from hsi_geo.io.labels.geopackages import write_geopackage

#: Field that the analyst fills in. `read_shots` leaves out points where it stays empty.
CLASS_FIELD = "class"

#: Fields of what the model thinks of a place.
RANK, GUESS, CONFIDENCE = "rank", "guess", "confidence"


@dataclass(frozen=True, slots=True)
class SuggestedPoint:
    """A place to label.

    Attributes:
        rank: 1 for the place that helps most, then 2, 3 ...
        x: Coordinate of a pixel's centre in the scene's CRS; in that of an upright grid over the scene, if it is read in the
            rows and columns of the sensor.
        y: The same.
        guess: Name of the class that the map gives the pixel.
        confidence: Probability of that class in per cent, 0 to 100.
    """

    rank: int
    x: float
    y: float
    guess: str
    confidence: int


def write_suggested_points(points: Sequence[SuggestedPoint], crs: CRS | None, path: Path) -> None:
    """Write points with the fields rank, guess, confidence and an empty ``class``.

    Args:
        points: One or more, in any order.
        crs: Coordinate reference system of the points, None if the scene has none.
        path: GeoPackage to write.

    Raises:
        OutputError: If the disk is full or gone.
    """
    frame = gpd.GeoDataFrame(
        {
            RANK: [p.rank for p in points],
            GUESS: [p.guess for p in points],
            CONFIDENCE: [p.confidence for p in points],
            CLASS_FIELD: pd.Series([None] * len(points), dtype="string"),
        },
        geometry=shapely.points([p.x for p in points], [p.y for p in points]),
        crs=crs,
    )
    with warnings.catch_warnings():
        if crs is None:  # pyogrio warns of it; the user was warned when the scene was mapped
            warnings.simplefilter("ignore", UserWarning)
        write_geopackage(frame, path)
