"""Outlines of rasters in longitude and latitude, as GeoJSON wants them: cut at 180 degrees, closed at a pole."""

from __future__ import annotations

from functools import lru_cache
from itertools import pairwise

import numpy as np
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from hsi_geo.arrays import Float64Array
from hsi_geo.io.maps.control_points import centres_on_earth, crs_on_earth
from hsi_geo.tiling import Bounds, Grid

#: Vertices along each side of an outline, since straight edges are curved in another CRS; more of them are used where
#: longitudes change fast, as near a pole.
_SIDE_VERTICES = (8, 64, 512)

#: Largest difference of longitude of neighbouring vertices, in degrees, that needs no more of them.
_STEP_DEG = 15.0

#: Share of an outline below which a part of it is left out.
_SLIVER = 1e-6

#: Distance from a pole, in degrees, at which a vertex has no longitude of its own.
_AT_POLE_DEG = 1e-6


def footprint_of(grid: Grid) -> shapely.Polygon | shapely.MultiPolygon | None:
    """Outline of a map or a scene in longitude and latitude; None without a CRS of the earth.

    Where it crosses 180 degrees, it is cut there (RFC 7946, section 3.1.9). Around a pole it is a polygon from -180 to 180
    degrees whose side is the pole. In the rows and columns of a sensor it runs through the outer pixels' centres.

    Args:
        grid: Its pixels.
    """
    crs = crs_on_earth(grid)
    if crs is None:
        return None
    try:
        to_degrees = _transformer(crs.to_wkt())
    except ProjError:  # of another planet, or an engineering CRS
        return None
    for vertices in _SIDE_VERTICES:
        ring = _ring(grid, crs, to_degrees, vertices)
        if not np.isfinite(ring).all() or len(ring) < 3:
            return None
        if _longest_step(ring) <= _STEP_DEG:
            break
    return _cut(_closed(ring, is_continuous=_is_plain(crs)))


def bbox_of(footprint: shapely.Geometry) -> Bounds:
    """Bounds of an outline as GeoJSON gives them: west is above east if they cross 180 degrees.

    They have the fewest longitudes that hold all parts (RFC 7946, section 5.2), and all longitudes at a pole (section 5.3).

    Args:
        footprint: In longitude and latitude, cut at 180 degrees.

    Examples:
        >>> bbox_of(shapely.MultiPolygon([shapely.box(177, -20, 180, -16), shapely.box(-180, -20, -178, -16)]))
        (177.0, -20.0, -178.0, -16.0)
    """
    south, north = footprint.bounds[1::2]
    spans = sorted((part.bounds[0], part.bounds[2]) for part in shapely.get_parts(footprint))
    merged = [spans[0]]
    for west, east in spans[1:]:
        last = merged[-1]
        if west <= last[1]:
            merged[-1] = (last[0], max(last[1], east))
        else:
            merged.append((west, east))
    west, east = merged[0][0], merged[-1][1]
    widest = west + 360.0 - east
    for before, after in pairwise(merged):
        if after[0] - before[1] > widest:
            widest, west, east = after[0] - before[1], after[0], before[1]
    return west, south, east, north


def _ring(grid: Grid, crs: CRS, to_degrees: Transformer, vertices: int) -> Float64Array:
    """(N, 2) longitude and latitude of vertices around a grid, open; longitudes are continuous where the CRS is."""
    if grid.frame is None:
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], float)
        cols, rows = _along(corners * (grid.width, grid.height), vertices)
        t = grid.transform
        x, y = t.c + t.a * cols + t.b * rows, t.f + t.d * cols + t.e * rows
    else:
        last = (grid.width - 1, grid.height - 1)
        corners = np.array([(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)], float) * last
        cols, rows = np.rint(_along(corners, vertices)).astype(np.int64)
        x, y = centres_on_earth(grid, rows, cols)
        known = np.isfinite(x) & np.isfinite(y)
        x, y = x[known], y[known]
    if not _is_plain(crs):
        return np.column_stack(to_degrees.transform(x, y))
    degree = float(np.degrees(crs.axis_info[0].unit_conversion_factor))
    lon, lat = to_degrees.transform(x, np.clip(y, -90.0 / degree, 90.0 / degree))
    return np.column_stack([lon + 360.0 * np.round((x * degree - lon) / 360.0), lat])


