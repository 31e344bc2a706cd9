"""The teacher of diffusion-aligned fine-tuning: what the shots and the scene itself tell.

Cheap linear heads on several views of the pixels (`feature_sets`), each with more or less of their
surroundings, are weighted by how well they name shots that were held out: that is how it finds out
how much spatial context a scene bears. Their posterior then evolves by diffusion over graphs of
the scene's pixels, trusted as far as held-out shots say. It is transductive: it knows the pixels
it was made from and no others; what it knows is taught to a network (`daft`).

Letters for shapes: N pixels of all regions, n shots among them, K classes of the table.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import numpy.typing as npt
import torch
from scipy.optimize import brentq
from sklearn import config_context
from sklearn.metrics import pairwise_distances_argmin_min
from sklearn.metrics.pairwise import euclidean_distances
from threadpoolctl import threadpool_limits

from hsi_geo.arrays import Float32Array
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
from hsi_geo.tasks.adaptation.feature_sets import (
    FeatureSet,
    FeatureSets,
    SpatialContext,
    compute_feature_sets,
    graph_features,
)
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.accuracy import Accuracy, OutOfFold, estimate
from hsi_geo.tasks.validation.folds import (
    LabelledPixels,
    collect_out_of_fold,
    group_by_spatial_blocks,
    labelled_pixels,
)

#: Steps of the diffusion at which the student looks.
STOPS = (10, 40, 150)

#: Powers of the graphs' evidence among which held-out shots choose, beside none.
POWERS = (0.5, 1.0)

#: What heads weigh together before anything is held out, by how surroundings come in: a few shots
#: tell little, and the number of views must not decide.
CONTEXT_PRIOR = {
    SpatialContext.PIXEL: 0.5,
    SpatialContext.GAUSSIAN: 0.25,
    SpatialContext.SUPERPIXEL: 0.25,
}

#: How sharply the held-out likelihood of all shots decides between heads, and between graphs.
HEADS_SHARPNESS, GRAPHS_SHARPNESS = 0.25, 0.5

#: Distance at which a pixel is half like a shot, in units of what lies between shots; and how
#: steeply it falls there.
FAR, FALL = 3.5, 4

#: Nothing is less familiar than what lies as far off.
VERY_FAR = 1000.0

#: Standard errors by which a posterior is less sure than held-out shots show.
CALIBRATION_MARGIN = 0.5

#: Logarithms of the powers that a posterior may be taken to.
SHARPNESS_RANGE = (-3.0, 1.0)

METHOD = (
    "cross-validation, blocked in space, of the teacher that the mapping network was taught by: its "
    "heads and graphs are fitted anew without a fifth of each class's places (polygons, clusters of "
    "points), which are then named, and count by the share of the scene that their class was mapped "
    "to; no network that is heard has seen a label, and the mapping network itself is not refitted"
)


@dataclass(frozen=True, eq=False)
class Teacher:
    """What is taught.

    Attributes:
        steps: (N, K + 1) posteriors, from the heads' own to the most evolved one; the last column
            is the probability of something unlike any shot.
        held_out: What shots were named without those around them.
        accuracy: Estimated from these.
        context_px: Mean standard deviation of the filters, as weighted: what the scene bears.
    """

    steps: tuple[Float32Array, ...]
    out_of_fold: OutOfFold
    accuracy: Accuracy
    context_px: float


def learn_teacher(
    regions: TrainingRegions, encoder: S2Former | None, device: torch.device
) -> Teacher:
    """Make the teacher of some regions.

    Args:
        regions: Pixels and shots.
        encoder: Pre-trained, stays frozen; None does without its features.
        device: Where the encoder runs.

    Returns:
        The teacher.
    """
    shots = labelled_pixels(regions.labels, regions.features)
    blocked = group_by_spatial_blocks(shots, regions.positions_px)
    ways = [shots] if np.array_equal(blocked.folds, shots.folds) else [shots, blocked]
    views = compute_feature_sets(regions, encoder, device)
    graphs_by_stop = _propagate_labels(views, regions.positions_px, ways)
    steps, weights = _fit_ensemble(views.classifier_inputs, graphs_by_stop[0], shots)
    contexts = np.array([view.context_px for view in views.classifier_inputs])
    trust = _context_weights(views.classifier_inputs, weights)
    familiar, held_familiar = _familiarity_score(views.filtered, trust, shots)
    posteriors = [adjust_priors(step.probabilities) for step in steps]
    sharpness = [_calibrate(step, held_familiar, shots) for step in steps]
    # Only for the estimate: what heads and graphs are trusted with needs every shot it can get.
    blocked_steps = (
        steps
        if len(ways) == 1
        else _fit_ensemble_at_shots(views.classifier_inputs, graphs_by_stop[1], blocked)
    )
    shares = np.zeros(len(regions.classes))
    shares[shots.present] = posteriors[-1].mean(axis=0)
    out_of_fold = collect_out_of_fold(blocked, blocked_steps[-1].out_of_fold.argmax(axis=1), shares)
    return Teacher(
        tuple(
            _in_all_classes(normalize(posterior**power), familiar, shots, len(regions.classes))
            for posterior, power in zip(posteriors, sharpness, strict=True)
        ),
        out_of_fold,
        estimate(out_of_fold, [c.name for c in regions.classes], METHOD),
        float(weights @ contexts),
    )


def _propagate_labels(
    views: FeatureSets, positions_px: npt.NDArray[np.float64], ways: list[LabelledPixels]
) -> list[list[list[Prediction]]]:
    """What each graph tells, by way to hold shots out and by stop."""
    graphs = [
        list(graph_predictions(knn_transition_matrix(table), ways, STOPS))
        for table in graph_features(views, positions_px)
    ]
    stops, numbers = range(len(STOPS)), range(len(ways))
    return [[[graph[stop][way] for graph in graphs] for stop in stops] for way in numbers]


def _fit_ensemble(
    views: list[FeatureSet], graphs_by_stop: list[list[Prediction]], shots: LabelledPixels
) -> tuple[list[Prediction], npt.NDArray[np.float64]]:
    """The trajectory from the heads' own posterior to the most evolved one; the views' weights."""
    # Threads wait longer for each other than they work, and checks take a third of a small fit.
    unchecked = config_context(assume_finite=True, skip_parameter_validation=True)
    with threadpool_limits(1, user_api="blas"), unchecked:
        said = [classifier_predictions(view, shots) for view in views]
    view_of = np.repeat(np.arange(len(views)), [len(predictions) for predictions in said])
    prior = _prior_weights(views)[view_of] / np.bincount(view_of)[view_of]
    heads, weights = average_by_cv_likelihood(list(chain(*said)), shots, HEADS_SHARPNESS, prior)
    steps = [heads, *(_combine_graphs(heads, graphs, shots) for graphs in graphs_by_stop)]
    return steps, np.bincount(view_of, weights)


def _fit_ensemble_at_shots(
    views: list[FeatureSet], graphs_by_stop: list[list[Prediction]], shots: LabelledPixels
) -> list[Prediction]:
    """The same trajectory of the shots' pixels alone, where no other pixel is asked about."""
    steps, _ = _fit_ensemble(
        [view.at(shots.rows) for view in views],
        [[graph.at(shots.rows) for graph in graphs] for graphs in graphs_by_stop],
        replace(shots, rows=np.arange(len(shots.rows))),
    )
    return steps


