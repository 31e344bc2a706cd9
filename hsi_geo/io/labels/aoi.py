"""The area of interest: polygons outside of which nothing is mapped."""

from __future__ import annotations

import os

import numpy as np
import rasterio.features
import shapely

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.reprojection import have_valid_coordinates, reproject
from hsi_geo.io.labels.vectors import read_vector
from hsi_geo.io.readers.base import plain
from hsi_geo.tiling import Grid, Window


def read_area(path: str | os.PathLike[str], grid: Grid) -> shapely.Geometry:
    """Read polygons of any CRS and place them on a scene.

    Args:
        path: Vector file.
        grid: Of the scene.

    Returns:
        One geometry in the scene's CRS.

    Raises:
        OptionError: If the file is missing, holds no polygon, or lies outside the scene.
    """
    name = os.fspath(path)
    frame = read_vector(
        name,
        what="area",
        layer=None,
        missing=OptionError,
        wrong=OptionError,
        chooses_layer=False,  # --layer is that of the shots
    )
    if not frame.geom_type.str.contains("Polygon", na=False).any():
        raise OptionError(f"area '{name}' holds no polygon", hint="give polygons to --aoi")
    frame = reproject(frame, grid, name=f"area '{name}'", wrong=OptionError)
    polygons = frame.geometry[frame.geom_type.str.contains("Polygon", na=False)].to_numpy()
    try:
        valid = shapely.make_valid(shapely.force_2d(polygons[have_valid_coordinates(polygons)]))
        area = shapely.union_all(valid)
        inside = area.intersects(shapely.box(*grid.bounds))
    except shapely.errors.GEOSException as error:
        raise OptionError(
            f"area '{name}' has polygons that cannot be joined ({plain(error)})",
            hint="mend them, in QGIS with Fix geometries",
        ) from error
    if not inside:
        raise OptionError(
            f"area '{name}' lies outside the scene",
            hint="check the CRS of both, or leave out --aoi",
        )
    return area


def area_mask(area: shapely.Geometry, grid: Grid, window: Window) -> BoolArray:
    """(height, width) True for the pixels of a window whose centre lies in the area."""
    return np.asarray(
        rasterio.features.geometry_mask(
            [area], out_shape=window.shape, transform=grid.transform_of(window), invert=True
        )
    )
