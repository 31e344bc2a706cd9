"""Vector files as GeoDataFrames on a scene: what shots and areas of interest share."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeGuard

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import shapely
from pandas.api.types import is_numeric_dtype
from pyogrio.errors import CRSError, DataLayerError, DataSourceError, FeatureError, FieldError
from pyproj import CRS, Transformer
from pyproj.exceptions import ProjError

from hsi_geo.arrays import AnyArray, BoolArray
from hsi_geo.errors import HsiGeoError
from hsi_geo.io.files.file_names import openable
from hsi_geo.io.files.paths import exists, is_gdal_name
from hsi_geo.io.files.references import CLOSED, is_link, require_local
from hsi_geo.io.files.text_encoding import as_utf8, decode_cell, find_codec, shown
from hsi_geo.io.labels.point_tables import TABLES, read_header
from hsi_geo.io.labels.shapefiles import in_archive, require_parts
from hsi_geo.tiling import Grid

Errors = type[HsiGeoError]

#: What pyogrio raises where GDAL cannot make sense of a file, or of a part of it.
UNREADABLE = (DataSourceError, DataLayerError, CRSError, FeatureError, FieldError)

#: No coordinate of a map is larger than this; GEOS loses itself among the digits of such.
ABSURD = 1e15


def read_vector(
    path: str | os.PathLike[str],
    *,
    what: str,
    layer: str | None,
    missing: Errors,
    wrong: Errors,
    options: Mapping[str, str] = MappingProxyType({}),
    chooses_layer: bool = True,
) -> gpd.GeoDataFrame:
    """Read one layer of a vector file.

    Args:
        path: Whatever GDAL reads.
        what: What the file holds, for messages ("shots file", "area").
        layer: Its name; None takes the only one.
        missing: Raised if there is no such file.
        wrong: Raised if it is no vector file or has no such layer, or has several to choose from.
        options: Open options of GDAL's driver.
        chooses_layer: Whether whoever gave the file can say which of its layers is meant.

    Returns:
        Its features, indexed by the ids that the file gives them; its ``attrs`` hold ``notes``, what was
        decided while reading, in words, and ``layer``, the name of the layer.
    """
    name = os.fspath(path)
    if not exists(name) and not is_gdal_name(name):
        raise missing(f"{what} '{name}' does not exist", hint="check the path and its spelling")
    require_local(name, what, wrong)
    require_parts(name, what, wrong)
    inside, scattered = in_archive(name, layer, what, wrong)
    if scattered:
        raise _several_layers(name, scattered, what, wrong, chooses_layer)
    try:
        with (
            closed_to_others(name),
            openable(inside) as opened,
            as_utf8(opened) as (text, note),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore", RuntimeWarning)  # GDAL's, of geometries that are broken
            layers = _layers(text)
            chosen = _choose_layer(name, layers, layer, what, wrong, chooses_layer)
            frame, more = _read_layer(text, chosen, options)
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
        raise wrong(f"{what} '{name}' is a table without geometry", hint=_hint_for(name))
    frame.attrs |= {"notes": [one for one in (note, more) if one], "layer": chosen}
    return frame


def _read_layer(
    name: str, layer: str | None, options: Mapping[str, str]
) -> tuple[pd.DataFrame, str | None]:
    """Features, and what is to be told of their texts' encoding."""

    def read(**how: Any) -> pd.DataFrame:
        # Geometries that are broken are missing then, and counted as such.
        frame: pd.DataFrame = gpd.read_file(
            name, layer=layer, fid_as_index=True, on_invalid="ignore", **options, **how
        )
        return frame

    if pyogrio.read_info(name, layer=layer)["driver"] != "ESRI Shapefile":
        return read(), None
    said: list[str] | None = None
    try:
        frame = read()
        said = _texts(frame)
        if all(map(str.isascii, said)):
            return frame, None
    except UnicodeDecodeError:  # not in the encoding that is stated
        pass
    raw = read(encoding="ISO-8859-1")  # a character for each byte
    codec = find_codec([text.encode("latin-1") for text in _texts(raw)], said, _language(name))
    decoded = frame if codec is None else _decoded(raw, codec)
    if codec is None or said == _texts(decoded):
        return frame, None
    note = f"text of '{Path(name).name}' taken for {shown(codec)}"
    if codec == "utf-8":
        return decoded, note
    return decoded, f"{note}: if letters are wrong, name its encoding in a .cpg file beside it"


def _texts(frame: pd.DataFrame) -> list[str]:
    """Names of fields, and all values that are texts."""
    columns = [frame.iloc[:, at] for at in _text_columns(frame)]
    return [*map(str, frame.columns), *(t for c in columns for t in c if isinstance(t, str))]


def _decoded(raw: pd.DataFrame, codec: str) -> pd.DataFrame:
    """The frame with each text decoded anew from its bytes."""

    def decoded(text: Any) -> Any:
        return decode_cell(text.encode("latin-1"), codec) if isinstance(text, str) else text

    frame = raw.copy()
    for at in _text_columns(raw):
        frame.isetitem(at, raw.iloc[:, at].map(decoded).to_numpy())
    return frame.rename(columns=decoded)


