"""Warnings about a map that was made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import xarray as xr

from hsi_geo.arrays import IntArray
from hsi_geo.io.maps.rejection import Rejection
from hsi_geo.io.scenes.mask_option import other_mask_warning
from hsi_geo.io.scenes.neighbours import OTHER_SCALE, HaloScene
from hsi_geo.io.scenes.properties import name_of
from hsi_geo.tasks.inference.domain_shift import DomainShift
from hsi_geo.tasks.inference.map_record import PIXELS_BEFORE, REJECTED_PIXELS
from hsi_geo.tasks.inference.scaled_scene import ScaledScene

#: A class is missing in a map if fewer pixels are mapped to it than this share of the pixels under its shots.
MISSING_SHARE = 0.5

#: A threshold rejects much of a map if it rejects more than this share of the pixels with data.
MUCH_REJECTED = 0.25

#: Options by which pixels are rejected, by their names in records.
REJECTING = {"reject": "--reject", "min_confidence": "--min-confidence"}


def map_warnings(
    scene: xr.DataArray,
    scaled: ScaledScene,
    halo: HaloScene | None,
    counts: IntArray,
    rejection: Rejection | None = None,
) -> Iterator[str]:
    """Find what may be wrong with a map.

    Args:
        scene: Scene that was mapped.
        scaled: The scene on the scale of its model.
        halo: The scene with the adjacent pixels of its neighbours, after these were read; None for none.
        counts: (K + 1,) number of mapped pixels by class id, or more with rejected classes; index 0 is nodata.
        rejection: Which pixels were rejected; None for none.

    Yields:
        A sentence for each finding.
    """
    name, model, shift = name_of(scene), scaled.model, scaled.shift
    for reason in () if halo is None else halo.unread.values():
        yield f"its margin lacks the pixels of a neighbour, and may show a seam: {reason}"
    if warning := other_mask_warning(scene, model.record["parameters"].get("masks")):
        yield warning
    if shift is not None and shift.drifts:
        yield f"scene '{name}' {describe_drift(shift)}"
    if scaled.is_checked and shift is None and counts[1:].any():
        yield (
            f"the scale of scene '{name}' was not compared with that of the model, because "
            "no pixel with data was found in windows spread over the scene"
        )
    if halo is not None and halo.other_scale:
        yield (
            f"scene '{name}' lies beside tiles whose values are more than {OTHER_SCALE:,.0f} times larger "
            "or smaller: pixels of these are not used at its edges, where maps may not fit together"
        )
    if rejection is not None:
        yield from rejected_warnings(rejection, counts)


def rejected_warnings(rejection: Rejection, counts: IntArray) -> Iterator[str]:
    """Find thresholds that reject much of a map.

    Args:
        rejection: Which pixels were rejected.
        counts: (n + 1,) number of mapped pixels by id of the n classes and rejected classes; index 0 is nodata.

    Yields:
        A warning for each such threshold.
    """
    pixels = int(counts[1:].sum())
    thresholds = {
        rejection.unlike_id: f"--reject, threshold {rejection.min_familiarity:.3g}",
        rejection.uncertain_id: f"--min-confidence, threshold {rejection.min_confidence:.3g}",
    }
    for one in rejection.classes:
        share = counts[one.id] / max(1, pixels)
        if share > MUCH_REJECTED:
            yield (
                f"{100 * share:.0f} % of the pixels with data are '{one.name}' ({thresholds[one.id]}): look at "
                "the map of the confidence, and give a smaller value, or draw shots where land was rejected"
            )


def describe_drift(shift: DomainShift) -> str:
    """Say how a scene differs from the one that the model was adapted to.

    Args:
        shift: Difference of a scene that drifts.

    Returns:
        A clause that continues the scene's name.
    """
    parts = [shift.brightness_text]
    if shift.novelty is not None:
        parts.append(f"{100 * shift.novelty:.0f} % of its pixels are unlike every shot")
    details = ", ".join(filter(None, parts))
    return (
        f"looks unlike what the model was adapted to{': ' + details if details else ''}; an accuracy that "
        "was estimated there does not hold here"
    )


def missing_class_warnings(records: Sequence[Mapping[str, Any]]) -> list[str]:
    """Find classes that maps lack although their scenes contain shots of them.

    A class with few shots may not be learnt beside classes with many more. Or its pixels were rejected, or given to
    their neighbours.

    Args:
        records: Records of the maps of all scenes that one model was adapted to. Each has the number of pixels under
            the shots of all scenes.

    Returns:
        A warning for each such class.
    """
    parameters = records[0]["parameters"]
    found = map(_LostClass.of, zip(*(record["classes"] for record in records), strict=True))
    return [one.sentence(parameters) for one in found if one.mapped < MISSING_SHARE * one.shots]


@dataclass(frozen=True, slots=True)
class _LostClass:
    """Pixels of a class in all maps of a model.

    Attributes:
        name: Name of the class.
        shots: Pixels under its shots.
        mapped: Pixels in the maps.
        before: Pixels before rejection and cleaning.
        rejected: Pixels among these that were rejected.
    """

    name: str
    shots: int
    mapped: int
    before: int
    rejected: int

    @classmethod
    def of(cls, entries: Sequence[Mapping[str, Any]]) -> Self:
        """Sum the entries of a class in the records of several maps."""
        return cls(
            entries[0]["name"],
            entries[0]["shots"],
            sum(one["pixels"] for one in entries),
            sum(one.get(PIXELS_BEFORE, one["pixels"]) for one in entries),
            sum(one.get(REJECTED_PIXELS, 0) for one in entries),
        )

    def sentence(self, parameters: Mapping[str, Any]) -> str:
        """Say that the class is lost, and why.

        Args:
            parameters: Parameters of the maps, of which rejection and the least area may be the reason.
        """
        lost = (
            f"the map has {self.mapped or 'no'} pixel{'' if self.mapped == 1 else 's'} of class '{self.name}', whose shots cover "
            f"{self.shots}"
        )
        if self.before < MISSING_SHARE * self.shots:
            return f"{lost}: draw more of it, or fewer of the other classes"
        given = max(0, self.before - self.rejected - self.mapped)
        rejecting = " or ".join(option for name, option in REJECTING.items() if name in parameters)
        reasons = [
            f"{self._some(number)} {what}"
            for number, what in (
                (self.rejected, f"rejected ({rejecting})"),
                (given, "given to their neighbours (--min-area)"),
            )
            if number
        ]
        return f"{lost}: {', and '.join(reasons)}; give a smaller value to keep more"

    def _some(self, number: int) -> str:
        """Say how many of its pixels before something happened to."""
        if number == self.before:
            return f"all {number} pixels of it were" if number > 1 else "its only pixel was"
        return f"{number} of its {self.before} pixels {'were' if number > 1 else 'was'}"
