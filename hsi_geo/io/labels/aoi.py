"""The area of interest: polygons outside of which nothing is mapped."""

from __future__ import annotations

import os
from pathlib import Path

import geopandas as gpd
import shapely

from hsi_geo.errors import OptionError
from hsi_geo.io.labels.containers import find_raster
from hsi_geo.io.labels.geometry_repair import polygons_of, repair
from hsi_geo.io.labels.reprojection import have_valid_coordinates, reproject
from hsi_geo.io.labels.vectors import is_unopened, read_vector
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.packages import is_archive
from hsi_geo.tiling import Grid


def read_area(path: str | os.PathLike[str], grid: Grid) -> shapely.Geometry:
    """Read the polygons of an area of interest, reprojected to the CRS of a scene.

    Args:
        path: Vector file in any CRS, as `read_vector` opens it. Points and lines in it, also in collections, are ignored.
        grid: Pixels of the scene.

    Returns:
        All polygons as one geometry in the scene's CRS.

    Raises:
        OptionError: If the file is missing, has no polygon or broken ones, or is outside the scene.
    """
    area = read_polygons(path, grid, what="area", option="--aoi")
    if not area.intersects(shapely.box(*grid.bounds)):
        raise OptionError(
            f"area '{os.fspath(path)}' lies outside the scene",
            hint="check the CRS of both, or leave out --aoi",
        )
    return area


def read_polygons(
    path: str | os.PathLike[str], grid: Grid, *, what: str, option: str
) -> shapely.Geometry:
    """Read the polygons of an area of interest or of a mask, reprojected to the CRS of a scene.

    Args:
        path: Vector file in any CRS, as `read_vector` opens it. Points and lines in it, also in collections, are ignored.
        grid: Pixels of the scene.
        what: What the polygons are, for messages ("area").
        option: The option that they are given to, for messages.

    Returns:
        All polygons as one geometry in the scene's CRS.

    Raises:
        OptionError: If the file is missing, or has no polygon or broken ones.
    """
    name = os.fspath(path)
    frame = read_vector(
        name,
        what=what,
        layer=None,
        missing=OptionError,
        wrong=OptionError,
        chooses_layer=False,  # --layer is that of the shots
    )
    shapes = polygons_of(frame.geometry.to_numpy())
    shapes = shapes[(shapely.get_dimensions(shapes) == 2) & ~shapely.is_empty(shapes)]
    if not len(shapes):
        raise OptionError(f"{what} '{name}' holds no polygon", hint=f"give polygons to {option}")
    drawn = gpd.GeoDataFrame(geometry=shapes, crs=frame.crs)
    drawn = reproject(drawn, grid, name=f"{what} '{name}'", wrong=OptionError)
    polygons = drawn.geometry.to_numpy()
    try:
        area = shapely.union_all(repair(polygons[have_valid_coordinates(polygons)]))
        area.intersects(shapely.box(*grid.bounds))
    except shapely.errors.GEOSException as error:
        raise OptionError(
            f"{what} '{name}' has polygons that cannot be joined ({plain(error)})",
            hint="mend them, in QGIS with Fix geometries",
        ) from error
    return area


def find_raster_or_polygons(
    path: str, grid: Grid, *, what: str, option: str
) -> tuple[str | None, shapely.Geometry]:
    """Find the raster of a mask, or read its polygons. Those of an archive come before a raster in it, as of shots.

    Args:
        path: A raster, a vector file, or an archive of either.
        grid: Pixels of the scene.
        what: What it is, for messages ("mask").
        option: The option that it is given to, for messages.

    Returns:
        raster: The name by which GDAL opens the raster; None for polygons.
        area: The polygons in the CRS of the scene, as `read_polygons` returns them; None for a raster.

    Raises:
        OptionError: If it is neither, or its polygons cannot be used.
    """
    if not is_archive(Path(path)):
        raster = find_raster(path, what, OptionError)
        return raster, None if raster else read_polygons(path, grid, what=what, option=option)
    try:
        return None, read_polygons(path, grid, what=what, option=option)
    except OptionError as error:
        raster = find_raster(path, what, OptionError) if is_unopened(error) else None
        if raster is None:
            raise
        return raster, None
