"""Fields of a random sample of places: those that people fill in, and those that say how places were drawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from hsi_geo.errors import ClassFieldError, EmptyShotsError
from hsi_geo.io.labels.class_levels import class_text
from hsi_geo.text import quoted

#: Stratum of a place, pixels of the stratum, places drawn in it, and the probability that a pixel of it was drawn.
STRATUM, STRATUM_PX, STRATUM_N, PROBABILITY = "stratum", "stratum_px", "stratum_n", "probability"

#: Number of a place, and field for remarks.
PLACE, NOTE = "place", "note"

#: Fields that are never a class, in lower case. Shapefiles cut names after ten letters.
_OWN = (PLACE, NOTE, STRATUM, STRATUM_PX, STRATUM_N, PROBABILITY, PROBABILITY[:10], "fid")


def is_sample(fields: Iterable[str]) -> bool:
    """Whether a file with these fields is a sample of places.

    Args:
        fields: Names of the fields, in any case.

    Examples:
        >>> is_sample(["class", "Stratum", "stratum_px", "stratum_n"]), is_sample(["class", "stratum"])
        (True, False)
    """
    return {STRATUM, STRATUM_PX, STRATUM_N} <= {field.lower() for field in fields}


def answer_fields(fields: Sequence[str]) -> list[str]:
    """Fields that can hold an answer: for a sample those that do not say how it was drawn, else all.

    Args:
        fields: Names of the fields of a file.

    Examples:
        >>> answer_fields(["place", "class", "note", "stratum", "stratum_px", "stratum_n"])
        ['class']
    """
    if not is_sample(fields):
        return list(fields)
    return [field for field in fields if field.lower() not in _OWN]


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
    if len(answers) == len(fields) or not answers:
        return
    asked = [field for field in answers if field == wanted] or answers
    if not any(_has_text(frame[field]) for field in asked):
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


def _has_text(values: pd.Series[Any]) -> bool:
    return any(class_text(value) != "" for value in values.dropna())
