"""Vector files as GeoDataFrames: shots, reference labels and areas of interest."""

from __future__ import annotations

import os
import warnings
from collections.abc import Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import geopandas as gpd
import pyogrio
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError

from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.file_names import openable
from hsi_geo.io.files.gdal_options import LOCAL_OPTIONS
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.redirects import require_allowed_links
from hsi_geo.io.files.references import is_link, require_local, require_local_archive
from hsi_geo.io.files.text_encoding import as_utf8
from hsi_geo.io.labels.archives import find_vector_source, unpacked_source
from hsi_geo.io.labels.attribute_text import read_layer
from hsi_geo.io.labels.class_names import find_name
from hsi_geo.io.labels.gml_crs import require_one_crs
from hsi_geo.io.labels.missing_texts import drop_missing_texts
from hsi_geo.io.labels.point_tables import (
    TABLES,
    as_csv,
    find_columns,
    misspelt_columns,
    read_header,
    require_once,
    set_table_crs,
)
from hsi_geo.io.labels.pyogrio_options import pyogrio_options
from hsi_geo.io.labels.row_places import place_by_texts, read_texts
from hsi_geo.io.labels.shapefiles import require_parts
from hsi_geo.io.labels.table_types import type_columns
from hsi_geo.io.readers.packages import is_archive
from hsi_geo.text import did_you_mean, quoted

Errors = type[HsiGeoError]

#: What pyogrio raises if GDAL cannot read a file, or a part of it.
UNREADABLE = (DataSourceError, DataLayerError, CRSError, FeatureError, FieldError)

#: Endings of spreadsheets, which GDAL reads as tables.
_SPREADSHEETS = (".xlsx", ".xlsm", ".xls", ".ods")


def read_vector(
    path: str | os.PathLike[str],
    *,
    what: str,
    layer: str | None,
    missing: Errors,
    wrong: Errors,
    tables: bool = False,
    chooses_layer: bool = True,
    kept: Collection[str] | None = None,
) -> gpd.GeoDataFrame:
    """Read one layer of a vector file.

    Args:
        path: A file of any vector format of GDAL, an archive of one, or GDAL's name of one.
        what: What the file is meant to be, for messages ("shots file", "area").
        layer: Name of the layer; None for the only one.
        missing: Raised if there is no such file.
        wrong: Raised if it is no vector file, has no such layer, or has several to choose from.
        tables: Read tables of points, too, whose columns hold coordinates; see `find_columns`.
        chooses_layer: Whether the user has an option to choose a layer with; for messages.
        kept: Take words such as NA in a table of points for missing values, but for these names of classes. None takes
            no word so.

    Returns:
        Its features, indexed by their ids in the file. Its ``attrs`` hold ``notes`` (what was
        decided while reading, as sentences), ``layer`` (its name), ``columns`` (`Columns` of a
        table of points, else None), ``unreadable`` (text of the coordinates by id, for rows of a table whose
        coordinates cannot be read), ``missing`` (a sentence by the name of a column of a table, for words that were
        taken for missing values) and ``measures`` (names of columns of a table that hold decimal numbers, truth values or
        dates; they are texts as they are written).
    """
    name = os.fspath(path)
    if not exists(name) and not is_gdal_name(name):
        raise missing(f"{what} '{name}' does not exist", hint="check the path and its spelling")
    require_local(name, what, wrong)
    if is_link(name):
        require_allowed_links(name, wrong=wrong)
    require_parts(name, what, wrong)
    source = find_vector_source(name, layer, what, wrong)
    if source.several:
        choice = "choose one with --layer, or " * chooses_layer
        # A raster beside tables is looked for, see `is_unopened`.
        cause = DataSourceError("tables") if source.are_tables else None
        raise wrong(
            f"{what} '{name}' holds several files of features: {quoted(source.several)}",
            hint=f"{choice}unpack it, and give one of them",
        ) from cause
    with gdal_offline(name), unpacked_source(source) as file:
        if file != name:
            require_local(file, f"{what} '{name}':", wrong)
        elif is_archive(Path(name)):
            require_local_archive(name, what, wrong)
        if source.is_chosen and find_name(str(layer), _layers_in(file)) is None:
            layer = None  # it named the file
        frame = _read_file(name, file, what, layer, wrong, tables, chooses_layer, kept)
    if source.left_out:
        verb = "are" if len(source.left_out) > 1 else "is"
        frame.attrs["notes"].append(f"{quoted(source.left_out)} in '{name}' {verb} not read")
    return frame


