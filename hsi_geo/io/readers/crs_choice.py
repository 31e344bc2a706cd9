"""The coordinate reference system (CRS) that an image of a sensor is put into."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from pyproj import CRS, Transformer
from pyproj.crs import ProjectedCRS
from pyproj.crs.coordinate_operation import LambertAzimuthalEqualAreaConversion
from pyproj.exceptions import CRSError

from hsi_geo.arrays import AnyArray, Float64Array
from hsi_geo.errors import OptionError, SceneError

#: Words of the option ``grid``: a UTM zone, the product's own grid, and no grid at all.
UTM, NATIVE, SWATH = "UTM", "native", "swath"

#: Images that reach farther from their centre are too wide for a UTM zone: lengths are wrong by 0.4 % there.
UTM_REACH_DEG = 5.0

#: UTM ends at these latitudes, and the polar stereographic grids (UPS) begin.
UPS_NORTH, UPS_SOUTH = 84.0, -80.0

#: Nearer to a pole than this, longitudes and latitudes are no grid of a map.
POLE_DEG = 1.0

_WGS84 = CRS.from_epsg(4326)


def parse_grid_option(option: str | None) -> str | None:
    """Check the option ``grid``.

    Args:
        option: "UTM", "native", "swath" or "EPSG:n", in capital or small letters; None for the default.

    Returns:
        The option in its usual spelling.

    Raises:
        OptionError: If it is none of these, or the code is not that of a map.

    Example:
        >>> parse_grid_option("utm"), parse_grid_option("epsg:3035")
        ('UTM', 'EPSG:3035')
    """
    if option is None:
        return None
    words = {word.lower(): word for word in (UTM, NATIVE, SWATH)}
    if option.strip().lower() in words:
        return words[option.strip().lower()]
    match = re.fullmatch(r"epsg:(\d{1,9})", option.strip(), re.IGNORECASE)
    if match is None:
        raise OptionError(
            f"--grid is '{option}'", hint="give UTM, native, or a code such as EPSG:32633"
        )
    try:
        crs = CRS.from_epsg(int(match[1]))
    except CRSError as error:
        raise OptionError(
            f"--grid is '{option}', and PROJ knows no such code", hint="give for example EPSG:32633"
        ) from error
    if not (crs.is_projected or crs.is_geographic) or len(crs.axis_info) != 2:
        raise OptionError(
            f"--grid is '{option}' ({crs.name}), which is no CRS of a map",
            hint="give the code of a projected or a geographic CRS",
        )
    return f"EPSG:{int(match[1])}"


@dataclass(frozen=True, slots=True)
class Region:
    """Where an image lies, from its longitudes and latitudes.

    Attributes:
        lon: Longitude of its centre in degrees, -180 to 180.
        lat: Latitude of its centre in degrees.
        reach: Largest distance from the centre in degrees of a great circle.
        holds_pole: Whether it comes so near to a pole that all longitudes meet there.
    """

    lon: float
    lat: float
    reach: float
    holds_pole: bool

    @classmethod
    def of(cls, lon: AnyArray, lat: AnyArray) -> Region:
        """The region of an image.

        Args:
            lon: (N,) longitudes in degrees, counted in any way; one or more.
            lat: (N,) latitudes in degrees.

        Example:
            >>> region = Region.of(np.array([179.0, -179.0]), np.array([10.0, 10.0]))
            >>> abs(round(region.lon)), round(region.lat), region.holds_pole
            (180, 10, False)
        """
        along, up = np.radians(lon, dtype=np.float64), np.radians(lat, dtype=np.float64)
        points = np.stack([np.cos(up) * np.cos(along), np.cos(up) * np.sin(along), np.sin(up)])
        centre = points.mean(axis=1)
        centre /= max(float(np.linalg.norm(centre)), 1e-12)
        reach = np.degrees(np.arccos(np.clip((centre @ points).min(), -1.0, 1.0)))
        return cls(
            lon=float(np.degrees(np.arctan2(centre[1], centre[0]))),
            lat=float(np.degrees(np.arcsin(np.clip(centre[2], -1.0, 1.0)))),
            reach=float(reach),
            holds_pole=bool(np.abs(lat).max() > 90.0 - POLE_DEG),
        )

    @property
    def is_polar(self) -> bool:
        """Whether the centre lies beyond the UTM zones."""
        return not UPS_SOUTH <= self.lat <= UPS_NORTH


def choose_crs(region: Region, wanted: str | None, name: str) -> CRS:
    """The CRS of an image that has longitudes and latitudes.

    Args:
        region: Where the image lies.
        wanted: The option ``grid``; None takes the UTM zone of the centre (UPS at the poles), or an
            equal-area projection around the centre for an image that is wider than a zone.
        name: Name of the scene, for messages.

    Raises:
        OptionError: If the image is too wide for UTM, or holds a pole and was to be in degrees.

    Example:
        >>> choose_crs(Region(9.5, 45.0, 0.2, False), None, "scene").name
        'WGS 84 / UTM zone 32N'
        >>> choose_crs(Region(9.5, 45.0, 12.0, False), None, "scene").name
        'WGS 84 / equal area around 10 E 45 N'
    """
    if wanted in (None, UTM):
        if region.reach <= UTM_REACH_DEG:
            return CRS.from_epsg(_utm_code(region))
        if wanted is None:
            return _equal_area(region)
        raise OptionError(
            f"scene '{name}' is too wide for a UTM zone: it reaches {region.reach:.0f} degrees from its "
            "centre",
            hint="leave --grid out, or give a code such as EPSG:3035",
        )
    crs = _WGS84 if wanted == NATIVE else CRS.from_user_input(wanted)
    if crs.is_geographic and region.holds_pole:
        raise OptionError(
            f"scene '{name}' lies at a pole, where degrees are no grid",
            hint="leave --grid out: then it is put onto a polar grid",
        )
    return crs


def _utm_code(region: Region) -> int:
    if region.is_polar:
        return 5041 if region.lat > 0 else 5042
    zone = min(int((region.lon + 180.0) // 6.0) + 1, 60)
    return (32600 if region.lat >= 0 else 32700) + zone


def _equal_area(region: Region) -> CRS:
    """Lambert's azimuthal equal-area projection around a whole degree: areas of classes are right in it."""
    lon, lat = round(region.lon), round(region.lat)
    named = f"{abs(lon)} {'E' if lon >= 0 else 'W'} {abs(lat)} {'N' if lat >= 0 else 'S'}"
    return ProjectedCRS(
        LambertAzimuthalEqualAreaConversion(
            latitude_natural_origin=lat, longitude_natural_origin=lon
        ),
        name=f"WGS 84 / equal area around {named}",
        geodetic_crs=_WGS84,
    )


