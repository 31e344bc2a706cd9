"""Where a raster without a grid lies: ground control points, rational polynomials (RPC), geolocation arrays."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import rasterio
from pyproj import CRS
from rasterio.errors import RasterioError

from hsi_geo.arrays import Float64Array
from hsi_geo.errors import SceneError
from hsi_geo.io.files.paths import stamp
from hsi_geo.io.files.references import is_link, require_local
from hsi_geo.io.readers.base import Geolocation, PickedPixels, StackedPixels, plain
from hsi_geo.io.readers.crs import parse_crs
from hsi_geo.io.readers.crs_choice import near_longitude
from hsi_geo.io.readers.gdal import open_raster
from hsi_geo.io.readers.image_models import ControlPoints, ModelledImage, RationalPolynomials
from hsi_geo.io.readers.raster_pixels import RasterPixels
from hsi_geo.io.readers.swath import SwathCoordinates

#: Fewer points give no polynomial.
FEWEST_POINTS = 3


def find_geolocation(source: rasterio.DatasetReader, name: str) -> Geolocation | None:
    """Where the pixels of an open raster lie, if it has no grid.

    Args:
        source: The raster.
        name: Name of the scene, for messages.

    Returns:
        None if the raster has a grid, or nothing says where it lies.

    Raises:
        SceneError: If it has too few control points, or geolocation arrays that cannot be used.
    """
    if not source.transform.is_identity:
        return None
    points, crs = source.gcps
    if points:
        if len(points) < FEWEST_POINTS:
            raise SceneError(
                f"scene '{name}' has {len(points)} ground control points and no grid",
                hint=f"give it {FEWEST_POINTS} or more, or a grid",
            )
        known = parse_crs(crs.to_wkt(), name) if crs else None
        places = np.array([(p.row, p.col, p.x, p.y) for p in points], np.float64)
        if known is not None and known.is_geographic:  # 179 and -179 are near each other
            places[:, 2] = _joined(places[:, 2], known)
        model = ControlPoints(tuple((row, col, x, y) for row, col, x, y in places.tolist()), known)
        return ModelledImage(model, f"it has {len(points)} ground control points and no grid")
    if source.rpcs is not None:
        polynomials = RationalPolynomials(source.rpcs)
        return ModelledImage(
            polynomials,
            "it has rational polynomials (RPC) and no grid",
            f"its pixels are placed at one height, {polynomials.height_m:g} m: relief moves them",
        )
    if "GEOLOCATION" in source.tag_namespaces():
        return _from_arrays(source, name)
    return None


def _joined(x: Float64Array, crs: CRS) -> Float64Array:
    """Longitudes of one image, counted on over 180 degrees if they lie on less than half of the circle then.

    Those of a wider image stay as they are: the largest gap may be one between its own points.
    """
    circle = float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)
    around = np.sort(x % circle)
    gaps = np.diff(around, append=around[0] + circle)
    widest = int(np.argmax(gaps))
    extent = circle - gaps[widest]
    if np.ptp(x) >= circle or extent > 0.499999 * circle:
        return x
    joined = near_longitude(x, around[widest] - extent / 2, crs)
    return joined + circle * round(float(x[0] - joined[0]) / circle)  # the first point stays


def _from_arrays(source: rasterio.DatasetReader, name: str) -> SwathCoordinates:
    """Longitudes and latitudes in other rasters, one for each pixel.

    Source of the keys: GDAL's RFC 4.
    """
    tags = source.tags(ns="GEOLOCATION")
    whole = {"PIXEL_OFFSET": 0.0, "LINE_OFFSET": 0.0, "PIXEL_STEP": 1.0, "LINE_STEP": 1.0}
    try:
        usable = all(float(tags.get(key, value)) == value for key, value in whole.items())
        parts = [
            _array(source, tags[f"{axis}_DATASET"], int(tags.get(f"{axis}_BAND", "1")), name)
            for axis in "XY"
        ]
        if tags.get("SRS"):
            usable &= parse_crs(tags["SRS"], name).is_geographic
    except (KeyError, ValueError, RasterioError) as error:
        raise SceneError(
            f"scene '{name}' has geolocation arrays that cannot be read ({plain(error)})",
            hint="keep all files of the product together",
        ) from error
    if not usable:
        raise SceneError(
            f"scene '{name}' has geolocation arrays that are not one longitude and latitude for each pixel",
            hint=f"put it onto a grid with: gdalwarp -geoloc -r near {shlex.quote(name)} grid.tif",
        )
    # GDAL's default is the upper left corner of each pixel.
    is_centre = tags.get("GEOREFERENCING_CONVENTION", "").upper() == "PIXEL_CENTER"
    return SwathCoordinates(
        coordinates=StackedPixels(tuple(parts), (1, 1)), at_corners=not is_centre
    )


def _array(source: rasterio.DatasetReader, path: str, band: int, name: str) -> PickedPixels:
    if not Path(path).exists() and (beside := Path(source.name).parent / path).exists():
        path = str(beside)
    if is_link(path):
        raise SceneError(
            f"scene '{name}' takes its geolocation arrays from another machine, '{path}'",
            hint="download them, and name the local files instead",
        )
    require_local(path, "geolocation array", SceneError)
    with open_raster(path) as array:
        if array.shape != source.shape or not 1 <= band <= array.count:
            raise ValueError(f"'{path}' has {array.width} x {array.height} pixels")
    return PickedPixels(RasterPixels(path, path, stamp(path)), np.array([band - 1]))
