"""Ground control points of maps in the rows and columns of a sensor: GDAL and QGIS place the maps by them."""

from __future__ import annotations

from typing import Any

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.control import GroundControlPoint

from hsi_geo.arrays import Float64Array, IntArray
from hsi_geo.io.readers.image_models import ControlPoints, ModelledImage
from hsi_geo.tiling import Grid, SensorFrame

#: Number of points along each side of a map.
SIDE_POINTS = 15


def control_points(grid: Grid) -> list[GroundControlPoint]:
    """Points spread over a map in the frame of a sensor; none for another grid.

    Args:
        grid: Pixels of the map.

    Returns:
        Centres of pixels, with coordinates in the CRS of the frame's upright grid.
    """
    if grid.frame is None:
        return []
    spread = [np.unique(np.linspace(0, n - 1, SIDE_POINTS).round().astype(int)) for n in grid.shape]
    rows, cols = (part.ravel() for part in np.meshgrid(*spread, indexing="ij"))
    x, y = centres_on_earth(grid, rows, cols)
    return [
        GroundControlPoint(row + 0.5, col + 0.5, float(east), float(north))
        for row, col, east, north in zip(rows, cols, x, y, strict=True)
        if np.isfinite(east) and np.isfinite(north)
    ]


def centres_on_earth(
    grid: Grid, rows: IntArray, cols: IntArray
) -> tuple[Float64Array, Float64Array]:
    """Where the centres of pixels lie.

    Args:
        grid: Pixels of a scene or a map.
        rows: (N,) rows.
        cols: (N,) columns.

    Returns:
        (N,) x and (N,) y, in the CRS of `crs_on_earth`; NaN where the place of a sensor's pixel is not known.
    """
    t = grid.transform
    if grid.frame is not None:
        # A part of a swath begins further right and down in the swath.
        return grid.frame.centres(cols + round(t.c), rows + round(t.f))
    return (
        t.c + t.a * (cols + 0.5) + t.b * (rows + 0.5),
        t.f + t.d * (cols + 0.5) + t.e * (rows + 0.5),
    )


def crs_on_earth(grid: Grid) -> CRS | None:
    """The CRS of a grid, or that of the upright grid over rows and columns of a sensor.

    Args:
        grid: Pixels of a scene or a map.
    """
    return grid.crs if grid.frame is None else grid.frame.upright.crs


def georeference(grid: Grid) -> dict[str, Any]:
    """Arguments of `rasterio.open` that place a new raster: a transform, or ground control points.

    Args:
        grid: Pixels of the raster.
    """
    if (points := control_points(grid)) and grid.frame is not None:
        crs = crs_on_earth(grid)
        return {"gcps": points, "crs": None if crs is None else crs.to_wkt()}
    return {
        "crs": None if grid.crs is None else grid.crs.to_wkt(),
        "transform": grid.transform,
    }


def frame_of_points(file: rasterio.DatasetReader, name: str) -> SensorFrame | None:
    """Where the pixels of a map lie that has ground control points and no grid; None for other maps.

    Args:
        file: The open map.
        name: Name of the map, for messages.

    Raises:
        SceneError: If the points give no place.
    """
    points, crs = file.gcps
    if not points or crs is None or not file.transform.is_identity:
        return None
    listed = tuple((float(p.row), float(p.col), float(p.x), float(p.y)) for p in points)
    model = ControlPoints(listed, CRS.from_wkt(crs.to_wkt()), spline=True)
    what = f"it has {len(points)} ground control points and no grid"
    return ModelledImage(model, what).frame((file.height, file.width), name)
