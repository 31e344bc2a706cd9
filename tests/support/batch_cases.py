"""Tiles of a scene, and class ids of maps, for tests of batches."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import rasterio
from builders import cut_tile

from hsi_geo.arrays import UInt8Array
from hsi_geo.tasks.tiles.batch_result import BatchResult
from hsi_geo.tiling import Window

Run = Callable[..., BatchResult]
Spans = tuple[tuple[int, int], ...]

#: (first, size) of rows and columns that cut the usual scene into six unequal tiles.
ROWS, COLS = ((0, 20), (20, 17)), ((0, 17), (17, 16), (33, 20))


def cut(scene: Path, folder: Path, rows: Spans, cols: Spans) -> list[Path]:
    """Write a tile of the scene for each pair of rows and columns."""
    folder.mkdir()
    return [
        cut_tile(scene, folder / f"{row}_{col}.tif", Window(row, col, height, width))
        for row, height in rows
        for col, width in cols
    ]


def ids_in(path: Path) -> UInt8Array:
    """(H, W) class ids of a map file."""
    with rasterio.open(path) as file:
        return np.asarray(file.read(1))


def states(result: BatchResult) -> dict[str, str]:
    return {Path(path).stem: outcome.state for path, outcome in result.outcomes.items()}
