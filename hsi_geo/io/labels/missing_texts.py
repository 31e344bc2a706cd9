"""Words that stand for a missing value in tables of text, such as R's NA."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import geopandas as gpd
import numpy as np
from pandas.api.types import is_bool_dtype, is_datetime64_any_dtype, is_numeric_dtype

from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.text import quoted

#: What pandas takes for a missing value, in these cases only. R writes NA, Python NaN and None, SQL NULL, Excel #N/A.
# fmt: off
MISSING_TEXTS = frozenset((
    "NA", "N/A", "n/a", "<NA>", "NULL", "null", "NaN", "nan", "-NaN", "-nan", "None",
    "#N/A", "#N/A N/A", "#NA", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN",
))
# fmt: on


def drop_missing_texts(
    frame: gpd.GeoDataFrame, kept: Collection[str]
) -> tuple[gpd.GeoDataFrame, dict[str, str]]:
    """Take words such as NA in a table for missing values.

    Args:
        frame: Rows of a table of text.
        kept: Names of classes that the user gave: such a word is a name then.

    Returns:
        frame: The rows.
        notes: What was taken for missing, as a sentence, by the name of the column.
    """
    words = MISSING_TEXTS - {clean_name(name) for name in kept}
    notes: dict[str, str] = {}
    found = frame.copy()
    for index, (name, kind) in enumerate(zip(frame.columns, frame.dtypes, strict=True)):
        if kind == "geometry" or any(
            holds(kind) for holds in (is_numeric_dtype, is_bool_dtype, is_datetime64_any_dtype)
        ):
            continue
        column = frame.iloc[:, index]
        cells = [cell.strip() if isinstance(cell, str) else None for cell in column.tolist()]
        missing = np.array([cell in words for cell in cells], bool)
        if missing.any():
            found.isetitem(index, column.mask(missing))
            notes[str(name)] = _note(str(name), Counter(c for c in cells if c in words))
    return found, notes


def _note(name: str, counts: Counter[str]) -> str:
    words, rows = sorted(counts), sum(counts.values())
    has = f"{rows} rows have" if rows > 1 else "1 row has"
    return (
        f"{has} {quoted(words)} in '{name}', which is taken for no value: to keep it as a class, "
        "name it in a file of classes, or save the table as a GeoPackage"
    )