def _text_columns(frame: pd.DataFrame) -> list[int]:
    """Where columns stand that may hold texts: two of them may have one name."""
    kinds = enumerate(zip(frame.columns, frame.dtypes, strict=True))
    return [at for at, (name, kind) in kinds if name != "geometry" and not is_numeric_dtype(kind)]


def _language(name: str) -> int:
    """The language byte of the DBF file beside a Shapefile, 0 where it cannot be seen."""
    for suffix in (".dbf", ".DBF"):
        beside = Path(name).with_suffix(suffix)
        if beside.is_file():
            with beside.open("rb") as file:
                return (file.read(30) + bytes(30))[29]
    return 0


def _hint_for(name: str) -> str:
    """What to do with a table that has no geometry."""
    if Path(name).suffix.lower() not in TABLES:
        return "give a layer with geometry"
    return (
        "call the columns of its coordinates x and y (in the scene's own CRS) or lon and lat "
        f"(degrees), or give a layer with geometry; it has {quoted(read_header(name))}"
    )


@contextmanager
def closed_to_others(name: str) -> Iterator[None]:
    """GDAL, as pyogrio brings it, that opens nothing from afar because a local file asks for it."""
    if is_link(name):
        yield
        return
    before = {option: pyogrio.get_gdal_config_option(option) for option in CLOSED}
    pyogrio.set_gdal_config_options(CLOSED)
    try:
        yield
    finally:
        pyogrio.set_gdal_config_options(before)


def place(
    frame: gpd.GeoDataFrame, grid: Grid, *, name: str, wrong: Errors, of: str = "scene"
) -> gpd.GeoDataFrame:
    """The features in a scene's CRS.

    Args:
        frame: Features.
        grid: Of the scene.
        name: Of the features, for messages ("shots 'labels.gpkg'").
        of: What the grid is of, for messages.
        wrong: Raised if only one of the two has a CRS, they lie on different planets, or coordinates
            that should be degrees are none.
    """
    own, theirs = frame.crs, grid.crs
    if not (_is_known(own) or _is_known(theirs)):
        return frame.set_crs(theirs, allow_override=True)
    if _is_known(own) and not own.equals(theirs):
        _require_degrees(frame, own, name, wrong)
    if not _is_known(theirs):
        described = own.name if own is not None else ""
        raise wrong(
            f"the {of} has no coordinate reference system, and {name} one ({described})",
            hint=f"assign one to the {of} with gdal_edit.py -a_srs, or draw in the {of}'s frame",
        )
    if not _is_known(own):
        raise wrong(
            f"no coordinate reference system is set for {name}, and one is for the {of}",
            hint="assign it (in QGIS: Set Layer CRS)",
        )
    if own.equals(theirs):
        return _turned(frame, grid, theirs)
    try:
        return _turned(_placed(frame, grid, own, theirs), grid, theirs)
    except ProjError as error:
        raise wrong(
            f"{name} in {own.name} cannot be placed in the {of}'s coordinate reference "
            f"system, {theirs.name}",
            hint="check the CRS of both: are they on the same planet?",
        ) from error


def _placed(frame: gpd.GeoDataFrame, grid: Grid, own: CRS, theirs: CRS) -> gpd.GeoDataFrame:
    """Features in a scene's CRS; polygons that cover much of the world are cut to its surroundings.

    Far from a projection's own region it places nothing, or places it wrongly; of a polygon with such a
    corner nothing would be left.
    """
    wide = _are_wide(frame, own)
    if not wide.any():
        return frame.to_crs(theirs)
    turn = _full_turn(own)
    from_scene = Transformer.from_crs(theirs, own, always_xy=True)
    left, bottom, right, top = from_scene.transform_bounds(*grid.bounds, errcheck=True)
    right += turn if right < left else 0.0  # across the antimeridian
    margin, pole = 0.1 * (right - left) + 0.1 * (top - bottom), turn / 4
    around = shapely.box(
        left - margin, max(bottom - margin, -pole), right + margin, min(top + margin, pole)
    )
    drawn = frame.geometry.to_numpy().copy()
    for index in np.flatnonzero(wide):
        polygon = shapely.make_valid(shapely.force_2d(drawn[index]))
        copies = [_moved(polygon, times * turn) for times in (-1, 0, 1)]
        drawn[index] = shapely.intersection(shapely.union_all(copies), around)
    covering = wide & shapely.equals(drawn, around)  # around a pole, no box of longitudes will do
    placed = frame.set_geometry(gpd.GeoSeries(drawn, index=frame.index, crs=own)).to_crs(theirs)
    if covering.any():
        drawn = placed.geometry.to_numpy().copy()
        side = max(grid.resolution)
        drawn[covering] = shapely.box(*grid.bounds).buffer(side, join_style="mitre")
        placed = placed.set_geometry(gpd.GeoSeries(drawn, index=frame.index, crs=theirs))
    return placed


