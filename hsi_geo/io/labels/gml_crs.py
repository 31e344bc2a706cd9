"""GML whose geometries have several coordinate reference systems: GDAL states one for all of a layer, or none."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.reprojection import is_known
from hsi_geo.text import quoted

#: Name of the CRS of a geometry, or of the envelope of all, which GDAL takes for that of the layer.
_SRS_NAME = re.compile(rb"""\ssrsName\s*=\s*["']([^"'<>]+)""")


def require_one_crs(
    file: str, crs: CRS | None, what: str, wrong: type[HsiGeoError], *, is_only_layer: bool
) -> None:
    """Refuse GML in several coordinate reference systems: GDAL places all of it in the first, or in none.

    Args:
        file: Path of any file of features.
        crs: What GDAL states.
        what: What messages call the file.
        wrong: Raised if it is such a file.
        is_only_layer: Whether the file has no other layer, which may have another CRS.
    """
    path = Path(file)
    if path.suffix.lower() != ".gml" or not path.is_file() or not path.stat().st_size:
        return
    if is_known(crs) and not is_only_layer:
        return
    with path.open("rb") as opened, mmap.mmap(opened.fileno(), 0, access=mmap.ACCESS_READ) as text:
        found = dict.fromkeys(match[1] for match in _SRS_NAME.finditer(text))
    names = [name.decode("utf-8", "replace") for name in found]
    if len(names) > 1 and not (is_known(crs) and _are_one(names)):
        raise wrong(
            f"{what} has geometries with several coordinate reference systems: {quoted(names)}",
            hint="bring them to one, or give a file of each",
        )


def _are_one(names: list[str]) -> bool:
    """Whether names are those of one CRS, such as EPSG:4326 and its URN."""
    try:
        first, *others = (CRS.from_user_input(name) for name in names)
    except CRSError:
        return False
    return all(first.equals(other, ignore_axis_order=True) for other in others)
