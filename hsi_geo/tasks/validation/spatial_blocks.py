"""Spatial blocks of shots for cross-validation: close features are correlated, and held out together."""

from __future__ import annotations

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import cdist, squareform

from hsi_geo.arrays import Float64Array, IntArray

#: Features of a class that are all this close to each other, in pixels, are one block. They share the
#: blur of the sensor, most superpixels (`feature_sets.SUPERPIXEL_SIZES_PX`) and, as a rule, the field they are in.
NEAR_PX = 6.0


def spatial_blocks(labels: IntArray, features: IntArray, positions_px: Float64Array) -> IntArray:
    """Join features of a class that are close to each other.

    Clusters are those of complete linkage. With single linkage a chain of features would become one
    block, and labels that cover a whole scene could not be held out. Two blocks may therefore touch.

    Args:
        labels: (n,) class of each pixel under a shot.
        features: (n,) point, line or polygon of each pixel, of one class each.
        positions_px: (n, 2) row and column of each pixel.

    Returns:
        (n,) block of each pixel, from 0. The pixels of a feature are in one block.

    Examples:
        >>> positions = np.array([[0.0, 0.0], [0.0, 2.0], [9.0, 9.0]])
        >>> spatial_blocks(np.zeros(3, np.int64), np.array([4, 5, 6]), positions).tolist()
        [0, 0, 1]
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
    """(F, F) smallest distance between pixels of features 0..F - 1."""
    order = np.argsort(features, kind="stable")
    starts = np.searchsorted(features[order], np.arange(features.max() + 1))
    between = cdist(positions_px[order], positions_px[order])
    least = np.minimum.reduceat(np.minimum.reduceat(between, starts, axis=0), starts, axis=1)
    np.fill_diagonal(least, 0.0)
    return np.asarray(least)
