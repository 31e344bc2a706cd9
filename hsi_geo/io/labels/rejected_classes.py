"""Classes of pixels that a map gives none of its own classes: unlike any shot, or too uncertain.

Their ids follow those of the K classes: K + 1 for pixels unlike any shot, K + 2 for pixels that are too uncertain.
An id does not depend on whether the other one is used. The record of a map lists them under `REJECTED`, with the
same keys as a class.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import geopandas as gpd
import numpy as np

from hsi_geo.arrays import BoolArray
from hsi_geo.io.labels.shots import ClassTable, LandClass

#: Names of the rejected classes.
UNLIKE, UNCERTAIN = "unlike any shot", "too uncertain"

#: Addition to such a name if a class of the shots has it.
_TAKEN = " (rejected)"

#: Fields by which a layer of a map's polygons is known.
_FIELDS_OF_POLYGONS = frozenset(("class", "name", "rejected"))

#: Key of a map's record for the rejected classes that it can have: a list of {id, name, color, pixels, share}.
REJECTED = "rejected_classes"

#: The same for the upper level of the classes.
REJECTED_PARENTS = "rejected_parents"

#: Colours of both, and others for maps in which a class has one of these. All are greys, which no palette of
#: classes has.
_GREYS = ("#404040", "#bfbfbf", "#595959", "#a6a6a6", "#262626", "#d9d9d9")


def rejected_classes(classes: ClassTable, *, unlike: bool, uncertain: bool) -> ClassTable:
    """The rejected classes of a map.

    Args:
        classes: Class table of K classes.
        unlike: Whether pixels can be rejected because they are unlike any shot.
        uncertain: Whether pixels can be rejected because they are too uncertain.

    Examples:
        >>> table = (LandClass(1, "oats", "#e69f00"), LandClass(2, "rye", "#56b4e9"))
        >>> [(c.id, c.name) for c in rejected_classes(table, unlike=True, uncertain=True)]
        [(3, 'unlike any shot'), (4, 'too uncertain')]
        >>> [(c.id, c.name) for c in rejected_classes(table, unlike=False, uncertain=True)]
        [(4, 'too uncertain')]
    """
    taken = {c.color.lower() for c in classes}
    free = [color for color in _GREYS if color not in taken] or list(_GREYS)
    names = {c.name for c in classes}
    dark, light = free[0], free[1 % len(free)]
    both = (
        LandClass(len(classes) + 1, _free_name(UNLIKE, names), dark),
        LandClass(len(classes) + 2, _free_name(UNCERTAIN, names), light),
    )
    return tuple(c for c, used in zip(both, (unlike, uncertain), strict=True) if used)


def _free_name(name: str, taken: set[str]) -> str:
    """The name, with an addition if a class of the shots has it."""
    return name if name not in taken else f"{name}{_TAKEN}"


def are_rejected(frame: gpd.GeoDataFrame) -> BoolArray:
    """Which features are polygons of rejected pixels, in a layer that `hsi-geo polygons` wrote.

    Args:
        frame: Features of any program.

    Returns:
        (N,) True for these.
    """
    fields = {str(field).lower(): field for field in frame.columns}  # some programs write capitals
    if not set(fields) >= _FIELDS_OF_POLYGONS:
        return np.zeros(len(frame), bool)
    names = frame[fields["name"]].isin(
        [f"{name}{end}" for name in (UNLIKE, UNCERTAIN) for end in ("", _TAKEN)]
    )
    return np.asarray(names & (frame[fields["rejected"]] == 100), bool)


def rejected_by_name(names: Mapping[int, str]) -> ClassTable:
    """The rejected classes of a map whose record is not known, such as a renamed copy.

    Args:
        names: Class names of a raster by value.

    Returns:
        The classes that have the names of rejected ones; empty if none has.

    Examples:
        >>> [c.id for c in rejected_by_name({1: "oats", 2: "rye", 4: "too uncertain"})]
        [4]
        >>> [c.id for c in rejected_by_name({1: "oats", 2: "too uncertain", 4: "too uncertain (rejected)"})]
        [4]
    """
    found = []
    for name, color in zip((UNLIKE, UNCERTAIN), _GREYS, strict=False):
        wanted = f"{name}{_TAKEN}" if f"{name}{_TAKEN}" in names.values() else name
        found += [LandClass(value, wanted, color) for value in names if names[value] == wanted]
    return tuple(found)


def read_rejected(record: Mapping[str, Any], key: str = REJECTED) -> ClassTable:
    """The rejected classes that a map's record lists.

    Args:
        record: Content of the map's JSON file, of any program.
        key: `REJECTED`, or `REJECTED_PARENTS` for the upper level.

    Returns:
        The classes; empty if the record lists none.

    Examples:
        >>> entry = {"id": 3, "name": "unlike any shot", "color": "#404040", "pixels": 7, "share": 0.1}
        >>> [c.id for c in read_rejected({"rejected_classes": [entry]})]
        [3]
        >>> read_rejected({})
        ()
    """
    entries = record.get(key)
    try:
        return tuple(
            LandClass(int(one["id"]), str(one["name"]), str(one["color"]))
            for one in (entries if isinstance(entries, list) else ())
        )
    except (TypeError, KeyError, ValueError, OverflowError):
        return ()


def legend_entries(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Entries of the record of a map for all classes of its legend.

    Args:
        record: Content of the map's JSON file.

    Returns:
        The entries of the classes, then of the rejected classes, which have no shots: "-".

    Examples:
        >>> classes = [{"id": 1, "name": "oats", "shots": 5}]
        >>> rejected = [{"id": 3, "name": "unlike any shot"}]
        >>> [one["shots"] for one in legend_entries({"classes": classes, "rejected_classes": rejected})]
        [5, '-']
    """
    rejected = record.get(REJECTED, ())
    return [*map(dict, record["classes"]), *({**one, "shots": "-"} for one in rejected)]
