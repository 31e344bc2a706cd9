"""Results of an accuracy assessment."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, get_args

from hsi_geo.arrays import IntArray
from hsi_geo.display.described import Described
from hsi_geo.text import number_text, quoted

if TYPE_CHECKING:
    from hsi_geo.display.summaries import Summary

Design = Literal["simple", "stratified"]

#: All of them.
DESIGNS: tuple[str, ...] = get_args(Design)


@dataclass(frozen=True, slots=True)
class Estimate:
    """A proportion with its 95 % interval.

    Attributes:
        value: Estimate, 0 to 1.
        low: Lower end of the interval, 0 to 1.
        high: Upper end of the interval, 0 to 1.

    Examples:
        >>> str(Estimate(0.857, 0.79, 0.91))
        '85.7 (79-91)'
    """

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{100 * self.value:.1f} ({100 * self.low:.0f}-{100 * self.high:.0f})"


@dataclass(frozen=True, slots=True)
class Area:
    """Area of a class, estimated from a probability sample.

    Attributes:
        mapped_share: Share of the mapped area that the map gives the class, 0 to 1.
        share: Share of the mapped area on the ground, corrected for the map's errors, 0 to 1.
        share_se: Standard error of ``share``.
        mapped_ha: ``mapped_share`` in hectares; None if the area of a pixel is unknown.
        ha: ``share`` in hectares; None likewise.
        ha_se: ``share_se`` in hectares; None likewise.
        note: Why the standard error says nothing, such as "no error found among 20 places"; empty where it does.
    """

    mapped_share: float
    share: float
    share_se: float
    mapped_ha: float | None
    ha: float | None
    ha_se: float | None
    note: str = ""

    @property
    def texts(self) -> tuple[str, str, str]:
        """The mapped area, the estimated one and its standard error, or the note in its place."""
        in_ha = (self.mapped_ha, self.ha, self.ha_se)
        shares = (self.mapped_share, self.share, self.share_se)
        mapped, estimated, error = (
            f"{100 * share:.2f} %" if ha is None else f"{number_text(ha, 1)} ha"
            for ha, share in zip(in_ha, shares, strict=True)
        )
        return mapped, estimated, self.note or error


@dataclass(frozen=True, slots=True)
class ClassScore:
    """One class of the map or of the reference.

    Attributes:
        name: Name in the map and in the reference.
        reference: Number of reference pixels of the class.
        mapped: Number of reference pixels that the map gives the class.
        user: User's accuracy (precision); None if the map gives the class to no reference pixel.
        producer: Producer's accuracy (recall); None if no reference pixel is of the class.
        f1: Harmonic mean of both; None if it is undefined.
        area: Estimated area; None without a probability design.
    """

    name: str
    reference: int
    mapped: int
    user: Estimate | None
    producer: Estimate | None
    f1: Estimate | None
    area: Area | None


@dataclass(frozen=True, eq=False, repr=False)
class Assessment(Described):
    """Accuracy of a map by reference labels.

    Attributes:
        oa: Overall accuracy.
        aa: Average accuracy: mean of the producer's accuracies of the classes in the reference.
        kappa: Cohen's kappa; None if map and reference have the same single class.
        scores: Scores of each class, those of the map first.
        matrix: (K, K) confusion matrix in reference pixels, in the order of ``scores``. Rows are the
            map's classes, columns the reference's.
        pixels: Number of reference pixels that have a class in the map.
        features: Number of points, lines and polygons that these belong to.
        design: Sampling design that was stated ("simple", "stratified"); None without one.
        only_in_map: Names of classes that the reference lacks.
        only_in_reference: Names of classes that the map lacks. Their pixels count as wrong.
        dropped: What of the reference was left out, as parts of a sentence.
        method: How the intervals were computed, as part of a sentence.
        more_places: Fewest further places, by stratum, that halve the interval of the overall accuracy; empty without a
            probability design.
        parents: The same for the upper level of the classes; None if they have one level.
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
    more_places: Mapping[str, int] = field(default_factory=dict)
    parents: Assessment | None = None

    @property
    def further_places(self) -> int:
        """Number of further places that halve the interval of the overall accuracy."""
        return sum(self.more_places.values())

    def as_dict(self) -> dict[str, Any]:
        """Value by attribute, for JSON."""
        entries = {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}
        for name in ("oa", "aa", "kappa"):
            estimate = entries[name]
            entries[name] = None if estimate is None else dataclasses.asdict(estimate)
        entries["scores"] = [dataclasses.asdict(score) for score in self.scores]
        entries["matrix"] = self.matrix.tolist()
        entries["more_places"] = dict(self.more_places)
        entries["parents"] = None if self.parents is None else self.parents.as_dict()
        return entries

    def _summary(self, *, with_picture: bool) -> Summary:
        from hsi_geo.display.summaries import Summary

        design = f"{self.design} random sample" if self.design else "no sampling design stated"
        header = ["class", "producer's accuracy, %", "user's accuracy, %", "F1, %"]
        rows = [
            [one.name, *(str(e or "-") for e in (one.producer, one.user, one.f1))]
            for one in self.scores
        ]
        if any(one.area is not None and one.area.ha is not None for one in self.scores):
            header.append("area, ha")
            for row, one in zip(rows, self.scores, strict=True):
                row.append("-" if one.area is None else _hectares(one.area))
        facts = [
            f"{self.pixels} reference pixels in {self.features} features, {design}",
            f"average accuracy {self.aa} %, kappa {self.kappa or '-'} (100 is perfect)",
        ]
        if self.parents is not None:
            facts.append(f"of the parents: overall accuracy {self.parents.oa} %")
        if self.more_places:
            facts.append(f"{self.further_places} further places would halve the interval")
        for names, where in (
            (self.only_in_map, "the reference lacks"),
            (self.only_in_reference, "the map lacks"),
        ):
            if names:
                facts.append(f"{where} {quoted(names)}")
        return Summary(
            f"Assessment: overall accuracy {self.oa} %, 95 % interval in brackets",
            facts,
            header,
            rows,
            "producer's accuracies",
        )


def _hectares(area: Area) -> str:
    if area.ha is None or area.ha_se is None:
        return "-"
    error = f"({area.note})" if area.note else f"+- {number_text(area.ha_se, 1)}"
    return f"{number_text(area.ha, 1)} {error}"
