"""Classes of a map of change: each pair of an old and a new class, with id, name and colour."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from hsi_geo.arrays import IntArray
from hsi_geo.errors import MapError
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.shots import ClassTable, LandClass
from hsi_geo.io.maps.class_styles import rgb

#: Between the names of the old and the new class.
ARROW = "\N{RIGHTWARDS ARROW}"

#: Share of white in the colour of a class that has not changed, so that changes stand out.
PALE = 0.75

#: Share of the old class in the colour of a change; the rest is that of the new class.
OF_OLD = 0.25

#: Most classes of two maps together: ids of pairs have to fit 16 bits.
MOST_CLASSES = 254


@dataclass(frozen=True, slots=True)
class ChangeClasses:
    """The classes of two maps, matched by name, and the pairs of them.

    Attributes:
        names: Names of K classes: those of the old map, then those that only the new map has.
        colors: "#rrggbb" of each.
        rejected: Names of those that are no land cover: unlike any shot, or too uncertain.
    """

    names: tuple[str, ...]
    colors: tuple[str, ...]
    rejected: tuple[str, ...] = ()

    @property
    def base(self) -> int:
        """What the number of the old class is multiplied by in the id of a pair: 100 keeps both legible."""
        return 100 if len(self.names) < 100 else 255

    def id_of(self, old: int, new: int) -> int:
        """Id of a pair of classes.

        Args:
            old: Number of the old class, from 1.
            new: Number of the new class, from 1.

        Examples:
            >>> ChangeClasses(("rye", "oats"), ("#ff0000", "#00ff00")).id_of(2, 1)
            201
        """
        return self.base * old + new

    def pair_of(self, id: int) -> tuple[int, int]:
        """Numbers of the old and the new class of an id, from 1."""
        return divmod(id, self.base)

    def ids(self, old: IntArray, new: IntArray) -> IntArray:
        """Ids of pixels, 0 where one of the numbers is 0."""
        return np.asarray(np.where((old > 0) & (new > 0), self.base * old + new, 0), np.int64)

    def name_of(self, old: int, new: int) -> str:
        """Name of a pair of classes, numbered from 1."""
        name = self.names[old - 1]
        if old == new and name in self.rejected:
            return f"{name} in both maps"
        return pair_name(name, self.names[new - 1])

    def table(self, present: Sequence[int]) -> ClassTable:
        """The class table of a map of change.

        Args:
            present: Ids of pairs that the map has.
        """
        found = []
        for id in sorted(present):
            old, new = self.pair_of(id)
            color = _mixed(self.colors[new - 1], self.colors[old - 1], OF_OLD)
            if old == new:
                color = _mixed(color, "#ffffff", PALE)
            found.append(LandClass(id, self.name_of(old, new), color, id))
        return tuple(found)


def pair_name(old: str, new: str) -> str:
    """Name of a pair of classes.

    Args:
        old: Name of the old class.
        new: Name of the new class.

    Examples:
        >>> pair_name("rye", "oats"), pair_name("rye", "rye")
        ('rye → oats', 'rye, no change')
    """
    return f"{old}, no change" if old == new else f"{old} {ARROW} {new}"


def match_classes(old: ClassTable, new: ClassTable, rejected: Sequence[str] = ()) -> ChangeClasses:
    """Match the classes of two maps by name.

    Args:
        old: Classes of the old map.
        new: Classes of the new map.
        rejected: Names of those that are rejected classes.

    Returns:
        The classes of both. A class that both have takes the colour of the new map.

    Raises:
        MapError: If the maps have no class in common, or more than `MOST_CLASSES` together.
    """
    colors = {clean_name(c.name): c.color for c in (*old, *new)}
    names = tuple(colors)
    if not ({c.name for c in old} & {c.name for c in new}) - set(rejected):
        raise MapError(
            f"the maps have no class in common: the old one has {_listed(old)}, the new one {_listed(new)}",
            hint="give the classes of both maps the same names",
        )
    if len(names) > MOST_CLASSES:
        raise MapError(
            f"the maps have {len(names)} classes together, and {MOST_CLASSES} at most are compared",
            hint="merge classes",
        )
    distinct: list[str | None] = []
    for color in colors.values():
        distinct.append(color if color not in distinct else None)
    shown = tuple(name for name in names if name in rejected)
    return ChangeClasses(names, tuple(complete_colors(distinct)), shown)


def _listed(classes: ClassTable) -> str:
    names = [f"'{c.name}'" for c in classes]
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")


def _mixed(color: str, other: str, share: float) -> str:
    parts = zip(rgb(color), rgb(other), strict=True)
    return "#" + "".join(f"{round((1 - share) * a + share * b):02x}" for a, b in parts)
