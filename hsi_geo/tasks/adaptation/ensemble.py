"""Predictions of linear classifiers and of graphs, their calibration, and their weighted average.

Each prediction has probabilities of all pixels, and out-of-fold probabilities of the shots, from fits
without the fold of each shot. The likelihood of the out-of-fold probabilities gives the weights.

Letters for shapes: N pixels of all regions, n shots among them, K' classes that have shots, W walks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax

from hsi_geo import timings
from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.models.diffusion import class_mass_normalization, random_walk_with_restart
from hsi_geo.tasks.adaptation.discriminant import fit_discriminant
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet
from hsi_geo.tasks.adaptation.logistic import fit_logistic_regression
from hsi_geo.tasks.adaptation.shot_weights import training_weights
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Probabilities are clipped to this minimum before the logarithm, so that no single shot decides.
PROBABILITY_FLOOR = 1e-3

#: Range of the logarithm of the factor by which a classifier's scores are multiplied.
LOG_SCALE_RANGE = (-7.0, 1.0)

#: Prior standard deviation of the logarithm of that factor for logistic regression. Its confidence is about
#: right if shots are few, and far too high for the many pixels of polygons.
LOG_SCALE_PRIOR_SD = 0.25

#: Least mean number of training pixels of a class for discriminant analysis: fewer give no covariance.
LDA_MIN_PIXELS = 2

#: Greatest mean number of pixels of a class for discriminant analysis: with more, logistic regression is as
#: good.
LDA_MAX_PIXELS = 10

#: Share of held-out shots that lie farther from other shots, along a graph, than the pixels that it is fully trusted for.
FAR_SHOTS = 0.1

#: From a transition matrix, (N, W) initial distributions and numbers of steps to distributions after each of them.
Walk = Callable[[csr_array, Float32Array, Sequence[int]], list[Float32Array]]


@dataclass(frozen=True, eq=False)
class Prediction:
    """Class probabilities of all pixels, and out-of-fold probabilities of the shots.

    Attributes:
        probabilities: (N, K') probabilities of all pixels, from a fit to all shots.
        out_of_fold: (n, K') probabilities of the shots, from fits without the fold of each shot; rows of
            shots that are never held out are undefined.
    """

    probabilities: Float32Array
    out_of_fold: Float32Array

    def take(self, rows: IntArray) -> Prediction:
        """Select the probabilities of some pixels.

        Args:
            rows: Indices of the pixels.
        """
        return Prediction(self.probabilities[rows], self.out_of_fold)

    def times(self, other: Prediction, power: float) -> Prediction:
        """Multiply with another prediction (product of experts).

        Args:
            other: The other prediction.
            power: Exponent of the other prediction's probabilities.

        Examples:
            >>> import numpy as np
            >>> half, sure = np.array([[0.5, 0.5]], np.float32), np.array([[0.75, 0.25]], np.float32)
            >>> Prediction(half, half).times(Prediction(sure, sure), 1.0).probabilities.tolist()
            [[0.75, 0.25]]
        """
        return Prediction(
            normalize(self.probabilities * other.probabilities**power),
            normalize(self.out_of_fold * other.out_of_fold**power),
        )


@dataclass(frozen=True, eq=False)
class Walks:
    """Random walks that start at shots.

    Attributes:
        classes: (W,) class of the shots that each walk starts at.
        folds: (W,) their fold.
        mean: (W,) mean mass of each walk over all N pixels.
    """

    classes: IntArray
    folds: IntArray
    mean: Float32Array


def classifier_predictions(
    feature_set: FeatureSet, shots: LabelledPixels, *, held_out_only: bool = False
) -> list[Prediction]:
    """Fit linear classifiers to a feature set, to all shots and without each fold.

    Logistic regression is always fitted. Linear discriminant analysis is fitted too if shots are few and
    features include spatial context: where context averages the noise away, the variation within classes
    can be estimated from the shots of all classes together.

    Args:
        feature_set: Features of the N pixels.
        shots: Labelled pixels; no fold contains all shots of a class.
        held_out_only: Whether only held-out shots are predicted, and no pixels, so that the fit to all shots is not
            needed.

    Returns:
        One or two predictions.
    """
    predictions = [_logistic_regression(feature_set, shots, held_out_only)]
    if feature_set.context is not SpatialContext.PIXEL and _lda_helps(shots):
        predictions.append(_discriminant_analysis(feature_set, shots, held_out_only))
    return predictions


def graph_predictions(
    transition: csr_array,
    foldings: Sequence[LabelledPixels],
    steps: Sequence[int],
    walk: Walk = random_walk_with_restart,
) -> Iterator[list[Prediction]]:
    """Propagate the shots' labels over a graph.

    Args:
        transition: (N, N) transition matrix, see `knn_transition_matrix`.
        foldings: The same shots with different folds.
        steps: Numbers of steps of the random walk, increasing.
        walk: Function that computes the walks.

    Yields:
        For each number of steps, a prediction for each of the foldings.
    """
    # Shots of one class that are in the same fold in every folding share a walk, because any union of
    # folds is a sum of such walks.
    kinds = np.stack([foldings[0].labels, *(shots.folds for shots in foldings)])
    walks, walk_of = np.unique(kinds, axis=1, return_inverse=True)
    separate_walks = sum(len(set(zip(s.labels, s.folds, strict=True))) for s in foldings)
    if walks.shape[1] > separate_walks:
        # With many shots, separate foldings need fewer walks.
        separate = (graph_predictions(transition, [shots], steps, walk) for shots in foldings)
        yield from (
            [prediction for (prediction,) in found] for found in zip(*separate, strict=True)
        )
        return
    initial = np.zeros((transition.shape[0], walks.shape[1]), np.float32)
    initial[foldings[0].rows, walk_of] = foldings[0].weights
    for mass in walk(transition, initial, steps):
        yield [
            graph_prediction(
                Walks(walks[0], folds, mass.mean(axis=0)), mass[shots.rows], mass, shots
            )
            for folds, shots in zip(walks[1:], foldings, strict=True)
        ]


def graph_prediction(
    walks: Walks, at_shots: Float32Array, mass: Float32Array, shots: LabelledPixels
) -> Prediction:
    """Predict pixels from the masses of walks that arrive at them.

    Held-out shots tell how good a graph is, but only for pixels that lie as close to shots as they do themselves. A
    pixel that the walks hardly reach, as in another part of the scene, has probabilities near to equal ones.

    Args:
        walks: What is known of each walk.
        at_shots: (n, W) mass of each walk at the shots.
        mass: (M, W) mass of each walk at the pixels.
        shots: Labelled pixels that the walks start at.
    """
    to_class, mean = np.eye(len(shots.present), dtype=np.float32)[walks.classes], walks.mean
    out_of_fold = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    reached = np.zeros(len(shots.rows), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test, train = shots.folds == fold, walks.folds != fold
        out_of_fold[test] = class_mass_normalization(
            at_shots[test][:, train] @ to_class[train], mean=mean[train] @ to_class[train]
        )
        # As if the walks from all shots had arrived.
        reached[test] = at_shots[test][:, train].sum(axis=1) * (mean.sum() / mean[train].sum())
    probabilities = class_mass_normalization(mass @ to_class, mean=mean @ to_class)
    if not shots.held.any():
        return Prediction(probabilities, out_of_fold)
    enough = float(np.quantile(reached[shots.held], FAR_SHOTS))
    return Prediction(
        _flatten_far(probabilities, mass.sum(axis=1), enough),
        _flatten_far(out_of_fold, reached, enough),
    )


def _flatten_far(probabilities: Float32Array, mass: Float32Array, enough: float) -> Float32Array:
    """Probabilities to the power of mass / enough, at most 1.

    Args:
        probabilities: (M, K') probabilities.
        mass: (M,) mass of all walks that arrives at each pixel.
        enough: Mass from which the probabilities stay.
    """
    trust = np.clip(mass / max(enough, 1e-30), 0.0, 1.0).astype(np.float32)
    return normalize(np.maximum(probabilities, 1e-30) ** trust[:, None])


@timings.stage(timings.CALIBRATION)
def average_by_cv_likelihood(
    predictions: list[Prediction],
    shots: LabelledPixels,
    sharpness: float,
    prior: Float64Array,
) -> tuple[Prediction, Float64Array]:
    """Average predictions, weighted by prior weights and the out-of-fold likelihood of the shots.

    Weights are proportional to prior * likelihood ** sharpness, where each shot's likelihood has its
    weight and its `LabelledPixels.evidence` as further exponents. The weights for the out-of-fold probabilities of a
    fold do not use that fold, since the estimate would be biased otherwise.

    Args:
        predictions: Predictions for the same pixels and shots.
        shots: Labelled pixels that the predictions were fitted to.
        sharpness: Exponent of the likelihood.
        prior: Prior weight of each prediction, above 0.

    Returns:
        The average, and the weight of each prediction; weights sum to 1.

    Examples:
        >>> import numpy as np
        >>> pixels = np.arange(4)
        >>> labels, weights = np.array([0, 1, 0, 1]), np.ones(4)
        >>> shots = LabelledPixels(pixels, labels, pixels // 2, pixels, pixels, np.arange(2), weights)
        >>> right = np.float32([[0.8, 0.2], [0.2, 0.8]] * 2)
        >>> good, bad = Prediction(right, right), Prediction(1 - right, 1 - right)
        >>> average, weights = average_by_cv_likelihood([good, bad], shots, 1.0, np.ones(2))
        >>> weights.round(3).tolist()
        [0.996, 0.004]
    """
    truth = shots.labels[:, None]
    of_truth = [
        np.take_along_axis(prediction.out_of_fold, truth, axis=1)[:, 0]
        for prediction in predictions
    ]
    likelihoods = np.log(np.maximum(np.stack(of_truth), PROBABILITY_FLOOR))  # (predictions, n)
    likelihoods *= (shots.evidence * shots.weights).astype(np.float32)
    log_prior = np.log(prior)
    weights = softmax(log_prior + sharpness * likelihoods[:, shots.held].sum(axis=1))
    out_of_fold = np.zeros_like(predictions[0].out_of_fold)
    for fold in np.unique(shots.folds[shots.held]):
        test, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        fold_weights = softmax(log_prior + sharpness * likelihoods[:, others].sum(axis=1))
        out_of_fold[test] = _weighted_sum(
            fold_weights, [prediction.out_of_fold[test] for prediction in predictions]
        )
    probabilities = _weighted_sum(weights, [p.probabilities for p in predictions])
    return Prediction(probabilities, out_of_fold), weights


def normalize(posterior: Float32Array) -> Float32Array:
    """Divide rows by their sums.

    Args:
        posterior: (N, K') values of at least 0.

    Examples:
        >>> import numpy as np
        >>> normalize(np.array([[1.0, 3.0]], np.float32)).tolist()
        [[0.25, 0.75]]
    """
    total = np.maximum(posterior.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(posterior / total, np.float32)


def _logistic_regression(
    feature_set: FeatureSet, shots: LabelledPixels, held_out_only: bool
) -> Prediction:
    """Logistic regression, fitted to all shots and without each fold."""

    def score(rows: IntArray | slice, train: BoolArray) -> Float32Array:
        inputs = feature_set.features[shots.rows[train]].astype(np.float64)
        weights = training_weights(shots, train)
        model = fit_logistic_regression(inputs, shots.labels[train], weights, feature_set.C)
        return np.asarray(model.scores(feature_set.features[rows]), np.float32)

    return _temperature_scale(*_scores(score, shots, held_out_only), shots, LOG_SCALE_PRIOR_SD)


def _discriminant_analysis(
    feature_set: FeatureSet, shots: LabelledPixels, held_out_only: bool
) -> Prediction:
    """Linear discriminant analysis, fitted to all shots and without each fold; weights below a half leave a shot out.

    The scores are far too large, so that only held-out shots determine their factor, without a prior.
    """

    def score(rows: IntArray | slice, train: BoolArray) -> Float32Array:
        kept = training_weights(shots, train) >= 0.5
        inputs = feature_set.features[shots.rows[train][kept]].astype(np.float64)
        model = fit_discriminant(inputs, shots.labels[train][kept])
        return np.asarray(model.scores(feature_set.features[rows]), np.float32)

    return _temperature_scale(*_scores(score, shots, held_out_only), shots, np.inf)


def _scores(
    score: Callable[[IntArray | slice, BoolArray], Float32Array],
    shots: LabelledPixels,
    held_out_only: bool,
) -> tuple[Float32Array, Float32Array]:
    """(N, K') scores of all pixels after a fit to all shots, and (n, K') scores of held-out shots.

    Args:
        score: Function from pixels to score, and (n,) shots to fit to, to the scores.
        shots: Labelled pixels.
        held_out_only: Whether nothing is fitted to all shots; N is 0 then.
    """
    held_out = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test = shots.folds == fold
        held_out[test] = score(shots.rows[test], ~test)
    if held_out_only:
        return held_out[:0], held_out
    return score(slice(None), np.ones(len(shots.rows), bool)), held_out


def _temperature_scale(
    scores: Float32Array, held_out_scores: Float32Array, shots: LabelledPixels, prior_sd: float
) -> Prediction:
    """Calibrate a classifier by temperature scaling on held-out shots.

    Without calibration an overconfident classifier would get less weight than a less accurate one. The
    factor for the out-of-fold probabilities of a fold is fitted without that fold.

    Args:
        scores: (N, K') scores of all pixels, from a fit to all shots.
        held_out_scores: (n, K') scores of the shots, from fits without the fold of each.
        shots: Labelled pixels.
        prior_sd: See `_fit_temperature`.
    """
    out_of_fold = np.zeros_like(held_out_scores)
    for fold in np.unique(shots.folds[shots.held]):
        test, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        factor = _fit_temperature(
            held_out_scores[others], shots.labels[others], prior_sd, shots.weights[others]
        )
        out_of_fold[test] = softmax(held_out_scores[test] * factor, axis=1)
    factor = _fit_temperature(
        held_out_scores[shots.held], shots.labels[shots.held], prior_sd, shots.weights[shots.held]
    )
    return Prediction(softmax(scores * factor, axis=1), out_of_fold)


def _fit_temperature(
    scores: Float32Array, labels: IntArray, prior_sd: float, weights: Float64Array
) -> np.float32:
    """Factor on scores (the inverse temperature) with the highest posterior probability.

    Temperature scaling after Guo et al. (2017, arXiv 1706.04599), with a normal prior on the logarithm of
    the factor.

    Args:
        scores: (m, K') scores.
        labels: (m,) true classes.
        prior_sd: Standard deviation of the prior, whose mean is 0; infinite for no prior.
        weights: (m,) weight of each, 0 to 1.
    """

    def negative_log_posterior(log_factor: float) -> float:
        log_probabilities = log_softmax(scores * np.exp(log_factor), axis=1)
        return 0.5 * (log_factor / prior_sd) ** 2 - float(
            (weights * log_probabilities[np.arange(len(labels)), labels]).sum()
        )

    found = minimize_scalar(negative_log_posterior, bounds=LOG_SCALE_RANGE, method="bounded")
    return np.float32(np.exp(found.x))


def _lda_helps(shots: LabelledPixels) -> bool:
    """Whether every fit has enough shots, some shots are held out, and there are few shots."""
    folds, counts = np.unique(shots.folds[shots.held], return_counts=True)
    classes, train = len(shots.present), len(shots.rows) - counts
    enough = len(folds) > 0 and bool(train.min() >= LDA_MIN_PIXELS * classes)
    return enough and len(shots.rows) <= LDA_MAX_PIXELS * classes


def _weighted_sum(weights: Float64Array, arrays: list[Float32Array]) -> Float32Array:
    pairs = zip(weights.astype(np.float32), arrays, strict=True)
    return np.asarray(sum(weight * array for weight, array in pairs), np.float32)
