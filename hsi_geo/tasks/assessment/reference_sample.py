"""Reference sample: the map's class and the reference's class of each labelled pixel."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from hsi_geo.arrays import BoolArray, Float64Array, IntArray
from hsi_geo.errors import MapError, ShotsError
from hsi_geo.io.labels.class_rasters import MAX_CLASSES
from hsi_geo.io.labels.shot_pixels import ShotPixels, burn, to_grid
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.maps.reader import MaskedInts, ReadMap
from hsi_geo.tasks.assessment.name_hints import hint_on_names
from hsi_geo.tasks.assessment.results import Design
from hsi_geo.text import quoted
from hsi_geo.tiling import Grid

#: Relative difference in area up to which map and strata are of the same land. Pixels of different
#: size differ along the edge.
SAME_LAND = 0.01

#: Decimals of rows and columns: places that agree in them are one place.
PLACE_DIGITS = 3


@dataclass(frozen=True, eq=False)
class Sample:
    """Pixels that have a class in the map and in the reference.

    Attributes:
        names: Names of K classes: those of the map in the order of their values, then those of the
            reference only.
        mapped: (N,) class in the map, an index into ``names``.
        truth: (N,) class in the reference, an index into ``names``.
        features: (N,) row of the reference (point, line or polygon) that each pixel belongs to.
        rows: (N,) row of each pixel in the map.
        cols: (N,) column of each pixel in the map.
        only_in_map: Names of classes that the reference lacks.
        only_in_reference: Names of classes that the map lacks.
        dropped: What of the reference was left out, as parts of a sentence.
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
        """(K, K) confusion matrix in pixels; rows are the map's classes, columns the reference's."""
        found = np.zeros((len(self.names),) * 2, np.int64)
        np.add.at(found, (self.mapped, self.truth), 1)
        return found

    def lacking(self, design: Design | None) -> str:
        """Sentence on classes that only the reference has; empty without any.

        With a design their area is estimated like that of any other class: the estimators hold for a mapped area of 0.

        Args:
            design: Sampling design that the user stated; None without one.
        """
        if not self.only_in_reference:
            return ""
        first = len(self.names) - len(self.only_in_reference)  # they come last
        counted = int((self.truth >= first).sum())
        lacking = f"the map has no class {quoted(list(self.only_in_reference))}"
        if not counted:
            return f"{lacking}, nor another class where the reference has it"
        text = f"{lacking}: {counted} pixels of it in the reference count as wrong"
        if design is None:
            return text
        return f"{text}, and its area is estimated from them; if the map has it under another name, rename one of both"


def read_sample(opened: ReadMap, labelled: Shots, design: Design | None = None) -> Sample:
    """Read the map's classes at the pixels of reference labels. Classes are matched by name.

    With a design each place was drawn on its own, so places in one pixel of the map all count.

    Args:
        opened: The map.
        labelled: Reference labels in any CRS.
        design: How they were sampled; None if not at random.

    Returns:
        The pixels that have a class in both.

    Raises:
        ShotsError: If not one label lies on a mapped pixel.
        MapError: If map and reference have no class in common, or the map has too many values without a name.
    """
    pixels, unit = None, "pixels"
    if design is not None and (labelled.frame.geom_type == "Point").all():
        pixels, unit = _pixels_of_places(labelled, opened.grid), "places"
    if not pixels:
        pixels = burn(labelled, opened.grid)  # says why there is none
    values = opened.values_at(pixels.rows, pixels.cols)
    here = ~np.ma.getmaskarray(values)
    if not here.any():
        raise ShotsError(
            f"none of the {len(values)} reference pixels has a class in map '{opened.path}'",
            hint="give reference labels where the map shows classes",
        )
    mapped = values.compressed()
    shown = _values_of_classes(opened)
    in_map = list(dict.fromkeys(opened.name_of(value) for value in shown))
    in_reference = [c.name for c in labelled.classes]
    shared = [name for name in in_reference if name in in_map]
    if not shared:
        raise MapError(
            f"map and reference have no class in common: the map has {quoted(in_map)}, the "
            f"reference {quoted(in_reference)}",
            hint=hint_on_names(in_map, in_reference, labelled),
        )
    names = (*in_map, *(name for name in in_reference if name not in in_map))
    index_of = {name: index for index, name in enumerate(names)}
    by_value = {value: index_of[opened.name_of(value)] for value in shown}
    dropped = list(labelled.skipped)
    for count, what in (
        (pixels.outside, "features outside the map"),
        (pixels.conflicts, f"{unit} that two classes claim"),
        (int((~here).sum()), f"{unit} without a class in the map{_why_none(opened)}"),
    ):
        if count:
            dropped.append(f"{count} {what}")
    return Sample(
        names=names,
        mapped=np.array([by_value[int(value)] for value in mapped], np.int64),
        truth=np.array([index_of[in_reference[i - 1]] for i in pixels.class_ids[here]], np.int64),
        features=pixels.features[here],
        rows=pixels.rows[here],
        cols=pixels.cols[here],
        only_in_map=tuple(name for name in in_map if name not in in_reference),
        only_in_reference=names[len(in_map) :],
        dropped=tuple(dropped),
    )


