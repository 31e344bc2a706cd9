"""Grid mappings of a netCDF or Zarr scene: its coordinate reference system and its geotransform.

Sources: CF conventions 1.11, section 5.6 and appendix F; GDAL's netCDF driver (``spatial_ref``, ``GeoTransform``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import SceneError
from hsi_geo.io.readers.base import plain
from hsi_geo.io.readers.cf_groups import Groups, nearest_first
from hsi_geo.io.readers.crs import parse_crs

#: Attributes with a whole CRS.
_WKT_KEYS = ("crs_wkt", "spatial_ref")

#: Attributes with a CRS that programs write where they follow no convention.
_OTHER_KEYS = ("crs", "epsg", "epsg_code", "proj:epsg", "proj4", "projection")

#: Beginning of a code or a description of a CRS.
_WHOLE_CRS = re.compile(
    r"(epsg:\d|\+proj=|\+init=|proj(cs|crs)\[|geog(cs|crs)\[|geodcrs\[)", re.IGNORECASE
)

_Attributes = Mapping[str, Any]


@dataclass(frozen=True, eq=False)
class GridMappings:
    """What a file states about the grid of its cube.

    Attributes:
        own: Attributes of the grid mappings that the cube names; that of its rows and columns comes first.
        others: Attributes of other variables of one value, and of the groups.
        path: Path of the file, for messages.
    """

    own: Sequence[_Attributes]
    others: Sequence[_Attributes]
    path: str

    @property
    def crs(self) -> CRS | None:
        """The CRS of the cube's own grid mapping; that of another one only if its own states none.

        Raises:
            SceneError: If PROJ does not know it.
        """
        for attributes in self.own:
            if (crs := _crs([attributes], self.path)) is not None:
                return crs
        return _crs(self.others, self.path)

    @property
    def own_geotransform(self) -> Affine | None:
        """The geotransform of the cube's own grid mapping; None if it has none."""
        found = (_geotransform(attributes) for attributes in self.own)
        return next((one for one in found if one is not None), None)

    @property
    def geotransform(self) -> Affine | None:
        """The geotransform of the cube's own grid mapping, else one that is in no other CRS than the cube's.

        Raises:
            SceneError: If PROJ does not know the cube's CRS.
        """
        own = self.own_geotransform
        if own is not None:
            return own
        crs = self.crs
        for attributes in self.others:
            found = _geotransform(attributes)
            if found is not None and self._may_be_in(attributes, crs):
                return found
        return None

    def _may_be_in(self, attributes: _Attributes, crs: CRS | None) -> bool:
        """Whether attributes state a CRS or none at all."""
        try:
            stated = _crs([attributes], self.path)
        except SceneError:
            return False
        return crs is None or stated is None or stated.equals(crs, ignore_axis_order=True)


def find_mappings(
    groups: Groups, array: xr.DataArray, axes: tuple[str, str, str], path: str
) -> GridMappings:
    """Find the attributes that may describe the grid of a cube.

    Args:
        groups: Groups of the file.
        array: The cube.
        axes: Path of its group, and the names of its y and x axes.
        path: Path of the file, for messages.

    Example:
        >>> about = {"grid_mapping": "wgs: lat lon utm: x y"}
        >>> cube = xr.DataArray(np.zeros((2, 3)), dims=("y", "x"), attrs=about)
        >>> mappings = {"wgs": ((), 0, {"epsg": 4326}), "utm": ((), 0, {"epsg": 32633})}
        >>> find_mappings({"/": xr.Dataset(mappings)}, cube, ("/", "y", "x"), "a.nc").crs.to_epsg()
        32633
    """
    group, *ends = axes
    order = nearest_first(groups, group)

    def along(names: Sequence[str]) -> int:
        """Number of coordinates along the rows and columns."""
        found = (
            groups[one].variables[name].dims
            for name in names
            for one in order
            if name in groups[one].variables
        )
        return sum(dims in {(end,) for end in ends} for dims in found) + sum(
            name in ends for name in names
        )

    listed = sorted(_listed(array), key=lambda entry: -along(entry[1]))
    own = [
        place
        for name, _ in listed
        if (place := next((p for p in _places(groups, order) if _is_named(p, name)), None))
    ]
    scalars = [
        place for place in _places(groups, order) if groups[place[0]].variables[place[1]].size == 1
    ]
    return GridMappings(
        [groups[one].variables[name].attrs for one, name in own],
        [
            *(groups[one].variables[name].attrs for one, name in scalars if (one, name) not in own),
            *(groups[one].attrs for one in order),
        ],
        path,
    )


