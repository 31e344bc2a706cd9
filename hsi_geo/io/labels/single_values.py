"""Class values that are a text or a number each, and not several values together."""

from __future__ import annotations

import json
from collections.abc import Iterable

import numpy as np

from hsi_geo.errors import ShotsError


def require_single_values(values: Iterable[object], where: str) -> None:
    """Refuse classes that are lists or objects, as GeoJSON may hold them.

    Args:
        values: Class of each shot.
        where: What holds them, as begin of a sentence ("the field 'class' of shots 'a.geojson'").

    Raises:
        ShotsError: If one is a list or an object.

    Examples:
        >>> require_single_values(["rye", 3, None], "field 'crop'")
    """
    for value in values:
        if kind := _kind(value):
            shown = str(value.tolist() if isinstance(value, np.ndarray) else value)
            raise ShotsError(
                f"{where} holds {kind}, such as {shown[:60]}",
                hint="give each shot one class, a text or a whole number",
            )


def _kind(value: object) -> str:
    """What a value of several parts is called; empty for a single one."""
    if isinstance(value, list | tuple | set | np.ndarray):
        return "lists"
    if isinstance(value, dict):
        return "objects"
    if isinstance(value, str) and value.startswith("{"):  # GDAL's text of objects beside texts
        try:
            return "objects" if isinstance(json.loads(value), dict) else ""
        except (ValueError, RecursionError):
            return ""
    return ""
