"""A corner of Indian Pines, for examples that would take a minute on the whole scene."""

from __future__ import annotations

import dataclasses

import numpy as np

from hsi_geo.io.datasets.indian_pines import LabelledScene, load_indian_pines
from hsi_geo.tiling import Grid

HEIGHT, WIDTH = 60, 55


def corner() -> LabelledScene:
    """A corner with eight classes of ten pixels or more."""
    whole = load_indian_pines()
    rows, cols = slice(40, 40 + HEIGHT), slice(20, 20 + WIDTH)
    truth = whole.truth[rows, cols].copy()
    counts = np.bincount(truth.ravel())
    truth[~np.isin(truth, np.argsort(-counts[1:])[:8] + 1)] = 0
    grid = Grid(HEIGHT, WIDTH, whole.grid.transform, whole.grid.crs)
    return dataclasses.replace(whole, cube=whole.cube[:, rows, cols].copy(), truth=truth, grid=grid)
