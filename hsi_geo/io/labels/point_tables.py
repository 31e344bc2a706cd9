"""Tables of points: the columns of their coordinates, by the names that programs give them."""

from __future__ import annotations

import csv
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import StringIO
from pathlib import Path

import geopandas as gpd
from pyproj import CRS
from pyproj.exceptions import CRSError

from hsi_geo.errors import HsiGeoError, ShotsError
from hsi_geo.io.files.paths import exists
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.labels.separator_lines import MOST_BYTES, split_separator
from hsi_geo.io.readers.base import plain
from hsi_geo.text import quoted

#: Endings of tables: values separated by commas, semicolons, tabs or bars.
TABLES = (".csv", ".tsv", ".psv", ".txt")

#: Names of x and y, and whether they are in degrees. Earlier ones take precedence.
_AXES = (
    ("x", "y", False),
    ("easting", "northing", False),
    ("lon", "lat", True),
    ("longitude", "latitude", True),
    ("long", "lat", True),
    ("lng", "lat", True),
    ("eastings", "northings", False),
    ("east", "north", False),
    ("rechtswert", "hochwert", False),
    ("längengrad", "breitengrad", True),
    ("laengengrad", "breitengrad", True),
    ("e", "n", False),
)

#: Prefixes and suffixes of these names: ArcGIS writes POINT_X, INSIDE_X and CENTROID_X, QGIS xcoord
#: and x_coord, GPS receivers GPS_Longitude, Darwin Core decimalLongitude; and units.
_AFFIX = (
    r"(?:point|coords?|coordinates?|utm|geom|geometry|field|gps|pos|position|centroid|inside|map|proj"
    r"|wgs84|wgs|epsg\d{4,6}|decimal|dd|degrees?|deg|meters?|metres?|m)"
)

#: Columns of well-known text, as GDAL, QGIS, geopandas and PostGIS name them.
_WKT_COLUMNS = ("wkt", "wkt_geom", "geometry", "geom", "the_geom", "wkb_geometry")

