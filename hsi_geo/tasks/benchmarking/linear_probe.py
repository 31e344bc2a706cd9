"""Linear probing: accuracy of a linear classifier on frozen features and a few shots."""

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
    C: float = 1.0,
) -> float:
    """Compute the overall accuracy of logistic regression on frozen features of a few shots.

    Args:
        features: (D, H, W) features of all pixels.
        labels: (H, W) classes 1..K, 0 for unlabelled pixels.
        per_class: Number of shots of each class, drawn by `protocol.draw_shots`.
        seed: Seed of the draw.
        C: Inverse of the regularisation strength.

    Returns:
        Share of the other labelled pixels that are predicted correctly, 0 to 1.
    """
    pixels, flat = features.reshape(len(features), -1).T, labels.ravel()
    scaler = StandardScaler().fit(pixels)
    shots = draw_shots(labels, per_class, seed)
    test = np.setdiff1d(np.flatnonzero(flat), shots)
    model = LogisticRegression(C=C, max_iter=500)
    model.fit(scaler.transform(pixels[shots]), flat[shots])
    return float((model.predict(scaler.transform(pixels[test])) == flat[test]).mean())