def at_upper_level(sample: Sample, parents: Mapping[str, str]) -> Sample | None:
    """The same pixels with the parents of their classes.

    Args:
        sample: Sampled pixels.
        parents: Parent by class; classes that it lacks are their own parents.

    Returns:
        The pixels; None if no class has a parent.

    Examples:
        >>> c = np.arange(3)
        >>> names = ("roof", "lake", "road")
        >>> sample = Sample(names, c, np.array([2, 1, 1]), c, c, c, (), (), ())
        >>> upper = at_upper_level(sample, {"roof": "built-up", "road": "built-up"})
        >>> upper.names, upper.mapped.tolist(), upper.truth.tolist()
        (('built-up', 'lake'), [0, 1, 0], [0, 1, 1])
    """
    if not any(name in parents for name in sample.names):
        return None
    of_class = [parents.get(name, name) for name in sample.names]
    names = tuple(dict.fromkeys(of_class))
    index = np.array([names.index(parent) for parent in of_class], np.int64)
    lone = [
        {p for name, p in zip(sample.names, of_class, strict=True) if name not in left_out}
        for left_out in (sample.only_in_map, sample.only_in_reference)
    ]
    return dataclasses.replace(
        sample,
        names=names,
        mapped=index[sample.mapped],
        truth=index[sample.truth],
        only_in_map=tuple(name for name in names if name not in lone[0]),
        only_in_reference=tuple(name for name in names if name not in lone[1]),
    )


def _values_of_classes(opened: ReadMap) -> list[int]:
    """Values of all classes of a map, those that have a name and those that it contains."""
    present = opened.counts()
    unnamed = len(present.keys() - opened.class_values.names.keys())
    if unnamed > MAX_CLASSES:
        raise MapError(
            f"map '{opened.path}' has {unnamed:,} values without a name, and a class map at most {MAX_CLASSES:,}",
            hint="give the map of classes, not numbers of objects or heights",
        )
    return sorted({*opened.names, *present})


def _why_none(opened: ReadMap) -> str:
    """Note that pixels may be rejected, or that 0 is no class, for maps without names and nodata value."""
    if opened.ignored:
        return f" or rejected there ({quoted([c.name for c in opened.rejected])})"
    if opened.class_values.zero_is_class or opened.class_values.nodata is not None:
        return ""
    return " (0, as it has no name there)"


def require_same_land(
    opened: ReadMap, counts: Mapping[str, int], drawn_from: ReadMap, sizes: Mapping[str, int]
) -> None:
    """Refuse strata of another area than the map's.

    Weights of the strata are shares of their area, and the estimates are those of the map's area.

    Args:
        opened: The map.
        counts: Number of pixels of each class of the map, by name.
        drawn_from: The map whose classes are the strata.
        sizes: Number of pixels of each stratum, by name.

    Raises:
        MapError: If their areas differ by more than `SAME_LAND`, or they are in different CRS.
    """
    if not drawn_from.grid.has_crs_of(opened.grid):
        raise MapError(
            f"the strata '{drawn_from.path}' are in another CRS than map '{opened.path}'",
            hint="warp one of them with gdalwarp -r near",
        )
    own, theirs = (
        abs(one.grid.transform.determinant) * sum(of.values())
        for one, of in ((opened, counts), (drawn_from, sizes))
    )
    if abs(theirs - own) > SAME_LAND * own:
        raise MapError(
            f"the classes of the strata '{drawn_from.path}' cover {100 * theirs / own:.1f} % of the "
            f"area that those of map '{opened.path}' cover, and should cover the same",
            hint="assess a map of just the land that the sample was drawn from",
        )


def own_strata(sample: Sample, sizes: Mapping[str, int]) -> IntArray:
    """Find the stratum of each sampled pixel where the map's own classes are the strata.

    Args:
        sample: Sampled pixels.
        sizes: Number of pixels of each class of the map, by name.

    Returns:
        (N,) strata as indices into ``sizes``.
    """
    index_of = {name: index for index, name in enumerate(sizes)}
    return np.array([index_of[sample.names[mapped]] for mapped in sample.mapped], np.int64)


