"""Features written as GeoPackage, and read back to check them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path

import geopandas as gpd
from pyogrio.errors import (
    DataLayerError,
    DataSourceError,
    FeatureError,
    FieldError,
    GeometryError,
)
from pyproj.exceptions import CRSError

from hsi_geo.arguments import require_output
from hsi_geo.errors import OptionError, OutputError, write_error_text
from hsi_geo.io.labels.pyogrio_options import pyogrio_options
from hsi_geo.io.readers.base import plain

#: Table of a GeoPackage in which QGIS keeps styles.
STYLES = "layer_styles"

#: Other names, and beginnings of names, that GeoPackage, SQLite and GDAL keep for their own tables.
_RESERVED, _RESERVED_BEGINNINGS = ("ogr_empty_table",), ("gpkg", "sqlite_")


#: GDAL writes the time into GeoPackages. With a fixed one, equal content gives equal bytes.
_TIME = {"OGR_CURRENT_DATE": "1970-01-01T00:00:00.000Z"}

#: GDAL's default version of GeoPackage is newer than the QGIS of long-term distributions knows.
DATASET_OPTIONS = {"VERSION": "1.2"}

#: Characters that GDAL does not take in the name of a layer.
_UNSAFE = frozenset("{}")


def layer_name(path: Path, otherwise: str, tables: Iterable[str] = ()) -> str:
    """Name of a layer: that of its file, unless a table of the file has this name, in any case.

    Args:
        path: GeoPackage that holds the layer.
        otherwise: Name of the layer if that of the file cannot be used.
        tables: Names of tables that are written into the file as well.

    Examples:
        >>> layer_name(Path("communes.gpkg"), "zones", ["areas"])
        'communes'
        >>> layer_name(Path("Areas.gpkg"), "zones", ["areas"])
        'zones'
        >>> layer_name(Path("{b}.gpkg"), "zones")
        'zones'
    """
    name = path.stem.lower()
    taken = {STYLES, *_RESERVED, *(table.lower() for table in tables)}
    unusable = name in taken or name.startswith(_RESERVED_BEGINNINGS) or _UNSAFE.intersection(name)
    return otherwise if unusable else path.stem


def require_geopackage(path: str | os.PathLike[str]) -> Path:
    """Refuse an output whose name is not that of a GeoPackage.

    Args:
        path: Where points are to be written.

    Returns:
        The path.

    Raises:
        OptionError: If it does not end in .gpkg.
    """
    found = require_output(path)
    if found.suffix.lower() != ".gpkg":
        raise OptionError(
            f"output '{found}' does not end in .gpkg", hint="points are written as GeoPackage"
        )
    return found


def fixed_time() -> AbstractContextManager[None]:
    """Let GDAL write a fixed time into GeoPackages, inside a ``with`` block."""
    return pyogrio_options(_TIME)


def write_geopackage(frame: gpd.GeoDataFrame, path: Path) -> None:
    """Write features and read them back: SQLite does not report every failed write. Equal features give equal bytes.

    Args:
        frame: Features with any fields.
        path: GeoPackage to write.

    Raises:
        OutputError: If the file does not hold all that was written, or cannot hold the CRS.
    """
    try:
        with fixed_time():
            frame.to_file(
                path,
                layer=layer_name(path, "points"),
                driver="GPKG",
                engine="pyogrio",
                dataset_options=DATASET_OPTIONS,
            )
        back = gpd.read_file(path)
        whole = back.geometry.geom_equals_exact(frame.geometry, 0.0).all() and all(
            back[field].astype("string").equals(frame[field].astype("string"))
            for field in frame.columns.drop(frame.geometry.name)
        )
    except CRSError as error:  # as with a rotated pole
        raise OutputError(
            f"points '{path.name}' cannot be written: a GeoPackage cannot hold the coordinate reference system of the scene",
            hint="bring the scene to another one, for example with gdalwarp",
        ) from error
    except (DataSourceError, DataLayerError, FeatureError, FieldError, GeometryError) as error:
        raise _cannot_be_written(path, plain(error)) from error
    if not whole:
        raise _cannot_be_written(path, "it does not hold what was written")


def _cannot_be_written(path: Path, why: str) -> OutputError:
    why, hint = write_error_text(why, path)
    return OutputError(f"points '{path.name}' cannot be written ({why})", hint=hint)
