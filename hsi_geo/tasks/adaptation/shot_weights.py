"""What each shot weighs in the fits: little, if its label is probably wrong.

People make mistakes when they draw shots, and one wrong shot costs more accuracy than a right one brings. A label
is compared with what classifiers and graphs predict that were fitted without the shot. A shot that looks like
another class is probably wrong. A shot that looks like no other shot is probably a rare variant of its class,
which nobody else can show.

Letters for shapes: n pixels of shots, K' classes that have shots, F drawn features.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from hsi_geo.arrays import BoolArray, Float32Array, Float64Array, IntArray
from hsi_geo.io.labels.shots import Shots
from hsi_geo.tasks.validation.accuracy import file_of_feature
from hsi_geo.tasks.validation.folds import LabelledPixels
from hsi_geo.text import quoted

#: Mean and weight, in shots, of the prior of the share of wrong labels.
WRONG_SHARE, WRONG_SHARE_SHOTS = 0.2, 5.0

#: Familiarity at which a rare variant of the drawn class explains a shot as well as a certain prediction of that
#: class would, and the exponent of the odds.
VARIANT_FAMILIARITY, VARIANT_POWER = 16.0 / 17.0, 2

#: Exponent from the probability that a label is right to the weight of the shot. A wrong shot costs several times
#: what a right one brings, so that doubtful shots weigh less than their probability.
WEIGHT_POWER = 3.0

#: A shot with at least this weight, a label that is right with a probability of nine in ten, weighs fully: nothing
#: changes, and nothing is fitted again, where no label looks wrong.
FULL_WEIGHT = 0.75

#: Least weight.
LEAST_WEIGHT = 1e-3

#: How often the shots are predicted with the weights found so far.
ROUNDS = 2

#: Most shots that a message names.
MOST_NAMED = 5

#: Probabilities are clipped to this minimum, so that no single pixel decides.
_FLOOR = 1e-3

#: Steps of the estimation of the share of wrong labels.
_STEPS = 100

#: From labelled pixels with weights to their (n, K') out-of-fold probabilities and (n,) familiarity.
Predict = Callable[[LabelledPixels], tuple[Float32Array, Float32Array]]


@dataclass(frozen=True, eq=False)
class SuspiciousShots:
    """Shots that do not weigh fully in the fits, because their label may be wrong.

    Attributes:
        features: (m,) row of `Shots.frame` (point, line or polygon) of each.
        drawn: (m,) class of each as drawn, 0..K - 1.
        looks_like: (m,) class that each looks like, 0..K - 1.
        weights: (m,) weight of each in the fits, 0 to 1, in increasing order.
    """

    features: IntArray
    drawn: IntArray
    looks_like: IntArray
    weights: Float64Array

    def as_list(self, shots: Shots) -> list[dict[str, Any]]:
        """The shots for JSON.

        Args:
            shots: Shots whose rows the features are.

        Returns:
            For each its ``feature_id``, a point in it (``x`` and ``y`` in the shots' CRS), the class it was ``drawn``
            as, the class it ``looks_like``, and its ``weight``; with shots of several files also the name of its
            ``file``.
        """
        names = [c.name for c in shots.classes]
        points = [shots.frame.geometry.iloc[row].representative_point() for row in self.features]
        return [
            {
                "feature_id": int(shots.frame["feature_id"].iloc[row]),
                **file_of_feature(shots, int(row)),
                "x": point.x,
                "y": point.y,
                "drawn": names[drawn],
                "looks_like": names[like],
                "weight": round(float(weight), 3),
            }
            for row, point, drawn, like, weight in zip(
                self.features, points, self.drawn, self.looks_like, self.weights, strict=True
            )
        ]


def suspicious_message(suspicious: Sequence[Mapping[str, Any]]) -> str:
    """A sentence that names the most suspicious shots.

    Args:
        suspicious: What `SuspiciousShots.as_list` returns, at least one.

    Examples:
        >>> one = {"feature_id": 7, "x": 1.5, "y": 2.5, "drawn": "rye", "looks_like": "oats", "weight": 0.01}
        >>> suspicious_message([one])
        "1 shot looks wrong and weighs less than the others: feature 7 ('rye', looks like 'oats', weight 0.01)"
    """
    count = len(suspicious)
    start = (
        "1 shot looks wrong and weighs less than the others"
        if count == 1
        else f"{count} shots look wrong and weigh less than the others"
    )
    named = [
        f"feature {one['feature_id']}{_in_file(one)} ({quoted([one['drawn']])}, looks like "
        f"{quoted([one['looks_like']])}, weight {one['weight']:.2f})"
        for one in suspicious[:MOST_NAMED]
    ]
    more = f" and {count - MOST_NAMED} more" if count > MOST_NAMED else ""
    return f"{start}: {', '.join(named)}{more}"


def _in_file(one: Mapping[str, Any]) -> str:
    return f" in {quoted([one['file']])}" if "file" in one else ""


def no_suspicious_shots() -> SuspiciousShots:
    """The result where all shots are trusted."""
    none = np.empty(0, np.int64)
    return SuspiciousShots(none, none, none, np.empty(0))


def weigh_shots(shots: LabelledPixels, predict: Predict) -> tuple[LabelledPixels, SuspiciousShots]:
    """Weigh each shot by the probability that its label is right.

    The probability is estimated from predictions without the shot. These are better when wrong labels weigh less, so
    that the estimate is made in `ROUNDS` rounds. Only features can be judged that are held out whole while other
    features of their class are left; others weigh fully.

    Args:
        shots: Labelled pixels, all of weight 1 but the spectra of a library.
        predict: Function that fits to weighted pixels, see `Predict`.

    Returns:
        The pixels with their weights, and the shots that do not weigh fully, with class indices 0..K - 1.
    """
    judged = _can_be_judged(shots)
    looks_like = shots.labels
    weighted = shots
    found = np.ones(len(shots.labels))
    for _ in range(ROUNDS if judged.any() else 0):
        posterior, familiarity = predict(weighted)
        looks_like = _other_class(posterior, shots)
        right = label_probabilities(posterior, familiarity, shots, judged)
        found = shot_weights(right, shots)
        weighted = dataclasses.replace(shots, weights=shots.weights * found)
        if (found == 1.0).all():
            break
    return weighted, _suspicious(dataclasses.replace(shots, weights=found), looks_like)


def label_probabilities(
    posterior: Float32Array, familiarity: Float32Array, shots: LabelledPixels, judged: BoolArray
) -> Float64Array:
    """Estimate how probable it is that each label is right.

    A share of the labels is wrong, and names any other class. The share is estimated from all shots by expectation
    maximisation, with a prior. A right label belongs to a typical pixel of its class, or to a rare variant of it,
    which is far from all other shots. All pixels of a feature have the mean evidence of its pixels.

    Args:
        posterior: (n, K') out-of-fold probabilities.
        familiarity: (n,) familiarity of each pixel with respect to shots of other folds, 0 to 1.
        shots: Labelled pixels.
        judged: (n,) whether each pixel is judged; others are right.

    Returns:
        (n,) probabilities, the same for all pixels of a feature.

    Examples:
        >>> pixels = np.arange(6)
        >>> shots = LabelledPixels(pixels, pixels // 3, pixels % 3, pixels, pixels, np.arange(2), np.ones(6))
        >>> sure = np.float32([[0.99, 0.01]] * 4 + [[0.01, 0.99]] * 2)  # the fourth is drawn as the second class
        >>> label_probabilities(sure, np.ones(6, np.float32), shots, pixels >= 0).round(1).tolist()
        [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]
    """
    right = np.ones(len(shots.labels))
    features, own = np.unique(shots.features[judged], return_inverse=True)
    if not len(features):
        return right
    of_label = posterior[judged, shots.labels[judged]].astype(np.float64).clip(_FLOOR, 1 - _FLOOR)
    novelty = 1.0 / np.maximum(familiarity[judged].astype(np.float64), _FLOOR) - 1.0
    unit = 1.0 / VARIANT_FAMILIARITY - 1.0
    variant = (novelty / unit) ** VARIANT_POWER
    others = posterior.shape[1] - 1
    evidence = np.log(of_label + variant) - np.log((1.0 - of_label) / others)
    by_feature = np.bincount(own, evidence) / np.bincount(own)
    share, found = WRONG_SHARE, np.ones(len(features))
    for _ in range(_STEPS):
        log_odds = by_feature + np.log((1.0 - share) / share)
        found = 1.0 / (1.0 + np.exp(-log_odds))
        wrong = (1.0 - found).sum() + WRONG_SHARE * WRONG_SHARE_SHOTS
        share = wrong / (len(features) + WRONG_SHARE_SHOTS)
    right[judged] = found[own]
    return right


def shot_weights(right: Float64Array, shots: LabelledPixels) -> Float64Array:
    """Weights of shots from the probabilities that their labels are right.

    At least half of the features of each class weigh fully, so that no class disappears: weights are divided by the
    weight of the middle feature of the class.

    Args:
        right: (n,) probabilities, the same for all pixels of a feature.
        shots: Labelled pixels.

    Returns:
        (n,) weights, `LEAST_WEIGHT` to 1.

    Examples:
        >>> pixels = np.arange(5)
        >>> shots = LabelledPixels(pixels, np.int64([0, 0, 0, 1, 1]), pixels, pixels, pixels, np.arange(2), np.ones(5))
        >>> shot_weights(np.array([1.0, 0.5, 1.0, 0.2, 0.1]), shots).tolist()
        [1.0, 0.125, 1.0, 1.0, 0.125]
    """
    weights = right**WEIGHT_POWER
    for c in np.unique(shots.labels):
        own = shots.labels == c
        _, first = np.unique(shots.features[own], return_index=True)
        of_features = np.sort(weights[own][first])[::-1]
        middle = of_features[(len(of_features) + 1) // 2 - 1]
        weights[own] = np.minimum(1.0, weights[own] / max(middle, 1e-30))
    weights = np.maximum(weights, LEAST_WEIGHT)
    return np.where(weights >= FULL_WEIGHT, 1.0, weights)


def training_weights(shots: LabelledPixels, train: BoolArray) -> Float64Array:
    """Weights of some pixels for a fit, such that no class disappears from it.

    Args:
        shots: Labelled pixels.
        train: (n,) which of them are fitted to.

    Returns:
        Weights of these pixels. The greatest weight of each class is 1.

    Examples:
        >>> pixels = np.arange(4)
        >>> weights = np.array([0.25, 0.5, 1.0, 0.5])
        >>> shots = LabelledPixels(pixels, pixels // 2, pixels % 2, pixels, pixels, np.arange(2), weights)
        >>> training_weights(shots, pixels != 2).tolist()
        [0.5, 1.0, 1.0]
    """
    weights, labels = shots.weights[train], shots.labels[train]
    greatest = np.zeros(len(shots.present))
    np.maximum.at(greatest, labels, weights)
    return np.asarray(weights / greatest[labels], np.float64)


def _can_be_judged(shots: LabelledPixels) -> BoolArray:
    """(n,) whether a pixel's feature is held out whole, while another feature of its class is left."""
    pairs = np.unique(np.stack([shots.labels, shots.features]), axis=1)
    features_of_class = np.bincount(pairs[0], minlength=len(shots.present))
    return (shots.folds >= 0) & (features_of_class[shots.labels] >= 2)


def _other_class(posterior: Float32Array, shots: LabelledPixels) -> IntArray:
    """(n,) most probable class but the drawn one, by the mean over the pixels of each feature."""
    _, own = np.unique(shots.features, return_inverse=True)
    mean = np.zeros((own.max() + 1, posterior.shape[1]))
    np.add.at(mean, own, posterior)
    others = mean[own]
    others[np.arange(len(own)), shots.labels] = -1.0
    return others.argmax(axis=1)


def _suspicious(shots: LabelledPixels, looks_like: IntArray) -> SuspiciousShots:
    features, first = np.unique(shots.features, return_index=True)
    low = shots.weights[first] < 1.0
    features, first = features[low], first[low]
    order = np.argsort(shots.weights[first], kind="stable")
    features, first = features[order], first[order]
    return SuspiciousShots(
        features,
        shots.present[shots.labels[first]],
        shots.present[looks_like[first]],
        shots.weights[first],
    )