def _read_file(
    name: str,
    file: str,
    what: str,
    layer: str | None,
    wrong: Errors,
    tables: bool,
    chooses_layer: bool,
    kept: Collection[str] | None,
) -> gpd.GeoDataFrame:
    """Read a file that may be a copy of what ``name`` holds; messages name the latter."""
    columns = find_columns(file) if tables else None
    if columns is not None:
        require_once(columns, read_header(file), f"{what} '{name}'", wrong)
    try:
        with (
            openable(file) as opened,
            as_utf8(opened) as (text, note),
            as_csv(text) as table,
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's, of geometries that are broken
            warnings.filterwarnings("ignore", "Could not parse column .* as JSON", UserWarning)
            layers = _layers(table)
            chosen = _choose_layer(name, layers, layer, what, wrong, chooses_layer)
            frame, encoding = read_layer(table, chosen, {} if columns is None else columns.options)
            texts = None if columns is None else read_texts(table, frame, columns)
            is_typed = columns is None or exists(Path(table).with_suffix(".csvt"))
    except UNREADABLE as error:
        raise wrong(
            f"{what} '{name}' is not a vector file that GDAL can open",
            hint="give a GeoPackage, Shapefile or GeoJSON",
        ) from error
    except UnicodeDecodeError as error:
        raise wrong(
            f"{what} '{name}' holds text that is not in the encoding it states, or in UTF-8",
            hint="save it as UTF-8",
        ) from error
    if not isinstance(frame, gpd.GeoDataFrame):
        # Beside a raster in an archive, such a table is its legend.
        cause = DataSourceError("a table") if is_archive(Path(name)) else None
        raise wrong(f"{what} '{name}' is a table without geometry", hint=_hint_for(file)) from cause
    one = len(layers) == 1
    require_one_crs(file, frame.crs, f"{what} '{name}'", wrong, is_only_layer=one)
    notes = [one for one in (note, encoding) if one]
    unreadable: dict[int, str] = {}
    missing: dict[str, str] = {}
    if columns is not None:
        if texts is not None:
            frame, unreadable, note = place_by_texts(frame, texts, columns, name)
            notes += [note] if note else []
        frame, note = set_table_crs(frame, file, columns)
        notes += [note] if note else []
        if kept is not None:
            frame, missing = drop_missing_texts(frame, kept)
    measures: frozenset[str] = frozenset()
    if not is_typed:
        frame, measures = type_columns(frame)
    frame.attrs |= {"notes": notes, "layer": chosen, "columns": columns, "unreadable": unreadable}
    frame.attrs |= {"missing": missing, "measures": measures}
    return frame


def is_unopened(error: HsiGeoError) -> bool:
    """Whether `read_vector` failed because GDAL opens the file with no driver for features, or an archive holds none.

    Args:
        error: What it raised.
    """
    return isinstance(error.__cause__, DataSourceError)


def _hint_for(name: str) -> str:
    """How to make a table readable that has no geometry."""
    if Path(name).suffix.lower() in _SPREADSHEETS:
        return (
            "save the sheet as CSV, with coordinates in columns called x and y (in the scene's own CRS) or lon and lat "
            "(degrees)"
        )
    if Path(name).suffix.lower() not in TABLES:
        return "give a layer with geometry"
    header = read_header(name)
    renamed = [f"'{axis}' for '{column}'" for column, axis in misspelt_columns(header).items()]
    return (
        "call the columns of its coordinates x and y (in the scene's own CRS) or lon and lat "
        f"(degrees), or give a layer with geometry; it has {quoted(header)}"
        + (f". Did you mean {' and '.join(renamed)}?" if renamed else "")
    )


def dates_as_text() -> AbstractContextManager[None]:
    """Keep the GDAL of pyogrio from taking texts of GeoJSON for dates and times: GeoJSON has neither."""
    return pyogrio_options({"OGR_GEOJSON_DATE_AS_STRING": "YES"})


def gdal_offline(name: str) -> AbstractContextManager[None]:
    """Keep the GDAL of pyogrio from opening what a local file refers to on other machines.

    Args:
        name: Of the file that is read. A URL that the user gave is followed.
    """
    return nullcontext() if is_link(name) else pyogrio_options(LOCAL_OPTIONS)


def _layers(name: str) -> list[str]:
    listed = pyogrio.list_layers(name)
    # Tables without geometry, such as QGIS's layer_styles, do not count.
    layers = [str(row[0]) for row in listed if row[1] is not None]
    return layers or [str(row[0]) for row in listed]


def _layers_in(file: str) -> list[str]:
    """Names of the layers of a file, none if GDAL cannot open it."""
    try:
        with openable(file) as opened:
            return _layers(opened)
    except UNREADABLE:
        return []


def _several_layers(
    name: str, layers: Sequence[str], what: str, wrong: Errors, chooses_layer: bool
) -> HsiGeoError:
    return wrong(
        f"{what} '{name}' has {len(layers)} layers: {quoted(layers)}",
        hint=f"{'choose one with --layer, or ' * chooses_layer}give a file with one layer",
    )


def _choose_layer(
    name: str,
    layers: list[str],
    layer: str | None,
    what: str,
    wrong: Errors,
    chooses_layer: bool,
) -> str | None:
    if not layers:
        raise wrong(
            f"{what} '{name}' holds no layer of features",
            hint="give a GeoPackage, Shapefile or GeoJSON",
        )
    found = None if layer is None else find_name(layer, layers)
    if layer is not None and found is None:
        raise wrong(
            f"{what} '{name}' has no layer '{layer}', only {quoted(layers)}",
            hint=f"choose one of them with --layer{did_you_mean(layer, layers)}",
        )
    if layer is None and len(layers) > 1:
        raise _several_layers(name, layers, what, wrong, chooses_layer)
    return found or layers[0]
