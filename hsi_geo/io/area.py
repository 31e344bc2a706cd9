"""The area of interest: polygons outside of which nothing is mapped."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import numpy as np
import numpy.typing as npt
import rasterio.features
import shapely
from pyogrio.errors import DataSourceError

from hsi_geo.errors import OptionError
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
    if not name.startswith("/vsi") and "://" not in name and not Path(name).exists():
        raise OptionError(f"area '{name}' does not exist", hint="check the path given to --aoi")
    try:
        frame = gpd.read_file(name)
    except DataSourceError as error:
        raise OptionError(
            f"area '{name}' is not a vector file that GDAL can open",
            hint="give polygons as GeoPackage, Shapefile or GeoJSON to --aoi",
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame) or not frame.geom_type.str.contains("Polygon").any():
        raise OptionError(f"area '{name}' holds no polygon", hint="give polygons to --aoi")
    if (frame.crs is None) != (grid.crs is None):
        without = "scene" if grid.crs is None else "area"
        raise OptionError(
            f"area '{name}' and scene: the {without} has no coordinate reference system",
            hint="assign one to it",
        )
    if frame.crs is not None and not frame.crs.equals(grid.crs):
        frame = frame.to_crs(grid.crs)
    polygons = frame.geometry[frame.geom_type.str.contains("Polygon")]
    area = shapely.make_valid(shapely.force_2d(shapely.union_all(polygons.to_numpy())))
    if not area.intersects(shapely.box(*grid.bounds)):
        raise OptionError(
            f"area '{name}' lies outside the scene",
            hint="check the CRS of both, or leave out --aoi",
        )
    return area


def area_mask(area: shapely.Geometry, grid: Grid, window: Window) -> npt.NDArray[np.bool_]:
    """(height, width) True for the pixels of a window whose centre lies in the area."""
    return np.asarray(
        rasterio.features.geometry_mask(
            [area], out_shape=window.shape, transform=grid.transform_of(window), invert=True
        )
    )
