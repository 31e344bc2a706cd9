"""Repair of polygons that cross or cover themselves, polygons in collections, and those without an area."""

from __future__ import annotations

import numpy as np
import shapely

from hsi_geo.arrays import AnyArray, BoolArray


def repair(shapes: AnyArray, *, keep_collapsed: bool = False) -> AnyArray:
    """Make geometries valid, so that what their parts cover is covered once.

    Where parts of a multipolygon overlap, the area belongs to it. GEOS's usual method counts how often a place is
    covered, and leaves out what is covered twice. Both lobes of a bow-tie stay, and holes along a shell are holes.

    Args:
        shapes: (N,) geometries with finite coordinates.
        keep_collapsed: Whether polygons without an area become lines or points. Otherwise they become empty.

    Returns:
        (N,) the geometries. Those that are valid are the same objects.

    Examples:
        >>> overlapping = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(1, 1, 3, 3)])
        >>> repair(np.array([overlapping]))[0].area
        7.0
    """
    found = np.asarray(shapes).copy()
    broken = ~shapely.is_valid(found) & ~shapely.is_missing(found)
    found[broken] = shapely.make_valid(
        found[broken], method="structure", keep_collapsed=keep_collapsed
    )
    return found


def polygons_of(shapes: AnyArray) -> AnyArray:
    """Take the polygons out of collections, which may hold lines, points and collections, too.

    Args:
        shapes: (N,) geometries; None is fine.

    Returns:
        (N,) the geometries; those of collections are multipolygons, and empty if there is no polygon in them.

    Example:
        >>> mixed = shapely.from_wkt("GEOMETRYCOLLECTION (POINT (0 0), POLYGON ((0 0, 1 1, 1 0, 0 0)))")
        >>> polygons_of(np.array([mixed, None]))[0].wkt
        'MULTIPOLYGON (((0 0, 1 1, 1 0, 0 0)))'
    """
    found = np.asarray(shapes).copy()
    kinds = shapely.GeometryType
    for index in np.flatnonzero(shapely.get_type_id(found) == kinds.GEOMETRYCOLLECTION):
        parts = shapely.force_2d(found[index : index + 1])
        while (shapely.get_type_id(parts) > kinds.POLYGON).any():
            parts = shapely.get_parts(parts)
        polygons = parts[shapely.get_type_id(parts) == kinds.POLYGON]
        found[index] = shapely.multipolygons(polygons) if len(polygons) else shapely.MultiPolygon()
    return found


def are_collapsed(shapes: AnyArray) -> BoolArray:
    """Which geometries are polygons without an area.

    Open rings are closed where geometries are read (``on_invalid="fix"``). One of two corners is broken all the same,
    and must not become a line that labels pixels.

    Args:
        shapes: (N,) geometries; None is fine.

    Returns:
        (N,) True for such polygons. Empty ones are none.

    Example:
        >>> are_collapsed(shapely.from_wkt(["POLYGON ((0 0, 1 1, 0 0))", "POINT (0 0)"])).tolist()
        [True, False]
    """
    has_area = (shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes)
    return np.asarray(has_area & (shapely.area(shapes) == 0))
