"""Coordinate reference systems that a format of features gives back as others, in which coordinates lie elsewhere."""

from __future__ import annotations

import tempfile
from functools import lru_cache
from pathlib import Path

import geopandas as gpd
import numpy as np
import pyogrio
import shapely
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from hsi_geo.errors import OutputError

#: Drivers of the formats that GDAL writes. GeoParquet holds any CRS.
_DRIVERS = {".fgb": "FlatGeobuf", ".gpkg": "GPKG"}

#: Metres by which places may differ: names and parameters may be others without that.
_TOLERANCE_M = 0.5

#: Metres of a radian on the Earth.
_RADIUS_M = 6_371_000.0


def require_same_places(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Refuse to write features to a format that gives back another CRS than theirs, in which they lie elsewhere.

    GDAL takes UTM zones in kilometres or feet, or with another prime meridian, for those in metres from Greenwich, and
    writes the code of these.

    Args:
        frame: Features; none may have a CRS.
        path: File to write. Its suffix says the format.

    Raises:
        OutputError: If the features would lie elsewhere.
    """
    suffix = path.suffix.lower()
    if suffix not in _DRIVERS or frame.crs is None:
        return
    held = _held(frame.crs, suffix)
    if held is not None and not _is_moved(frame, held):
        return
    other = "no coordinate reference system" if held is None else f"those of {held.name}"
    what = "have" if held is None else "hold its coordinates as"
    raise OutputError(
        f"layer '{path.name}' cannot be written: a {_DRIVERS[suffix]} would {what} {other}, and the map is in {frame.crs.name}",
        hint="bring the map to another one, for example with gdalwarp, or write GeoParquet",
    )


@lru_cache(maxsize=32)
def _held(crs: CRS, suffix: str) -> CRS | None:
    """The CRS that a file of a format gives back; None if it has none."""
    point = gpd.GeoDataFrame(geometry=[shapely.Point(0.0, 0.0)], crs=crs)
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        path = Path(folder) / f"point{suffix}"
        pyogrio.write_dataframe(point, path, driver=_DRIVERS[suffix], layer="point")
        stated = pyogrio.read_info(path)["crs"]
    return None if stated is None else CRS.from_user_input(stated)


def _is_moved(frame: gpd.GeoDataFrame, held: CRS) -> bool:
    """Whether the corners of the extent of some features lie elsewhere in a CRS than in their own."""
    own = frame.crs
    if held.equals(own, ignore_axis_order=True):
        return False
    if _units(held) != _units(own):
        return True
    left, bottom, right, top = (0.0, 0.0, 0.0, 0.0) if frame.empty else frame.total_bounds
    x, y = np.array([left, left, right, right]), np.array([bottom, top, bottom, top])
    try:
        found = np.array(Transformer.from_crs(held, own, always_xy=True).transform(x, y))
    except ProjError:  # not known where on the Earth, if on it
        return False
    known = np.isfinite(found).all(axis=0)
    metres = _units(own)[0] * (_RADIUS_M if own.is_geographic else 1.0) if _units(own) else 1.0
    return bool((metres * np.hypot(found[0] - x, found[1] - y)[known] > _TOLERANCE_M).any())


def _units(crs: CRS) -> list[float]:
    """Metres or radians of the units of the axes of a plane."""
    return [round(axis.unit_conversion_factor, 9) for axis in crs.axis_info[:2]]
