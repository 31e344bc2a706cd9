"""Areas of the classes in all maps of a batch, where land in several maps counts once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from hsi_geo.io.labels.shots import ClassTable
from hsi_geo.io.maps.areas import AddedAreas
from hsi_geo.io.maps.vrt_index import GeoreferencedMap
from hsi_geo.tasks.tiles.footprints import Footprints

#: Share of a map's pixels that lie in maps before it, from which on the map hardly counts. Tiles overlap by less.
MOSTLY = 0.9


@dataclass(frozen=True, slots=True)
class ClassArea:
    """Area of a class in all maps. Land in several maps counts once.

    Attributes:
        id: Id of the class, from 1.
        name: Name of the class.
        pixels: Number of pixels.
        hectares: Area; None if the CRS of a map gives its pixels no size.
    """

    id: int
    name: str
    pixels: int
    hectares: float | None


def area_jobs(
    maps: Sequence[GeoreferencedMap],
) -> list[tuple[GeoreferencedMap, list[GeoreferencedMap]]]:
    """Jobs that count the classes in each map.

    Args:
        maps: The maps.

    Returns:
        Each map, with the maps before it that it overlaps and whose pixels do not count again.
    """
    footprints = Footprints([one.grid for one in maps])
    return [
        (one, [maps[other] for other in footprints.near(index, -0.5) if other < index])
        for index, one in enumerate(maps)
    ]


def sum_areas(parts: Iterable[AddedAreas], classes: ClassTable) -> list[ClassArea]:
    """Sum the areas of all maps.

    Args:
        parts: Pixels and hectares of each class id that each map adds.
        classes: Legend of all maps: their class table, and rejected classes.

    Returns:
        Area of each class; in hectares only if every map has hectares.

    >>> from hsi_geo.io.labels.shots import LandClass
    >>> part = AddedAreas(np.array([4]), np.array([0.16]), hidden=0)
    >>> sum_areas([part, part], [LandClass(1, "water", "#0000ff", None)])
    [ClassArea(id=1, name='water', pixels=8, hectares=0.32)]
    """
    last_id = max((c.id for c in classes), default=0)
    pixels, hectares = np.zeros(last_id, np.int64), np.zeros(last_id)
    for part in parts:
        pixels += part.pixels
        hectares += part.hectares
    return [
        ClassArea(c.id, c.name, int(n), None if np.isnan(ha) else float(ha))
        for c in classes
        for n, ha in ((pixels[c.id - 1], hectares[c.id - 1]),)
    ]


def hidden_maps_warning(parts: Iterable[AddedAreas]) -> str | None:
    """Say that maps hardly count, as maps before them show the same land: mostly they are of another date.

    Args:
        parts: What each map adds to those before it.

    Returns:
        A sentence; None if there is no such map.
    """
    count = sum(part.hidden > MOSTLY * (part.hidden + part.pixels.sum()) for part in parts)
    if not count:
        return None
    maps, are, them = ("map", "is", "it") if count == 1 else ("maps", "are", "them")
    return (
        f"{count} {maps} {are} covered by maps before {them} in more than {100 * MOSTLY:.0f} % of the pixels: areas, "
        "polygons, zones and the index show the first map of each place; for several dates, make one batch and one folder "
        "for each date"
    )
