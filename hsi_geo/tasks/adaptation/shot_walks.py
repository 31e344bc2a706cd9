"""Label propagation seen at the shots alone, from which predictions with any weights of shots follow.

A prediction is linear in the walks that start at single shots, before it is normalised. So walks are computed once,
and predictions with other weights take no time.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.models.diffusion import random_walk_with_restart
from hsi_geo.tasks.adaptation.ensemble import Prediction, Walk, Walks, graph_prediction
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Most walks from single features. With more features those of a class and fold share a walk.
MOST_WALKS = 128


@dataclass(frozen=True, eq=False)
class ShotWalks:
    """Masses of W walks over one graph at the n shots' pixels.

    Attributes:
        mass: (n, W) mass of each walk at each shot's pixel.
        mean: (W,) mean mass of each walk over all pixels.
        walk_of: (n,) walk that starts at each shot's pixel.
    """

    mass: Float32Array
    mean: Float32Array
    walk_of: IntArray

    def prediction(self, shots: LabelledPixels) -> Prediction:
        """Predict the shots' pixels.

        Args:
            shots: The labelled pixels that the walks start at, with any weights. Shots that share a walk have their
                mean weight.
        """
        count = np.bincount(self.walk_of)
        weights = np.bincount(self.walk_of, shots.weights) / count
        classes = np.zeros(len(count), np.int64)
        folds = np.zeros(len(count), np.int64)
        classes[self.walk_of], folds[self.walk_of] = shots.labels, shots.folds
        mass = self.mass * weights.astype(np.float32)
        walks = Walks(classes, folds, self.mean * weights.astype(np.float32))
        return graph_prediction(walks, mass, mass, shots)


@timings.stage(timings.GRAPHS)
def walk_from_shots(
    transition: csr_array,
    shots: LabelledPixels,
    steps: int,
    walk: Walk = random_walk_with_restart,
) -> ShotWalks:
    """Walk over a graph from each feature of the shots.

    Args:
        transition: (N, N) transition matrix, see `knn_transition_matrix`.
        shots: Labelled pixels.
        steps: Number of steps of the random walk.
        walk: Function that computes the walks.
    """
    kinds = np.stack([shots.features, shots.folds])
    if len(np.unique(shots.features)) > MOST_WALKS:
        kinds = np.stack([shots.labels, shots.folds])
    walks, walk_of = np.unique(kinds, axis=1, return_inverse=True)
    initial = np.zeros((transition.shape[0], walks.shape[1]), np.float32)
    initial[shots.rows, walk_of] = 1.0
    (mass,) = walk(transition, initial, [steps])
    return ShotWalks(mass[shots.rows], mass.mean(axis=0), walk_of)
