"""Bounds of a scene in another coordinate reference system."""

from __future__ import annotations

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from hsi_geo.arrays import Float64Array
from hsi_geo.tiling import Bounds, Grid

#: Share of its width and height by which the surroundings of a scene are larger than the scene.
_MARGIN = 0.1

#: Places in each row and column of a scene, and on each of its edges, that are looked at.
_PLACES = 33


def full_circle(crs: CRS) -> float:
    """360 degrees in the unit of a geographic CRS.

    Args:
        crs: The geographic CRS.
    """
    return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)


def bounds_between(bounds: Bounds, own: CRS, target: CRS) -> Bounds | None:
    """Bounds in another CRS.

    Args:
        bounds: (left, bottom, right, top) in ``own``.
        own: A CRS of the Earth.
        target: Another one. In degrees, right is smaller than left across the antimeridian.

    Returns:
        (left, bottom, right, top); None if a part of the edges has no place in it, so that they are not known.

    Raises:
        ProjError: If the two CRS are on different planets.

    Examples:
        >>> lambert = CRS.from_epsg(2154)  # PROJ gives an error for a pole that its cone does not reach
        >>> found = bounds_between((6.2e5, 6.65e6, 6.3e5, 6.66e6), lambert, CRS.from_epsg(4326))
        >>> [round(value, 2) for value in found or ()]
        [1.95, 46.95, 2.08, 47.04]
    """
    transformer = Transformer.from_crs(own, target, always_xy=True)
    try:
        return transformer.transform_bounds(*bounds, errcheck=True)
    except ProjError:
        if not _has_place(bounds, transformer):
            return None
        return transformer.transform_bounds(*bounds)


def surroundings(grid: Grid, crs: CRS) -> shapely.Polygon | None:
    """A part of the Earth around a scene, in another CRS.

    Args:
        grid: Pixels of the scene, whose CRS is known.
        crs: A CRS of the Earth.

    Returns:
        A box that is a little larger than the scene, in degrees around its middle. Where a map ends, such as at a pole,
        it is no larger than the scene. None if it is not known.

    Raises:
        ProjError: If the two CRS are on different planets.
    """
    assert grid.crs is not None
    found = bounds_between(grid.bounds, grid.crs, crs)
    if found is None:
        return None
    left, bottom, right, top = found
    if not crs.is_geographic:
        across, up = _MARGIN * (right - left), _MARGIN * (top - bottom)
        larger = left - across, bottom - up, right + across, top + up
        if _has_place(larger, Transformer.from_crs(crs, grid.crs, always_xy=True)):
            return shapely.box(*larger)
        return _hull(grid, crs)
    circle = full_circle(crs)
    right += circle if right < left else 0.0  # across the antimeridian
    margin, pole = _MARGIN * (right - left) + _MARGIN * (top - bottom), circle / 4
    middle, half = (left + right) / 2, min((right - left) / 2 + margin, circle / 2)
    return shapely.box(
        middle - half, max(bottom - margin, -pole), middle + half, min(top + margin, pole)
    )


def _has_place(bounds: Bounds, transformer: Transformer) -> bool:
    """Whether all edges of some bounds have a place in another CRS."""
    left, bottom, right, top = bounds
    x, y = np.linspace(left, right, _PLACES), np.linspace(bottom, top, _PLACES)
    edges_x = np.concatenate([x, x, np.full_like(y, left), np.full_like(y, right)])
    edges_y = np.concatenate([np.full_like(x, bottom), np.full_like(x, top), y, y])
    return bool(np.isfinite(transformer.transform(edges_x, edges_y)).all())


def _hull(grid: Grid, crs: CRS) -> shapely.Polygon | None:
    """The convex hull of the places of a scene in another CRS; None if they have no extent."""
    cols, rows = np.meshgrid(
        np.linspace(0.0, grid.width, _PLACES), np.linspace(0.0, grid.height, _PLACES)
    )
    t = grid.transform
    x, y = t.a * cols + t.b * rows + t.c, t.d * cols + t.e * rows + t.f
    found = Transformer.from_crs(grid.crs, crs, always_xy=True).transform(x.ravel(), y.ravel())
    places: Float64Array = np.stack(found, axis=1)
    hull = shapely.convex_hull(shapely.multipoints(places[np.isfinite(places).all(axis=1)]))
    return hull if isinstance(hull, shapely.Polygon) else None