def _places(groups: Groups, order: Sequence[str]) -> list[tuple[str, str]]:
    """(group, name) of all variables, those of the first groups first."""
    return [(group, str(name)) for group in order for name in groups[group].variables]


def _is_named(place: tuple[str, str], name: str) -> bool:
    """Whether a name, with or without groups before it, is that of a variable."""
    whole = f"{place[0].rstrip('/')}/{place[1]}"
    return whole == name if name.startswith("/") else whole.endswith(f"/{name}")


def _listed(array: xr.DataArray) -> list[tuple[str, list[str]]]:
    """Names of the grid mappings of an array, and the coordinates that each is for; none listed means all.

    Since CF 1.7 an array may name several: "utm: x y wgs: lat lon".
    """
    text = str(array.attrs.get("grid_mapping") or array.encoding.get("grid_mapping") or "").strip()
    if ":" not in text:
        return [(text, [])] if text else []
    entries: list[tuple[str, list[str]]] = []
    for part in re.findall(r"[^\s:]+\s*:|[^\s:]+", text):
        if part.endswith(":"):
            entries.append((part.rstrip(" :"), []))
        elif entries:
            entries[-1][1].append(part)
    return entries


def _geotransform(attributes: _Attributes) -> Affine | None:
    """GDAL's six numbers, as text or as a list."""
    for key in ("GeoTransform", "geotransform"):
        value = attributes.get(key)
        if value is None:
            continue
        words = value.replace(",", " ").split() if isinstance(value, str) else np.ravel(value)
        try:
            numbers = [float(word) for word in words]
        except ValueError:
            continue
        if len(numbers) == 6 and np.isfinite(numbers).all() and numbers[1] and numbers[5]:
            return Affine.from_gdal(*numbers)
    return None


def _crs(mappings: Sequence[_Attributes], path: str) -> CRS | None:
    """The CRS that attributes state: as a whole, by CF's parameters, or in another way."""
    for attributes in mappings:
        for key in _WKT_KEYS:
            if attributes.get(key):
                return parse_crs(str(attributes[key]), path)
    unknown: Exception | None = None
    for attributes in mappings:
        if "grid_mapping_name" in attributes:
            try:
                return CRS.from_cf(dict(attributes))
            except (CRSError, KeyError, ValueError) as error:
                unknown = unknown or error
    for attributes in mappings:
        for key in _OTHER_KEYS:
            if (crs := _stated(key, attributes.get(key))) is not None:
                return crs
    if unknown is not None:
        raise SceneError(
            f"scene '{path}' has a grid mapping that PROJ does not know ({plain(unknown)})",
            hint="write crs_wkt beside it, or convert the scene to GeoTIFF",
        ) from unknown
    return None


def _stated(key: str, value: Any) -> CRS | None:
    """The CRS that an attribute names by its code or as a whole; None for others, such as a datum."""
    if isinstance(value, np.ndarray) and value.size == 1:
        value = value.ravel()[0]
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    text = text.strip()
    if "epsg" in key and re.fullmatch(r"\d{4,6}(\.0)?", text):
        text = f"EPSG:{int(float(text))}"
    if not _WHOLE_CRS.match(text):
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError:
        return None
