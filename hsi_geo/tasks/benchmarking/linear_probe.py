"""A linear probe: how much a linear classifier gets from frozen features and a few shots."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from hsi_geo.tasks.benchmarking.protocol import draw_shots


def linear_probe_accuracy(
    features: npt.NDArray[np.float32],
    labels: npt.NDArray[np.int64],
    per_class: int,
    seed: int,
    strength: float = 1.0,
) -> float:
    """Overall accuracy of logistic regression on a few shots' frozen features.

    Args:
        features: (D, H, W).
        labels: (H, W) 1..K, 0 where nothing is known.
        per_class: Shots a class, drawn as in `protocol.draw_shots`.
        seed: Of the draw.
        strength: Inverse of the regularisation.

    Returns:
        Share of all other labelled pixels predicted correctly.
    """
    table, flat = features.reshape(len(features), -1).T, labels.ravel()
    scaled = StandardScaler().fit(table)
    shots = draw_shots(labels, per_class, seed)
    test = np.setdiff1d(np.flatnonzero(flat), shots)
    head = LogisticRegression(C=strength, max_iter=500)
    head.fit(scaled.transform(table[shots]), flat[shots])
    return float((head.predict(scaled.transform(table[test])) == flat[test]).mean())
