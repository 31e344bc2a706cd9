"""Weighted average of the predictions of feature sets and graphs.

Three things decide the weights. Prior weights favour plain spectra of single pixels. The agreement of a feature set
with the others, which needs no labels, changes its prior weight. The likelihood of held-out shots decides between
spatial contexts, and between graphs, as far as there are shots of several places.

Letters for shapes: N pixels of all regions, n shots among them, K' classes that have shots.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from hsi_geo import timings
from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.tasks.adaptation.ensemble import (
    Prediction,
    average_by_cv_likelihood,
    classifier_predictions,
)
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.adaptation.feature_sets import FeatureSet
from hsi_geo.tasks.adaptation.steps import wait_for
from hsi_geo.tasks.validation.folds import LabelledPixels
from hsi_geo.threads import one_blas_thread

#: Number of feature sets that classifiers are fitted to at the same time.
CLASSIFIER_THREADS = 2

#: Exponents of a graph's probabilities that cross-validation chooses from, besides leaving the graph out.
GRAPH_POWERS = (0.5, 1.0)

#: Prior weight of the classifiers by spatial context. It does not depend on the number of feature sets, and
#: matters because a few shots give little evidence.
CONTEXT_PRIOR = {
    SpatialContext.PIXEL: 0.8,
    SpatialContext.GAUSSIAN: 0.1,
    SpatialContext.SUPERPIXEL: 0.1,
}

#: The same for distances to the shots: surroundings make a pixel unfamiliar more reliably than they name it.
DISTANCE_PRIOR = {
    SpatialContext.PIXEL: 0.5,
    SpatialContext.GAUSSIAN: 0.25,
    SpatialContext.SUPERPIXEL: 0.25,
}

#: Exponent of the agreement with other feature sets in the prior weight of a feature set.
AGREEMENT_POWER = 8

#: Least agreement, so that the weights of sets that agree with no other are not all 0.
MIN_AGREEMENT = 1e-3

#: Divisor of the odds that the class of a pixel is known for which predictions agree, where classes were drawn by
#: many pixels of one place. With one square a class, kappa 0.6 comes with an accuracy of 0.55, and 0.8 with 0.9.
NARROW_ODDS_DIVISOR = 2.0

#: Prior weight of leaving the graphs out if no class has shots in several places; it is 1 if all classes have.
NO_GRAPH_PRIOR = 3.0

#: Exponents of the out-of-fold likelihood in the weights of classifiers, and of graphs.
CLASSIFIER_SHARPNESS, GRAPH_SHARPNESS = 0.25, 0.5


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Predictions of all feature sets and graphs together.

    Attributes:
        members: Prediction of each feature set.
        steps: Predictions of the classifiers alone, and with the graphs after each number of steps.
        weights: Weight of each feature set; weights sum to 1.
        prior: Prior weight of each feature set.
    """

    members: list[Prediction]
    steps: list[Prediction]
    weights: Float64Array
    prior: Float64Array


def fit_members(
    feature_sets: list[FeatureSet],
    shots: LabelledPixels,
    check: Callable[[], None] = lambda: None,
    *,
    held_out_only: bool = False,
) -> list[Prediction]:
    """Fit classifiers to each feature set.

    Args:
        feature_sets: Features of the N pixels.
        shots: Labelled pixels.
        check: Called several times; an exception of it ends the job.
        held_out_only: See `classifier_predictions`.

    Returns:
        The prediction of each feature set.
    """
    # One BLAS thread for each: synchronisation costs more than it gains.
    with (
        timings.stage(timings.CLASSIFIERS),
        one_blas_thread(),
        ThreadPoolExecutor(CLASSIFIER_THREADS) as pool,
    ):
        pending = [pool.submit(_fit_classifiers, one, shots, held_out_only) for one in feature_sets]
        try:
            wait_for(pending, check)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
        return [one.result() for one in pending]


def combine_members(
    feature_sets: list[FeatureSet],
    members: list[Prediction],
    graphs_by_step: list[list[Prediction]],
    shots: LabelledPixels,
    prior: Float64Array | None = None,
) -> Ensemble:
    """Combine the predictions of feature sets with each other and with the graphs.

    Args:
        feature_sets: The feature sets; only their contexts are used.
        members: Prediction of each feature set.
        graphs_by_step: Predictions of each graph, by number of steps.
        shots: Labelled pixels.
        prior: Prior weight of each feature set; None computes it from the agreement of their predictions.
    """
    if prior is None:
        prior = _agreement_prior(feature_sets, members, shots)

    average, weights = _average_feature_sets(feature_sets, members, shots, prior)
    steps = [average, *(combine_graphs(average, graphs, shots) for graphs in graphs_by_step)]
    return Ensemble(members, steps, weights, prior)


