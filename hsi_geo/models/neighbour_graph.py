"""Graphs of nearest neighbours: pixels are connected to those with similar features.

Nothing here needs torch, so that a graph can be computed while it is imported.

Letters for shapes: N pixels, D features.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import scipy.sparse
from scipy.spatial import KDTree
from sklearn.neighbors import NearestNeighbors

from hsi_geo.arrays import Float32Array, IntArray

#: Number of nearest neighbours of each pixel.
NEIGHBOURS = 12

#: Effective number of features (participation ratio of their variances) below which a k-d tree is faster
#: than brute force: in trials 3 to 30 times faster on scenes, but ten times slower where twenty features
#: have equal variance.
KDTREE_MAX_FEATURES = 6.0

#: Points in a leaf of the k-d tree: faster than SciPy's 10 on the pixels of scenes, with the same neighbours.
LEAF_POINTS = 32

#: Least weight of an edge, so that outliers stay connected.
MIN_EDGE_WEIGHT = 1e-6


def knn_transition_matrix(
    features: Float32Array, neighbours: int = NEIGHBOURS, *, threads: int = 1
) -> scipy.sparse.csr_matrix:
    """Compute the transition matrix of a random walk over the symmetric nearest-neighbour graph.

    Edge weights are exp(-d^2 / (s_i s_j)), where s is the distance to the middle one of a pixel's
    neighbours (self-tuning scales, Zelnik-Manor and Perona 2004, NIPS 17).

    Args:
        features: (N, D) features of the pixels.
        neighbours: Number of neighbours of each pixel; an edge exists if either pixel is a neighbour of
            the other.
        threads: Number of threads that search where the features have few dimensions; it changes no number.

    Returns:
        (N, N) sparse matrix; each row sums to 1.

    Examples:
        >>> import numpy as np
        >>> line = np.array([[0.0], [1.0], [9.0]], np.float32)
        >>> knn_transition_matrix(line, 1).toarray().round(2).tolist()
        [[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]
    """
    count = len(features)
    if count < 2:
        return scipy.sparse.identity(count, np.float32, "csr")
    neighbours = min(neighbours, count - 1)
    distances, nearest = _nearest(features, neighbours + 1, threads)
    distances, nearest = distances[:, 1:], nearest[:, 1:]  # the first is the pixel itself
    scale = np.maximum(distances[:, neighbours // 2], 1e-9)
    weights = np.exp(-(distances**2) / (scale[:, None] * scale[nearest]))
    weights = np.maximum(weights, MIN_EDGE_WEIGHT)
    rows = np.repeat(np.arange(count), neighbours)
    edges = scipy.sparse.csr_matrix((weights.ravel(), (rows, nearest.ravel())), (count, count))
    edges = edges.maximum(edges.T)
    degree = np.maximum(np.asarray(edges.sum(axis=1)).ravel(), 1e-12)
    return (scipy.sparse.diags(1.0 / degree) @ edges).tocsr().astype(np.float32)


def _nearest(
    features: Float32Array, count: int, threads: int
) -> tuple[npt.NDArray[np.floating], IntArray]:
    """(N, count) distances and indices of the nearest rows, the row itself included, nearest first."""
    variances = features.astype(np.float64).var(axis=0)
    # The participation ratio is D if all features have equal variance, and 1 if one feature varies.
    if variances.sum() ** 2 < KDTREE_MAX_FEATURES * (variances**2).sum():
        distances, nearest = KDTree(features, leafsize=LEAF_POINTS).query(
            features, count, workers=threads
        )
        return distances, nearest
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    distances, nearest = search.kneighbors(features)
    return distances, nearest
