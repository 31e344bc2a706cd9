"""Calibration of a posterior: one exponent, with which its mean confidence is the estimated accuracy.

Letters for shapes: N pixels of all regions, n shots among them, K' classes that have shots.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from hsi_geo import timings
from hsi_geo.arrays import Float32Array
from hsi_geo.tasks.adaptation.ensemble import PROBABILITY_FLOOR, Prediction, normalize
from hsi_geo.tasks.adaptation.shot_weights import WEIGHT_POWER
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Number of held-out places that the agreement of the feature sets counts for.
AGREEMENT_PLACES = 20.0

#: Range of the logarithm of the exponent with which a posterior is calibrated.
LOG_POWER_RANGE = (-3.0, 1.0)


def expected_accuracy(prediction: Prediction, agreement: float, shots: LabelledPixels) -> float:
    """Estimate the accuracy of a map from held-out shots and from the agreement of the feature sets.

    The agreement needs no labels, and counts as `AGREEMENT_PLACES` places. A held-out place counts as one, as far as
    its label is likely to be right, see `LabelledPixels.evidence`. Held-out places were predicted without the places of
    their fold: the error with all places is lower, and is taken to fall as the root of what the places of the class weigh.

    Args:
        prediction: Prediction of the shots.
        agreement: Accuracy that the agreement of the feature sets suggests, 0 to 1.
        shots: Labelled pixels. Folds are spatial blocks: neighbours of a shot say little about other places.

    Returns:
        Share of the pixels that are mapped correctly, 0 to 1.
    """
    right_label = shots.weights ** (1.0 / WEIGHT_POWER)  # the probability of it
    places = shots.evidence * right_label
    correct = prediction.out_of_fold.argmax(axis=1) == shots.labels
    right = 1.0 - np.sqrt(shots.left_share) * ~correct
    total = places.sum() + AGREEMENT_PLACES
    return float((places @ right + AGREEMENT_PLACES * agreement) / total)


@timings.stage(timings.CALIBRATION)
def exponent_for(
    posterior: Float32Array,
    familiarity: Float32Array,
    target: float,
) -> float:
    """Exponent of a posterior with which the mean confidence is a target.

    Args:
        posterior: (N, K') probabilities.
        familiarity: (N,) familiarity, with which the confidence is multiplied.
        target: Mean confidence, 0 to 1.
    """
    posterior = np.maximum(posterior, PROBABILITY_FLOOR)

    def excess_confidence(log_power: float) -> float:
        confidence = normalize(posterior ** np.float32(np.exp(log_power))).max(axis=1)
        return float(np.mean(confidence * familiarity) - target)

    low, high = LOG_POWER_RANGE
    if excess_confidence(low) >= 0 or excess_confidence(high) <= 0:
        return float(np.exp(low if excess_confidence(low) >= 0 else high))
    return float(np.exp(brentq(excess_confidence, low, high, xtol=1e-3)))
