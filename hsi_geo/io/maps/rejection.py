"""Rejection: pixels that get none of the classes, because they are unlike any shot or too uncertain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.io.labels.rejected_classes import rejected_classes
from hsi_geo.io.labels.shots import ClassTable


@dataclass(frozen=True, slots=True)
class Rejection:
    """Which pixels of a map are rejected, and the ids that they get.

    Attributes:
        unlike_id: Id of pixels unlike any shot.
        uncertain_id: Id of pixels that are too uncertain.
        classes: The rejected classes that the map can have, for its legend.
        min_familiarity: Least sum of the class probabilities, 0 to 1, which is how far a pixel is like the shots. 0
            rejects none.
        min_confidence: Least largest class probability, 0 to 1. 0 rejects none.
    """

    unlike_id: int
    uncertain_id: int
    classes: ClassTable = ()
    min_familiarity: float = 0.0
    min_confidence: float = 0.0

    @classmethod
    def of(
        cls,
        classes: ClassTable,
        *,
        min_familiarity: float | None = None,
        min_confidence: float | None = None,
    ) -> Self:
        """The rejection of a map.

        Args:
            classes: Class table of K classes.
            min_familiarity: Least familiarity, 0 to 1; None does not look at it.
            min_confidence: Least confidence, 0 to 1; None does not look at it.
        """
        return cls(
            len(classes) + 1,
            len(classes) + 2,
            rejected_classes(
                classes, unlike=min_familiarity is not None, uncertain=min_confidence is not None
            ),
            min_familiarity or 0.0,
            min_confidence or 0.0,
        )

    @property
    def last_id(self) -> int:
        """Highest id of a rejected class; 0 without any."""
        return max((c.id for c in self.classes), default=0)

    def apply(
        self, ids: IntArray, probabilities: Float32Array, confidence: Float32Array | None = None
    ) -> IntArray:
        """Reject pixels. One that is unlike any shot and too uncertain is unlike any shot.

        Args:
            ids: (H, W) class ids, 0 for no class, which stays.
            probabilities: (K, H, W) class probabilities in any order.
            confidence: (H, W) probability of the class that is shown; None for the largest.

        Returns:
            (H, W) ids.

        Examples:
            >>> from hsi_geo.io.labels.shots import LandClass
            >>> table = (LandClass(1, "oats", "#e69f00"), LandClass(2, "rye", "#56b4e9"))
            >>> both = Rejection.of(table, min_familiarity=0.5, min_confidence=0.6)
            >>> probabilities = np.float32([[[0.9, 0.2, 0.4]], [[0.1, 0.1, 0.5]]])
            >>> both.apply(np.array([[1, 1, 2]]), probabilities).tolist()
            [[1, 3, 4]]
        """
        unlike = probabilities.sum(axis=0) < self.min_familiarity
        shown = probabilities.max(axis=0) if confidence is None else confidence
        uncertain = shown < self.min_confidence
        rejected = np.where(unlike, self.unlike_id, np.where(uncertain, self.uncertain_id, ids))
        return np.asarray(np.where(ids > 0, rejected, ids), np.int64)
