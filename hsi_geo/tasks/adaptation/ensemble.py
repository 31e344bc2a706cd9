"""Voices: what a head, or walks over a graph, say of every pixel, and of shots held out from them.

The teacher listens to many of them (`teacher`) and trusts each as far as held-out shots say.

Letters for shapes: N pixels of all regions, n shots among them, K' classes that have any.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize_scalar
from scipy.sparse import csr_array
from scipy.special import log_softmax, softmax
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.models.diffusion import class_mass_normalization, random_walk_with_restart
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet, SpatialContext
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Least probability that a prediction is held to have given: one shot must not decide alone.
PROBABILITY_FLOOR = 1e-3

#: Logarithms of the factors that a head's scores may be taken by.
LOG_SCALE_RANGE = (-7.0, 1.0)

#: Standard deviation, beforehand, of the logarithm of the factor on logistic regression's scores:
#: it is about as sure as it should be when shots are few, far too sure of many polygons' pixels.
LOG_SCALE_PRIOR_SD = 0.25

#: Pixels of shots a class, in the mean, from which and up to which discriminants are heard: of fewer
#: the spread within classes is not known, of more logistic regression knows as much without them.
ENOUGH, FEW = 2, 10


@dataclass(frozen=True, eq=False)
class Prediction:
    """A posterior of all pixels, and one of the shots from fits that did not know them.

    Attributes:
        everywhere: (N, K').
        held_out: (n, K'); rows of shots that are never held out mean nothing.
    """

    probabilities: Float32Array
    out_of_fold: Float32Array

    def at(self, rows: IntArray) -> Prediction:
        """What is said of some pixels only."""
        return Prediction(self.probabilities[rows], self.out_of_fold)

    def times(self, other: Prediction, power: float) -> Prediction:
        """Product of experts."""
        return Prediction(
            normalize(self.probabilities * other.probabilities**power),
            normalize(self.out_of_fold * other.out_of_fold**power),
        )


def classifier_predictions(view: FeatureSet, shots: LabelledPixels) -> list[Prediction]:
    """Fit heads to a view: on all shots, and without each fold.

    Logistic regression always. Where shots are few and pixels are seen with their surroundings a
    discriminant, too: with a pixel's own noise averaged away, how fields of one class differ can be
    learnt from the shots of all classes together.

    Args:
        view: With N pixels.
        shots: No fold of them has all shots of a class.

    Returns:
        One or two.
    """
    predictions = [_logistic(view, shots)]
    if view.context is not SpatialContext.PIXEL and _discriminants_help(shots):
        predictions.append(_discriminant(view, shots))
    return predictions


def graph_predictions(
    walk: csr_array, ways: Sequence[LabelledPixels], stops: Sequence[int]
) -> Iterator[list[Prediction]]:
    """What walks over a graph tell, after each of some numbers of steps.

    Args:
        walk: (N, N) one step, see `knn_transition_matrix`.
        ways: The same shots, held out in other folds.
        stops: Increasing numbers of steps.

    Yields:
        A prediction for each of the ways.
    """
    # One walk for all shots of a class that no way tells apart: whatever a fold leaves is a sum.
    kinds = np.stack([ways[0].labels, *(shots.folds for shots in ways)])
    walks, walk_of = np.unique(kinds, axis=1, return_inverse=True)
    if walks.shape[1] > sum(len(set(zip(w.labels, w.folds, strict=True))) for w in ways):
        # So many shots that each way by itself needs fewer.
        apart = (graph_predictions(walk, [way], stops) for way in ways)
        yield from ([prediction for (prediction,) in found] for found in zip(*apart, strict=True))
        return
    starts = np.zeros((walk.shape[0], walks.shape[1]), np.float32)
    starts[ways[0].rows, walk_of] = 1.0
    for reached in random_walk_with_restart(walk, starts, stops):
        yield [
            _graph_prediction(reached, walks[0], walked, shots)
            for walked, shots in zip(walks[1:], ways, strict=True)
        ]


def _graph_prediction(
    reached: Float32Array, classes: IntArray, folds: IntArray, shots: LabelledPixels
) -> Prediction:
    """What (N, W) walks of W classes and folds tell."""
    to_class = np.eye(len(shots.present), dtype=np.float32)[classes]
    out_of_fold = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test, left = shots.folds == fold, folds != fold
        out_of_fold[test] = class_mass_normalization(reached[:, left] @ to_class[left])[
            shots.rows[test]
        ]
    return Prediction(class_mass_normalization(reached @ to_class), out_of_fold)


def average_by_cv_likelihood(
    predictions: list[Prediction],
    shots: LabelledPixels,
    sharpness: float,
    prior: npt.NDArray[np.float64],
) -> tuple[Prediction, npt.NDArray[np.float64]]:
    """Voices weighted by what they weigh beforehand and the likelihood of held-out shots.

    What is said of a held-out shot is weighted without looking at its own fold: a choice that had
    seen it would flatter itself.

    Args:
        predictions: Some.
        shots: That they were fitted to.
        sharpness: How much the likelihood counts.
        prior: What each prediction weighs before anything is held out.

    Returns:
        The mixture, and the weight of each prediction.
    """
    truth = shots.labels[:, None]
    given = [
        np.take_along_axis(prediction.out_of_fold, truth, axis=1)[:, 0]
        for prediction in predictions
    ]
    likelihoods = np.log(np.maximum(np.stack(given), PROBABILITY_FLOOR))  # (predictions, n)
    start = np.log(prior)
    weights = softmax(start + sharpness * likelihoods[:, shots.held].sum(axis=1))
    out_of_fold = np.zeros_like(predictions[0].out_of_fold)
    for fold in np.unique(shots.folds[shots.held]):
        own, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        out_of_fold_weights = softmax(start + sharpness * likelihoods[:, others].sum(axis=1))
        out_of_fold[own] = _sum(
            out_of_fold_weights, [prediction.out_of_fold[own] for prediction in predictions]
        )
    return Prediction(
        _sum(weights, [prediction.probabilities for prediction in predictions]), out_of_fold
    ), weights


def normalize(posterior: Float32Array) -> Float32Array:
    """Rows that sum to 1."""
    total = np.maximum(posterior.sum(axis=1, keepdims=True), 1e-30)
    return np.asarray(posterior / total, np.float32)


def _logistic(view: FeatureSet, shots: LabelledPixels) -> Prediction:
    head = LogisticRegression(C=view.C, max_iter=5000, tol=1e-3)
    return _temperature_scale(head, view, shots, LOG_SCALE_PRIOR_SD)


def _discriminant(view: FeatureSet, shots: LabelledPixels) -> Prediction:
    """Linear discriminant analysis.

    Covariances of a few shots are shrunk by Ledoit and Wolf's rule (2004, doi
    10.1016/S0047-259X(03)00096-4). Their scores are far too sure, in all classes alike: how sure
    they may be is for the held-out shots alone to say.
    """
    equal = np.full(len(shots.present), 1.0 / len(shots.present))
    head = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=equal)
    with warnings.catch_warnings():  # the covariance of a class of one shot is 0
        warnings.filterwarnings("ignore", "Only one sample available", UserWarning)
        return _temperature_scale(head, view, shots, np.inf)


def _temperature_scale(
    head: LogisticRegression | LinearDiscriminantAnalysis,
    view: FeatureSet,
    shots: LabelledPixels,
    spread_of_factor: float,
) -> Prediction:
    """What a head says after one factor on all its scores that held-out shots make likely.

    Heads that are too sure would else lose to modest ones that name fewer shots right. A held-out
    shot is graphs_by_stop by a factor that was found without its fold.

    Args:
        head: To be fitted.
        view: With N pixels.
        shots: To fit it to.
        spread_of_factor: See `_fit_temperature`.
    """

    def score(rows: IntArray | slice, fitted: npt.NDArray[np.bool_]) -> Float32Array:
        head.fit(view.table[shots.rows[fitted]].astype(np.float64), shots.labels[fitted])
        scores = head.decision_function(view.table[rows])
        if scores.ndim == 1:  # of two classes scikit-learn gives the second's lead
            scores = np.stack([-scores / 2, scores / 2], axis=1)
        return np.asarray(scores, np.float32)

    probabilities, out_of_fold = _everywhere_and_held_out(score, shots)
    out_of_fold_weights = np.zeros_like(out_of_fold)
    for fold in np.unique(shots.folds[shots.held]):
        own, others = shots.folds == fold, (shots.folds >= 0) & (shots.folds != fold)
        factor = _fit_temperature(out_of_fold[others], shots.labels[others], spread_of_factor)
        out_of_fold_weights[own] = softmax(out_of_fold[own] * factor, axis=1)
    factor = _fit_temperature(out_of_fold[shots.held], shots.labels[shots.held], spread_of_factor)
    return Prediction(softmax(probabilities * factor, axis=1), out_of_fold_weights)


def _fit_temperature(
    scores: Float32Array, labels: IntArray, random_walk_with_restart: float
) -> np.float32:
    """The likeliest factor on (m, K') scores, of which (m,) labels are known.

    Beforehand its logarithm is normal around 0 with a standard deviation of ``spread``.
    """

    def unlikeliness(logarithm: float) -> float:
        given = log_softmax(scores * np.exp(logarithm), axis=1)
        return 0.5 * (logarithm / random_walk_with_restart) ** 2 - float(
            given[np.arange(len(labels)), labels].sum()
        )

    found = minimize_scalar(unlikeliness, bounds=LOG_SCALE_RANGE, method="bounded")
    return np.float32(np.exp(found.x))


def _everywhere_and_held_out(
    say: Callable[[IntArray | slice, npt.NDArray[np.bool_]], Float32Array], shots: LabelledPixels
) -> tuple[Float32Array, Float32Array]:
    """(N, K') and (n, K') of what is said of some rows after fitting to some of the shots."""
    out_of_fold = np.zeros((len(shots.rows), len(shots.present)), np.float32)
    for fold in np.unique(shots.folds[shots.held]):
        test = shots.folds == fold
        out_of_fold[test] = say(shots.rows[test], ~test)
    return say(slice(None), np.ones(len(shots.rows), bool)), out_of_fold


def _discriminants_help(shots: LabelledPixels) -> bool:
    """Whether every fit knows enough shots, some are held out at all, and there are few."""
    folds, counts = np.unique(shots.folds[shots.held], return_counts=True)
    classes, left = len(shots.present), len(shots.rows) - counts
    enough = len(folds) > 0 and bool(left.min() >= ENOUGH * classes)
    return enough and len(shots.rows) <= FEW * classes


def _sum(weights: npt.NDArray[np.float64], arrays: list[Float32Array]) -> Float32Array:
    pairs = zip(weights.astype(np.float32), arrays, strict=True)
    return np.asarray(sum(weight * array for weight, array in pairs), np.float32)
