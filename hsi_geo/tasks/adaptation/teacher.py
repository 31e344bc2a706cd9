"""The teacher of diffusion-aligned fine-tuning: an ensemble of classifiers with label propagation.

Linear classifiers are fitted to several feature sets (`feature_sets`) with different spatial context. Their
weights follow from cross-validation on the shots, which thus decides how much spatial context to use. The
averaged posterior is then combined with label propagation over graphs of the scene's pixels, again
weighted by cross-validation. The teacher is transductive: it has predictions for the pixels it was fitted
on and for no others; a network learns from these predictions (`daft`).

Letters for shapes: N pixels of all regions, n shots among them, K classes of the table.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cache

import numpy as np
import torch
from scipy.sparse import csr_array

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array
from hsi_geo.models.diffusion import adjust_priors, random_walk_with_restart
from hsi_geo.models.s2former import S2Former
from hsi_geo.tasks.adaptation.averaging import (
    Ensemble,
    accuracy_by_agreement,
    combine_members,
    distance_weights,
    fit_members,
    predict_held_out,
    prior_weights,
)
from hsi_geo.tasks.adaptation.calibration import expected_accuracy, exponent_for
from hsi_geo.tasks.adaptation.ensemble import Prediction, Walk, graph_predictions, normalize
from hsi_geo.tasks.adaptation.familiarity import familiarity_score, rejection_threshold
from hsi_geo.tasks.adaptation.feature_sets import PixelFeatures
from hsi_geo.tasks.adaptation.pixel_features import compute_pixel_features
from hsi_geo.tasks.adaptation.shot_walks import ShotWalks, walk_from_shots
from hsi_geo.tasks.adaptation.shot_weights import (
    Predict,
    SuspiciousShots,
    no_suspicious_shots,
    weigh_shots,
)
from hsi_geo.tasks.adaptation.steps import Steps, no_steps, wait_for
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.runtime import one_thread
from hsi_geo.tasks.validation.accuracy import Accuracy, OutOfFold, estimate
from hsi_geo.tasks.validation.folds import (
    LabelledPixels,
    collect_out_of_fold,
    group_by_spatial_blocks,
    labelled_pixels,
)
from hsi_geo.threads import one_blas_thread

#: Numbers of steps of the label propagation after which the teacher has a posterior.
PROPAGATION_STEPS = (10, 40, 150)

#: Number of graphs in which labels are propagated at the same time.
GRAPH_THREADS = 2

#: Number of posteriors that are adjusted at the same time.
POSTERIOR_THREADS = 2

#: Number of steps of `fit_teacher`, for the progress.
TEACHER_STEPS = 3

#: How the accuracy is estimated, for the record of a model.
METHOD = (
    "spatially blocked cross-validation of the classifiers that the mapping network learns from: they and "
    "their graphs are fitted again without a fifth of each class's places (polygons, clusters of points), they "
    "predict the held-out pixels, and pixels are weighted by the share of the scene that is mapped to their "
    "class; the encoder has seen no labels, and the mapping network itself is not refitted"
)


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
        reject_below: Familiarity below which a pixel is unlike any shot, see `rejection_threshold`.
    """

    steps: tuple[Float32Array, ...]
    out_of_fold: OutOfFold
    accuracy: Accuracy
    context_px: float
    suspicious: SuspiciousShots = field(default_factory=no_suspicious_shots)
    reject_below: float | None = None


