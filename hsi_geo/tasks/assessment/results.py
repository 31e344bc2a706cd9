"""What an assessment of a map holds."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Literal

from hsi_geo.arrays import IntArray

Design = Literal["simple", "stratified"]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A share with its 95 % interval.

    Attributes:
        value: 0 to 1.
        low: Lower end of the interval.
        high: Upper end of the interval.
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.0f}-{100 * self.high:.0f})"


@dataclass(frozen=True, slots=True)
class Area:
    """How much of the mapped land a class covers, by a probability sample.

    Attributes:
        mapped_share: Share of the mapped area that the map gives the class, 0 to 1.
        share: Share of the mapped area on the ground, corrected for the map's errors, 0 to 1.
        share_se: Standard error of ``share``.
        mapped_ha: ``mapped_share`` in hectares; None if the area of a pixel is unknown.
        ha: ``share`` in hectares; None likewise.
        ha_se: ``share_se`` in hectares; None likewise.
    """

    mapped_share: float
    share: float
    share_se: float
    mapped_ha: float | None
    ha: float | None
    ha_se: float | None


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of the map or of the reference.

    Attributes:
        name: As in either.
        reference: Reference pixels of the class.
        mapped: Reference pixels that the map gives the class.
        user: User's accuracy (precision); None where the map shows none of it.
        producer: Producer's accuracy (recall); None where the reference has none of it.
        f1: Their harmonic mean; None without a design only where neither has any of it.
        area: With a probability design only.
    """

    name: str
    reference: int
    mapped: int
    user: Estimate | None
    producer: Estimate | None
    f1: Estimate | None
    area: Area | None


@dataclass(frozen=True, eq=False)
class Assessment:
    """A map against its reference.

    Attributes:
        oa: Overall accuracy.
        aa: Mean of the producer's accuracies of the classes in the reference.
        kappa: Cohen's; None where map and reference show one and the same class only.
        scores: One entry a class, the map's first.
        matrix: (K, K) reference pixels in the order of ``scores``; rows are the map's classes,
            columns the reference's.
        pixels: Reference pixels on mapped ones.
        features: Points, lines and polygons they come from.
        design: The probability design that was stated, None without one.
        only_in_map: Classes that the reference lacks.
        only_in_reference: Classes that the map lacks; their pixels count as wrong.
        dropped: Reference that was left out, in words.
        method: Where the intervals come from, in words.
    """

    oa: Estimate
    aa: Estimate
    kappa: Estimate | None
    scores: tuple[ClassScore, ...]
    matrix: IntArray
    pixels: int
    features: int
    design: Design | None
    only_in_map: tuple[str, ...]
    only_in_reference: tuple[str, ...]
    dropped: tuple[str, ...]
    method: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        entries = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for name in ("oa", "aa", "kappa"):
            estimate = entries[name]
            entries[name] = None if estimate is None else dataclasses.asdict(estimate)
        entries["scores"] = [dataclasses.asdict(score) for score in self.scores]
        entries["matrix"] = self.matrix.tolist()
        return entries
