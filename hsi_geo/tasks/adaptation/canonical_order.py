"""Canonical order of classes and shots: that of their positions, whatever their names and file order.

Rounding of sums and random numbers depend on the order of the data. If that were the order of the class
table or of the file, renaming a class or sorting the file would change the map. So a model is adapted in
the order in which classes and shots first appear among the pixels, and its outputs are permuted to the
order of the class table at the end.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import IntArray
from hsi_geo.models.classifier import Classifier
from hsi_geo.tasks.adaptation.shot_weights import SuspiciousShots
from hsi_geo.tasks.adaptation.training_regions import TrainingRegions
from hsi_geo.tasks.validation.accuracy import OutOfFold


@dataclass(frozen=True, eq=False)
class CanonicalOrder:
    """Permutations from the canonical order to the order of the class table and of the file.

    Attributes:
        classes: (K,) index in the class table of each class; classes without a shot come last.
        features: (F,) row of `Shots.frame` of each feature that has a pixel.
    """

    classes: IntArray
    features: IntArray

    def restore_classifier(self, classifier: Classifier) -> Classifier:
        """Copy a classifier, with its outputs in the order of the class table.

        Args:
            classifier: Classifier with outputs in canonical order.
        """
        return classifier.with_class_order(np.argsort(self.classes))

    def restore_out_of_fold(self, found: OutOfFold) -> OutOfFold:
        """Convert out-of-fold predictions to class indices of the table and features of the frame.

        Args:
            found: Out-of-fold predictions in canonical order.
        """
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

    def restore_suspicious(self, found: SuspiciousShots) -> SuspiciousShots:
        """Convert suspicious shots to class indices of the table and features of the frame.

        Args:
            found: Suspicious shots in canonical order.
        """
        return SuspiciousShots(
            self.features[found.features],
            self.classes[found.drawn],
            self.classes[found.looks_like],
            found.weights,
        )


def in_canonical_order(regions: TrainingRegions) -> tuple[TrainingRegions, CanonicalOrder]:
    """Renumber classes and features in the order in which their pixels first appear.

    Args:
        regions: Regions with class indices of the table and feature rows of the frame.

    Returns:
        The renumbered regions, and the permutations back to the given order.
    """
    shots = regions.labels >= 0
    present = _by_first_appearance(regions.labels[shots])
    absent = np.setdiff1d(np.arange(len(regions.classes)), present)
    order = CanonicalOrder(
        np.concatenate([present, absent]), _by_first_appearance(regions.features[shots])
    )
    renumbered = [
        dataclasses.replace(
            region,
            labels=_renumber(region.labels, order.classes),
            features=_renumber(region.features, order.features),
        )
        for region in regions.regions
    ]
    classes = tuple(regions.classes[c] for c in order.classes)
    return dataclasses.replace(regions, regions=tuple(renumbered), classes=classes), order


def _by_first_appearance(values: IntArray) -> IntArray:
    """The distinct values in the order of their first appearance."""
    distinct, first = np.unique(values, return_index=True)
    return distinct[np.argsort(first)]


def _renumber(values: IntArray, order: IntArray) -> IntArray:
    """Position of each value in an order that holds all values but -1, which stays -1."""
    positions = np.full(max(int(order.max()), int(values.max())) + 2, -1, np.int64)
    positions[order] = np.arange(len(order))
    return positions[values]  # index -1 is the last position, which is -1
