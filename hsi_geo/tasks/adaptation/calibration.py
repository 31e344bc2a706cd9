"""Calibration of a posterior: one exponent, with which its mean confidence is the estimated accuracy.

Letters for shapes: N pixels of all regions, n shots among them, m pixels of either, K' classes that have shots.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import brentq

from hsi_geo import timings
from hsi_geo.arrays import Float32Array
from hsi_geo.tasks.adaptation.ensemble import PROBABILITY_FLOOR, Prediction, normalize
from hsi_geo.tasks.adaptation.shot_weights import WEIGHT_POWER
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Standard errors by which the confidence is set below the out-of-fold accuracy.
CALIBRATION_MARGIN = 0.5

#: Range of the logarithm of the exponent with which a posterior is calibrated.
LOG_POWER_RANGE = (-3.0, 1.0)


@timings.stage(timings.CALIBRATION)
def calibrate(prediction: Prediction, familiarity: Float32Array, shots: LabelledPixels) -> float:
    """Exponent of the posterior that makes the mean confidence match the out-of-fold accuracy.

    The target is the share of held-out shots that are predicted correctly, less `CALIBRATION_MARGIN`
    standard errors: few shots give little evidence, and too low a confidence does less harm than too high
    a one.
    """
    held = shots.held
    if not len(held):
        return 1.0
    posterior = np.maximum(prediction.out_of_fold[held], PROBABILITY_FLOOR)
    # The probability that a label is right.
    weights = shots.weights[held] ** (1.0 / WEIGHT_POWER)
    _, group = np.unique(shots.groups[held], return_inverse=True)
    features = float((np.bincount(group, weights) / np.bincount(group)).sum())
    accuracy = float(np.average(posterior.argmax(axis=1) == shots.labels[held], weights=weights))
    # The variance is at least a quarter of one shot's: no observed error does not prove that there is none.
    error = np.sqrt(max(accuracy * (1.0 - accuracy), 0.25 / features) / features)
    target = accuracy - CALIBRATION_MARGIN * error
    return exponent_for(posterior, familiarity[held], target, weights.astype(np.float32))


def exponent_for(
    posterior: Float32Array,
    familiarity: Float32Array,
    target: float,
    weights: Float32Array | None = None,
) -> float:
    """Exponent of a posterior with which the mean confidence is a target.

    Where no shots of other places can be held out, the target is the agreement of the feature sets: the share of
    pixels for which two classifiers agree is close to their accuracy (Jiang et al. 2022, arXiv 2106.13799).

    Args:
        posterior: (m, K') probabilities.
        familiarity: (m,) familiarity, with which the confidence is multiplied.
        target: Mean confidence, 0 to 1.
        weights: (m,) weight of each in the mean; None for equal weights.
    """
    posterior = np.maximum(posterior, PROBABILITY_FLOOR)

    def excess_confidence(log_power: float) -> float:
        confidence = normalize(posterior ** np.float32(np.exp(log_power))).max(axis=1)
        return float(np.average(confidence * familiarity, weights=weights) - target)

    low, high = LOG_POWER_RANGE
    if excess_confidence(low) >= 0 or excess_confidence(high) <= 0:
        return float(np.exp(low if excess_confidence(low) >= 0 else high))
    return float(np.exp(brentq(excess_confidence, low, high, xtol=1e-3)))
