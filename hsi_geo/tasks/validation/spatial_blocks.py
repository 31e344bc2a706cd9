"""Blocks of shots: what lies close together is held out together, or it answers for its neighbour."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from hsi_geo.arrays import Float64Array, IntArray

#: Features of a class that all come as close to each other as this are one block, in pixels:
#: they share what the sensor blurs and, as a rule, the field they lie in.
NEAR_PX = 3.0


def spatial_blocks(labels: IntArray, features: IntArray, positions_px: Float64Array) -> IntArray:
    """Join features of a class that lie close to each other.

    By complete linkage: a chain of features does not become one block, however long it is, or
    labels that cover a scene would leave nothing to hold out. So two blocks may touch.

    Args:
        labels: (n,) class of each pixel under a shot.
        features: (n,) point, line or polygon that it belongs to; of one class each.
        positions_px: (n, 2) row and column.

    Returns:
        (n,) block of each pixel, from 0; the pixels of a feature lie in one.
    """
    blocks = np.zeros(len(labels), np.int64)
    count = 0
    for c in np.unique(labels):
        here = np.flatnonzero(labels == c)
        names, own = np.unique(features[here], return_inverse=True)
        joined = np.ones(1, np.int64)
        if len(names) > 1:
            apart = _distances(own, positions_px[here])
            joined = fcluster(linkage(squareform(apart), "complete"), NEAR_PX, "distance")
        blocks[here] = count + joined[own] - 1
        count += int(joined.max())
    return blocks


def _distances(features: IntArray, positions_px: Float64Array) -> Float64Array:
    """(F, F) least distances between pixels of features 0..F - 1."""
    order = np.argsort(features, kind="stable")
    starts = np.searchsorted(features[order], np.arange(features.max() + 1))
    between = cdist(positions_px[order], positions_px[order])
    least = np.minimum.reduceat(np.minimum.reduceat(between, starts, axis=0), starts, axis=1)
    np.fill_diagonal(least, 0.0)
    return np.asarray(least)
