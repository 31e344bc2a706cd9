"""Results of a comparison of two maps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hsi_geo.display.described import Described
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.tasks.assessment.results import Assessment
from hsi_geo.tasks.change.change_classes import ChangeClasses
from hsi_geo.tasks.change.matrix import ChangeMatrix
from hsi_geo.text import number_text

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary


@dataclass(frozen=True, slots=True)
class Change:
    """One pair of an old and a new class.

    Attributes:
        id: Value in the map of change.
        name: Name in the map of change.
        old: Name of the class in the old map.
        new: Name of the class in the new map.
        pixels: Number of pixels.
        hectares: Their area; None if the CRS does not define it.
        confidence: Mean confidence in per cent; None without the confidence of both maps.
    """

    id: int
    name: str
    old: str
    new: str
    pixels: int
    hectares: float | None
    confidence: float | None


@dataclass(frozen=True, eq=False, repr=False)
class Comparison(Described):
    """What changed between two maps.

    Attributes:
        classes: Classes of both maps, matched by name.
        matrix: Pixels, hectares and confidence of each pair of classes.
        only_in_old: Names of classes that the new map lacks.
        only_in_new: Names of classes that the old map lacks.
        rejected: Number of pixels that the old and the new map reject. They are compared only if ``classes.rejected`` names
            them, and never count as changed land.
        assessment: Accuracy and areas of the pairs, by a reference of both dates; None without one.
        paths: Files that were written; None if none were.
    """

    classes: ChangeClasses
    matrix: ChangeMatrix
    only_in_old: tuple[str, ...]
    only_in_new: tuple[str, ...]
    rejected: tuple[int, int]
    assessment: Assessment | None
    paths: MapPaths | None

    @property
    def pairs(self) -> list[Change]:
        """Pairs of classes that have a pixel, in the order of their ids."""
        found = []
        for old, new in np.argwhere(self.matrix.pixels > 0).tolist():
            hectares, percent = self.matrix.hectares, self.matrix.percent
            mean = np.nan if percent is None else float(percent[old, new])
            found.append(
                Change(
                    self.classes.id_of(old + 1, new + 1),
                    self.classes.name_of(old + 1, new + 1),
                    self.classes.names[old],
                    self.classes.names[new],
                    int(self.matrix.pixels[old, new]),
                    None if hectares is None else float(hectares[old, new]),
                    None if np.isnan(mean) else round(mean, 1),
                )
            )
        return found

    @property
    def changes(self) -> list[Change]:
        """Pairs of two different classes, the largest first."""
        return sorted((p for p in self.pairs if p.old != p.new), key=lambda p: (-p.pixels, p.id))

    def as_dict(self) -> dict[str, Any]:
        """Values for JSON."""
        hectares, percent = self.matrix.hectares, self.matrix.percent
        return {
            "classes": list(self.classes.names),
            "pixels": self.matrix.pixels.tolist(),
            "hectares": None
            if hectares is None  # digits without the noise of sums
            else [[float(f"{area:.12g}") for area in row] for row in hectares.tolist()],
            "confidence": None
            if percent is None
            else [[None if np.isnan(v) else round(v, 1) for v in row] for row in percent.tolist()],
            "changed_share": round(self.matrix.changed_share, 6),
            "uncompared": self.matrix.uncompared,
            "rejected": list(self.rejected),
            "rejected_classes": list(self.classes.rejected),
            "only_in_old": list(self.only_in_old),
            "only_in_new": list(self.only_in_new),
            "assessment": None if self.assessment is None else self.assessment.as_dict(),
        }

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        return Summary(
            f"Comparison: {100 * self.matrix.changed_share:.1f} % of the compared land changed",
            [] if self.paths is None else [f"file: {self.paths.classes}"],
            ("change", "pixels", "hectares", "confidence"),
            [
                (
                    one.name,
                    f"{one.pixels:,}",
                    "-" if one.hectares is None else number_text(one.hectares, 1),
                    "-" if one.confidence is None else f"{one.confidence:.0f} %",
                )
                for one in self.changes
            ],
            "changes",
        )