def _average_feature_sets(
    feature_sets: list[FeatureSet],
    found: list[Prediction],
    shots: LabelledPixels,
    prior: Float64Array,
) -> tuple[Prediction, Float64Array]:
    """Average of the feature sets' predictions, and the weight of each.

    Held-out shots decide between contexts. Between sets of one context the prior weights decide alone: few shots
    say too little about sets that predict much the same.
    """
    contexts = list(dict.fromkeys(feature_set.context for feature_set in feature_sets))
    members = [[f.context is context for f in feature_sets] for context in contexts]
    by_context = [
        average_by_cv_likelihood(
            [p for p, one in zip(found, own, strict=True) if one], shots, 0.0, prior[own]
        )[0]
        for own in members
    ]
    totals = np.array([prior[own].sum() for own in members])
    average, of_context = average_by_cv_likelihood(by_context, shots, CLASSIFIER_SHARPNESS, totals)
    weights = np.zeros(len(feature_sets))
    for own, weight, total in zip(members, of_context, totals, strict=True):
        weights[own] = weight * prior[own] / total
    return average, weights


def _agreement_prior(
    feature_sets: list[FeatureSet], found: list[Prediction], shots: LabelledPixels
) -> Float64Array:
    """Prior weight of each feature set: `prior_weights` times a power of its agreement with the others.

    Agreement is the share of all N pixels whose class is the same as by the average of the other sets, which all
    have the same prior weight in it. It needs no labels. So it tells which features suit a scene also where each
    class was drawn in one place, and held-out shots say nothing.

    Returns:
        The weights, and the mean agreement, corrected for chance.
    """
    prior = prior_weights(feature_sets)
    if len(found) < 2:
        return prior
    agreement = np.ones(len(found))
    for number, prediction in enumerate(found):
        others = [i for i in range(len(found)) if i != number]
        average, _ = average_by_cv_likelihood(
            [found[i] for i in others], shots, CLASSIFIER_SHARPNESS, np.ones(len(others))
        )
        same = prediction.probabilities.argmax(axis=1) == average.probabilities.argmax(axis=1)
        agreement[number] = max(float(same.mean()), MIN_AGREEMENT)
    weighted = prior * agreement**AGREEMENT_POWER
    return np.asarray(weighted / weighted.sum())


def accuracy_by_agreement(found: list[Prediction], narrowly_drawn: float) -> float:
    """Accuracy that the agreement of some predictions suggests; no labels are used.

    The share of pixels for which two classifiers agree is close to their accuracy (Jiang et al. 2022, arXiv
    2106.13799), unless one class covers most of both maps: then they agree by chance, whether they are right or not.
    So Cohen's kappa, the mean of all pairs, is taken for the share of pixels whose class is known. The class of the
    others is guessed, and one guess in K' is right.

    Where classes were drawn by many pixels of one place, the accuracy is lower than a low kappa says, since all
    predictions miss what a class looks like elsewhere, and higher than a high kappa says. Then the odds that the class
    of a pixel is known are the square of the odds of kappa, over `NARROW_ODDS_DIVISOR`. The curve is measured, see
    docs/experiments/confidence-by-agreement.md.

    Args:
        found: Predictions of the same pixels; of one prediction alone the result is 1.
        narrowly_drawn: Share of the classes that were drawn by many pixels of one place, see
            `LabelledPixels.narrowly_drawn`.
    """
    classes = [prediction.probabilities.argmax(axis=1) for prediction in found]
    kappas = [agreement_beyond_chance(one, other) for one, other in combinations(classes, 2)]
    kappa = float(np.mean(kappas)) if kappas else 1.0
    known_of_one_place = kappa**2 / (kappa**2 + NARROW_ODDS_DIVISOR * (1.0 - kappa) ** 2)
    known = (1.0 - narrowly_drawn) * kappa + narrowly_drawn * known_of_one_place
    return known + (1.0 - known) / int(found[0].probabilities.shape[1])