def _are_wide(frame: gpd.GeoDataFrame, crs: CRS) -> BoolArray:
    """(N,) True for polygons in degrees that span more than 90 degrees across or 60 upwards."""
    if not crs.is_geographic:
        return np.zeros(len(frame), bool)
    turn = _full_turn(crs)
    bounds = shapely.bounds(frame.geometry.to_numpy())
    wide = (bounds[:, 2] - bounds[:, 0] > turn / 4) | (bounds[:, 3] - bounds[:, 1] > turn / 6)
    return np.asarray(wide & frame.geom_type.str.contains("Polygon", na=False).to_numpy())


def _turned(frame: gpd.GeoDataFrame, grid: Grid, crs: CRS) -> gpd.GeoDataFrame:
    """Features in degrees, moved by a full turn where that brings them onto the scene.

    Longitudes of 190 and -170 are the same place; scenes across the antimeridian, and those that
    count from 0 to 360, have other ones than labels drawn beside them.
    """
    if not crs.is_geographic:
        return frame
    left, _, right, _ = grid.bounds
    turn = _full_turn(crs)
    drawn = frame.geometry.to_numpy()
    bounds = shapely.bounds(drawn)
    if not ((bounds[:, 0] < left) | (bounds[:, 2] > right)).any():
        return frame
    moved = drawn.copy()
    for index, geometry in enumerate(drawn):
        copies = [
            copy
            for times in (0, 1, -1, 2, -2)
            if _meets(copy := _moved(geometry, times * turn), grid.bounds)
        ]
        if len(copies) > 1 and geometry.geom_type.endswith("Polygon"):
            moved[index] = shapely.union_all(shapely.make_valid(copies))
        elif copies:
            moved[index] = copies[0]
    return frame.set_geometry(gpd.GeoSeries(moved, index=frame.index, crs=frame.crs))


def _moved(geometry: shapely.Geometry, by: float) -> shapely.Geometry:
    return shapely.transform(geometry, lambda xy: xy + np.array([by, 0.0])) if by else geometry


def _meets(geometry: shapely.Geometry | None, bounds: tuple[float, float, float, float]) -> bool:
    """Whether the extent of a geometry and that of a scene share more than a border."""
    if geometry is None or geometry.is_empty:
        return False
    left, bottom, right, top = geometry.bounds
    across = (
        left < bounds[2] and right > bounds[0] if right > left else bounds[0] <= left < bounds[2]
    )
    return bool(across and bottom <= bounds[3] and top >= bounds[1])


def _full_turn(crs: CRS) -> float:
    """360 degrees in the unit of a geographic CRS."""
    return float(2 * np.pi / crs.axis_info[0].unit_conversion_factor)


def _require_degrees(frame: gpd.GeoDataFrame, crs: CRS, name: str, wrong: Errors) -> None:
    """Refuse features of which none lies on the globe, if their coordinates are to be degrees."""
    if not crs.is_geographic or frame.empty:
        return
    left, bottom, right, top = frame.total_bounds
    x, y = np.abs(frame.geometry.bounds.to_numpy().reshape(-1, 2, 2)).transpose(2, 0, 1)
    turn = _full_turn(crs)  # longitudes may be counted twice around; digits end somewhere
    if ((x <= 2 * turn).all(axis=1) & (y <= 1.0001 * turn / 4).all(axis=1)).any():
        return
    raise wrong(
        f"coordinates of {name} should be degrees, as they are in {crs.name}, and are none: x "
        f"{left:.10g} to {right:.10g}, y {bottom:.10g} to {top:.10g}",
        hint="state the coordinate reference system that they are in (in QGIS: Set Layer CRS, then "
        "export); GeoJSON that names none is in degrees",
    )


def are_sound(geometries: AnyArray) -> BoolArray:
    """(N,) False where a coordinate is NaN, infinite or larger than any map's."""
    coordinates, owner = shapely.get_coordinates(geometries, return_index=True)
    sound = np.ones(len(geometries), bool)
    sound[owner[~(np.abs(coordinates) < ABSURD).all(axis=1)]] = False
    return sound


def _is_known(crs: CRS | None) -> TypeGuard[CRS]:
    """Whether a CRS tells a place.

    Files that cannot do without one hold an "undefined" one instead: of an engineering CRS, or, in
    GeoPackages and what is made of them, a geographic one.
    """
    return crs is not None and not crs.is_engineering and "undefined" not in crs.name.lower()


def quoted(names: list[str]) -> str:
    """A list of names for a message, cut short after a dozen."""
    shown = ", ".join(f"'{name}'" for name in names[:12])
    return shown + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "none"


def _layers(name: str) -> list[str]:
    listed = pyogrio.list_layers(name)
    # Tables without geometry, such as the styles QGIS saves, are not meant.
    layers = [str(row[0]) for row in listed if row[1] is not None]
    return layers or [str(row[0]) for row in listed]


def _several_layers(
    name: str, layers: list[str], what: str, wrong: Errors, chooses_layer: bool
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
    if layer is not None and layer not in layers:
        raise wrong(
            f"{what} '{name}' has no layer '{layer}', only {quoted(layers)}",
            hint="choose one of them with --layer",
        )
    if layer is None and len(layers) > 1:
        raise _several_layers(name, layers, what, wrong, chooses_layer)
    return layer or (layers[0] if layers else None)
