"""Which field of a file of labels holds the class."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
from pandas.api.types import infer_dtype

from hsi_geo.errors import ClassFieldError, EmptyShotsError
from hsi_geo.io.labels.class_levels import class_text
from hsi_geo.io.labels.class_names import find_name
from hsi_geo.io.labels.purposes import Purpose
from hsi_geo.io.labels.qgis_styles import Style
from hsi_geo.io.labels.sample_fields import answer_fields, has_text, require_answers
from hsi_geo.io.labels.shapefiles import has_attribute_table
from hsi_geo.text import did_you_mean, quoted

#: Names, in lower case, of the class field in files with several fields.
USUAL_CLASS_FIELDS = ("class", "class_name", "classname", "label", "land_cover", "landcover")

#: Names, in lower case, of fields that hold the colour of a class.
COLOR_FIELDS = ("color", "colour")

#: Names, in lower case, of the fields of macroclasses of the Semi-Automatic Classification Plugin, the best first. Its other
#: fields (C_name, C_ID, class_id) name each region that was drawn.
MACROCLASS_FIELDS = ("mc_name", "mc_id", "macroclass_id")

#: Names, in lower case, of fields in which programs number features.
NUMBER_FIELDS = (
    "id",
    "gid",
    "oid",
    "objectid",
    "objectid_1",
    "ogc_fid",
    "feature_id",
    "point_id",
    "pointid",
    "uid",
    "pk",
    "fid",
    "no",
    "nr",
    "point",
)


def find_class_field(
    frame: gpd.GeoDataFrame,
    wanted: str | None,
    style: Style,
    name: str,
    purpose: Purpose,
    measures: Collection[str] = (),
) -> tuple[str, str | None]:
    """The name of the class field, and a note on how it was found if the user gave none.

    Args:
        frame: Features of the file, one or more.
        wanted: Name of the field as the user gave it; None to find it.
        style: Style of the layer in QGIS, which may name the field.
        name: Name of the file, for messages.
        purpose: What the labels are used for.
        measures: Fields of a table that hold decimal numbers, truth values or dates as text.

    Raises:
        ClassFieldError: If there is no such field, or several may hold the class.
        EmptyShotsError: If nobody has filled in the field of the class.
    """
    fields = fields_of(frame)
    require_answers(frame, fields, wanted)
    if wanted is not None and fields:
        found = find_name(wanted, fields)
        if found is not None:
            return found, None
        raise ClassFieldError(
            f"{purpose.labels} '{name}' have no field '{wanted}', only {quoted(fields)}",
            hint=f"choose one of them with {purpose.field_option}{_question(frame, fields, wanted)}",
        )
    answers = answer_fields(fields)
    likely = [field for field in answers if may_hold_classes(frame[field], field, measures)]
    named = _named_fields(frame, answers, style)
    by_name = [field for field in named if field.lower() in USUAL_CLASS_FIELDS]
    usual = [field for field in by_name if field in likely]
    if usual:  # decimal numbers with a usual name beside them, such as confidences, are no classes
        named = [field for field in named if field in usual or field not in by_name]
    else:
        usual = [field for field in by_name if _is_repeated(frame[field])]
    possible = [field for field in answers if field in likely or field in named]
    in_style = [field for field in likely if find_name(field, [style.class_field])]
    if not usual and not in_style:
        _require_filled(frame, answers, possible, name, purpose)
    of_scp = sorted(
        (field for field in possible if field.lower() in MACROCLASS_FIELDS),
        key=lambda field: MACROCLASS_FIELDS.index(field.lower()),
    )
    for candidates, reason in (
        ([] if _only_measures(frame, fields, measures) else fields, "the only field"),
        (possible, "the only field that can hold it"),
        (usual, "by its name"),
        (in_style, f"by {style.source}"),
        (
            of_scp[:1] if not usual else [],
            "the macroclass of the Semi-Automatic Classification Plugin",
        ),
    ):
        if len(candidates) == 1:
            return candidates[0], f"class taken from field '{candidates[0]}' ({reason})"
    if len(fields) == 1:
        raise ClassFieldError(
            f"{purpose.labels} '{name}' have only the field '{fields[0]}', which holds decimal numbers, truth values or dates, and none "
            "of them twice",
            hint=f"add a field with the class of each, or take '{fields[0]}' with --class-field",
        )
    if not fields:
        raise ClassFieldError(
            f"{purpose.labels} '{name}' have no fields",
            hint="add a field that holds the class of each"
            if has_attribute_table(name)
            else "copy the .dbf file that belongs to the Shapefile, too",
        )
    shown = possible or fields
    raise ClassFieldError(
        f"{purpose.labels} '{name}' have {len(shown)} fields that could hold the class: {quoted(shown)}",
        hint=f"choose one with --class-field{_most_like_usual(_repeated(frame, shown))}",
    )


def number_cautions(
    values: pd.Series[Any], field: str, source: str, labels: Mapping[str, str]
) -> list[str]:
    """Warn of a class field that most likely numbers the features, as nobody named it and all values differ.

    Args:
        values: (N,) class of each shot.
        field: Name of the field.
        source: Name of the file.
        labels: Names of the field's values in the style of the layer: with names they are classes. QGIS repeats the
            value where it has none.
    """
    is_number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if (
        field.lower() not in NUMBER_FIELDS
        or not is_number
        or any(label != value for value, label in labels.items())
        or len(values) < 2
        or _is_repeated(values)
    ):
        return []
    warning = (
        f"each of the {len(values)} features of '{source}' is a class of its own, as the field '{field}' numbers them: if it holds no "
        "classes, add a field with the class of each"
    )
    return [warning]


def _named_fields(frame: gpd.GeoDataFrame, answers: Sequence[str], style: Style) -> list[str]:
    """Fields with values that a usual name or the style of the layer tells to be the class.

    They are not passed over for another field, even if they hold decimal numbers, truth values or dates.
    """
    return [
        field
        for field in answers
        if has_text(frame[field])
        and (field.lower() in USUAL_CLASS_FIELDS or find_name(field, [style.class_field]))
    ]


def _require_filled(
    frame: gpd.GeoDataFrame,
    answers: Sequence[str],
    possible: Sequence[str],
    name: str,
    purpose: Purpose,
) -> None:
    """Refuse a file whose field of the class is empty, and whose other fields only number or name the features."""
    empty = [
        field
        for field in answers
        if field.lower() in USUAL_CLASS_FIELDS and not has_text(frame[field])
    ]
    others = [field for field in possible if field not in empty]
    if empty and not any(_is_repeated(frame[field]) for field in others):
        choice = f", or choose another field with --class-field: {quoted(others)}" if others else ""
        raise EmptyShotsError(
            f"{purpose.labels} '{name}' have no class yet: the field '{empty[0]}' is empty in all rows",
            hint=f"fill in the field '{empty[0]}'{choice}",
        )


def _only_measures(
    frame: gpd.GeoDataFrame, fields: Sequence[str], measures: Collection[str]
) -> bool:
    """Whether there is one field, and it holds measures that all differ, such as heights."""
    if len(fields) != 1:
        return False
    values = frame[fields[0]].dropna()
    if fields[0] in measures:  # texts of a table, whose gaps are blanks
        values = values[[class_text(value) != "" for value in values]]
    elif not (
        pd.api.types.is_numeric_dtype(values) or pd.api.types.is_datetime64_any_dtype(values)
    ):
        return False
    if len(values) < 2 or _is_repeated(values):
        return False
    return not may_hold_classes(values, fields[0], measures)


def _question(frame: gpd.GeoDataFrame, fields: Sequence[str], wanted: str) -> str:
    """A question about the field that may be meant: the same letters and digits, or else a name that is like it."""
    same = [field for field in fields if _letters(field) == _letters(wanted)]
    return did_you_mean(wanted, same) or did_you_mean(wanted, _repeated(frame, fields))


def _letters(field: str) -> str:
    return "".join(character for character in field.lower() if character.isalnum())


def _repeated(frame: gpd.GeoDataFrame, fields: Sequence[str]) -> list[str]:
    """Fields to suggest: those that have a value twice, if there are such. Others are numbers and names of features."""
    return [field for field in fields if _is_repeated(frame[field])] or list(fields)


def _is_repeated(values: pd.Series[Any]) -> bool:
    """Whether a value occurs twice, as classes do."""
    return bool(values.dropna().astype(str).duplicated().any())


def _most_like_usual(fields: Sequence[str]) -> str:
    """A question about the field whose name is most like a usual one; empty if none is, or several are."""
    asked = {did_you_mean(usual, fields) for usual in USUAL_CLASS_FIELDS} - {""}
    return asked.pop() if len(asked) == 1 else ""


def fields_of(frame: gpd.GeoDataFrame) -> list[str]:
    """Names of all fields but the geometry.

    Args:
        frame: Features of a file.
    """
    return [str(field) for field in frame.columns if field != frame.geometry.name]


def may_hold_classes(values: pd.Series[Any], field: str, measures: Collection[str] = ()) -> bool:
    """Whether a field holds text or whole numbers, and no colours.

    Args:
        values: (N,) values of the field.
        field: Its name.
        measures: Fields of a table that hold something else as text; see `table_types.type_columns`.
    """
    if field.lower() in COLOR_FIELDS or field in measures or not has_text(values):
        return False
    if infer_dtype(values) == "boolean" or pd.api.types.is_datetime64_any_dtype(values):
        return False
    if pd.api.types.is_numeric_dtype(values):
        numbers = values.dropna().to_numpy(np.float64)
        return bool((numbers == np.round(numbers)).all())
    return True
