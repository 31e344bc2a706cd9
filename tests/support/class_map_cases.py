"""Probabilities of three classes on a small grid, and maps written from them."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from builders import NORTH_UP
from pyproj import CRS

from hsi_geo.arrays import AnyArray
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.maps.record import write_record
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.tiling import Grid, Window, blocks

GRID = Grid(37, 53, NORTH_UP, CRS.from_epsg(32633))
NAMES = ("meadow & <pasture>", "Straße", "water, deep")
CLASSES: ClassTable = tuple(
    LandClass(id, name, color)
    for id, (name, color) in enumerate(
        zip(NAMES, ("#01ff7f", "#e69f00", "#0072b2"), strict=True), start=1
    )
)
HOLE = (slice(3, 7), slice(5, 10))


def random_probabilities(classes: int = 3, grid: Grid = GRID, seed: int = 4) -> AnyArray:
    """(K, H, W) float32 that sum to 1, 0 in the hole."""
    draws = np.random.default_rng(seed).gamma(0.7, size=(classes, *grid.shape)) + 1e-6
    probabilities = (draws / draws.sum(axis=0)).astype(np.float32)
    probabilities[:, *HOLE] = 0.0
    return probabilities


def write_map(
    paths: MapPaths,
    probabilities: AnyArray,
    classes: ClassTable = CLASSES,
    grid: Grid = GRID,
    parts: Iterable[Window] | None = None,
) -> MapPaths:
    parts = blocks(*grid.shape, 16, 20) if parts is None else parts
    with MapWriter(paths, grid, classes) as writer:
        for part in parts:
            writer.write(part, probabilities[:, *part.slices])
    write_record(paths, {"classes": [c.name for c in classes], "a": 1})
    return paths
