"""How good a map is, estimated from its shots alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import beta

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.io.labels.shots import Shots
from hsi_geo.text import quoted

#: An interval wider than this says next to nothing.
TOO_WIDE = 0.5


@dataclass(frozen=True, eq=False)
class OutOfFold:
    """Shots that were held out in turn, and what they were named then.

    Attributes:
        features: (n,) point, line or polygon that each held-out pixel belongs to.
        blocks: (n,) block that was held out as one; see `spatial_blocks.spatial_blocks`.
        truth: (n,) class as drawn, 0..K - 1.
        named: (n,) class it was given without its block.
        shares: (K,) of the scene that each class covers, as mapped.
        folds: Parts that the shots were cut into.
        never: Classes with shots that could not be held out: they were drawn in one place.
    """

    features: IntArray
    blocks: IntArray
    truth: IntArray
    predicted: IntArray
    shares: Float64Array
    folds: int
    never_held_out: IntArray

    def as_dict(self, shots: Shots) -> dict[str, Any]:
        """For JSON: the confusion matrix in pixels, and features that were named otherwise.

        Args:
            shots: That the features are rows of.

        Returns:
            ``matrix``, rows are what pixels were named, columns what they were drawn as, in the
            order of the class table; ``named_otherwise``, for each feature most of whose pixels
            were: its ``feature_id`` and a place in it (``x`` and ``y`` in the shots' CRS), what it
            was ``drawn`` as and ``named``, and its ``pixels``.
        """
        size = len(shots.classes)
        matrix = np.zeros((size, size), np.int64)
        np.add.at(matrix, (self.predicted, self.truth), 1)
        names, otherwise = [c.name for c in shots.classes], []
        for row in np.unique(self.features):
            own = self.features == row
            drawn = int(self.truth[own][0])
            named = int(np.bincount(self.predicted[own]).argmax())
            if named != drawn:
                place = shots.frame.geometry.iloc[row].representative_point()
                otherwise.append(
                    {
                        "feature_id": int(shots.frame["feature_id"].iloc[row]),
                        "x": place.x,
                        "y": place.y,
                        "drawn": names[drawn],
                        "named": names[named],
                        "pixels": int(own.sum()),
                    }
                )
        return {"matrix": matrix.tolist(), "named_otherwise": otherwise}


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An estimate of a map's accuracy from its shots alone.

    Attributes:
        oa: Share of held-out pixels named right, None if it could not be estimated.
        interval95: (low, high) of a 95 % interval, as wide as the number of blocks demands.
        pixels: Held-out pixels.
        features: Held-out points, lines and polygons.
        method: How, or why not, in words.
        blocks: Places that these lie in; what lies in one is held out together.
        caution: What is wrong with the estimate, in words; empty if nothing is.
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
        """No estimate, and the reason."""
        return cls(None, None, 0, 0, f"not estimated: {why}")

    @classmethod
    def from_dict(cls, entries: Mapping[str, Any]) -> Accuracy:
        """What `as_dict` gave, also after JSON has made lists of tuples."""
        interval = entries["interval95"]
        return cls(**{**entries, "interval95": None if interval is None else tuple(interval)})

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return dataclasses.asdict(self)

    def __str__(self) -> str:
        if self.oa is None or self.interval95 is None:
            return self.method
        low, high = (100 * end for end in self.interval95)
        told = (
            f"{100 * self.oa:.0f} % of {self.pixels} held-out pixels named right "
            f"(95 % interval {low:.0f}-{high:.0f} %, {self.features} features in {self.blocks} places)"
        )
        return f"{told}; {self.caution}" if self.caution else told


def estimate(held: OutOfFold, classes: Sequence[str], method: str) -> Accuracy:
    """Accuracy of the whole scene from shots that were held out.

    A pixel counts by the share of the scene that its class covers. The interval is that of Clopper
    and Pearson (1934, doi 10.1093/biomet/26.4.404) with the number of blocks for the number of
    trials: pixels of one polygon, and points beside each other, are right or wrong together. It holds
    the truth at least as often as it says; Wilson's did so in the mean only, and in fewer than eight of
    ten draws from the simulated fields (tests/tasks/validation/test_estimate_truth.py), which are named almost all
    right, since what is learnt without a fifth of the shots is worse. Where blocks count differently,
    their number is Kish's effective one. What is learnt without one fold and without another has most
    shots in common, so that trials are not independent: their number is divided by 1 + k / (k - 1) for
    k folds (Nadeau and Bengio 2003, doi 10.1023/A:1024068626366). Without this, intervals of 40 draws
    from four benchmark scenes held the truth 35 times.

    Args:
        held: What was held out.
        classes: Names of the K classes.
        method: In words.

    Returns:
        The estimate; none if nothing could be held out.
    """
    if not len(held.truth):
        return Accuracy.unknown(
            "every class was drawn in one place, and nothing could be held out; draw each in "
            "several places"
        )
    counts = np.bincount(held.truth, minlength=len(held.shares))
    # A class that is mapped nowhere still counts a little: there are shots of it.
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
    """Many places would sound like enough, were it not told how little most of them weigh."""
    counted = "are" if effective == blocks else f"count as {effective},"
    return f"too few to tell: {blocks} places {counted} no more than a hint"


def effective_features(
    features: IntArray, weights: npt.NDArray[np.floating] | None = None
) -> float:
    """Kish's effective number of features: as many as there are if all weigh the same.

    Args:
        features: (N,) drawn feature that each pixel belongs to, N > 0.
        weights: (N,) of each pixel; None for equal ones.
    """
    own = np.unique(features, return_inverse=True)[1]
    by_feature = np.bincount(own, weights)
    return float(by_feature.sum() ** 2 / (by_feature**2).sum())


def clopper_pearson(share: float, trials: float, level: float = 0.95) -> tuple[float, float]:
    """Clopper and Pearson's interval for a share seen in some trials, which need not be whole."""
    right, wrong, tail = share * trials, (1 - share) * trials, (1 - level) / 2
    low = float(beta.ppf(tail, right, wrong + 1)) if right > 0 else 0.0
    high = float(beta.ppf(1 - tail, right + 1, wrong)) if wrong > 0 else 1.0
    return low, high


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share seen in some trials."""
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half /= 1 + z**2 / trials
    return max(0.0, centre - half), min(1.0, centre + half)
