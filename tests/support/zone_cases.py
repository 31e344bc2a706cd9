"""Zones on the grid of `assess_cases`, and a sample of a map whose places have their true class."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import shapely
from assess_cases import GRID, NAMES, truth

from hsi_geo import sample

#: Hectares of a pixel of 30 x 20 m.
PX_HA = 0.06

#: (top, left, bottom, right) pixels of zones: two overlap, one reaches beyond the map, one is far away.
BOXES = {
    "north": (0, 0, 20, 53),
    "a piece": (2, 3, 11, 17),
    "beyond": (30, 40, 60, 80),
    "far": (900, 900, 910, 910),
}


def box(top: int, left: int, bottom: int, right: int) -> shapely.Polygon:
    (x0, y0), (x1, y1) = GRID @ (left, bottom), GRID @ (right, top)
    return shapely.box(x0, y0, x1, y1)


def write_zones(folder: Path, crs: str = "EPSG:32633", **more: Any) -> Path:
    path = folder / "zones.gpkg"
    frame = gpd.GeoDataFrame(
        {"zone": list(BOXES), "code": range(10, 14), **more},
        geometry=[box(*corners) for corners in BOXES.values()],
        crs="EPSG:32633",
    )
    frame.to_crs(crs).to_file(path)
    return path


def drawn(folder: Path, path: Path, design: Any, count: int) -> Path:
    """A random sample of a map whose places have their true class."""
    visit = folder / "visit.gpkg"
    sample(path, out=visit, design=design, count=count, seed=3, overwrite=True)
    frame = gpd.read_file(visit, layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    frame["class"] = [
        NAMES[i - 1] for i in truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    ]
    answered = folder / "answered.gpkg"
    frame.to_file(answered, layer="visit", driver="GPKG")
    return answered
