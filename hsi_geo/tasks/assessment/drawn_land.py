"""Land that a sample was drawn from, beside the land of a map that it is to assess."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import MapError
from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.maps.reader import ReadMap
from hsi_geo.tasks.assessment.reference_sample import SAME_LAND, positions
from hsi_geo.tiling import Grid

#: Fewest places that tell the size of the pixels that they were drawn from. With half as many, one sample in a thousand
#: would lie on every second row or column by chance.
FEWEST_PLACES = 20

#: Distance in pixels of the map up to which a place counts as the centre of a pixel, and the smallest pixel that counts
#: as one. Places whose coordinates are rounded, or that were moved in the field, tell no size.
ON_CENTRE_PX, SMALLEST_PX = 2e-3, 0.04


def compare_land(
    total_px: int, labelled: Shots, opened: ReadMap, there_px: int, *, strata_px: Sequence[int] = ()
) -> str:
    """Compare the land that a sample was drawn from with that of a map.

    Files of samples say from how many pixels they were drawn, and places lie at centres of pixels. So their distances
    tell the size of these pixels.

    Args:
        total_px: Number of pixels that the sample was drawn from.
        labelled: The reference.
        opened: The map.
        there_px: Number of the map's pixels that have a class.
        strata_px: Number of pixels of the map whose classes are the strata, if it is another one.

    Returns:
        Sentence on land that only one of both has; empty if there is none.

    Raises:
        MapError: If the sample was drawn from pixels of the map's size, and from fewer of them.
    """
    if any(abs(total_px - pixels) <= SAME_LAND * pixels for pixels in (there_px, *strata_px)):
        return ""
    drawn_from = f"'{labelled.source}' was drawn from {total_px:,} pixels"
    size = drawn_pixel_size(labelled, opened.grid)
    if size is None:
        return (
            f"{drawn_from}, and the map has {there_px:,} with a class: if pixels of both are of one size, these numbers "
            "hold only for the land that both have"
        )
    land = total_px * size / there_px
    if abs(land - 1) <= SAME_LAND:
        return ""
    if land > 1:
        return (
            f"{100 - 100 / land:.1f} % of the land that '{labelled.source}' was drawn from have no class in the map: these numbers "
            "hold for the rest"
        )
    if abs(size - 1) < SAME_LAND:
        raise MapError(
            f"the sample {drawn_from}, and the map has {there_px:,} with a class",
            hint="assess the map that the sample was drawn from, or another one of the same land",
        )
    # Edges of land differ between pixels of two sizes, so this is no error.
    return (
        f"'{labelled.source}' was drawn from {100 * land:.1f} % of the land that has a class in the map: these numbers hold for that "
        "part only"
    )


def drawn_pixel_size(labelled: Shots, grid: Grid) -> float | None:
    """Area of the pixels that places were drawn from, in pixels of a map.

    Args:
        labelled: Points.
        grid: Pixels of the map.

    Returns:
        The area; None if the places do not lie at the centres of one grid parallel to the map's, or are few.
    """
    rows, cols = positions(labelled, grid)
    if len(rows) < FEWEST_PLACES or not np.isfinite([rows, cols]).all():
        return None
    high, wide = spacing(rows), spacing(cols)
    return wide * high if wide and high else None


def spacing(places: Float64Array) -> float | None:
    """Greatest distance that all distances between places on a line are whole multiples of.

    Args:
        places: (N,) finite places.

    Returns:
        The distance; None if all are one place, or it is below `SMALLEST_PX`.

    Examples:
        >>> spacing(np.array([7.0, 1.0, 2.5, 11.5])), spacing(np.array([0.3, 2.718, 3.141]))
        (1.5, None)
    """
    distances = np.unique(places - places.min())[1:]
    found = 0.0
    for distance in distances[distances > ON_CENTRE_PX]:
        found, rest = float(distance), found
        while rest > ON_CENTRE_PX:  # Euclid's algorithm for numbers with rounding errors
            found, rest = rest, abs(found - rest * round(found / rest))
        if found < SMALLEST_PX:
            return None
    if not found:
        return None
    # Errors of few thousandths of a small distance add up: the longest distance tells it best.
    found = float(distances[-1] / round(distances[-1] / found))
    off = np.abs(distances - found * np.rint(distances / found)).max()
    return found if off <= ON_CENTRE_PX else None
