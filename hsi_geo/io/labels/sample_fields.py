"""Fields of places that hsi-geo chose: those that people fill in, and those that say how and why they were chosen."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd

from hsi_geo.errors import ClassFieldError, EmptyShotsError
from hsi_geo.io.labels.class_levels import class_text
from hsi_geo.io.labels.suggested_points import CONFIDENCE, GUESS, RANK
from hsi_geo.text import quoted

#: Stratum of a place, pixels of the stratum, their hectares, places drawn in it, and the probability that a pixel of it
#: was drawn.
STRATUM, STRATUM_PX, STRATUM_HA, STRATUM_N = "stratum", "stratum_px", "stratum_ha", "stratum_n"
PROBABILITY = "probability"

#: Number of a place, and field for remarks.
PLACE, NOTE = "place", "note"

#: Fields that are never a class, in lower case. Shapefiles cut names after ten letters.
_OWN = (
    PLACE, NOTE, STRATUM, STRATUM_PX, STRATUM_HA, STRATUM_N, PROBABILITY, PROBABILITY[:10], "fid",
)  # fmt: skip


def is_sample(fields: Iterable[str]) -> bool:
    """Whether a file with these fields is a sample of places.

    Args:
        fields: Names of the fields, in any case.

    Examples:
        >>> is_sample(["class", "Stratum", "stratum_px", "stratum_n"]), is_sample(["class", "stratum"])
        (True, False)
    """
    return {STRATUM, STRATUM_PX, STRATUM_N} <= {field.lower() for field in fields}


def drawn_fields(frame: gpd.GeoDataFrame) -> gpd.GeoDataFrame | None:
    """The fields of a sample that say how its places were drawn.

    Args:
        frame: Features with any fields, whose names may have another case.

    Returns:
        `STRATUM` as text, `PLACE`, `STRATUM_PX`, `STRATUM_HA` and `STRATUM_N` as numbers, NaN where unknown, and the geometry; None
        if the features have no stratum or no number of its pixels.
    """
    column_of = {str(name).lower(): name for name in frame.columns}
    if not {STRATUM, STRATUM_PX} <= column_of.keys():
        return None
    numbers = {
        name: pd.to_numeric(frame[column_of[name]], errors="coerce")
        if name in column_of
        else np.nan
        for name in (PLACE, STRATUM_PX, STRATUM_HA, STRATUM_N)
    }
    strata = frame[column_of[STRATUM]].astype(object)  # categories would be there without a place
    return gpd.GeoDataFrame(
        {STRATUM: strata.map(class_text, na_action="ignore"), **numbers}, geometry=frame.geometry
    )


def is_suggestion(fields: Iterable[str]) -> bool:
    """Whether a file with these fields has places that were suggested for labelling.

    Args:
        fields: Names of the fields, in any case.

    Examples:
        >>> is_suggestion(["rank", "guess", "confidence", "class"]), is_suggestion(["rank", "class"])
        (True, False)
    """
    return {RANK, GUESS, CONFIDENCE} <= {field.lower() for field in fields}


def guess_cautions(fields: Sequence[str], chosen: str, source: str) -> list[str]:
    """Warn of a class field that holds what a model thinks of places that it is not sure of.

    Args:
        fields: Names of the fields of a file.
        chosen: The one that is taken for the class.
        source: Name of the file.

    Examples:
        >>> guess_cautions(["rank", "guess", "confidence", "class"], "class", "points.gpkg")
        []
    """
    if not is_suggestion(fields) or chosen.lower() != GUESS:
        return []
    warning = (
        f"the field '{chosen}' of '{source}' holds the model's own guesses, at places that it is not sure of: a model learns "
        "nothing new from them, and an accuracy by them says nothing"
    )
    return [warning]


def answer_fields(fields: Sequence[str]) -> list[str]:
    """Fields that can hold an answer: those that do not say how or why a place was chosen.

    Args:
        fields: Names of the fields of a file.

    Examples:
        >>> answer_fields(["place", "class", "note", "stratum", "stratum_px", "stratum_n"])
        ['class']
    """
    own: tuple[str, ...] = ()
    if is_sample(fields):
        own = _OWN
    elif is_suggestion(fields):
        own = (RANK, GUESS, CONFIDENCE)
    return [field for field in fields if field.lower() not in own]


def require_answers(frame: pd.DataFrame, fields: Sequence[str], wanted: str | None) -> None:
    """Refuse a sample that nobody has filled in, and a class field that says how it was drawn.

    Args:
        frame: Content of the file.
        fields: Names of all its fields.
        wanted: Class field that the user named; None for none.

    Raises:
        EmptyShotsError: If no place has a class.
        ClassFieldError: If the class field is one of those that say how places were drawn.
    """
    answers = answer_fields(fields)
    if not is_sample(fields) or not answers:
        return
    asked = [field for field in answers if field == wanted] or answers
    if not any(has_text(frame[field]) for field in asked):
        usual = [field for field in asked if field.lower().startswith("class")] or asked
        raise EmptyShotsError(
            "no place of this sample has a class yet",
            hint=f"fill in the field{'s' if len(usual) > 1 else ''} {quoted(usual)}",
        )
    if wanted is not None and wanted in fields and wanted not in answers:
        raise ClassFieldError(
            f"the field '{wanted}' says how the places of this sample were drawn, and holds no class",
            hint=f"take the field that was filled in: {quoted(answers)}",
        )


def has_text(values: pd.Series[Any]) -> bool:
    """Whether a field holds anything but blanks.

    Args:
        values: (N,) values of the field.
    """
    return any(class_text(value) != "" for value in values.dropna())
