"""Longitudes of features that cross the antimeridian, where PROJ's jump from 180 to -180 degrees."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely
from pyproj import CRS, Transformer

from hsi_geo.arrays import AnyArray, BoolArray, Float64Array
from hsi_geo.io.labels.crs_bounds import full_circle
from hsi_geo.tiling import Grid

#: Gives the coordinates in one CRS, (n, 2), of coordinates in another, (n, 2).
Place = Callable[[Float64Array], Float64Array]

#: Parts of an edge that tell whether it jumps, or leads around most of the Earth.
_PARTS = 8


def placing(own: CRS, target: CRS, middle: float = 0.0) -> Place:
    """Function that transforms coordinates. Those without a place become infinite, so that rings end where they begin.

    Args:
        own: CRS of the coordinates. If it is geographic, longitudes stay within half a circle of what they are.
        target: CRS of what it returns.
        middle: Longitude in a geographic target within half a circle of which those of a projected CRS are.

    Examples:
        >>> place = placing(CRS.from_epsg(32601), CRS.from_epsg(4326), middle=180.0)
        >>> place(np.array([[1.7e5, 1.1e6]])).round(1).tolist()
        [[180.0, 9.9]]
    """
    transformer = Transformer.from_crs(own, target, always_xy=True)

    def place(xy: Float64Array) -> Float64Array:
        x, y = transformer.transform(xy[:, 0], xy[:, 1])
        if target.is_geographic:
            circle = full_circle(target)
            near = xy[:, 0] / full_circle(own) * circle if own.is_geographic else middle
            with np.errstate(invalid="ignore"):  # places that are not on the map
                x = x - circle * np.round((x - near) / circle)
        found = np.stack([x, y], axis=1)
        return np.where(np.isfinite(found), found, np.inf)

    return place


def middles(shapes: AnyArray, grid: Grid, own: CRS, target: CRS) -> tuple[Float64Array, BoolArray]:
    """The longitude that `placing` needs for each geometry so that no edge leads back around the Earth, over the scene.

    It is 0 as of PROJ, that of the scene, or the one opposite to it.

    Args:
        shapes: (N,) geometries.
        grid: Pixels of the scene.
        own: CRS of the geometries.
        target: CRS of the scene.

    Returns:
        longitudes: (N,) the longitudes; that of the scene where none will do.
        torn: (N,) True where none will do: the geometry crosses all meridians, or holds a pole. There are no such in a
            geographic CRS.
    """
    longitudes, torn = np.zeros(len(shapes)), np.ones(len(shapes), bool)
    if own.is_geographic or not target.is_geographic or not len(shapes):
        return longitudes, ~torn
    middle = (grid.bounds[0] + grid.bounds[2]) / 2
    for one in (0.0, middle, middle + full_circle(target) / 2):
        longitudes[torn] = one
        torn[torn] = _are_torn(shapes[torn], placing(own, target, one), target)
    longitudes[torn] = middle
    return longitudes, torn


def _are_torn(shapes: AnyArray, place: Place, target: CRS) -> BoolArray:
    """(N,) True for lines and polygons with an edge on which longitudes jump by more than half a circle."""
    torn, half = np.zeros(len(shapes), bool), full_circle(target) / 2
    xy, owners = shapely.get_coordinates(shapes, return_index=True)
    with np.errstate(invalid="ignore"):  # places that are not on the map
        jumps = np.abs(np.diff(place(xy)[:, 0])) > half
    jumps &= (owners[1:] == owners[:-1]) & (shapely.get_dimensions(shapes) > 0)[owners[1:]]
    first = np.flatnonzero(jumps & np.isfinite(xy).all(axis=1)[:-1])
    at = np.linspace(0.0, 1.0, _PARTS + 1)[:, None]
    along = xy[first][:, None] + at * (xy[first + 1] - xy[first])[:, None]
    longitudes = place(along.reshape(-1, 2))[:, 0].reshape(-1, _PARTS + 1)
    with np.errstate(invalid="ignore"):
        jumps = (np.abs(np.diff(longitudes, axis=1)) > half).any(axis=1)
    torn[owners[first[jumps]]] = True
    return torn
