"""Names of codes in the domains of a GeoPackage, which QGIS and ArcGIS show in place of the codes."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

from hsi_geo.io.labels.class_names import clean_name

_QUERY = """
    SELECT code.value, code.description
    FROM gpkg_data_columns AS field JOIN gpkg_data_column_constraints AS code USING (constraint_name)
    WHERE lower(field.table_name) = lower(?) AND lower(field.column_name) = lower(?)
        AND code.constraint_type = 'enum'
"""


def names_of_codes(path: str, layer: str | None, field: str) -> dict[str, str]:
    """Names of the values of a field by its coded domain.

    Args:
        path: Path of any file.
        layer: Name of its layer.
        field: Name of the field.

    Returns:
        Name by code as text; empty if the file is no GeoPackage, or the field has no such domain.
    """
    import sqlite3  # seldom needed

    file = Path(path).absolute()
    if file.suffix.lower() != ".gpkg" or not file.is_file():
        return {}
    try:
        with closing(sqlite3.connect(f"{file.as_uri()}?mode=ro", uri=True)) as opened:
            rows = opened.execute(_QUERY, (layer, field)).fetchall()
    except sqlite3.Error:  # without these tables, or no database
        return {}
    named = {str(code).strip(): clean_name(text or "") for code, text in rows}
    return {code: name for code, name in named.items() if name}
