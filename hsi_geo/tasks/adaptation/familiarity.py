"""Familiarity of pixels: how near they are to shots, which tells land that no shot shows.

Letters for shapes: N pixels of all regions, n shots among them, D features of a pixel.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from scipy.special import stdtrit  # scipy.stats takes long to import

from hsi_geo import timings
from hsi_geo.arrays import Float32Array, Float64Array
from hsi_geo.tasks.adaptation.feature_cubes import SpatialContext
from hsi_geo.tasks.validation.folds import LabelledPixels

#: Distance at which the familiarity is a half, in units of the typical distance between shots; and the
#: exponent of its decrease.
HALF_DISTANCE, DISTANCE_POWER = 3.5, 4

#: Larger distances are clipped, so that their powers are finite.
MAX_DISTANCE = 1000.0

#: Most distances that are computed at once.
BLOCK_NUMBERS = 4_000_000

#: Least unit of distances, as a share of the median distance between shots of two classes. Where spectra hardly vary, as in
#: simulated, denoised and 8-bit scenes, shots of a class can be nearly the same, and all else would be far from them.
LEAST_UNIT = 0.05

#: About as many shots are enough for that median.
MEDIAN_SHOTS = 300

#: Familiarity at two and a half units. A threshold above it that would reject a larger share of all pixels than
#: `LARGE_SHARE` says more of shots that lie alike, such as in the middle of fields, than of land.
NEAR_SHOTS, LARGE_SHARE = 1.0 / (1.0 + (2.5 / HALF_DISTANCE) ** DISTANCE_POWER), 0.25

#: Share of land like the shots that `rejection_threshold` lets a map reject.
FALSE_REJECTION = 0.05

#: Fewest held-out shots whose quantile of `FALSE_REJECTION` is observed, and fewest for any threshold.
QUANTILE_SHOTS, FEWEST_SHOTS = round(1 / FALSE_REJECTION), 3


@timings.stage(timings.FAMILIARITY)
def familiarity_score(
    features_by_context: dict[SpatialContext, Float32Array],
    weights: dict[SpatialContext, float],
    shots: LabelledPixels,
) -> tuple[Float32Array, Float32Array]:
    """(N,) familiarity of each pixel, and (n,) of each shot with respect to shots of other folds.

    Familiarity is 1 minus novelty: 1 / (1 + (d / `HALF_DISTANCE`) ** `DISTANCE_POWER`), where d is the
    distance to the nearest shot, divided by the median distance of a shot to the nearest shot of another
    fold and feature. If each class is one polygon, that is a shot of another class: pixels of one polygon are so
    similar that nearly all others would be unfamiliar. The median is at least `LEAST_UNIT` of that between shots of two
    classes. Distances are averaged over spatial contexts with weights
    (`averaging.distance_weights`), so that unusual surroundings do not make a pixel unfamiliar in a scene where
    context does not help.

    Args:
        features_by_context: (N, D) features of the pixels for each spatial context.
        weights: Sum of the classifiers' weights for each spatial context.
        shots: Labelled pixels, n in all.
    """
    count = len(next(iter(features_by_context.values())))
    distance, held_out_distance, total_weight = np.zeros(count), np.zeros(len(shots.rows)), 0.0
    for context, features in features_by_context.items():
        at_shots = features[shots.rows]
        between = _distances(at_shots, at_shots)
        least_unit = LEAST_UNIT * _distance_of_classes(between, shots)
        between[
            (shots.folds[:, None] == shots.folds) | (shots.features[:, None] == shots.features)
        ] = np.inf
        nearest_shot = between.min(axis=1)
        known = np.isfinite(nearest_shot)
        unit = float(np.median(nearest_shot[known])) if known.any() else 0.0
        if unit > 0.0:  # otherwise the typical distance between shots is unknown
            unit = max(unit, least_unit)
            nearest = _nearest(features, at_shots)
            distance += weights[context] * nearest / unit
            held_out_distance += weights[context] * np.where(known, nearest_shot, 0.0) / unit
            total_weight += weights[context]
    if total_weight == 0.0:
        return np.ones(len(distance), np.float32), np.ones(len(held_out_distance), np.float32)
    return (
        _familiarity(distance / (total_weight * HALF_DISTANCE)),
        _familiarity(held_out_distance / (total_weight * HALF_DISTANCE)),
    )


def _distance_of_classes(between: Float64Array, shots: LabelledPixels) -> float:
    """Median of the (n, n) distances between shots of two classes, or of a regular selection of them; 0 with one class."""
    some = slice(None, None, max(1, len(shots.labels) // MEDIAN_SHOTS))
    labels = shots.labels[some]
    of_classes = between[some, some][labels[:, None] != labels]
    return float(np.median(of_classes)) if len(of_classes) else 0.0


def _nearest(features: Float32Array, others: Float32Array) -> Float64Array:
    """(N,) distance of each row to the nearest of (m, D) other rows; the rows are taken in blocks, to save memory."""
    rows = max(1, BLOCK_NUMBERS // len(others))
    blocks = (features[first : first + rows] for first in range(0, len(features), rows))
    return np.concatenate([_distances(block, others).min(axis=1) for block in blocks])


def _distances(features: Float32Array, others: Float32Array) -> Float64Array:
    """(N, m) Euclidean distances of (N, D) rows to (m, D) other rows, in double precision."""
    one, other = torch.from_numpy(features).double(), torch.from_numpy(others).double()
    found = torch.cdist(one, other, compute_mode="use_mm_for_euclid_dist")
    distances: Float64Array = found.numpy()
    return distances


def _familiarity(distance: npt.NDArray[np.floating]) -> Float32Array:
    clipped = np.minimum(distance, MAX_DISTANCE)
    return np.asarray(1.0 / (1.0 + clipped**DISTANCE_POWER), np.float32)


def rejection_threshold(held_out: Float32Array, pixels: Float32Array) -> float | None:
    """Familiarity below which a pixel is unlike any shot, so that `FALSE_REJECTION` of land like the shots is rejected.

    That is the quantile of the held-out shots. With fewer than `QUANTILE_SHOTS` no shot can be below it. Then the
    logarithm of the distance, which is the logit of the familiarity but for its sign and scale, is taken as normally
    distributed, and the threshold is the end of the interval in which a further shot lies (prediction interval with
    Student's t). It is lower than the quantile: few shots reject less.

    A threshold above `NEAR_SHOTS` that rejects more than `LARGE_SHARE` of all pixels is lowered to `NEAR_SHOTS`.

    Args:
        held_out: (n,) familiarity of each shot with respect to shots of other folds, as `familiarity_score` returns it,
            for the shots that are held out.
        pixels: (N,) familiarity of all pixels.

    Returns:
        The threshold, 0 to 1; None if fewer than `FEWEST_SHOTS` shots are held out.

    Examples:
        >>> rejection_threshold(np.linspace(0.5, 1.0, 101, dtype=np.float32), np.ones(9, np.float32))
        0.525
        >>> rejection_threshold(np.float32([0.9, 0.8]), np.ones(9, np.float32)) is None
        True
    """
    if len(held_out) < FEWEST_SHOTS:
        return None
    threshold = _low_end(held_out)
    if threshold > NEAR_SHOTS and (pixels < threshold).mean() > LARGE_SHARE:
        threshold = NEAR_SHOTS
    return round(threshold, 6)


def _low_end(held_out: Float32Array) -> float:
    """Familiarity that `FALSE_REJECTION` of further shots are expected to be below."""
    count = len(held_out)
    familiarity = held_out.astype(np.float64)
    if count >= QUANTILE_SHOTS:
        return float(np.quantile(familiarity, FALSE_REJECTION))
    clipped = np.clip(familiarity, 1e-6, 1.0 - 1e-6)
    logit = np.log(clipped / (1.0 - clipped))
    width = stdtrit(count - 1, 1.0 - FALSE_REJECTION) * np.sqrt(1.0 + 1.0 / count)
    low = float(logit.mean() - width * logit.std(ddof=1))
    return float(1.0 / (1.0 + np.exp(-low)))