def _prior_weights(views: list[FeatureSet]) -> npt.NDArray[np.float64]:
    """What each view's heads weigh together before anything is held out."""
    sights = [view.context for view in views]
    return np.array([CONTEXT_PRIOR[context] / sights.count(context) for context in sights])


def _context_weights(
    views: list[FeatureSet], weights: npt.NDArray[np.float64]
) -> dict[SpatialContext, float]:
    """What the heads of all views of a kind weigh together after shots were held out."""
    found = dict.fromkeys(SpatialContext, 0.0)
    for view, weight in zip(views, weights, strict=True):
        found[view.context] += float(weight)
    return found


def _combine_graphs(
    heads: Prediction, graphs: list[Prediction], shots: LabelledPixels
) -> Prediction:
    """The heads' posterior times what graphs tell, trusted as far as held-out shots say."""
    candidates = [heads]
    candidates += [heads.times(graph, power) for graph in graphs for power in POWERS]
    evolved, _ = average_by_cv_likelihood(
        candidates, shots, GRAPHS_SHARPNESS, np.ones(len(candidates))
    )
    return evolved


def _familiarity_score(
    tables: dict[SpatialContext, Float32Array],
    trust: dict[SpatialContext, float],
    shots: LabelledPixels,
) -> tuple[Float32Array, Float32Array]:
    """(N,) how like a shot each pixel is, and (n,) how like one of another fold each shot is.

    It falls with the distance to the nearest shot, in units of the median distance of a shot to
    the nearest one of another fold, and is a half at `FAR` of them. Distances are means over
    filters, weighted by the trust that heads won with such surroundings: where a scene bears no
    context, what surrounds a pixel makes it no stranger.

    Args:
        tables: (N, D) of the pixels through each filter.
        trust: In heads with such surroundings.
        shots: n of them.
    """
    count = len(next(iter(tables.values())))
    distance, between, classifier_inputs = np.zeros(count), np.zeros(len(shots.rows)), 0.0
    for context, table in tables.items():
        at_shots = table[shots.rows]
        apart = euclidean_distances(at_shots)
        apart[shots.folds[:, None] == shots.folds[None, :]] = np.inf
        held = apart.min(axis=1)
        known = np.isfinite(held)
        unit = float(np.median(held[known])) if known.any() else 0.0
        if unit > 0.0:  # else nothing tells how far shots lie apart
            _, nearest = pairwise_distances_argmin_min(table, at_shots)
            distance += trust[context] * nearest / unit
            between += trust[context] * np.where(known, held, 0.0) / unit
            classifier_inputs += trust[context]
    if classifier_inputs == 0.0:
        return np.ones(len(distance), np.float32), np.ones(len(between), np.float32)
    return _falling(distance / (classifier_inputs * FAR)), _falling(
        between / (classifier_inputs * FAR)
    )


