"""The surroundings of scenes: which part of a raster lies there, and whether points do."""

from __future__ import annotations

from collections.abc import Sequence

import geopandas as gpd
import shapely
from pyproj import CRS
from pyproj.exceptions import ProjError

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.crs_bounds import bounds_between, full_circle
from hsi_geo.io.labels.reprojection import is_known, reproject
from hsi_geo.tiling import Bounds, Grid, Window

#: Pixels of a raster that are read around a scene: its edges are bent in another CRS.
MARGIN_PX = 16


def part_around(raster: Grid, scenes: Sequence[Grid]) -> Window:
    """Find the part of a raster around scenes.

    Args:
        raster: Pixels of the raster.
        scenes: Pixels of each scene; none means that they are not known.

    Returns:
        The smallest window around all scenes that meet the raster, with a margin; empty if none does. It is the whole
        raster where the place of a scene in it is not known.

    Examples:
        >>> from affine import Affine
        >>> raster = Grid(500, 400, Affine(10.0, 0.0, 0.0, 0.0, -10.0, 5000.0), None)
        >>> part_around(raster, [Grid(5, 6, Affine(30.0, 0.0, 1000.0, 0.0, -30.0, 3000.0), None)])
        Window(row=184, col=84, height=47, width=50)
    """
    if not scenes:
        return raster.window
    parts = []
    for scene in scenes:
        found = bounds_in(scene, raster)
        if found is None:
            return raster.window
        for bounds in found:
            part = raster.window_of(bounds).grow(MARGIN_PX).clip(*raster.shape)
            if part.height and part.width:
                parts.append(part)
    if not parts:
        return Window(0, 0, 0, 0)
    row, col = min(one.row for one in parts), min(one.col for one in parts)
    height = max(one.row + one.height for one in parts) - row
    return Window(row, col, height, max(one.col + one.width for one in parts) - col)


def bounds_in(scene: Grid, raster: Grid) -> list[Bounds] | None:
    """Bounds of a scene in the CRS of a raster.

    Args:
        scene: Pixels of the scene.
        raster: Pixels of the raster.

    Returns:
        The bounds, in degrees also one and two full circles further to both sides, in the middle those that are not
        shifted; None if they are not known.
    """
    if scene.frame is not None:
        scene = scene.frame.upright
    if not (is_known(scene.crs) and is_known(raster.crs)):
        return None if is_known(scene.crs) or is_known(raster.crs) else [scene.bounds]
    try:
        found = bounds_between(scene.bounds, scene.crs, raster.crs)
    except ProjError:
        return None
    if found is None:
        return None
    left, bottom, right, top = found
    if not raster.crs.is_geographic:
        return None if right < left else [(left, bottom, right, top)]
    circle = full_circle(raster.crs)
    right += circle if right < left else 0.0  # across the antimeridian
    shifts = [times * circle for times in (-2, -1, 0, 1, 2)]
    return [(left + shift, bottom, right + shift, top) for shift in shifts]


def pixels_in_one(raster: Grid, scenes: Sequence[Grid]) -> float:
    """How many pixels of a raster lie in one pixel of a scene, of several scenes the most.

    Args:
        raster: Pixels of the raster.
        scenes: Pixels of each scene.

    Returns:
        The number, about; 0 if nothing is known of the scenes.

    Examples:
        >>> from affine import Affine
        >>> raster = Grid(500, 400, Affine(10.0, 0.0, 0.0, 0.0, -10.0, 5000.0), None)
        >>> pixels_in_one(raster, [Grid(5, 6, Affine(30.0, 0.0, 1000.0, 0.0, -30.0, 3000.0), None)])
        9.0
    """
    found = [0.0]
    for scene in scenes:
        around = bounds_in(scene, raster)
        if around:
            left, bottom, right, top = around[len(around) // 2]
            grid = scene if scene.frame is None else scene.frame.upright
            area = (right - left) * (top - bottom) / (grid.height * grid.width)
            found.append(area / abs(raster.transform.determinant))
    return max(found)


def any_inside(points: Float64Array, crs: CRS, scenes: Sequence[Grid]) -> bool | None:
    """Whether one of some points lies in a scene.

    Args:
        points: (N, 2) coordinates.
        crs: Their coordinate reference system.
        scenes: Pixels of each scene.

    Returns:
        The answer; None where no scene has a place on the Earth.
    """
    frame = gpd.GeoDataFrame(geometry=shapely.points(points), crs=crs)
    known = False
    for scene in scenes:
        grid = scene if scene.frame is None else scene.frame.upright
        try:
            placed = reproject(frame, grid, name="points", wrong=ShotsError)
        except ShotsError:
            continue
        known = True
        if shapely.intersects(shapely.box(*grid.bounds), placed.geometry.to_numpy()).any():
            return True
    return False if known else None


def bounds_text(bounds: Sequence[float] | Float64Array) -> str:
    """Bounds as part of a sentence.

    Args:
        bounds: (left, bottom, right, top).

    Example:
        >>> bounds_text((0.0, 1.5, 20.0, 30.0))
        'x 0 to 20, y 1.5 to 30'
    """
    left, bottom, right, top = bounds
    return f"x {left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}"
