"""Reference labels on the pixels of a map: what every score is computed from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from sklearn.metrics import confusion_matrix

from hsi_geo.errors import MapError, ShotsError
from hsi_geo.io.map_reader import ReadMap
from hsi_geo.io.shots import Shots, burn
from hsi_geo.io.vectors import quoted
from hsi_geo.tasks.assessment import Design

IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Sample:
    """Reference pixels on mapped ones: what every score is computed from.

    Attributes:
        names: K classes, the map's first, in the order of their values.
        mapped: (N,) index of the map's class.
        truth: (N,) index of the reference's class.
        features: (N,) row of the reference.
        rows: (N,) of the map.
        cols: (N,) of the map.
        only_in_map: See `hsi_geo.tasks.assessment.Assessment`.
        only_in_reference: See `hsi_geo.tasks.assessment.Assessment`.
        dropped: See `hsi_geo.tasks.assessment.Assessment`.
    """

    names: tuple[str, ...]
    mapped: IntArray
    truth: IntArray
    features: IntArray
    rows: IntArray
    cols: IntArray
    only_in_map: tuple[str, ...]
    only_in_reference: tuple[str, ...]
    dropped: tuple[str, ...]

    @property
    def matrix(self) -> IntArray:
        """(K, K), rows are the map's classes."""
        found: IntArray = confusion_matrix(
            self.mapped, self.truth, labels=np.arange(len(self.names))
        )
        return found


def read_sample(opened: ReadMap, labelled: Shots, all_touched: bool) -> Sample:
    """Look up what the map says where reference labels are.

    Classes are matched by name.

    Raises:
        ShotsError: If not one label lies on a mapped pixel.
        MapError: If map and reference have no class in common.
    """
    pixels = burn(labelled, opened.grid, all_touched=all_touched)
    values = opened.values_at(pixels.rows, pixels.cols)
    here = values != 0
    if not here.any():
        raise ShotsError(
            f"none of the {len(values)} reference pixels has a class in map '{opened.path}'",
            hint="give reference labels on the mapped part of the scene",
        )
    shown = sorted({*opened.names, *map(int, values[here])} - {0})
    in_map = list(dict.fromkeys(opened.name_of(value) for value in shown))
    in_reference = [c.name for c in labelled.classes]
    shared = [name for name in in_reference if name in in_map]
    if not shared:
        raise MapError(
            f"map and reference have no class in common: the map has {quoted(in_map)}, the "
            f"reference {quoted(in_reference)}",
            hint="choose the field that holds the map's class names with --class-field",
        )
    names = (*in_map, *(name for name in in_reference if name not in in_map))
    place = {name: index for index, name in enumerate(names)}
    by_value = {value: place[opened.name_of(value)] for value in shown}
    dropped = list(labelled.skipped)
    for count, what in (
        (pixels.outside, "features outside the map"),
        (pixels.conflicts, "pixels that two classes claim"),
        (int((~here).sum()), "pixels without a class in the map"),
    ):
        if count:
            dropped.append(f"{count} {what}")
    return Sample(
        names=names,
        mapped=np.array([by_value[int(value)] for value in values[here]], np.int64),
        truth=np.array([place[in_reference[i - 1]] for i in pixels.class_ids[here]], np.int64),
        features=pixels.features[here],
        rows=pixels.rows[here],
        cols=pixels.cols[here],
        only_in_map=tuple(name for name in in_map if name not in in_reference),
        only_in_reference=names[len(in_map) :],
        dropped=tuple(dropped),
    )


def read_strata(
    sample: Sample, opened: ReadMap, drawn_from: ReadMap
) -> tuple[IntArray, dict[str, int]]:
    """Find the stratum that each pixel was drawn from.

    Args:
        sample: Drawn pixels.
        opened: The map they are pixels of.
        drawn_from: The map whose classes are the strata.

    Returns:
        (N,) index of the stratum, and the pixels of each stratum by its name.

    Raises:
        MapError: If the strata do not cover the sample.
    """
    rows, cols = sample.rows, sample.cols
    if drawn_from is not opened:
        same = drawn_from.grid.crs == opened.grid.crs
        t = opened.grid.transform
        x, y = cols + 0.5, rows + 0.5
        rows, cols = drawn_from.grid.pixels_at(t.a * x + t.b * y + t.c, t.d * x + t.e * y + t.f)
        height, width = drawn_from.grid.shape
        inside = (rows >= 0) & (rows < height) & (cols >= 0) & (cols < width)
        if not (same and inside.all()):
            raise MapError(
                f"the strata '{drawn_from.path}' do not cover the sample, or are in another CRS",
                hint="give the map that the sample was drawn from, warped to the CRS of this one",
            )
    values = drawn_from.values_at(rows, cols)
    if not values.all():
        raise MapError(
            f"{int((values == 0).sum())} sampled pixels have no class in the strata "
            f"'{drawn_from.path}'",
            hint="give the map that the sample was drawn from",
        )
    sizes = drawn_from.class_counts()
    place = {name: index for index, name in enumerate(sizes)}
    return np.array([place[drawn_from.name_of(int(v))] for v in values], np.int64), sizes


def require_probability_sample(labelled: Shots, sample: Sample, design: Design) -> None:
    """Refuse labels that cannot be a sample of the stated design.

    Raises:
        ShotsError: If they are no points, or of classes that the map lacks.
    """
    kinds = sorted(set(labelled.frame.geom_type) - {"Point"})
    if kinds:
        raise ShotsError(
            f"a {design} random sample consists of points, and the reference has {kinds[0]}s: "
            "pixels of one of them were not drawn one by one",
            hint="leave out --design, or draw points at random (in QGIS: Random points)",
        )
    if sample.only_in_reference:
        raise ShotsError(
            f"the map has no class {quoted(list(sample.only_in_reference))}, and areas are "
            "estimated by the map's classes",
            hint="rename classes so that they match, or leave out --design",
        )
