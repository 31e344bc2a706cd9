"""Files of shots: features with a class field, tables of points, rasters of class ids."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely
from pandas.api.types import infer_dtype

from hsi_geo.arrays import IntArray
from hsi_geo.errors import (
    ClassFieldError,
    EmptyShotsError,
    MapError,
    ShotsError,
    ShotsNotFoundError,
)
from hsi_geo.io.files.references import require_file
from hsi_geo.io.labels.class_colors import parse_color
from hsi_geo.io.labels.class_fields import (
    COLOR_FIELDS,
    fields_of,
    find_class_field,
    may_hold_classes,
    number_cautions,
)
from hsi_geo.io.labels.class_levels import class_text, has_class, parents_of_classes, split_levels
from hsi_geo.io.labels.class_names import find_name
from hsi_geo.io.labels.class_rasters import read_patches
from hsi_geo.io.labels.coded_domains import names_of_codes
from hsi_geo.io.labels.containers import (
    find_raster,
    is_file_database,
    is_named_as_raster,
)
from hsi_geo.io.labels.map_records import rejected_in
from hsi_geo.io.labels.purposes import Purpose
from hsi_geo.io.labels.qgis_styles import Style, find_style
from hsi_geo.io.labels.rejected_classes import are_rejected, rejected_by_name
from hsi_geo.io.labels.reprojection import have_valid_coordinates
from hsi_geo.io.labels.sample_fields import answer_fields, drawn_fields, guess_cautions
from hsi_geo.io.labels.single_values import require_single_values
from hsi_geo.io.labels.vectors import dates_as_text, is_unopened, read_vector
from hsi_geo.io.readers.raster import data_of_header
from hsi_geo.tiling import Grid

#: Kinds of columns, in pandas' words, that may have been made from texts.
_TIMES = ("datetime64", "datetime", "date", "time")

#: What messages call features that a program holds.
FRAME = "GeoDataFrame"

#: Most characters of a text in a table that messages show.
MOST_SHOWN = 60


@dataclass(frozen=True, eq=False)
class LabelledFile:
    """Content of a file of shots.

    Attributes:
        geometry: (N,) geometry of each shot.
        labels: (N,) class of each shot, text or number, none missing.
        ids: (N,) id of each shot in the file.
        colors: "#rrggbb" by class as text, for classes that have a colour.
        names: Name by class as text, for class numbers that have a name.
        skipped: What was left out, as parts of a sentence ("2 without geometry").
        notes: What was decided while reading, as sentences.
        in_scene_frame: Whether coordinates are in the CRS of the scene, as the file states none.
        other_fields: Names of other fields that may hold the class; empty for a raster.
        parents: Name of the class of the upper level, by class as text; empty for one level.
        cautions: What the user should know before, as sentences.
        drawn: How the features of a GeoDataFrame were drawn, if they are a sample; see `drawn_fields`. A file is read again
            for that.
    """

    geometry: gpd.GeoSeries
    labels: pd.Series[Any]
    ids: IntArray
    colors: Mapping[str, str]
    names: Mapping[str, str]
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    in_scene_frame: bool = False
    other_fields: tuple[str, ...] = ()
    parents: Mapping[str, str] = MappingProxyType({})
    cautions: tuple[str, ...] = ()
    drawn: gpd.GeoDataFrame | None = None


def read_labelled(
    name: str,
    class_field: str | None,
    layer: str | None,
    purpose: Purpose,
    near: Sequence[Grid] = (),
    kept: Collection[str] = (),
) -> LabelledFile:
    """Read a file of shots.

    Args:
        name: Path of a vector file, a table of points or a raster; see `shot_reading.read_shots`.
        class_field: Name of the field that holds the class; None to find it. Two names with a slash between them are
            those of the upper level and of the class.
        layer: Name of the layer in a file of several; None for the only one.
        purpose: What the shots are used for.
        near: Grids of the scenes, if they are known: of a large raster only the part around them is read.
        kept: Names of classes that are no missing values in a table, even if they read as such ("NA").

    Returns:
        The shots that have a geometry and a class.

    Raises:
        ShotsNotFoundError: If there is no such file.
        ShotsError: If it cannot be read, or has no shot with a geometry and a class.
        ClassFieldError: If there is no such field, or several may hold the class.
    """
    what = f"{purpose.labels} file"
    opened_as = data_of_header(name)
    if is_named_as_raster(opened_as):
        return _without_fields(_read_raster(name, opened_as, purpose, near), class_field, layer)
    if not is_file_database(name):
        require_file(name, what, ShotsError)

    def read() -> gpd.GeoDataFrame:
        return read_vector(
            opened_as,
            what=what,
            layer=layer,
            missing=ShotsNotFoundError,
            wrong=ShotsError,
            tables=True,
            kept=kept,
        )

    try:
        frame = read()
    except ShotsError as error:
        inside = find_raster(opened_as, what, ShotsError) if is_unopened(error) else None
        if inside is None:
            raise
        return _without_fields(_read_raster(name, inside, purpose, near), class_field, layer)
    style = find_style(name, frame.attrs["layer"])
    return _labelled(frame, name, f"file '{name}'", class_field, purpose, style, read)


def labelled_frame(
    frame: gpd.GeoDataFrame, class_field: str | None, layer: str | None, purpose: Purpose
) -> LabelledFile:
    """As `read_labelled`, for features that a program holds.

    Args:
        frame: Features with a class field. Ids are those of its index if they are distinct integers, else from 0.
        class_field: Name of the field that holds the class, as in `read_labelled`.
        layer: Layer that the user gave; a frame has none.
        purpose: What the shots are used for.

    Raises:
        ShotsError: If no column is its geometry, or no shot has a geometry and a class.
        ClassFieldError: As `read_labelled`.
    """
    active = frame.active_geometry_name
    if active is None:
        raise ShotsError(
            f"{purpose.labels} '{FRAME}' have no active geometry",
            hint="choose the column of the geometry with set_geometry",
        )
    if frame.columns.nlevels > 1:
        raise ShotsError(
            f"the columns of {purpose.labels} '{FRAME}' have names of {frame.columns.nlevels} levels",
            hint="give each column one name",
        )
    others = [name for name, dtype in frame.dtypes.items() if dtype == "geometry"]
    frame = frame.drop(columns=[name for name in others if name != active]).rename(columns=str)
    frame = frame.set_geometry(str(active))
    index = frame.index
    is_integer = index.is_unique and pd.api.types.is_integer_dtype(index)
    if not is_integer or index.max() > np.iinfo(np.int64).max:
        frame = frame.reset_index(drop=True)
    frame.attrs = {"notes": [], "columns": None, "unreadable": {}}
    if layer is not None:
        frame.attrs["notes"] = [f"--layer is ignored: a {FRAME} has no layers"]
    drawn = drawn_fields(frame.loc[:, ~frame.columns.duplicated()])
    found = _labelled(frame, FRAME, f"'{FRAME}'", class_field, purpose, Style())
    return dataclasses.replace(found, drawn=drawn)


# Features -------------------------------------------------------------------------------------


def _labelled(
    frame: gpd.GeoDataFrame,
    name: str,
    called: str,
    class_field: str | None,
    purpose: Purpose,
    style: Style,
    read: Callable[[], gpd.GeoDataFrame] | None = None,
) -> LabelledFile:
    """Shots of features; ``attrs`` are those of `read_vector`, which `read` calls again."""
    if frame.empty:
        raise EmptyShotsError(f"{purpose.labels} {called} is empty", hint=f"draw {purpose.wanted}")
    notes, columns = list(frame.attrs["notes"]), frame.attrs["columns"]
    unreadable: Mapping[int, str] = frame.attrs["unreadable"]
    layer = frame.attrs.get("layer")
    measures: Collection[str] = frame.attrs.get("measures", ())
    missing: Mapping[str, str] = frame.attrs.get("missing", {})
    frame.attrs = {}  # pandas copies them with each column
    duplicated = frame.columns.duplicated()  # pyogrio mixes the values of such fields
    repeated, frame = set(frame.columns[duplicated]), frame.loc[:, ~duplicated]
    parent_field, class_field = split_levels(fields_of(frame), class_field)
    if parent_field is not None:
        parent_field, _ = find_class_field(frame, parent_field, style, name, purpose)
    class_field, note = find_class_field(frame, class_field, style, name, purpose, measures)
    notes += [note] if note else []
    notes += [missing[field] for field in (parent_field, class_field) if field and field in missing]
    if class_field in repeated:
        raise ClassFieldError(
            f"{purpose.labels} '{name}' have several fields '{class_field}'",
            hint="rename all but one of them, or choose another field with --class-field",
        )
    levels = (class_field,) if parent_field is None else (parent_field, class_field)
    if read is not None and any(infer_dtype(frame[field]) in _TIMES for field in levels):
        with dates_as_text():
            written = read()
        frame = frame.assign(**{field: written[field] for field in levels})
    for field in levels:
        require_single_values(frame[field], f"the field '{field}' of {purpose.labels} '{name}'")
    others = [
        field
        for field in answer_fields(fields_of(frame))
        if field != class_field and may_hold_classes(frame[field], field, measures)
    ]
    frame, skipped = _usable(frame, class_field, name, purpose, unreadable)
    ids = frame.index.to_numpy()
    frame = frame.reset_index(drop=True)
    colors = _colors(frame, class_field) or _of_field(style.colors, style, class_field)
    labels = names_of_codes(name, layer, class_field) | {
        value: label
        for value, label in _of_field(style.labels, style, class_field).items()
        if label != value  # QGIS repeats the value where nobody named it
    }
    return LabelledFile(
        frame.geometry,
        frame[class_field],
        ids,
        colors,
        labels,
        tuple(skipped),
        tuple(notes),
        columns is not None and frame.crs is None,
        tuple(others),
        {}
        if parent_field is None
        else parents_of_classes(
            zip(frame[class_field], frame[parent_field], strict=True),
            f"{purpose.labels} '{name}'",
            parent_field,
        ),
        (
            *guess_cautions(fields_of(frame), class_field, name),
            *(number_cautions(frame[class_field], class_field, name, labels) if note else ()),
        ),
    )


def _usable(
    frame: gpd.GeoDataFrame,
    class_field: str,
    name: str,
    purpose: Purpose,
    unreadable: Mapping[int, str],
) -> tuple[gpd.GeoDataFrame, list[str]]:
    skipped = []
    shapes = frame.geometry.to_numpy()  # GeoSeries.notna warns where a geometry is empty
    present = ~(shapely.is_missing(shapes) | shapely.is_empty(shapes))
    valid = present & have_valid_coordinates(shapes)
    labelled = has_class(frame[class_field])
    rejected = are_rejected(frame)
    if rejected.any():
        skipped.append(f"{int(rejected.sum())} that a map rejected")
        labelled, present = labelled | rejected, present | rejected  # counted once
    if count := int((~present).sum()) - len(unreadable):
        skipped.append(f"{count} without geometry")
    if unreadable:
        number, text = next(iter(unreadable.items()))
        such = f"such as '{text[:MOST_SHOWN]}' of feature {number}"
        skipped.append(f"{len(unreadable)} with coordinates that could not be read, {such}")
    if (present & ~valid).any():
        skipped.append(f"{int((present & ~valid).sum())} with coordinates that are no numbers")
    if not labelled.all():
        skipped.append(f"{int((~labelled).sum())} without a class in '{class_field}'")
    frame = frame[valid & labelled & ~rejected]
    if frame.empty and unreadable:
        raise ShotsError(
            f"{purpose.labels} '{name}' have coordinates that could not be read, {such}",
            hint="write decimal numbers without separators of thousands, or degrees such as 13.25 or 13°15'00\"E in "
            "columns called lon and lat",
        )
    if rejected.any() and rejected.all():
        raise EmptyShotsError(
            f"{purpose.labels} '{name}' are polygons of pixels that a map rejected, and of no others",
            hint=f"give {purpose.wanted}",
        )
    if frame.empty:
        raise EmptyShotsError(
            f"{purpose.labels} '{name}' have no feature with a geometry and a class in '{class_field}'",
            hint=f"draw {purpose.wanted}",
        )
    return frame, skipped


def _colors(frame: gpd.GeoDataFrame, class_field: str) -> dict[str, str]:
    """The commonest colour of each class in a colour column."""
    for field in frame.columns:
        if str(field).lower() in COLOR_FIELDS and field != class_field:
            counts: dict[str, Counter[str]] = {}
            for value, text in zip(frame[class_field], frame[field], strict=True):
                if color := parse_color(str(text)):
                    counts.setdefault(class_text(value), Counter())[color] += 1
            return {value: colors.most_common(1)[0][0] for value, colors in counts.items()}
    return {}


def _of_field(entries: Mapping[str, str], style: Style, class_field: str) -> Mapping[str, str]:
    """Entries of a style, if it is that of the class field; else none."""
    return entries if find_name(class_field, [style.class_field]) is not None else {}


# Rasters --------------------------------------------------------------------------------------


def _read_raster(name: str, opened_as: str, purpose: Purpose, near: Sequence[Grid]) -> LabelledFile:
    """Labels of a raster, each patch of one class id as a polygon."""
    found = read_patches(
        name,
        opened_as,
        purpose.labels,
        purpose.wanted,
        purpose.raster,
        near,
        partial(_rejected, opened_as),
    )
    ids = np.arange(1, len(found.values) + 1)
    return LabelledFile(
        found.geometry, found.values, ids, found.colors, found.names, (), found.notes
    )


def _rejected(opened_as: str, names: Mapping[int, str]) -> dict[int, str]:
    """Names of the rejected classes by value, if the raster is a map with such."""
    try:
        found = rejected_in(opened_as, names)
    except MapError:  # another large file of that name
        found = rejected_by_name(names)
    # A raster of the same name that another program wrote has other names.
    return {one.id: one.name for one in found if names.get(one.id, one.name) == one.name}


def _without_fields(file: LabelledFile, class_field: str | None, layer: str | None) -> LabelledFile:
    """Labels of a raster, with a note on options that do not apply to rasters."""
    given = [
        option
        for option, value in (("--class-field", class_field), ("--layer", layer))
        if value is not None
    ]
    notes = [f"{option} is ignored: a raster has neither fields nor layers" for option in given]
    return dataclasses.replace(file, notes=(*file.notes, *notes))
