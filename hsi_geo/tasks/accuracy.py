"""How good a map is, estimated from its shots alone."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Accuracy:
    """An estimate of a map's accuracy from its shots alone.

    Attributes:
        oa: Share of held-out pixels named right, None if it could not be estimated.
        interval95: (low, high) of a 95 % interval, as wide as the number of features demands.
        pixels: Held-out pixels.
        features: Held-out points, lines and polygons.
        method: How, or why not, in words.
    """

    oa: float | None
    interval95: tuple[float, float] | None
    pixels: int
    features: int
    method: str

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
        return (
            f"{100 * self.oa:.0f} % of {self.pixels} held-out pixels named right "
            f"(95 % interval {low:.0f}-{high:.0f} %, {self.features} features)"
        )


def score_shots(
    truth: IntArray,
    predicted: IntArray,
    features: IntArray,
    method: str,
    weights: npt.NDArray[np.floating] | None = None,
) -> Accuracy:
    """Accuracy of held-out pixels.

    The interval is Wilson's (1927, doi 10.1080/01621459.1927.10502953) with the number of
    features for the number of trials: pixels of one polygon are right or wrong together. Where
    features weigh differently it is Kish's effective number of them (1965, Survey Sampling).

    Args:
        truth: (N,) class indices.
        predicted: (N,) the same.
        features: (N,) drawn feature that each pixel belongs to.
        method: In words.
        weights: (N,) of each pixel; None for equal ones.
    """
    if weights is None:
        weights = np.ones(len(truth))
    right = float(np.average(truth == predicted, weights=weights))
    trials = effective_features(features, weights)
    return Accuracy(right, wilson(right, trials), len(truth), len(np.unique(features)), method)


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


def wilson(share: float, trials: float, z: float = 1.96) -> tuple[float, float]:
    """Wilson's score interval for a share seen in some trials."""
    centre = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * math.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))
    half /= 1 + z**2 / trials
    return max(0.0, centre - half), min(1.0, centre + half)
