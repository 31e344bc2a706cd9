"""A map of strata, against the strata that the file of a sample says it was drawn in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from hsi_geo.io.maps.drawn_strata import DrawnStrata

#: Share of all places from which on other strata count: some places move in the field, across an edge of strata.
MOVED = 0.1

#: Share of the places of one stratum from which on other strata count. A rare stratum is few of all places.
MOVED_OF_ONE = 0.5


def is_drawn_from(drawn: DrawnStrata, sizes: Mapping[str, int]) -> bool:
    """Whether strata of a file are the classes of a map. Names may differ, and small classes may have been one stratum.

    Args:
        drawn: Strata of the sample.
        sizes: Number of pixels of each class of the map, by name.

    Examples:
        >>> drawn = DrawnStrata({"lake": 50, "meadow": 90, "other classes": 5}, None, 30, ())
        >>> is_drawn_from(drawn, {"meadow": 90, "lake": 50, "road": 2, "roof": 3})
        True
        >>> is_drawn_from(drawn, {"1": 50, "2": 90, "3": 5}), is_drawn_from(drawn, {"lake": 51, "meadow": 94})
        (True, False)
    """
    if len(drawn.sizes) < 2:  # a simple random sample, which may be stratified later
        return False
    if sum(drawn.sizes.values()) != sum(sizes.values()):
        return False
    if any(drawn.sizes[name] != sizes[name] for name in drawn.sizes.keys() & sizes.keys()):
        return False
    return (Counter(drawn.sizes.values()) - Counter(sizes.values())).total() <= 1


def other_strata_warning(
    own: npt.NDArray[np.str_], shown: npt.NDArray[np.str_], source: str, strata: str
) -> str:
    """Warn of places whose file says that they were drawn in other strata than a map shows.

    Names may differ. Each class of the map stands for the stratum that most of its places were drawn in.

    Args:
        own: (N,) stratum of each place by its file.
        shown: (N,) class of the map there.
        source: Name of the file.
        strata: Path of the map.

    Returns:
        Sentence; empty if they are few enough to have moved across edges in the field.

    Examples:
        >>> own, shown = np.array(["a", "a", "b", "b"]), np.array(["1", "1", "2", "3"])
        >>> other_strata_warning(own, shown, "visit.gpkg", "map.tif"), other_strata_warning(own, own, "", "")
        ('', '')
        >>> other_strata_warning(shown, own, "visit.gpkg", "map.tif")[:57]
        "'visit.gpkg' says that 1 of 4 places were drawn in other "
    """
    other = np.ones(len(own), bool)
    for name in np.unique(shown):
        here = shown == name
        names, counts = np.unique(own[here], return_counts=True)
        other[here] = own[here] != (name if name in names else names[counts.argmax()])
    few = other.mean() <= MOVED and all(
        other[own == name].mean() <= MOVED_OF_ONE for name in np.unique(own)
    )
    if few:
        return ""
    return (
        f"'{source}' says that {other.sum()} of {len(own)} places were drawn in other strata than '{strata}' shows there, so "
        "that areas and accuracies are wrong: give the map that the places were drawn from, or no map of strata"
    )
