"""Accuracy of a map, estimated from its shots by cross-validation."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.io.labels.shots import Shots
from hsi_geo.text import plain, quoted

#: Key of a record for the accuracy of the upper level of the classes.
PARENTS_ACCURACY = "parents_accuracy"

#: An estimate with a wider interval comes with a caution.
TOO_WIDE = 0.5


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Out-of-fold predictions of shots: of models that were fitted without them.

    Attributes:
        features: (n,) row of `Shots.frame` (point, line or polygon) of each held-out pixel.
        blocks: (n,) block that was held out as a whole; see `spatial_blocks.spatial_blocks`.
        truth: (n,) class as drawn, 0..K - 1.
        predicted: (n,) class that was predicted without the block, 0..K - 1.
        shares: (K,) share of the scene that each class covers in the map, 0 to 1.
        folds: Number of folds.
        never_held_out: Classes whose shots were never held out, because they are one feature.
    """

    features: IntArray
    blocks: IntArray
    truth: IntArray
    predicted: IntArray
    shares: Float64Array
    folds: int
    never_held_out: IntArray

    def as_dict(self, shots: Shots) -> dict[str, Any]:
        """Confusion matrix in pixels, and misclassified features, for JSON.

        Args:
            shots: Shots whose rows the features are.

        Returns:
            ``matrix``: (K, K) pixels, rows are predicted classes, columns drawn ones, in the order of
            the class table. ``named_otherwise``: for each feature whose most frequent prediction is
            another class its ``feature_id``, a point in it (``x`` and ``y`` in the shots' CRS), the
            class it was ``drawn`` as, the class predicted (``named``), and its number of ``pixels``; with
            shots of several files also the name of its ``file``.
        """
        size = len(shots.classes)
        matrix = np.zeros((size, size), np.int64)
        np.add.at(matrix, (self.predicted, self.truth), 1)
        names, misclassified = [c.name for c in shots.classes], []
        for row in np.unique(self.features):
            own = self.features == row
            drawn = int(self.truth[own][0])
            predicted = int(np.bincount(self.predicted[own]).argmax())
            if predicted != drawn:
                point = shots.frame.geometry.iloc[row].representative_point()
                misclassified.append(
                    {
                        "feature_id": int(shots.frame["feature_id"].iloc[row]),
                        **file_of_feature(shots, row),
                        "x": point.x,
                        "y": point.y,
                        "drawn": names[drawn],
                        "named": names[predicted],
                        "pixels": int(own.sum()),
                    }
                )
        return {"matrix": matrix.tolist(), "named_otherwise": misclassified}


def at_upper_level(held: OutOfFold, parents: IntArray) -> OutOfFold:
    """The same out-of-fold predictions with the parents of the classes.

    Args:
        held: Out-of-fold predictions of K classes.
        parents: (K,) index of the parent of each class.

    Examples:
        >>> c = np.arange(3)
        >>> held = OutOfFold(c, c, c, np.array([1, 0, 2]), np.array([0.25, 0.25, 0.5]), 2, c[:1])
        >>> upper = at_upper_level(held, np.array([0, 0, 1]))
        >>> upper.predicted.tolist(), upper.shares.tolist(), upper.never_held_out.tolist()
        ([0, 0, 1], [0.5, 0.5], [])
    """
    never = [
        parent
        for parent in np.unique(parents)
        if np.isin(np.flatnonzero(parents == parent), held.never_held_out).all()
    ]
    return dataclasses.replace(
        held,
        truth=parents[held.truth],
        predicted=parents[held.predicted],
        shares=np.bincount(parents, held.shares),
        never_held_out=np.array(never, np.int64),
    )


