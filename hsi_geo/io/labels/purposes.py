"""What labelled geometries are used for: to adapt a model, or to assess a map."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Purpose:
    """What labelled geometries are used for.

    Attributes:
        labels: What messages call them ("shots").
        raster: What messages call the raster that they are used on ("scene", "map").
        fewest_classes: Number of classes that are needed, 1 or more.
        field_option: Option that chooses the class field, for hints.
        kept: Names of classes that are no missing values in a table, even if they read as such ("NA").
    """

    labels: str
    raster: str
    fewest_classes: int
    field_option: str = "--class-field"
    kept: frozenset[str] = frozenset()

    @property
    def wanted(self) -> str:
        """What to draw, for hints."""
        return self.labels if self.fewest_classes < 2 else f"{self.labels} of at least two classes"

    def keeping(self, names: Iterable[str]) -> Purpose:
        """The same purpose, with classes that are no missing values; see `kept`.

        Args:
            names: Names of the classes, such as those of a map.
        """
        return dataclasses.replace(self, kept=frozenset(names))


#: Shots to adapt a model to. Two classes are needed to separate them.
TRAINING = Purpose("shots", "scene", 2)

#: Reference labels to assess a map with. One class is enough, for example water.
REFERENCE = Purpose("reference labels", "map", 1)
