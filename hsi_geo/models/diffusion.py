"""Diffusion over a graph of pixels: how a posterior evolves from a few shots over a scene.

Pixels are joined to those that look like them (and, where position is part of what is compared,
lie near them). A walk that starts at the shots spreads their classes along these joins; how much
of each class's walk arrives at a pixel is evidence for its class. With restarts it is local and
global consistency (Zhou et al. 2004, "Learning with Local and Global Consistency", NIPS 16).

Letters for shapes: N pixels, D features, K classes, M starting distributions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import scipy.sparse
from sklearn.neighbors import NearestNeighbors

Array = npt.NDArray[np.float32]

#: Neighbours that each pixel is joined to.
NEIGHBOURS = 12

#: Least weight of a join.
LEAST_JOIN = 1e-6

#: Share of a walk that goes on at each step; the rest starts anew.
GO_ON = 0.99


def walk_over_nearest(features: Array, neighbours: int = NEIGHBOURS) -> scipy.sparse.csr_matrix:
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
    search = NearestNeighbors(n_neighbors=neighbours + 1, algorithm="brute").fit(features)
    distances, nearest = search.kneighbors(features)
    distances, nearest = distances[:, 1:], nearest[:, 1:]  # the first is the pixel itself
    scale = np.maximum(distances[:, neighbours // 2], 1e-9)
    weights = np.exp(-(distances**2) / (scale[:, None] * scale[nearest]))
    weights = np.maximum(weights, LEAST_JOIN)  # a pixel like no other walks on all the same
    rows = np.repeat(np.arange(count), neighbours)
    joins = scipy.sparse.csr_matrix((weights.ravel(), (rows, nearest.ravel())), (count, count))
    joins = joins.maximum(joins.T)
    total = np.maximum(np.asarray(joins.sum(axis=1)).ravel(), 1e-12)
    return (scipy.sparse.diags(1.0 / total) @ joins).tocsr().astype(np.float32)


def spread(
    walk: scipy.sparse.csr_matrix, starts: Array, stops: Sequence[int], go_on: float = GO_ON
) -> Iterator[Array]:
    """Let distributions spread, with restarts.

    Args:
        walk: See `walk_over_nearest`.
        starts: (N, M) what each walk starts from, and starts anew from.
        stops: Increasing numbers of steps after which to look.
        go_on: Share that goes on at each step.

    Yields:
        (N, M) at each of the stops.
    """
    reached, done = starts, 0
    for stop in stops:
        for _ in range(stop - done):
            reached = go_on * (walk @ reached) + (1.0 - go_on) * starts
        done = stop
        yield reached


def evidence(reached: Array, floor: float = 0.1) -> Array:
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


def towards_shares(posterior: Array, strength: float = 0.5, steps: int = 20) -> Array:
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
