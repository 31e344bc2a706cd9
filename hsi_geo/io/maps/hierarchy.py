"""Two levels of classes in a map: the upper level is chosen first, so that both levels agree."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import Float32Array, IntArray
from hsi_geo.io.labels.parents import parent_indices, parent_table, sum_children
from hsi_geo.io.labels.rejected_classes import rejected_classes
from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.rejection import Rejection


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """The parents of K classes.

    Attributes:
        table: The P parents, with ids 1..P.
        of_class: (K,) index of the parent of each class of the class table.
        of_output: (K,) index of the parent of each class in the order of the probabilities.
    """

    table: ClassTable
    of_class: IntArray
    of_output: IntArray

    @classmethod
    def of(cls, classes: ClassTable, order: Sequence[int] | None = None) -> Hierarchy | None:
        """The hierarchy of a class table.

        Args:
            classes: Class table.
            order: (K,) index in the class table of each class of the probabilities; None for the order of the table.

        Returns:
            The hierarchy; None if the classes have one level.
        """
        table = parent_table(classes)
        if not table:
            return None
        indices = parent_indices(classes)
        outputs = indices if order is None else indices[np.asarray(order, np.int64)]
        return cls(table, indices, outputs)

    def choose(self, probabilities: Float32Array) -> tuple[Float32Array, IntArray, Float32Array]:
        """Choose the most probable parent, and the most probable of its classes.

        Args:
            probabilities: (K, H, W) class probabilities.

        Returns:
            sums: (P, H, W) probabilities of the parents.
            chosen: (H, W) index of the class among the probabilities.
            shown: (H, W) probability of that class.

        Examples:
            >>> levels = Hierarchy((), np.array([0, 0, 1]), np.array([0, 0, 1]))
            >>> sums, chosen, shown = levels.choose(np.float32([[[0.25]], [[0.375]], [[0.375]]]))
            >>> sums.ravel().tolist(), chosen.tolist(), shown.tolist()
            ([0.625, 0.375], [[1]], [[0.375]])
        """
        sums = sum_children(probabilities, self.of_output)
        inside = self.of_output[:, None, None] == sums.argmax(axis=0)[None]
        of_parent = np.where(inside, probabilities, np.float32(-1.0))
        return sums, of_parent.argmax(axis=0), of_parent.max(axis=0)

    def parents_of(self, ids: IntArray) -> IntArray:
        """(H, W) ids of the parents of class ids; 0, and ids above K, become 0.

        Args:
            ids: (H, W) class ids.
        """
        table = np.concatenate([[0], self.of_class + 1])
        return np.asarray(table[np.where(ids < len(table), ids, 0)], np.int64)

    def rejection(self, rejection: Rejection) -> Rejection:
        """The same rejection for the upper level, with ids that follow those of the parents.

        A pixel whose class is too uncertain still has a parent, if the sum of its probabilities is not.

        Args:
            rejection: Rejection of the classes.
        """
        used = {c.id for c in rejection.classes}
        classes = rejected_classes(
            self.table, unlike=rejection.unlike_id in used, uncertain=rejection.uncertain_id in used
        )
        first = len(self.table) + 1
        return dataclasses.replace(
            rejection, unlike_id=first, uncertain_id=first + 1, classes=classes
        )