def fit_teacher(
    regions: TrainingRegions,
    encoder: S2Former | None,
    device: torch.device,
    *,
    pixels: PixelFeatures | None = None,
    estimate_accuracy: bool = True,
    trust_shots: bool = False,
    walk: Walk = random_walk_with_restart,
    advance: Steps | None = None,
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
        walk: Function that computes random walks over the graphs.
        advance: Receives `TEACHER_STEPS` steps; None reports none.

    Returns:
        The teacher of these pixels.

    Raises:
        SceneError: If all pixels are the same.
    """
    advance = advance or no_steps()
    pixels = pixels or compute_pixel_features(regions, encoder, device)
    positions_px = regions.positions_px if estimate_accuracy else None
    shots = labelled_pixels(
        regions.labels, regions.features, regions.in_scene, regions.library_weight
    )
    fitted = _fit(pixels, shots, positions_px, walk, advance.check)
    advance()
    suspicious = no_suspicious_shots()
    if not trust_shots:
        weighted, suspicious = weigh_shots(shots, _predict_shots(pixels, fitted, walk))
        if len(suspicious.features):
            fitted = _fit(pixels, weighted, positions_px, walk, advance.check)
    advance()
    shots, ensemble = fitted.shots, fitted.ensemble
    distances = distance_weights(pixels.inputs, ensemble.weights)
    blocked, here = fitted.blocked, regions.in_scene
    agreement = accuracy_by_agreement(ensemble.members, blocked.narrowly_drawn)

    def exponent(posterior: Float32Array, accuracy: float) -> float:
        return exponent_for(posterior[here], familiarity[here], accuracy)

    with one_blas_thread(), ThreadPoolExecutor(POSTERIOR_THREADS) as pool:
        adjusting = [pool.submit(adjust_priors, step.probabilities) for step in ensemble.steps]
        scoring = pool.submit(familiarity_score, pixels.feature_sets.filtered, distances, shots)
        held_out = _predict_blocks(pixels, fitted)
        familiarity, held_out_familiarity = scoring.result()
        posteriors = [one.result() for one in adjusting]
        expected = [expected_accuracy(step, agreement, blocked) for step in held_out]
        powers = list(pool.map(exponent, posteriors, expected))
    shares = np.zeros(len(regions.classes))
    shares[shots.present] = posteriors[-1][here].mean(axis=0)
    out_of_fold = collect_out_of_fold(
        fitted.blocked, held_out[-1].out_of_fold.argmax(axis=1), shares
    )
    advance()
    return Teacher(
        tuple(
            _expand_classes(normalize(posterior**power), familiarity, shots, len(regions.classes))
            for posterior, power in zip(posteriors, powers, strict=True)
        ),
        out_of_fold,
        estimate(out_of_fold, [c.name for c in regions.classes], METHOD),
        float(ensemble.weights @ [one.context_px for one in pixels.inputs]),
        suspicious,
        rejection_threshold(held_out_familiarity[shots.held], familiarity[here]),
    )


@dataclass(frozen=True, eq=False)
class _Fitted:
    """Classifiers and graphs after a fit to weighted shots.

    Attributes:
        shots: The n labelled pixels.
        blocked: The same with spatial blocks as folds, for the estimate of the accuracy and the calibration.
        graphs: Predictions of each graph, by number of steps.
        blocked_graphs: The same with spatial blocks as folds.
        ensemble: Predictions of all pixels.
    """

    shots: LabelledPixels
    blocked: LabelledPixels
    graphs: list[list[Prediction]]
    blocked_graphs: list[list[Prediction]]
    ensemble: Ensemble


def _fit(
    pixels: PixelFeatures,
    shots: LabelledPixels,
    positions_px: Float64Array | None,
    walk: Walk,
    check: Callable[[], None],
) -> _Fitted:
    """Fit classifiers and graphs.

    Args:
        pixels: Features and graphs of all pixels.
        shots: Labelled pixels with their weights.
        positions_px: (N, 2) row and column of each pixel, for spatial blocks; None makes no blocks.
        walk: Function that computes random walks over the graphs.
        check: Called several times; an exception of it ends the job.
    """
    blocked = shots if positions_px is None else group_by_spatial_blocks(shots, positions_px)
    same_folds = np.array_equal(blocked.folds, shots.folds)
    foldings = [shots] if same_folds else [shots, blocked]
    with _propagating(pixels.graphs, foldings, walk) as result:  # beside the classifiers
        members = fit_members(pixels.inputs, shots, check)
        by_folding = result(check)
    ensemble = combine_members(pixels.inputs, members, by_folding[0], shots)
    return _Fitted(shots, shots if same_folds else blocked, by_folding[0], by_folding[-1], ensemble)


def _predict_blocks(pixels: PixelFeatures, fitted: _Fitted) -> list[Prediction]:
    """Predictions of shots that were held out in spatial blocks, of classifiers and by number of graph steps.

    Blocks are used for estimates only: the weights need all shots that can be held out.
    """
    blocked, ensemble = fitted.blocked, fitted.ensemble
    if blocked is fitted.shots:
        return ensemble.steps
    return predict_held_out(pixels.inputs, fitted.blocked_graphs, blocked, ensemble.prior).steps


def _predict_shots(pixels: PixelFeatures, fitted: _Fitted, walk: Walk) -> Predict:
    """Function that predicts the shots' pixels without their folds, for any weights of shots.

    Feature sets have `prior_weights`: their agreement on all pixels comes from fits to all shots, wrong ones too.

    Args:
        pixels: Features and graphs of all pixels.
        fitted: Fit to shots that weigh the same, which is not made again.
        walk: Function that computes random walks over the graphs.
    """
    shots = fitted.shots
    inputs = [one.take(shots.rows) for one in pixels.inputs]
    filtered = {c: found[shots.rows] for c, found in pixels.feature_sets.filtered.items()}

    @cache
    def walks() -> list[ShotWalks]:
        last = PROPAGATION_STEPS[-1]
        return [walk_from_shots(graph, shots, last, walk) for graph in pixels.graphs]

    def predict(weighted: LabelledPixels) -> tuple[Float32Array, Float32Array]:
        alone = replace(weighted, rows=np.arange(len(shots.rows)))
        prior = prior_weights(inputs)
        if np.array_equal(weighted.weights, shots.weights):
            members = [one.take(shots.rows) for one in fitted.ensemble.members]
            graphs = [one.take(shots.rows) for one in fitted.graphs[-1]]
            ensemble = combine_members(inputs, members, [graphs], alone, prior)
        else:
            graphs = [walk.prediction(alone) for walk in walks()]
            ensemble = predict_held_out(inputs, [graphs], alone, prior)
        distances = distance_weights(inputs, ensemble.weights)
        return ensemble.steps[-1].out_of_fold, familiarity_score(filtered, distances, alone)[1]

    return predict


def _propagate_labels(
    transitions: Sequence[csr_array], foldings: list[LabelledPixels]
) -> list[list[list[Prediction]]]:
    """Predictions of each graph, by folding and by number of steps."""
    with _propagating(transitions, foldings, random_walk_with_restart) as result:
        return result(lambda: None)


@contextmanager
def _propagating(
    transitions: Sequence[csr_array], foldings: list[LabelledPixels], walk: Walk
) -> Iterator[Callable[[Callable[[], None]], list[list[list[Prediction]]]]]:
    """Propagate labels in other threads inside a ``with`` block; the function that is yielded waits for the result."""
    # BLAS has one thread for all of them: its number of threads changes the rounding, and may not depend on who is first.
    with (
        one_thread(),
        one_blas_thread(),
        ThreadPoolExecutor(GRAPH_THREADS) as pool,
    ):
        pending = [pool.submit(_propagate, one, foldings, walk) for one in transitions]

        def result(check: Callable[[], None]) -> list[list[list[Prediction]]]:
            wait_for(pending, check)
            graphs = [one.result() for one in pending]
            steps, numbers = range(len(PROPAGATION_STEPS)), range(len(foldings))
            return [
                [[graph[step][folding] for graph in graphs] for step in steps]
                for folding in numbers
            ]

        try:
            yield result
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


@timings.stage(timings.PROPAGATION)
def _propagate(
    transition: csr_array, foldings: list[LabelledPixels], walk: Walk
) -> list[list[Prediction]]:
    """Predictions of a graph, by number of steps and by folding."""
    return list(graph_predictions(transition, foldings, PROPAGATION_STEPS, walk))


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