def other_strata(
    labelled: Shots, sample: Sample, opened: ReadMap, drawn_from: ReadMap, sizes: Mapping[str, int]
) -> IntArray:
    """Find the stratum of each sampled pixel where another map's classes are the strata.

    Args:
        labelled: Sampled points.
        sample: Pixels of these points.
        opened: Map that the pixels belong to.
        drawn_from: Map of the same land whose classes are the strata.
        sizes: Number of pixels of each stratum, by name.

    Returns:
        (N,) strata as indices into ``sizes``.

    Raises:
        MapError: If a sampled point has no class in one of the maps.
    """
    strata = require_all_mapped(labelled, opened, drawn_from)
    values = strata[sample.features]
    if outside := int(np.ma.count_masked(values)):
        raise MapError(
            f"{outside} sampled pixels have no class in the strata '{drawn_from.path}'",
            hint="give the map that the sample was drawn from",
        )
    index_of = {name: index for index, name in enumerate(sizes)}
    return np.array([index_of[drawn_from.name_of(int(value))] for value in values], np.int64)


def require_all_mapped(labelled: Shots, opened: ReadMap, drawn_from: ReadMap) -> MaskedInts:
    """Refuse a map that lacks land of the strata.

    Args:
        labelled: Sampled points.
        opened: The map.
        drawn_from: Map of the same land whose classes are the strata.

    Returns:
        (N,) values of the strata under the points, masked without a class.

    Raises:
        MapError: If a point has a class in the strata and none in the map.
    """
    strata, mapped = values_under(drawn_from, labelled), values_under(opened, labelled)
    lost = int((np.ma.getmaskarray(mapped) & ~np.ma.getmaskarray(strata)).sum())
    if lost:
        raise MapError(
            f"{lost} points that were drawn from the strata '{drawn_from.path}' have no class in "
            f"map '{opened.path}'",
            hint="assess a map of all the land that the sample was drawn from",
        )
    return strata


def visited_places(labelled: Shots, grid: Grid) -> int:
    """Number of places of a sample that have a class in the reference, wherever they lie.

    Args:
        labelled: Sampled points. A place that several files have counts once.
        grid: Pixels of the map.
    """
    return len(np.unique(np.column_stack(positions(labelled, grid)).round(PLACE_DIGITS), axis=0))


def positions(labelled: Shots, grid: Grid) -> tuple[Float64Array, Float64Array]:
    """(N,) rows and (N,) columns of points in a grid, with fractions.

    Args:
        labelled: Points in any CRS.
        grid: Pixels of a map.
    """
    points, t = to_grid(labelled, grid).frame.geometry, ~grid.transform
    x, y = points.x.to_numpy(np.float64), points.y.to_numpy(np.float64)
    return t.d * x + t.e * y + t.f, t.a * x + t.b * y + t.c


def _pixels_of_places(labelled: Shots, grid: Grid) -> ShotPixels:
    """The pixel of each place inside a map. A pixel occurs as often as it has places; a place in several files counts once."""
    rows, cols, inside = pixels_under(labelled, grid)
    place = ["place_row", "place_col"]
    at = np.column_stack(positions(labelled, grid)).round(PLACE_DIGITS)
    frame = pd.DataFrame(at, columns=place)
    frame = frame.assign(row=rows, col=cols, class_id=labelled.frame["class_id"].to_numpy())
    every = frame[inside].groupby(place)["class_id"]
    is_one = every.transform("nunique") == 1
    # Sorted, so that the order of the file does not matter.
    first = frame[inside][is_one].drop_duplicates(place).sort_values(place)
    return ShotPixels(
        first["row"].to_numpy(),
        first["col"].to_numpy(),
        first["class_id"].to_numpy(),
        first.index.to_numpy(),
        int((~inside).sum()),
        int((every.nunique() > 1).sum()),
    )


def pixels_under(labelled: Shots, grid: Grid) -> tuple[IntArray, IntArray, BoolArray]:
    """(N,) rows and columns of the pixels under points, and whether they are in the grid.

    Args:
        labelled: Points in any CRS.
        grid: Pixels of the map.
    """
    points = to_grid(labelled, grid).frame.geometry
    rows, cols = grid.pixels_at(points.x.to_numpy(), points.y.to_numpy())
    inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    return rows, cols, inside


def values_under(opened: ReadMap, labelled: Shots) -> MaskedInts:
    """(N,) values of a map under points, masked without a class and outside the map.

    Args:
        opened: The map.
        labelled: Points in any CRS.
    """
    rows, cols, inside = pixels_under(labelled, opened.grid)
    values = np.ma.masked_all(len(rows), np.int64)
    if inside.any():
        values[inside] = opened.values_at(rows[inside], cols[inside])
    return values


def require_points(labelled: Shots, design: Design) -> None:
    """Refuse labels that cannot be a sample of the stated design.

    Args:
        labelled: Reference labels.
        design: Sampling design that the user stated.

    Raises:
        ShotsError: If they are not points.
    """
    kinds = sorted(set(labelled.frame.geom_type) - {"Point"})
    if kinds:
        raise ShotsError(
            f"a {design} random sample consists of points, and the reference has {kinds[0]}s: "
            "pixels of one of them were not drawn one by one",
            hint="leave out --design, or draw points at random (in QGIS: Random points)",
        )