def _falling(distance: npt.NDArray[np.floating]) -> Float32Array:
    near = np.minimum(distance, VERY_FAR)  # whose powers are still numbers
    return np.asarray(1.0 / (1.0 + near**FALL), np.float32)


def _calibrate(prediction: Prediction, familiar: Float32Array, shots: LabelledPixels) -> float:
    """The power of the posterior that makes it as sure as held-out shots allow.

    Mean confidence is brought to the share of held-out shots that are named right, less half its
    standard error: of few shots little is known, and a map had better be too modest than too sure.
    """
    held = shots.held
    if not len(held):
        return 1.0
    posterior = np.maximum(prediction.out_of_fold[held], PROBABILITY_FLOOR)
    features = len(np.unique(shots.groups[held]))
    right = float((posterior.argmax(axis=1) == shots.labels[held]).mean())
    # A quarter of a shot's variance at least: all right is no proof of no error.
    error = np.sqrt(max(right * (1.0 - right), 0.25 / features) / features)

    def too_sure(logarithm: float) -> float:
        sure = normalize(posterior ** np.float32(np.exp(logarithm))).max(axis=1)
        return float((sure * familiar[held]).mean() - (right - CALIBRATION_MARGIN * error))

    low, high = SHARPNESS_RANGE
    if too_sure(low) >= 0 or too_sure(high) <= 0:
        return float(np.exp(low if too_sure(low) >= 0 else high))
    return float(np.exp(brentq(too_sure, low, high, xtol=1e-3)))


def _in_all_classes(
    posterior: Float32Array, familiar: Float32Array, shots: LabelledPixels, classes: int
) -> Float32Array:
    """(N, K + 1): a class without a shot has no probability; the shots themselves are known."""
    known = posterior * familiar[:, None]
    known[shots.rows] = 0.0
    known[shots.rows, shots.labels] = 1.0
    every = np.zeros((len(posterior), classes + 1), np.float32)
    every[:, shots.present] = known
    every[:, -1] = 1.0 - known.sum(axis=1)
    return np.maximum(every, 0.0)
