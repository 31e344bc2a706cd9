"""The teacher of diffusion-aligned fine-tuning: an ensemble of classifiers with label propagation.

Linear classifiers are fitted to several feature sets (`feature_sets`) with different spatial context. Their
weights follow from cross-validation on the shots, which thus decides how much spatial context to use. The
averaged posterior is then combined with label propagation over graphs of the scene's pixels, again
weighted by cross-validation. The teacher is transductive: it has predictions for the pixels it was fitted
on and for no others; a network learns from these predictions (`daft`).

Letters for shapes: N pixels of all regions, n shots among them, K classes of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import chain

import numpy as np
import torch
from scipy.optimize import brentq
from scipy.sparse import csr_array
from sklearn import config_context
from threadpoolctl import threadpool_limits

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array
from hsi_geo.models.diffusion import adjust_priors, knn_transition_matrix
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.ensemble import (
    PROBABILITY_FLOOR,
    Prediction,
    average_by_cv_likelihood,
    classifier_predictions,
    graph_predictions,
    normalize,
)
from hsi_geo.tasks.adaptation.familiarity import familiarity_score
from hsi_geo.tasks.adaptation.feature_sets import (
    FeatureSet,
    FeatureSets,
    SpatialContext,
    compute_feature_sets,
    graph_features,
)
from hsi_geo.tasks.adaptation.shot_walks import ShotWalks, walk_from_shots
from hsi_geo.tasks.adaptation.shot_weights import (
    WEIGHT_POWER,
    Predict,
    SuspiciousShots,
    no_suspicious_shots,
    weigh_shots,
)
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.accuracy import Accuracy, OutOfFold, estimate
from hsi_geo.tasks.validation.folds import (
    LabelledPixels,
    collect_out_of_fold,
    group_by_spatial_blocks,
    labelled_pixels,
)

#: Numbers of steps of the label propagation after which the teacher has a posterior.
PROPAGATION_STEPS = (10, 40, 150)

#: Exponents of a graph's probabilities that cross-validation chooses from, besides leaving the graph out.
GRAPH_POWERS = (0.5, 1.0)

#: Prior weight of the classifiers by spatial context. It does not depend on the number of feature sets, and
#: matters because a few shots give little evidence.
CONTEXT_PRIOR = {
    SpatialContext.PIXEL: 0.5,
    SpatialContext.GAUSSIAN: 0.25,
    SpatialContext.SUPERPIXEL: 0.25,
}

#: Exponents of the out-of-fold likelihood in the weights of classifiers, and of graphs.
CLASSIFIER_SHARPNESS, GRAPH_SHARPNESS = 0.25, 0.5

#: Standard errors by which the confidence is set below the out-of-fold accuracy.
CALIBRATION_MARGIN = 0.5

#: Range of the logarithm of the exponent with which a posterior is calibrated.
LOG_POWER_RANGE = (-3.0, 1.0)

#: Numbers of steps of `compute_pixel_features` and `fit_teacher`, for the progress.
PIXEL_FEATURE_STEPS, TEACHER_STEPS = 4, 3

#: How the accuracy is estimated, for the record of a model.
METHOD = (
    "spatially blocked cross-validation of the classifiers that the mapping network learns from: they and "
    "their graphs are fitted again without a fifth of each class's places (polygons, clusters of points), they "
    "predict the held-out pixels, and pixels are weighted by the share of the scene that is mapped to their "
    "class; the encoder has seen no labels, and the mapping network itself is not refitted"
)


@dataclass(frozen=True, eq=False)
class PixelFeatures:
    """What the teacher computes from the pixels of some regions alone: no shot has an effect on it.

    Attributes:
        feature_sets: Features of the N pixels.
        graphs: (N, N) transition matrix of each graph.
        positions_px: (N, 2) row and column of each pixel.
    """

    feature_sets: FeatureSets
    graphs: tuple[csr_array, ...]
    positions_px: Float64Array


@dataclass(frozen=True, eq=False)
class Teacher:
    """The targets of fine-tuning, with an accuracy estimate.

    Attributes:
        steps: (N, K + 1) posteriors, from that of the classifiers to that after the most steps of label
            propagation; the last column is the probability of "unlike any shot".
        out_of_fold: Held-out shots with their true and predicted classes, spatially blocked.
        accuracy: Accuracy estimate from the held-out shots.
        context_px: Weighted mean of the standard deviations of the classifiers' spatial context, in pixels.
        suspicious: Shots that do not weigh fully, because their label may be wrong.
    """

    steps: tuple[Float32Array, ...]
    out_of_fold: OutOfFold
    accuracy: Accuracy
    context_px: float
    suspicious: SuspiciousShots = field(default_factory=no_suspicious_shots)


def compute_pixel_features(
    regions: TrainingRegions,
    encoder: S2Former | None,
    device: torch.device,
    advance: Callable[[], None] = lambda: None,
) -> PixelFeatures:
    """Compute the features and graphs of the pixels of some regions.

    Args:
        regions: Pixels; their shots are not used.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.
        advance: Called after each of `PIXEL_FEATURE_STEPS` steps.

    Raises:
        SceneError: If all pixels are the same.
    """
    feature_sets = compute_feature_sets(regions, encoder, device)
    advance()
    positions_px, graphs = regions.positions_px, []
    for features in graph_features(feature_sets, positions_px):
        graphs.append(knn_transition_matrix(features))
        advance()
    return PixelFeatures(feature_sets, tuple(graphs), positions_px)


def fit_teacher(
    regions: TrainingRegions,
    encoder: S2Former | None,
    device: torch.device,
    *,
    pixels: PixelFeatures | None = None,
    estimate_accuracy: bool = True,
    trust_shots: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> Teacher:
    """Fit the teacher to the shots of some regions.

    Args:
        regions: Pixels and shots.
        encoder: Pre-trained encoder, whose weights are not changed; None for no encoder features.
        device: Device on which the encoder runs.
        pixels: Features and graphs of these pixels, if they were computed before with the same encoder.
        estimate_accuracy: Whether the classifiers and graphs are fitted again without spatial blocks of shots. If not,
            the accuracy is estimated from the folds that the weights are fitted with, which is too high for shots that
            are close to each other.
        trust_shots: Whether all shots weigh the same, also those whose label looks wrong.
        advance: Called after each of `TEACHER_STEPS` steps.

    Returns:
        The teacher of these pixels.

    Raises:
        SceneError: If all pixels are the same.
    """
    pixels = pixels or compute_pixel_features(regions, encoder, device)
    shots = labelled_pixels(regions.labels, regions.features)
    suspicious = no_suspicious_shots()
    if not trust_shots:
        shots, suspicious = weigh_shots(shots, _predict_shots(pixels, shots))
    blocked = group_by_spatial_blocks(shots, regions.positions_px) if estimate_accuracy else shots
    same_folds = np.array_equal(blocked.folds, shots.folds)
    foldings = [shots] if same_folds else [shots, blocked]
    feature_sets, inputs = pixels.feature_sets, pixels.feature_sets.classifier_inputs
    graphs_by_step = _propagate_labels(pixels.graphs, foldings)
    advance()
    steps, weights = _fit_ensemble(inputs, graphs_by_step[0], shots)
    advance()
    contexts = np.array([feature_set.context_px for feature_set in inputs])
    familiarity, held_out_familiarity = familiarity_score(
        feature_sets.filtered, _context_weights(inputs, weights), shots
    )
    posteriors = [adjust_priors(step.probabilities) for step in steps]
    powers = [_calibrate(step, held_out_familiarity, shots) for step in steps]
    # Spatial blocks are used for the estimate only: the weights need all shots that can be held out.
    blocked_steps = (
        steps if same_folds else _fit_ensemble_at_shots(inputs, graphs_by_step[1], blocked)
    )
    advance()
    shares = np.zeros(len(regions.classes))
    shares[shots.present] = posteriors[-1].mean(axis=0)
    out_of_fold = collect_out_of_fold(blocked, blocked_steps[-1].out_of_fold.argmax(axis=1), shares)
    return Teacher(
        tuple(
            _expand_classes(normalize(posterior**power), familiarity, shots, len(regions.classes))
            for posterior, power in zip(posteriors, powers, strict=True)
        ),
        out_of_fold,
        estimate(out_of_fold, [c.name for c in regions.classes], METHOD),
        float(weights @ contexts),
        suspicious,
    )


def _predict_shots(pixels: PixelFeatures, shots: LabelledPixels) -> Predict:
    """Function that predicts the shots' pixels without their folds, for any weights of shots."""
    inputs = [one.take(shots.rows) for one in pixels.feature_sets.classifier_inputs]
    filtered = {c: found[shots.rows] for c, found in pixels.feature_sets.filtered.items()}

    @cache
    def walks() -> list[ShotWalks]:
        return [walk_from_shots(graph, shots, PROPAGATION_STEPS[-1]) for graph in pixels.graphs]

    def predict(weighted: LabelledPixels) -> tuple[Float32Array, Float32Array]:
        alone = replace(weighted, rows=np.arange(len(shots.rows)))
        graphs = [walk.prediction(alone) for walk in walks()]
        steps, weights = _fit_ensemble(inputs, [graphs], alone)
        _, familiarity = familiarity_score(filtered, _context_weights(inputs, weights), alone)
        return steps[-1].out_of_fold, familiarity

    return predict


