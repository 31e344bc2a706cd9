"""Places of the rows of a table whose coordinates GDAL does not read, and the CRS that its texts tell."""

from __future__ import annotations

import re

import geopandas as gpd
import pandas as pd
import pyogrio
import shapely
from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.coordinate_texts import parse_coordinate, parse_geometry
from hsi_geo.io.labels.point_tables import Columns, are_one
from hsi_geo.io.readers.base import plain

#: Texts of a cell that has no value, in lower case.
_MISSING = frozenset(("", "na", "n/a", "nan", "null", "none", "-", "--"))

#: Parts of well-known text that have no place. GDAL gives empty points that of (0, 0).
_EMPTY = re.compile(r"\bempty\b", re.IGNORECASE)


def read_texts(table: str, frame: pd.DataFrame, columns: Columns) -> pd.DataFrame | None:
    """Read the coordinates of a table as texts, where GDAL has not read all of them.

    Args:
        table: What GDAL opens.
        frame: The features that GDAL reads.
        columns: Columns that hold the coordinates.

    Returns:
        Text by id and column; None if they are not needed. Those of well-known text always are: they may tell a CRS.
    """
    is_text = len(columns.names) == 1
    if not isinstance(frame, gpd.GeoDataFrame):
        return None
    if not is_text and not shapely.is_missing(frame.geometry.to_numpy()).any():
        return None
    texts: pd.DataFrame = pyogrio.read_dataframe(
        table, read_geometry=False, fid_as_index=True, AUTODETECT_TYPE="NO", HEADERS="YES"
    )
    names = [str(name).strip() for name in texts.columns]
    if not set(columns.names) <= set(names):
        return None
    found = texts.iloc[:, [names.index(name) for name in columns.names]]
    return found.map(lambda cell: cell if isinstance(cell, str) else "")


def place_by_texts(
    frame: gpd.GeoDataFrame, texts: pd.DataFrame, columns: Columns, name: str
) -> tuple[gpd.GeoDataFrame, dict[int, str], str | None]:
    """Place the rows that GDAL leaves without a geometry.

    Args:
        frame: Features of the table.
        texts: Their coordinates, from `read_texts`.
        columns: Columns that hold the coordinates.
        name: Path of the table, for messages.

    Returns:
        frame: The features, in the CRS that the texts tell, if any.
        unreadable: Text by id, for coordinates that cannot be read.
        note: What was decided, as a sentence; else None.

    Raises:
        ShotsError: If texts tell several CRS, or one that is not known or is not that of the file.
    """
    shapes = frame.geometry.to_numpy().copy()
    missing = shapely.is_missing(shapes)
    unreadable: dict[int, str] = {}
    codes: dict[int, int] = {}
    rows = texts.reindex(frame.index, fill_value="").itertuples(index=False, name=None)
    for index, (number, cells) in enumerate(zip(frame.index, rows, strict=True)):
        if any(cell.strip().lower() in _MISSING for cell in cells):
            continue
        if len(cells) == 1:
            shape, code = parse_geometry(cells[0])
            if code is not None:
                codes[int(number)] = code
            if shape is not None and _EMPTY.search(cells[0]):
                shapes[index] = shape
        else:
            shape = _point(cells, columns.degrees) if missing[index] else None
        if missing[index]:
            shapes[index] = shape
            if shape is None:
                unreadable[int(number)] = ", ".join(cells)
    frame = frame.set_geometry(gpd.GeoSeries(shapes, index=frame.index, crs=frame.crs))
    if not codes:
        return frame, unreadable, None
    frame = frame.set_crs(_crs_of(set(codes.values()), frame.crs, name), allow_override=True)
    others = int((~shapely.is_missing(shapes)).sum()) - len(codes)
    note = f"the SRID {codes.popitem()[1]} that some rows tell is taken for the other {others}, too"
    return frame, unreadable, note if others > 0 else None


def _point(cells: tuple[str, ...], degrees: bool) -> shapely.Point | None:
    x, y = (parse_coordinate(cell, axis, degrees) for cell, axis in zip(cells, "xy", strict=True))
    return None if x is None or y is None else shapely.Point(x, y)


def _crs_of(codes: set[int], stated: CRS | None, name: str) -> CRS:
    """The CRS of the only code."""
    if len(codes) > 1:
        listed = ", ".join(map(str, sorted(codes)))
        raise ShotsError(
            f"'{name}' has geometries of several SRID ({listed})",
            hint="bring them to one, or give a table of each",
        )
    (code,) = codes
    try:
        crs = CRS.from_epsg(code)
    except CRSError as error:
        raise ShotsError(
            f"'{name}' has geometries of the SRID {code}, which PROJ does not know ({plain(error)})",
            hint="write the code of EPSG, or plain well-known text with a .prj beside the table",
        ) from error
    if stated is not None and not are_one(crs, stated):
        raise ShotsError(
            f"'{name}' has geometries of the SRID {code}, and the .prj beside it states {stated.name}",
            hint="take away the wrong one of both",
        )
    return crs
