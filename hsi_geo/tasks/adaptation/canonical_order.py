"""Classes and shots in the order of their places, whatever they are called and however they are listed.

Sums are rounded, and random numbers drawn, in some order. Were it the class table's or the file's, a
class renamed or a file sorted anew would give another map. So what is learnt is learnt in the order
in which classes and shots first appear among the pixels, and put back into the table's at the end.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import IntArray
from hsi_geo.models.classifier import Classifier
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.accuracy import OutOfFold


@dataclass(frozen=True, eq=False)
class CanonicalOrder:
    """How to put back what was learnt in the order of places.

    Attributes:
        classes: (K,) index in the class table of each class; those without a shot come last.
        features: (F,) row of `Shots.frame` of each feature that has a pixel.
    """

    classes: IntArray
    features: IntArray

    def classifier(self, learnt: Classifier) -> Classifier:
        """With outputs in the class table's order."""
        return learnt.with_class_order(np.argsort(self.classes))

    def held_out(self, found: OutOfFold) -> OutOfFold:
        """With classes of the table and features of the frame."""
        shares = np.zeros_like(found.shares)
        shares[self.classes] = found.shares
        return OutOfFold(
            self.features[found.features],
            self.features[found.blocks],
            self.classes[found.truth],
            self.classes[found.predicted],
            shares,
            found.folds,
            np.sort(self.classes[found.never_held_out]),
        )


def in_canonical_order(regions: TrainingRegions) -> tuple[TrainingRegions, CanonicalOrder]:
    """The same regions, classes and features counted in the order in which their pixels come.

    Args:
        regions: With the class table's classes and the frame's features.

    Returns:
        The regions, and what puts back what is learnt from them.
    """
    shots = regions.labels >= 0
    present = _by_first(regions.labels[shots])
    absent = np.setdiff1d(np.arange(len(regions.classes)), present)
    order = CanonicalOrder(np.concatenate([present, absent]), _by_first(regions.features[shots]))
    parts = [
        dataclasses.replace(
            region,
            labels=_counted(region.labels, order.classes),
            features=_counted(region.features, order.features),
        )
        for region in regions.regions
    ]
    classes = tuple(regions.classes[c] for c in order.classes)
    return dataclasses.replace(regions, regions=tuple(parts), classes=classes), order


def _by_first(values: IntArray) -> IntArray:
    """The distinct values in the order of their first appearance."""
    distinct, first = np.unique(values, return_index=True)
    return distinct[np.argsort(first)]


def _counted(values: IntArray, order: IntArray) -> IntArray:
    """Where each value stands in an order that holds all but -1, which stays."""
    places = np.full(max(int(order.max()), int(values.max())) + 2, -1, np.int64)
    places[order] = np.arange(len(order))
    return places[values]  # the last one is -1's own