def project(
    x: Float64Array, y: Float64Array, own: CRS, target: CRS, around: float | None = None
) -> tuple[Float64Array, Float64Array]:
    """Coordinates in another CRS.

    Args:
        x: Eastings or longitudes; NaN where unknown.
        y: Northings or latitudes.
        own: CRS of these.
        target: CRS of the result.
        around: Longitude in degrees from which those of the result differ by at most 180, so that an image across
            the antimeridian is one piece; None leaves them as they are.

    Returns:
        The coordinates, NaN where the target has none.
    """
    if not own.equals(target):
        transformer = Transformer.from_crs(own, target, always_xy=True)
        x, y = transformer.transform(x, y)
    x, y = np.array(x, np.float64), np.array(y, np.float64)
    unknown = ~(np.isfinite(x) & np.isfinite(y))
    x[unknown] = y[unknown] = np.nan
    if target.is_geographic and around is not None:
        x = near_longitude(x, around / 360.0 * _circle(target), target)
    return x, y


def near_longitude(x: Float64Array, middle: float, crs: CRS) -> Float64Array:
    """Longitudes counted so that they differ by at most half a circle from one of them.

    Args:
        x: Longitudes in the unit of the CRS; NaN stays.
        middle: The longitude that they are counted from, in the same unit. If it is not finite, nothing changes.
        crs: Their geographic CRS.

    Example:
        >>> near_longitude(np.array([-179.5, 179.0, 10.0]), 190.0, CRS.from_epsg(4326)).tolist()
        [180.5, 179.0, 10.0]
    """
    circle = _circle(crs)
    return x - circle * np.round((x - middle) / circle) if np.isfinite(middle) else x


def _circle(crs: CRS) -> float:
    """360 degrees in the unit of a geographic CRS."""
    return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)


def require_known_crs(crs: CRS | None, name: str) -> CRS:
    """The CRS of a scene that is to be put onto another grid.

    Raises:
        SceneError: If it has none.
    """
    if crs is None:
        raise SceneError(
            f"scene '{name}' has no coordinate reference system, and a grid was asked for",
            hint="leave --grid out, or assign one with gdal_edit.py -a_srs",
        )
    return crs
