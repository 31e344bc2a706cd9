"""Land that a sample was drawn from, beside the land of a map that it is to assess."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import MapError
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.maps.drawn_strata import DrawnStrata
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.tasks.assessment.reference_sample import SAME_LAND, pixels_under, values_under

#: Standard errors of the share of places on the map by which it may be too small by chance.
CHANCE = 3.0

#: Share of the map's land from which on unsampled land counts. Less is left out by edges.
UNSAMPLED = 0.05

#: Pixels from a class within which a place lies on the map: places move when they are visited.
NEAR_PX = 4


def require_same_pixels(drawn: DrawnStrata, source: str, opened: ReadMap) -> None:
    """Refuse strata of a file that are those of other pixels than the map's: they weigh its places.

    Args:
        drawn: The strata.
        source: Name of the file.
        opened: The map.

    Raises:
        MapError: If they have another number of pixels than the map, or another area.
    """
    total, there = sum(drawn.sizes.values()), sum(opened.class_counts().values())
    hectares = _hectares(opened)
    if not _is_same(total, there):
        raise _of_other_land(source, f"{total:,} pixels", f"{there:,}")
    if drawn.hectares and hectares and not _is_same(drawn.hectares, hectares):
        raise _of_other_land(
            source, f"{_text(drawn.hectares)} ha", f"as many pixels on {_text(hectares)} ha"
        )


def compare_land(
    drawn: DrawnStrata, source: str, opened: ReadMap, *, strata_px: Sequence[int] = ()
) -> str:
    """Compare the land that a sample was drawn from with that of a map.

    Files of samples say from how many pixels and hectares they were drawn.

    Args:
        drawn: Strata of the sample.
        source: Name of its file.
        opened: The map.
        strata_px: Number of pixels of the map whose classes are the strata, if it is another one.

    Returns:
        Sentence on land that only one of both has; empty if there is none.

    Raises:
        MapError: If the sample was drawn from pixels of the map's size, and from fewer of them.
    """
    total, there = sum(drawn.sizes.values()), sum(opened.class_counts().values())
    hectares = _hectares(opened)
    if not drawn.hectares or not hectares:
        if any(_is_same(total, pixels) for pixels in (there, *strata_px)):
            return ""
        return (
            f"'{source}' was drawn from {total:,} pixels, and the map has {there:,} with a class: if pixels of both are of "
            "one size, these numbers hold only for the land that both have"
        )
    if _is_same(drawn.hectares, hectares):
        return ""
    land = drawn.hectares / hectares
    if land > 1:
        return (
            f"{100 - 100 / land:.1f} % of the land that '{source}' was drawn from have no class in the map: these numbers "
            "hold for the rest"
        )
    if _is_same(drawn.hectares / total, hectares / there):
        raise _of_other_land(source, f"{total:,} pixels", f"{there:,}")
    # Edges of land differ between pixels of two sizes, so this is no error.
    return (
        f"'{source}' was drawn from {100 * land:.1f} % of the land that has a class in the map: these numbers hold for that "
        "part only"
    )


def unsampled_land(drawn: DrawnStrata, labelled: Shots, opened: ReadMap) -> str:
    """Find land of the map that a sample of as much land does not cover, as of the tile beside it.

    Places that lie far from any class of the map tell how much of the sampled land the map shows. If that is less than the
    map has, by more than chance, the rest of the map was not sampled. Places near a class may have been moved in the field.

    Args:
        drawn: Strata of the sample.
        labelled: The reference, with all of its places that have a class.
        opened: The map.

    Returns:
        Sentence on that land; empty if there is none.
    """
    total, there = sum(drawn.sizes.values()), sum(opened.class_counts().values())
    hectares = _hectares(opened)
    if drawn.hectares and hectares:
        ratio = drawn.hectares / hectares
    elif _is_same(total, there):
        ratio = 1.0
    else:
        return ""  # `compare_land` warns of that
    strata = drawn.of_pixels(labelled, np.arange(len(labelled.frame)))
    shown = _near_a_class(opened, labelled)
    sizes = np.array(list(drawn.sizes.values()), np.float64)
    visited = np.bincount(strata, minlength=len(sizes))
    weights = np.where(visited > 0, sizes, 0.0) / sizes[visited > 0].sum()
    shares = np.bincount(strata, shown, minlength=len(sizes)) / np.maximum(visited, 1)
    variances = weights**2 * shares * (1 - shares) / np.maximum(visited, 1)
    common = ratio * float(weights @ shares)
    # What a smaller sample lacks is known to `compare_land`.
    if min(ratio, 1.0) - common <= UNSAMPLED + CHANCE * ratio * math.sqrt(variances.sum()):
        return ""
    return (
        f"about {100 - 100 * common:.0f} % of the land that has a class in the map was not sampled, as {(~shown).sum()} of "
        f"{len(shown)} places of '{labelled.source}' lie elsewhere: these numbers hold for the rest"
    )


def _near_a_class(opened: ReadMap, labelled: Shots) -> BoolArray:
    """(N,) whether points lie within `NEAR_PX` rows and columns of a pixel that has a class."""
    found = ~np.ma.getmaskarray(values_under(opened, labelled))
    away, grid = np.flatnonzero(~found), opened.grid
    rows, cols, _ = pixels_under(labelled, grid)
    steps = np.arange(-NEAR_PX, NEAR_PX + 1)
    down, right = (axis.ravel() for axis in np.meshgrid(steps, steps))
    rows, cols = rows[away, None] + down, cols[away, None] + right
    inside = (rows >= 0) & (rows < grid.height) & (cols >= 0) & (cols < grid.width)
    has_class = np.zeros(rows.shape, bool)
    if inside.any():
        has_class[inside] = ~np.ma.getmaskarray(opened.values_at(rows[inside], cols[inside]))
    found[away] = has_class.any(axis=1)
    return found


def _hectares(opened: ReadMap) -> float | None:
    areas = opened.class_areas_ha()
    return None if areas is None else math.fsum(areas.values())


def _is_same(one: float, other: float) -> bool:
    return abs(one - other) <= SAME_LAND * other


def _text(hectares: float) -> str:
    return f"{hectares:,.4g}" if hectares < 1e4 else f"{hectares:,.0f}"


def _of_other_land(source: str, drawn_from: str, there: str) -> MapError:
    return MapError(
        f"the sample '{source}' was drawn from {drawn_from}, and the map has {there} with a class",
        hint="assess the map that the sample was drawn from, or another one of the same pixels and land",
    )
