"""A class map with known true classes, and reference labels of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import rasterio
import shapely
from builders import NORTH_UP

from hsi_geo.arrays import AnyArray
from hsi_geo.io.labels.class_colors import default_color
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.class_styles import aux_xml

NAMES = ("meadow", "asphalt", "deep water")
GRID = NORTH_UP


def truth() -> AnyArray:
    """(37, 53) classes 1..3 in unequal patches, 0 in a hole."""
    classes = np.ones((37, 53), np.uint8)
    classes[:, 21:] = 2
    classes[22:, :37] = 3
    classes[3:7, 5:10] = 0
    return classes


def damaged(share: float = 0.2, seed: int = 5) -> AnyArray:
    """The true classes, with random errors in a share of the pixels."""
    generator = np.random.default_rng(seed)
    classes = truth()
    wrong = (generator.random(classes.shape) < share) & (classes > 0)
    return np.where(wrong, classes % 3 + 1, classes).astype(np.uint8)


def without(row: int, col: int, classes: AnyArray) -> AnyArray:
    """The same map, with no class at one pixel."""
    holed = classes.copy()
    holed[row, col] = 0
    return holed


def write_class_map(
    folder: Path,
    classes: AnyArray,
    names: Sequence[str] | None = NAMES,
    crs: str | None = "EPSG:32633",
    name: str = "map.tif",
) -> Path:
    """Write a class map, with names beside it."""
    path = folder / name
    height, width = classes.shape
    with rasterio.open(
        path, "w", driver="GTiff", height=height, width=width, count=1, nodata=0,
        dtype=str(classes.dtype), crs=crs, transform=GRID,
    ) as file:  # fmt: skip
        file.write(classes[None])
    if names is not None:
        table = tuple(LandClass(i, n, default_color(i)) for i, n in enumerate(names, start=1))
        path.with_name(f"{name}.aux.xml").write_text(aux_xml(table), encoding="utf-8")
    return path


def write_reference(
    folder: Path, at: AnyArray, classes: Sequence[Any] = ("", *NAMES), buffer: float = 0.0
) -> Path:
    """Write the true classes at some pixels as points, or as discs around them."""
    path = folder / "reference.gpkg"
    points = [shapely.Point(*GRID @ (col + 0.5, row + 0.5)) for row, col in at]
    frame = gpd.GeoDataFrame(
        {"class": [classes[c] for c in truth()[at[:, 0], at[:, 1]]]},
        geometry=shapely.buffer(points, buffer) if buffer else points,
        crs="EPSG:32633",
    )
    frame.to_file(path, driver="GPKG")
    return path