@timings.stage(timings.GRAPHS)
def _propagate_labels(
    transitions: Sequence[csr_array], foldings: list[LabelledPixels]
) -> list[list[list[Prediction]]]:
    """Predictions of each graph, by folding and by number of steps."""
    graphs = [list(graph_predictions(t, foldings, PROPAGATION_STEPS)) for t in transitions]
    steps, numbers = range(len(PROPAGATION_STEPS)), range(len(foldings))
    return [[[graph[step][folding] for graph in graphs] for step in steps] for folding in numbers]


def _fit_ensemble(
    feature_sets: list[FeatureSet],
    graphs_by_step: list[list[Prediction]],
    shots: LabelledPixels,
) -> tuple[list[Prediction], Float64Array]:
    """Predictions of the classifiers alone and with the graphs of each step; weights of feature sets."""
    # One BLAS thread and no checks of arguments: synchronisation costs more than it gains, and checks take
    # a third of the time of a small fit.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with threadpool_limits(1, user_api="blas"), unchecked:
        found = [_classifier_predictions(feature_set, shots) for feature_set in feature_sets]
    set_of = np.repeat(np.arange(len(feature_sets)), [len(predictions) for predictions in found])
    prior = _prior_weights(feature_sets)[set_of] / np.bincount(set_of)[set_of]
    average, weights = average_by_cv_likelihood(
        list(chain(*found)), shots, CLASSIFIER_SHARPNESS, prior
    )
    steps = [average, *(_combine_graphs(average, graphs, shots) for graphs in graphs_by_step)]
    return steps, np.bincount(set_of, weights)


