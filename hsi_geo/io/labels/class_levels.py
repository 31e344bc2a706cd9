"""Classes and their parents in the fields of a file of labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from hsi_geo.arrays import BoolArray
from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.class_names import clean_name, find_name
from hsi_geo.text import quoted

#: Separates the field of the upper level from that of the class.
SEPARATOR = "/"


def split_levels(fields: Sequence[str], wanted: str | None) -> tuple[str | None, str | None]:
    """The fields of the upper level and of the class.

    Args:
        fields: Fields of the file.
        wanted: Field of the class as the user gave it; None for none.

    Returns:
        Both fields; no upper level if the user gave one field, or a field has the whole name.

    Examples:
        >>> split_levels(["Level_1", "Level_2"], "Level_1/Level_2"), split_levels(["a/b"], "a/b")
        (('Level_1', 'Level_2'), (None, 'a/b'))
    """
    if wanted is None or wanted.count(SEPARATOR) != 1 or find_name(wanted, fields):
        return None, wanted
    parent, field = wanted.split(SEPARATOR)
    return (parent, field) if parent and field else (None, wanted)


def parents_of_classes(
    pairs: Iterable[tuple[Any, Any]], source: str, parent_field: str
) -> dict[str, str]:
    """Name of the parent of each class.

    Args:
        pairs: Class and parent of each feature; a parent may be missing.
        source: What messages call the labels.
        parent_field: Field of the parents.

    Returns:
        Parent by class, both as text.

    Raises:
        ShotsError: If a class has two parents.

    Examples:
        >>> parents_of_classes([("roof", "built-up"), ("lake", None), (3, 7.0)], "shots", "Level_1")
        {'roof': 'built-up', '3': '7'}
    """
    found: dict[str, set[str]] = {}
    for value, parent in pairs:
        text = "" if pd.isna(parent) else class_text(parent)
        found.setdefault(class_text(value), set()).update({text} - {""})
    for value, parents in found.items():
        if len(parents) > 1:
            raise ShotsError(
                f"{source} have the class '{value}' below {quoted(sorted(parents))} in '{parent_field}'",
                hint="give each class one parent",
            )
    return {value: parents.pop() for value, parents in found.items() if parents}


def class_text(value: Any) -> str:
    """A class as text, the same for integers and for floats that are whole.

    Args:
        value: Value of the class field.

    Examples:
        >>> class_text(3.0), class_text(3), class_text(" rye ")
        ('3', '3', 'rye')
    """
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return clean_name(value)


def has_class(values: pd.Series[Any]) -> BoolArray:
    """Find the shots that have a class.

    Args:
        values: (N,) class of each shot, as a field or a list holds it.

    Returns:
        (N,) False where the class is missing, an empty text or no finite number.

    Examples:
        >>> has_class(pd.Series(["rye", None, " ", float("inf")])).tolist()
        [True, False, False, False]
    """
    if pd.api.types.is_integer_dtype(values) and not values.hasnans:
        return np.ones(len(values), bool)
    missing = values.isna() | values.isin([np.inf, -np.inf])
    return np.asarray(~missing & (values.map(class_text) != ""), bool)
