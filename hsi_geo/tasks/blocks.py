"""Blocks of shots: what lies close together is held out together, or it answers for its neighbour."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

#: Features of a class that come as close as this are one block, in pixels: nearer ones share what
#: the sensor blurs and, as a rule, the field they lie in.
NEAR_PX = 3.0

IntArray = npt.NDArray[np.int64]


def blocks_of(labels: IntArray, features: IntArray, places_px: npt.NDArray[np.float64]) -> IntArray:
    """Join features of a class that lie close together, and those close to these, and so on.

    Args:
        labels: (n,) class of each pixel under a shot.
        features: (n,) point, line or polygon that it belongs to.
        places_px: (n, 2) row and column.

    Returns:
        (n,) block of each pixel, from 0; the pixels of a feature lie in one.
    """
    names, own = np.unique(features, return_inverse=True)
    near = [np.empty((0, 2), np.int64)]
    for c in np.unique(labels):
        members = np.flatnonzero(labels == c)
        pairs = cKDTree(places_px[members]).query_pairs(NEAR_PX, output_type="ndarray")
        near.append(own[members[pairs]])
    first, second = np.concatenate(near).T
    joined = coo_matrix((np.ones(len(first)), (first, second)), (len(names), len(names)))
    _, block = connected_components(joined, directed=False)
    return np.asarray(block[own], np.int64)
