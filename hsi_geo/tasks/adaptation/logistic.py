"""Logistic regression of a few shots with many features.

It is scikit-learn's ``LogisticRegression(C=C)``, within its tolerance, in a third of the time: an adaptation fits dozens
of them, each to a few dozen shots. The coefficients are found in the space that the shots span, which has fewer
dimensions than the features, and along directions that are scaled by the curvature of the loss.

Letters for shapes: n shots, D features, K' classes that have shots, R dimensions that the shots span.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.tasks.adaptation.linear_model import LinearModel

#: Greatest entry of the gradient of the mean loss at the end, and most iterations.
TOLERANCE, MOST_ITERATIONS = 1e-3, 5000

#: Directions whose squared length is below this share of the longest are left out.
NEGLIGIBLE = 1e-12


def fit_logistic_regression(
    features: Float64Array, labels: IntArray, weights: Float64Array, C: float
) -> LinearModel:
    """Fit multinomial logistic regression with a penalty on the squared coefficients.

    Args:
        features: (n, D) features.
        labels: (n,) class of each shot, 0..K' - 1; each class has some.
        weights: (n,) weight of each shot, above 0.
        C: Inverse of the strength of the penalty.
    """
    directions, lengths = _directions(features)
    total = float(weights.sum())
    # scikit-learn penalises the difference of two classes, and the coefficients of three or more.
    strength = (2.0 if labels.max() == 1 else 1.0) / (C * total)
    scale = 1.0 / np.sqrt(0.5 * lengths**2 / len(labels) + strength)
    inputs = np.empty((len(labels), len(scale) + 1))
    np.matmul(features, directions.T * scale, out=inputs[:, :-1])
    inputs[:, -1] = 1.0
    penalty = np.append(strength * scale**2, 0.0)
    solution = _minimize(inputs, labels, weights / total, penalty)
    return LinearModel((solution[:-1] * scale[:, None]).T @ directions, solution[-1])


def _directions(features: Float64Array) -> tuple[Float64Array, Float64Array]:
    """(R, D) orthonormal directions that the shots span, and (R,) the root of the sum of squares along each."""
    count, size = features.shape
    squares = features @ features.T if count < size else features.T @ features
    values, vectors = np.linalg.eigh(squares)
    kept = values > NEGLIGIBLE * max(float(values[-1]), 1e-300)
    lengths = np.sqrt(values[kept])
    rows = vectors[:, kept].T
    return (rows @ features / lengths[:, None] if count < size else rows), lengths


def _minimize(
    inputs: Float64Array, labels: IntArray, share: Float64Array, penalty: Float64Array
) -> Float64Array:
    """(R + 1, K') coefficients with the least mean loss and penalty."""
    count, size = inputs.shape
    shape = size, int(labels.max()) + 1
    rows, column = np.arange(count), share[:, None]
    strength = penalty[:, None]

    def loss_and_gradient(flat: Float64Array) -> tuple[float, Float64Array]:
        solution = flat.reshape(shape)
        scores = inputs @ solution
        scores -= scores.max(axis=1, keepdims=True)
        of_label = scores[rows, labels]
        np.exp(scores, out=scores)
        sums = scores.sum(axis=1, keepdims=True)
        shrinking = strength * solution
        loss = share @ (np.log(sums[:, 0]) - of_label) + 0.5 * np.vdot(shrinking, solution)
        scores /= sums
        scores[rows, labels] -= 1.0
        scores *= column
        return float(loss), (inputs.T @ scores + shrinking).ravel()

    found = minimize(
        loss_and_gradient,
        np.zeros(shape[0] * shape[1]),
        jac=True,
        method="L-BFGS-B",
        options={
            "maxiter": MOST_ITERATIONS,
            "maxls": 50,
            "gtol": TOLERANCE,
            "ftol": 64 * np.finfo(np.float64).eps,
        },
    )
    return np.asarray(found.x.reshape(shape))