def file_of_feature(shots: Shots, row: int) -> dict[str, str]:
    """Entry of a record that tells which file a feature is in.

    Args:
        shots: Shots of one file or of several.
        row: Row of the feature in `Shots.frame`.

    Returns:
        ``file``: the file's name; nothing where the shots are of one file.
    """
    if not shots.parts:
        return {}
    return {"file": plain(Path(shots.parts[int(shots.frame["part"].iloc[row])].source).name)}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """Overall accuracy of a map, estimated from its shots.

    Attributes:
        oa: Overall accuracy, 0 to 1; None if it could not be estimated.
        interval95: (low, high) ends of the 95 % interval, 0 to 1; None likewise.
        pixels: Number of held-out pixels.
        features: Number of held-out points, lines and polygons.
        method: How it was estimated, or why not, as part of a sentence.
        blocks: Number of spatial blocks. The features of a block are held out together.
        caution: What limits the estimate, as part of a sentence; empty if nothing does.
    """

    oa: float | None
    interval95: tuple[float, float] | None
    pixels: int
    features: int
    method: str
    blocks: int = 0
    caution: str = ""

    @classmethod
    def unknown(cls, why: str) -> Accuracy:
        """No estimate.

        Args:
            why: Reason, as part of a sentence.
        """
        return cls(None, None, 0, 0, f"not estimated: {why}")

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Accuracy:
        """Inverse of `as_dict`, also of what was read from JSON.

        Args:
            entries: Value by attribute.
        """
        interval = entries["interval95"]
        return cls(**{**entries, "interval95": None if interval is None else tuple(interval)})

    def as_dict(self) -> dict[str, Any]:
        """Value by attribute, for JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        if self.oa is None or self.interval95 is None:
            return self.method
        low, high = (100 * end for end in self.interval95)
        text = (
            f"{100 * self.oa:.0f} % of {self.pixels} held-out pixels correct "
            f"(95 % interval {low:.0f}-{high:.0f} %, {self.features} features in {self.blocks} places)"
        )
        return f"{text}; {self.caution}" if self.caution else text


def estimate(held: OutOfFold, classes: Sequence[str], method: str) -> Accuracy:
    """Estimate the overall accuracy of a scene from out-of-fold predictions.

    A pixel is weighted by the share of the scene that its class covers. The interval is that of Clopper
    and Pearson (1934, doi 10.1093/biomet/26.4.404). The number of trials is the number of blocks, since
    errors of pixels of one polygon, and of points beside each other, are correlated. The coverage of the
    interval is at least 95 %. Wilson's is 95 % on average only: it covered the truth in fewer than eight
    of ten draws from the simulated fields (tests/tasks/validation/test_estimate_truth.py), where nearly
    all pixels are correct and models fitted without a fifth of the shots are worse.

    Where blocks have different weights, their number is Kish's effective one. Models of different folds
    share most of their shots, so that trials are not independent: their number is divided by
    1 + k / (k - 1) for k folds (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366). Without that,
    intervals covered the truth in 35 of 40 draws from four benchmark scenes.

    Args:
        held: Out-of-fold predictions.
        classes: Names of the K classes.
        method: How the predictions were made, as part of a sentence.

    Returns:
        The estimate; `Accuracy.unknown` if nothing was held out.

    Examples:
        >>> c = np.arange(8)
        >>> held = OutOfFold(c, c, c % 2, np.array([0, 1, 0, 1, 0, 1, 0, 0]), np.array([0.5, 0.5]), 4, c[:0])
        >>> estimate(held, ["rye", "oats"], "example").oa
        0.875
    """
    if not len(held.truth):
        return Accuracy.unknown(
            "every class was drawn in one place, and nothing could be held out; draw each in "
            "several places"
        )
    counts = np.bincount(held.truth, minlength=len(held.shares))
    # A class that is mapped nowhere has a small weight, since there are shots of it.
    weights = np.maximum(held.shares, 1e-6)[held.truth] / counts[held.truth]
    right = float(np.average(held.truth == held.predicted, weights=weights))
    overlap = 1 + held.folds / max(1, held.folds - 1)
    effective = effective_features(held.blocks, weights)
    low, high = clopper_pearson(right, effective / overlap)
    blocks = len(np.unique(held.blocks))
    cautions = []
    if high - low > TOO_WIDE:
        cautions.append(_too_few(blocks, round(effective)))
    if len(held.never_held_out):
        names = quoted([classes[c] for c in held.never_held_out])
        cautions.append(f"nothing is known of {names}, drawn in one place")
    features = len(np.unique(held.features))
    return Accuracy(
        right, (low, high), len(held.truth), features, method, blocks, "; ".join(cautions)
    )


def _too_few(blocks: int, effective: int) -> str:
    """Caution on the number of blocks, with the effective number if most have little weight."""
    counted = "are" if effective == blocks else f"count as {effective},"
    return f"too few to tell: {blocks} places {counted} no more than a hint"


def effective_features(
    features: IntArray, weights: npt.NDArray[np.floating] | None = None
) -> float:
    """Kish's effective number of features, the number of features if all have the same weight.

    Kish (1965), Survey Sampling: the squared sum of weights by the sum of squared weights.

    Args:
        features: (N,) drawn feature that each pixel belongs to, N > 0.
        weights: (N,) weight of each pixel; None for equal weights.

    Examples:
        >>> effective_features(np.array([7, 8, 9, 9])), effective_features(np.array([7, 7, 9, 9]))
        (2.6666666666666665, 2.0)
    """
    own = np.unique(features, return_inverse=True)[1]
    by_feature = np.bincount(own, weights)
    return float(by_feature.sum() ** 2 / (by_feature**2).sum())


def clopper_pearson(share: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Interval of Clopper and Pearson (1934, doi 10.1093/biomet/26.4.404) for a proportion.

    Args:
        share: Proportion of successes, 0 to 1.
        trials: Number of trials, which need not be whole.
        level: Confidence level, 0 to 1.

    Returns:
        (low, high) ends of the interval.

    Examples:
        >>> low, high = clopper_pearson(0.9, 10)
        >>> round(low, 4), round(high, 4)
        (0.555, 0.9975)
    """
    from scipy.special import betaincinv  # scipy.stats takes three times as long to import

    right, wrong, tail = share * trials, (1 - share) * trials, (1 - level) / 2
    low = float(betaincinv(right, wrong + 1, tail)) if right > 0 else 0.0
    high = float(betaincinv(right + 1, wrong, 1 - tail)) if wrong > 0 else 1.0
    return low, high


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """Score interval of Wilson (1927, doi 10.1080/01621459.1927.10502953) for a proportion.

    Args:
        share: Proportion of successes, 0 to 1.
        trials: Number of trials, which need not be whole.
        z: Half the width of the interval in standard errors; 1.96 for 95 %.

    Returns:
        (low, high) ends of the interval.

    Examples:
        >>> low, high = wilson(0.9, 10)
        >>> round(low, 4), round(high, 4)
        (0.5958, 0.9821)
    """
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half /= 1 + z**2 / trials
    return max(0.0, centre - half), min(1.0, centre + half)