def _longest_step(ring: Float64Array) -> float:
    """Largest difference of longitude of neighbours, in degrees; a vertex at a pole has no longitude."""
    steps = np.abs((np.diff(ring[:, 0], append=ring[0, 0]) + 180.0) % 360.0 - 180.0)
    at_pole = np.abs(ring[:, 1]) > 90.0 - _AT_POLE_DEG
    return float(np.where(at_pole | np.roll(at_pole, -1), 0.0, steps).max())


def _along(corners: Float64Array, vertices: int) -> Float64Array:
    """(2, N) points along a closed line, without the last one."""
    shares = np.arange(vertices)[:, None] / vertices
    return np.concatenate([a + (b - a) * shares for a, b in pairwise(corners)]).T


def _is_plain(crs: CRS) -> bool:
    """Whether x is longitude and y is latitude."""
    return crs.is_geographic and not crs.is_derived


def _closed(ring: Float64Array, *, is_continuous: bool) -> Float64Array:
    """(M, 2) the same ring, closed, with continuous longitudes; around a pole it ends along it."""
    if is_continuous:
        return np.concatenate([ring, ring[:1]])
    ring = _without_poles(ring)
    ring = np.concatenate([ring, ring[:1]])
    lon = np.unwrap(ring[:, 0], period=360.0)
    ring = np.column_stack([lon, ring[:, 1]])
    if abs(lon[-1] - lon[0]) < 180.0:
        return ring
    pole = np.copysign(90.0, ring[:, 1].mean())
    return np.concatenate([ring, [(lon[-1], pole), (lon[0], pole)], ring[:1]])


def _without_poles(ring: Float64Array) -> Float64Array:
    """The ring with two vertices for each at a pole: at the longitudes of those before and after it."""
    at_pole = np.abs(ring[:, 1]) > 90.0 - _AT_POLE_DEG
    if not at_pole.any() or at_pole.all():
        return ring
    first = int(np.flatnonzero(~at_pole)[0])
    ring, at_pole = np.roll(ring, -first, axis=0), np.roll(at_pole, -first)
    lon = ring[:, 0]
    found: list[tuple[float, float]] = []
    for index, (own, lat) in enumerate(ring.tolist()):
        if at_pole[index]:
            after = next((lon[i] for i in range(index, len(lon)) if not at_pole[i]), lon[0])
            found += [(found[-1][0], lat), (float(after), lat)]
        else:
            found.append((own, lat))
    return np.array(found)


def _cut(ring: Float64Array) -> shapely.Polygon | shapely.MultiPolygon | None:
    """The polygon of a ring with continuous longitudes, cut into pieces from -180 to 180 degrees."""
    whole = shapely.make_valid(shapely.Polygon(np.round(ring, 7)))
    west, _, east, _ = whole.bounds
    low, high = np.floor((west + 180.0) / 360.0), np.ceil((east - 180.0) / 360.0)
    pieces = []
    for turn in np.arange(low, high + 1):
        strip = shapely.box(360.0 * turn - 180.0, -90.0, 360.0 * turn + 180.0, 90.0)
        piece = shapely.intersection(whole, strip)
        xy = shapely.get_coordinates(piece)
        # Rounded, pieces that meet at another longitude have the same vertices there, and become one.
        pieces.append(shapely.set_coordinates(piece, np.round(xy - (360.0 * turn, 0.0), 7)))
    found = shapely.union_all(pieces)
    # Rounded coordinates may reach beyond 180 degrees by a sliver.
    parts = [one for one in shapely.get_parts(found) if one.area > _SLIVER * found.area]
    if not parts:
        return None
    parts = [shapely.orient_polygons(one) for one in parts]
    return parts[0] if len(parts) == 1 else shapely.MultiPolygon(parts)


@lru_cache
def _transformer(wkt: str) -> Transformer:
    return Transformer.from_crs(wkt, "OGC:CRS84", always_xy=True)
