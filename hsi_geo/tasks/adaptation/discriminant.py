"""Linear discriminant analysis of a few shots, with a shrunk covariance.

It is scikit-learn's ``LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")`` with equal priors, to rounding
errors, in a tenth of the time: an adaptation fits dozens of them, each to a few pixels a class with hundreds of
features, and the covariance of a class is never computed alone.

Letters for shapes: n shots, D features, K' classes that have shots.
"""

from __future__ import annotations

import warnings

import numpy as np
import scipy.linalg

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.tasks.adaptation.linear_model import LinearModel


def fit_discriminant(features: Float64Array, labels: IntArray) -> LinearModel:
    """Fit linear discriminant analysis with a covariance that is shrunk class by class.

    The covariance of a class's standardised features is shrunk by the rule of Ledoit and Wolf (2004, doi
    10.1016/S0047-259X(03)00096-4). The mean of these is the covariance of all classes.

    Args:
        features: (n, D) features.
        labels: (n,) class of each, 0..K' - 1; each class has some.
    """
    count = int(labels.max()) + 1
    means = np.empty((count, features.shape[1]))
    rows = np.empty_like(features)
    diagonal = np.zeros(features.shape[1])
    for label in range(count):
        own = labels == label
        means[label] = features[own].mean(axis=0)
        centred = features[own] - means[label]
        std = np.sqrt((centred**2).mean(axis=0))
        std[std <= 10 * np.finfo(np.float64).eps * np.abs(means[label])] = 1.0  # constant
        shrinkage, mean_variance = ledoit_wolf_shrinkage(centred / std)
        rows[own] = centred * np.sqrt((1.0 - shrinkage) / (count * len(centred)))
        diagonal += shrinkage * mean_variance * std**2 / count
    covariance = rows.T @ rows
    covariance[np.diag_indices_from(covariance)] += diagonal
    coefficients = _solve(covariance, means.T).T
    return LinearModel(coefficients, -0.5 * (means * coefficients).sum(axis=1) - np.log(count))


def ledoit_wolf_shrinkage(centred: Float64Array) -> tuple[float, float]:
    """Share by which the covariance of a few samples is shrunk towards a multiple of the identity.

    Sums over all pairs of features are computed from the few samples, without the covariance.

    Args:
        centred: (n, D) samples with mean 0.

    Returns:
        The share, 0 to 1, and the mean variance of the features, which is that multiple.

    Examples:
        >>> ledoit_wolf_shrinkage(np.array([[1.0, -2.0], [-1.0, 2.0]]))
        (0.0, 2.5)
    """
    count, features = centred.shape
    squared = centred**2
    mean_variance = float(squared.sum()) / count / features
    of_pairs = float(((centred @ centred.T) ** 2).sum()) / count**2
    spread = (float((squared.sum(axis=1) ** 2).sum()) / count - of_pairs) / (features * count)
    distance = (of_pairs - features * mean_variance**2) / features
    spread = min(spread, distance)
    return (0.0 if spread <= 0.0 else spread / distance), mean_variance


def _solve(covariance: Float64Array, means: Float64Array) -> Float64Array:
    """(D, K') solutions; of least norm where the covariance is singular."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", scipy.linalg.LinAlgWarning)
        try:
            return np.asarray(scipy.linalg.solve(covariance, means, assume_a="pos"), np.float64)
        except (scipy.linalg.LinAlgWarning, np.linalg.LinAlgError):
            return np.asarray(scipy.linalg.lstsq(covariance, means)[0], np.float64)