#: Those that GDAL knows by their names.
_DRAWN = re.compile(r"wkt$|_wkt", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Columns:
    """Columns of a table that hold the geometry of its features.

    Attributes:
        names: Names of the columns of x and y, or of the one column of well-known text.
        degrees: Whether the names are those of longitude and latitude.
        epsg: Code of the CRS that the names tell (`x_epsg23033`); None if they tell none.
        wgs84: Whether the names tell WGS 84 (`x_wgs84`), whose coordinates may be degrees or those of a projection.
    """

    names: tuple[str, ...]
    degrees: bool = False
    epsg: int | None = None
    wgs84: bool = False

    @property
    def geographic(self) -> CRS:
        """The CRS of columns that are named as degrees."""
        if self.epsg is not None and _is_geographic(self.epsg):
            return CRS.from_epsg(self.epsg)
        return CRS.from_epsg(4326)

    @property
    def options(self) -> Mapping[str, str]:
        """Open options of GDAL's CSV driver."""
        if len(self.names) == 1:
            named = {"GEOM_POSSIBLE_NAMES": self.names[0]}
        else:
            named = {"X_POSSIBLE_NAMES": self.names[0], "Y_POSSIBLE_NAMES": self.names[1]}
        # GDAL takes a header with a number in it, such as a year, for values. It would change texts that look like
        # numbers or dates.
        return {
            **named,
            "KEEP_GEOM_COLUMNS": "NO",
            "AUTODETECT_TYPE": "NO",
            "HEADERS": "YES",
        }

    def __str__(self) -> str:
        return " and ".join(f"'{name}'" for name in self.names)


def find_columns(name: str) -> Columns | None:
    """Find the columns that hold the geometry of a table's features, by their names.

    Args:
        name: Path of any file.

    Returns:
        The columns; None if the file is no table, or has no such columns.
    """
    separator, text = _text_of(name)
    header = _names_in(separator, text)
    points = _coordinates(header)
    last = 0 if points is None else max(map(header.index, points.names))
    # GDAL takes these for the geometry, whatever columns it is told, unless both coordinates come before.
    drawn = next((i for i, column in enumerate(header[:last]) if _DRAWN.match(column)), None)
    if drawn is not None and _has_values(separator, text, drawn):
        return Columns((header[drawn],))
    return points or _well_known_text(header)


def require_once(
    columns: Columns, header: Sequence[str], what: str, wrong: type[HsiGeoError]
) -> None:
    """Refuse a table that has a column of its coordinates twice, in any case: GDAL crashes, or takes either.

    Args:
        columns: Columns that hold the coordinates.
        header: Names of all columns.
        what: What messages call the table.
        wrong: Raised if one of them stands twice.
    """
    for name in columns.names:
        same = [column for column in header if column.lower() == name.lower()]
        if len(same) > 1:
            raise wrong(
                f"{what} has several columns of coordinates that are called {quoted(same)}",
                hint="rename those that do not hold the place",
            )


def read_header(name: str) -> list[str]:
    """Names of a table's columns.

    Args:
        name: Path of any file.

    Returns:
        The names in their order; empty if the file is no table or cannot be read.
    """
    return _names_in(*_text_of(name))


def _text_of(name: str) -> tuple[str, str]:
    """Separator and text of a table; both are empty if the file is no table or cannot be read."""
    if Path(name).suffix.lower() not in TABLES or not exists(name):
        return "", ""
    try:
        stated, text = split_separator(decode(Path(name).read_bytes())[0])
    except OSError:
        return "", ""
    line = text.partition("\n")[0]
    return stated or max(",;\t|", key=line.count), text


def _names_in(separator: str, text: str) -> list[str]:
    line = text.partition("\n")[0]
    return [word.strip().strip("\"'") for word in line.split(separator)] if separator else []


def _has_values(separator: str, text: str, column: int) -> bool:
    """Whether a column has a value in some row."""
    rows = csv.reader(StringIO(text), delimiter=separator)
    try:
        next(rows, None)
        return any(len(row) > column and row[column].strip() for row in rows)
    except csv.Error:  # a value that is too long for the module
        return True


def _coordinates(header: Sequence[str]) -> Columns | None:
    found: dict[str, Columns] = {}
    for x, y, degrees in _AXES:
        of_x, of_y = _columns_of(header, x), _columns_of(header, y)
        for affix in of_x.keys() & of_y.keys():
            code = re.search(r"epsg(\d+)", affix)
            epsg = None if code is None else int(code[1])
            one = Columns(
                (of_x[affix], of_y[affix]), degrees or _is_geographic(epsg), epsg, "wgs" in affix
            )
            found.setdefault(affix, one)
    shortest = min(found, key=lambda affix: len(affix.removeprefix("coord")), default=None)
    return None if shortest is None else found[shortest]


def _is_geographic(epsg: int | None) -> bool:
    try:
        return epsg is not None and bool(CRS.from_epsg(epsg).is_geographic)
    except CRSError:  # `set_table_crs` says so
        return False


def misspelt_columns(header: Sequence[str]) -> dict[str, str]:
    """Columns that are most likely coordinates under a misspelt name, and the name that each should have.

    Args:
        header: Names of a table's columns.

    Returns:
        Names to give by the names that are there; empty if no two columns are like those of coordinates.

    Examples:
        >>> misspelt_columns(["longitud", "latitude", "class"])
        {'longitud': 'longitude'}
        >>> misspelt_columns(["a", "b", "class"])
        {}
    """
    from difflib import get_close_matches  # seldom needed

    columns = {re.sub(r"[\W_]+", "", column).lower(): column for column in header}
    for axes in ((x, y) for x, y, _ in _AXES):
        if min(map(len, axes)) < 3:  # any two letters are like one
            continue
        like = [get_close_matches(axis, columns, n=1, cutoff=0.75) for axis in axes]
        found = {columns[near[0]]: axis for near, axis in zip(like, axes, strict=True) if near}
        if len(found) == 2:
            return {column: axis for column, axis in found.items() if column.lower() != axis}
    return {}


def _columns_of(header: Sequence[str], axis: str) -> dict[str, str]:
    """Columns that are named as an axis, by the prefix and suffix of the name."""
    pattern = re.compile(rf"({_AFFIX}*){axis}({_AFFIX}*)")
    found: dict[str, str] = {}
    for column in header:
        match = pattern.fullmatch(re.sub(r"[\W_]+", "", column).lower())
        if match:
            found.setdefault(match[1] + match[2], column)
    return found


def _well_known_text(header: Sequence[str]) -> Columns | None:
    named = ((c,) for kind in _WKT_COLUMNS for c in header if c.lower() == kind)
    return next(map(Columns, named), None)


@contextmanager
def as_csv(name: str) -> Iterator[str]:
    """A table as GDAL's CSV driver opens it, which leaves .txt files alone and takes the line ``sep=;`` of Excel for a header.

    Args:
        name: Path of any file.

    Yields:
        The same path, or that of a copy of the table in a temporary folder.
    """
    path = Path(name)
    skipped = _bytes_before_header(path)
    if not skipped and (path.suffix.lower() != ".txt" or not path.is_file()):
        yield name
        return
    with tempfile.TemporaryDirectory(prefix="hsi-geo-") as folder:
        suffix = ".csv" if path.suffix.lower() == ".txt" else path.suffix
        table = Path(folder) / path.with_suffix(suffix).name
        with path.open("rb") as source, table.open("wb") as copy:
            source.seek(skipped)
            shutil.copyfileobj(source, copy)
        for ending in (".csvt", ".prj"):
            beside = path.with_suffix(ending)
            if exists(beside):
                shutil.copyfile(beside, table.with_suffix(ending))
        yield str(table)


def _bytes_before_header(path: Path) -> int:
    """Bytes of the line that tells Excel the separator of a table; 0 without one."""
    if path.suffix.lower() not in TABLES or not path.is_file():
        return 0
    with path.open("rb") as file:
        start = file.read(MOST_BYTES).decode("utf-8", errors="replace")
    stated, rest = split_separator(start)
    return 0 if stated is None else len(start[: len(start) - len(rest)].encode())


def set_table_crs(
    frame: gpd.GeoDataFrame, name: str, columns: Columns
) -> tuple[gpd.GeoDataFrame, str | None]:
    """Set the CRS of a table's features.

    It is that of a .prj file beside the table, or that of the code in the names of its columns, else WGS 84 if the columns
    are named as degrees. It stays unset otherwise: coordinates are then in the CRS of the scene.

    Args:
        frame: Features of the table.
        name: Path of the table.
        columns: Columns that hold the coordinates.

    Returns:
        frame: The features.
        note: What was assumed, as a sentence; None if the CRS was stated.

    Raises:
        ShotsError: If the .prj file holds no CRS, or names of columns tell another one, or one that is not known.
    """
    stated = _crs_beside(Path(name).with_suffix(".prj")) if frame.crs is None else frame.crs
    named = None if columns.epsg is None else _crs_of_code(columns.epsg, columns, name)
    if stated is not None and named is not None and not are_one(named, stated):
        raise ShotsError(
            f"'{name}' has coordinates in {columns}, and the .prj beside it states {stated.name}",
            hint="take away the .prj, or rename the columns: one of both is wrong",
        )
    if stated is not None:
        return frame.set_crs(stated), None
    if named is not None:
        return frame.set_crs(named), f"{columns} taken for EPSG:{columns.epsg}"
    if columns.degrees or (columns.wgs84 and _are_degrees(frame)):
        return frame.set_crs(4326), f"{columns} taken for WGS 84"
    return frame, f"{columns} taken for coordinates in the scene's own CRS"


def _crs_beside(beside: Path) -> CRS | None:
    """The CRS of a .prj file; None if there is no such file."""
    if not exists(beside):
        return None
    try:
        return CRS.from_user_input(beside.read_text())
    except (CRSError, OSError, UnicodeDecodeError) as error:
        raise ShotsError(
            f"'{beside}' holds no coordinate reference system that PROJ knows ({plain(error)})",
            hint="mend it, or take it away: coordinates are then the scene's own",
        ) from error


def _crs_of_code(epsg: int, columns: Columns, name: str) -> CRS:
    try:
        return CRS.from_epsg(epsg)
    except CRSError as error:
        raise ShotsError(
            f"'{name}' has coordinates in {columns}, and PROJ does not know EPSG:{epsg} ({plain(error)})",
            hint="write the code of EPSG in the names, or call the columns x and y and put a .prj beside the table",
        ) from error


def _are_degrees(frame: gpd.GeoDataFrame) -> bool:
    """Whether all coordinates lie in the ranges of longitude and latitude."""
    left, bottom, right, top = frame.total_bounds
    return bool(left >= -180 and right <= 360 and bottom >= -90 and top <= 90)


def are_one(crs: CRS, stated: CRS) -> bool:
    """Whether a .prj states a CRS. As ESRI writes it, it has other names and another order of axes.

    Args:
        crs: A CRS that something else tells.
        stated: The CRS of a .prj.
    """
    if crs.equals(stated, ignore_axis_order=True):
        return True
    try:
        one, two = (CRS.from_wkt(each.to_wkt("WKT1_ESRI")) for each in (crs, stated))
    except CRSError:  # ESRI's text holds not all kinds
        return False
    return one.equals(two, ignore_axis_order=True)