def agreement_beyond_chance(one: IntArray, other: IntArray) -> float:
    """Cohen's kappa of two maps (1960, doi 10.1177/001316446002000104), at least 0.

    Two maps that show one class nearly everywhere agree, whether they are right or not: this is not counted.

    Args:
        one: (N,) class of each pixel, from 0.
        other: (N,) class of each pixel in the other map.

    Examples:
        >>> import numpy as np
        >>> agreement_beyond_chance(np.array([0, 0, 1, 1]), np.array([0, 0, 1, 0]))
        0.5
        >>> agreement_beyond_chance(np.zeros(4, int), np.zeros(4, int))
        0.0
    """
    if np.array_equal(one, other) and (one == one[0]).all():
        return 0.0  # one class everywhere in both: kappa is not defined
    count = int(max(one.max(), other.max())) + 1
    shares = np.bincount(one * count + other, minlength=count**2).reshape(count, count) / len(one)
    by_chance = float(shares.sum(axis=0) @ shares.sum(axis=1))
    return max(0.0, (float(np.trace(shares)) - by_chance) / (1.0 - by_chance))


def _fit_classifiers(
    feature_set: FeatureSet, shots: LabelledPixels, held_out_only: bool
) -> Prediction:
    """Average of a feature set's classifiers, measured as a stage of its own."""
    with timings.stage(f"{timings.CLASSIFIERS}, {feature_set.name}"):
        found = classifier_predictions(feature_set, shots, held_out_only=held_out_only)
        return average_by_cv_likelihood(found, shots, CLASSIFIER_SHARPNESS, np.ones(len(found)))[0]


def predict_held_out(
    feature_sets: list[FeatureSet],
    graphs_by_step: list[list[Prediction]],
    shots: LabelledPixels,
    prior: Float64Array,
) -> Ensemble:
    """Predict held-out shots by feature sets and graphs; nothing is fitted to all shots.

    The prior is given, because agreement is that of all pixels. It comes from fits to all shots, and so knows the
    held-out ones a little: it tells which of six feature sets suit the scene, and nothing of single pixels.

    Args:
        feature_sets: Features of the N pixels.
        graphs_by_step: Predictions of each graph, by number of steps.
        shots: Labelled pixels.
        prior: Prior weight of each feature set.

    Returns:
        The ensemble. Its predictions have out-of-fold probabilities, and probabilities of no pixels (N is 0).
    """
    none = np.empty(0, np.intp)
    graphs_by_step = [[graph.take(none) for graph in graphs] for graphs in graphs_by_step]
    members = fit_members(feature_sets, shots, held_out_only=True)
    return combine_members(feature_sets, members, graphs_by_step, shots, prior)


def prior_weights(feature_sets: list[FeatureSet]) -> Float64Array:
    """Weight of each feature set before any prediction; those of a context share the weight of the context."""
    shares = dict.fromkeys(SpatialContext, 0.0)
    for feature_set in feature_sets:
        shares[feature_set.context] += feature_set.share
    return np.array([CONTEXT_PRIOR[f.context] * f.share / shares[f.context] for f in feature_sets])


def distance_weights(
    feature_sets: list[FeatureSet], weights: Float64Array
) -> dict[SpatialContext, float]:
    """Weight of each spatial context in the distance to the shots; weights sum to 1.

    `DISTANCE_PRIOR` times the factor by which agreement and held-out shots changed the weight of the context.
    """
    found = dict.fromkeys(SpatialContext, 0.0)
    for feature_set, weight in zip(feature_sets, weights, strict=True):
        context = feature_set.context
        found[context] += float(weight) * DISTANCE_PRIOR[context] / CONTEXT_PRIOR[context]
    total = sum(found.values())
    return {context: weight / total for context, weight in found.items()}


def combine_graphs(
    average: Prediction, graphs: list[Prediction], shots: LabelledPixels
) -> Prediction:
    """Average, by out-of-fold likelihood, of the classifiers' posterior with and without each graph."""
    candidates = [average]
    candidates += [average.times(graph, power) for graph in graphs for power in GRAPH_POWERS]
    prior = np.ones(len(candidates))
    prior[0] += (NO_GRAPH_PRIOR - 1.0) * (1.0 - shots.coverage)
    return average_by_cv_likelihood(candidates, shots, GRAPH_SHARPNESS, prior)[0]