def _classifier_predictions(feature_set: FeatureSet, shots: LabelledPixels) -> list[Prediction]:
    """`classifier_predictions`, measured as a stage of its own for each feature set."""
    with timings.stage(f"{timings.CLASSIFIERS}, {feature_set.name}"):
        return classifier_predictions(feature_set, shots)


def _fit_ensemble_at_shots(
    feature_sets: list[FeatureSet],
    graphs_by_step: list[list[Prediction]],
    shots: LabelledPixels,
) -> list[Prediction]:
    """The predictions of `_fit_ensemble` for the shots' pixels only, which is faster."""
    steps, _ = _fit_ensemble(
        [feature_set.take(shots.rows) for feature_set in feature_sets],
        [[graph.take(shots.rows) for graph in graphs] for graphs in graphs_by_step],
        replace(shots, rows=np.arange(len(shots.rows))),
    )
    return steps


def _prior_weights(feature_sets: list[FeatureSet]) -> Float64Array:
    """Prior weight of each feature set; those of the same context share the weight of the context."""
    contexts = [feature_set.context for feature_set in feature_sets]
    return np.array([CONTEXT_PRIOR[context] / contexts.count(context) for context in contexts])


def _context_weights(
    feature_sets: list[FeatureSet], weights: Float64Array
) -> dict[SpatialContext, float]:
    """Sum of the weights of the feature sets by spatial context."""
    found = dict.fromkeys(SpatialContext, 0.0)
    for feature_set, weight in zip(feature_sets, weights, strict=True):
        found[feature_set.context] += float(weight)
    return found


def _combine_graphs(
    average: Prediction, graphs: list[Prediction], shots: LabelledPixels
) -> Prediction:
    """Average, by out-of-fold likelihood, of the classifiers' posterior with and without each graph."""
    candidates = [average]
    candidates += [average.times(graph, power) for graph in graphs for power in GRAPH_POWERS]
    combined, _ = average_by_cv_likelihood(
        candidates, shots, GRAPH_SHARPNESS, np.ones(len(candidates))
    )
    return combined


@timings.stage(timings.CALIBRATION)
def _calibrate(prediction: Prediction, familiarity: Float32Array, shots: LabelledPixels) -> float:
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

    def excess_confidence(log_power: float) -> float:
        confidence = normalize(posterior ** np.float32(np.exp(log_power))).max(axis=1)
        target = accuracy - CALIBRATION_MARGIN * error
        confident = np.average(confidence * familiarity[held], weights=weights.astype(np.float32))
        return float(confident - target)

    low, high = LOG_POWER_RANGE
    if excess_confidence(low) >= 0 or excess_confidence(high) <= 0:
        return float(np.exp(low if excess_confidence(low) >= 0 else high))
    return float(np.exp(brentq(excess_confidence, low, high, xtol=1e-3)))


def _expand_classes(
    posterior: Float32Array, familiarity: Float32Array, shots: LabelledPixels, classes: int
) -> Float32Array:
    """(N, K + 1) posterior with all classes of the table and "unlike any shot".

    Shots are as certain as their weight; what is left of 1 follows the posterior.
    """
    familiar = posterior * familiarity[:, None]
    weights = shots.weights.astype(np.float32)
    familiar[shots.rows] *= (1.0 - weights)[:, None]
    familiar[shots.rows, shots.labels] += weights
    expanded = np.zeros((len(posterior), classes + 1), np.float32)
    expanded[:, shots.present] = familiar
    expanded[:, -1] = 1.0 - familiar.sum(axis=1)
    return np.maximum(expanded, 0.0)
