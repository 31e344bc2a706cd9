"""Diffusion over a graph of pixels: how a posterior evolves from a few shots over a scene.

Pixels are joined to those that look like them (and, where position is part of what is compared,
lie near them). A walk that starts at the shots spreads their classes along these joins; how much
of each class's walk arrives at a pixel is evidence for its class. With restarts it is local and
global consistency (Zhou et al. 2004, "Learning with Local and Global Consistency", NIPS 16).

Letters for shapes: N pixels, D features, K classes, M starting distributions.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse
import torch
from numpy.polynomial import Chebyshev, Polynomial
from scipy.spatial import KDTree
from sklearn.neighbors import NearestNeighbors

from hsi_geo.arrays import Float32Array

#: Neighbours that each pixel is joined to.
NEIGHBOURS = 12

#: Features, counted by how they share the variance, below which a tree finds neighbours faster than
#: comparing all pixels: in trials 3 to 30 times faster on scenes, but ten times slower where all of
#: twenty features vary alike.
FEW_FEATURES = 6.0

#: Least weight of a join.
LEAST_JOIN = 1e-6

#: Share of a walk that goes on at each step; the rest starts anew.
ALPHA = 0.99

#: What is left out of a walk, in units of what it starts with: no more than float32 does.
LEFT_OUT = 1e-7


def knn_transition_matrix(
    features: Float32Array, neighbours: int = NEIGHBOURS
) -> scipy.sparse.csr_matrix:
    """One step of a random walk over the graph of nearest neighbours.

    Joins weigh exp(-d^2 / (s_i s_j)), with s the distance to the middle one of a pixel's own
    neighbours (self-tuning scales, Zelnik-Manor and Perona 2004, NIPS 17).

    Args:
        features: (N, D).
        neighbours: Of each pixel; pixels that one is nearest to are joined to it as well.

    Returns:
        (N, N) rows that sum to 1.
    """
    count = len(features)
    if count < 2:
        return scipy.sparse.identity(count, np.float32, "csr")
    neighbours = min(neighbours, count - 1)
    distances, nearest = _nearest(features, neighbours + 1)
    distances, nearest = distances[:, 1:], nearest[:, 1:]  # the first is the pixel itself
    scale = np.maximum(distances[:, neighbours // 2], 1e-9)
    weights = np.exp(-(distances**2) / (scale[:, None] * scale[nearest]))
    weights = np.maximum(weights, LEAST_JOIN)  # a pixel like no other walks on all the same
    rows = np.repeat(np.arange(count), neighbours)
    joins = scipy.sparse.csr_matrix((weights.ravel(), (rows, nearest.ravel())), (count, count))
    joins = joins.maximum(joins.T)
    total = np.maximum(np.asarray(joins.sum(axis=1)).ravel(), 1e-12)
    return (scipy.sparse.diags(1.0 / total) @ joins).tocsr().astype(np.float32)


def _nearest(
    features: Float32Array, count: int
) -> tuple[npt.NDArray[np.floating], npt.NDArray[np.int64]]:
    """(N, count) distances and rows of the nearest to each row, itself among them, nearest first."""
    variances = features.astype(np.float64).var(axis=0)
    # The participation ratio: D where all vary as much, 1 where only one does.
    if variances.sum() ** 2 < FEW_FEATURES * (variances**2).sum():
        distances, nearest = KDTree(features).query(
            features, count, workers=torch.get_num_threads()
        )
        return distances, nearest
    search = NearestNeighbors(n_neighbors=count, algorithm="brute").fit(features)
    distances, nearest = search.kneighbors(features)
    return distances, nearest


def random_walk_with_restart(
    walk: scipy.sparse.csr_matrix, starts: Float32Array, stops: Sequence[int], alpha: float = ALPHA
) -> list[Float32Array]:
    """Let distributions spread, with restarts.

    Args:
        walk: See `knn_transition_matrix`; joins go both ways, so that its eigenvalues are real.
        starts: (N, M) what each walk starts from, and starts anew from.
        stops: Numbers of steps after which to look.
        alpha: Share that goes on at each step.

    Returns:
        (N, M) at each of the stops.
    """
    found = [_series(stop, alpha) for stop in stops]
    reached = [series[0] * starts for series in found]
    before, now = starts, walk @ starts
    for number in range(1, max(map(len, found))):
        for total, series in zip(reached, found, strict=True):
            if number < len(series):
                total += series[number] * now
        before, now = now, 2.0 * (walk @ now) - before
    return reached


def _series(steps: int, alpha: float) -> Float32Array:
    """Coefficients of the Chebyshev series of so many steps with restarts, a polynomial of one step.

    Few of them matter, a number that grows as the root of the steps (Sachdeva and Vishnoi 2014, doi
    10.1561/0400000065): 63 of 151 at 150 steps. Others are left off, see `LEFT_OUT`.
    """
    powers = (1.0 - alpha) * alpha ** np.arange(steps + 1)
    powers[steps] = alpha**steps
    series = np.asarray(Polynomial(powers).convert(kind=Chebyshev).coef, np.float64)
    left = np.cumsum(np.abs(series[::-1]))[::-1]  # of this term and all that follow
    return np.asarray(series[left > LEFT_OUT], np.float32)


def class_mass_normalization(reached: Float32Array, floor: float = 0.1) -> Float32Array:
    """What walks that started at the shots of each class tell of a pixel's class.

    Args:
        reached: (N, K) of each class's walk; a column of zeros is a class without shots.
        floor: Share of the mean that every class gets everywhere, so that a pixel that no walk
            reaches is told nothing.

    Returns:
        (N, K) rows that sum to 1.
    """
    mass = np.maximum(reached.sum(axis=0), 1e-30)
    relative = reached / mass * len(reached) + floor
    return np.asarray(relative / relative.sum(axis=1, keepdims=True), np.float32)


def adjust_priors(posterior: Float32Array, strength: float = 0.5, steps: int = 20) -> Float32Array:
    """Adapt a posterior part of the way to the classes' shares of the scene.

    Shots are drawn class by class, whatever the classes' areas; the shares are estimated from
    the posterior itself by expectation maximisation (Saerens et al. 2002, doi
    10.1162/089976602753284446).

    Args:
        posterior: (N, K) under equal shares.
        strength: 0 leaves it, 1 trusts the shares fully.
        steps: Of the estimation.

    Returns:
        (N, K) rows that sum to 1.
    """
    classes = posterior.shape[1]
    shares = np.full(classes, 1.0 / classes)
    adapted = posterior
    for _ in range(steps):
        adapted = posterior * ((classes * shares) ** strength).astype(np.float32)
        adapted = adapted / adapted.sum(axis=1, keepdims=True)
        shares = 0.5 * shares + 0.5 * adapted.mean(axis=0)
    return adapted
