"""Coordinates in the texts of a table: decimal numbers, degrees with minutes and hemispheres, well-known text."""

from __future__ import annotations

import re
from collections.abc import Callable

import shapely

from hsi_geo.io.labels.geometry_repair import are_collapsed

#: Letters of the hemispheres of each axis, and the sign of each. "O" is east in German and west in French.
_HEMISPHERES = {"x": {"E": 1.0, "W": -1.0}, "y": {"N": 1.0, "S": -1.0}}

#: Largest degrees of each axis.
_LARGEST = {"x": 360.0, "y": 90.0}

_DECIMAL = re.compile(r"[+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?")

#: Degrees, maybe with minutes and seconds, which are apart by their marks, colons or blanks.
_DEGREES = re.compile(
    r"(?P<sign>[+-]?)(?P<d>\d{1,3}(?:[.,]\d+)?)(?:\s*[°º˚:]\s*|\s+|$)"
    r"(?:(?P<m>\d{1,2}(?:[.,]\d+)?)(?:\s*['’′´:]\s*|\s+|$)"  # noqa: RUF001
    r"(?:(?P<s>\d{1,2}(?:[.,]\d+)?)\s*(?:\"|''|[”″“])?)?)?"
)

#: What tells degrees from any other numbers with blanks between them, where no hemisphere does.
_MARK = re.compile("[°º˚:]")

_EWKT = re.compile(r"\s*SRID\s*=\s*(\d+)\s*;\s*(.+)", re.IGNORECASE | re.DOTALL)
_HEX = re.compile(r"\s*0[01](?:[0-9A-Fa-f]{2}){4,}\s*")


def parse_coordinate(text: str, axis: str, degrees: bool) -> float | None:
    r"""The number that the text of a coordinate means.

    Args:
        text: Cell of a table. The decimal sign may be a comma.
        axis: "x" or "y".
        degrees: Whether it is a longitude or latitude, which may have minutes, seconds and a hemisphere.

    Returns:
        The number; None if the text is no coordinate, or could mean several.

    Examples:
        >>> parse_coordinate("13,25", "x", True), parse_coordinate("13.25 W", "x", True)
        (13.25, -13.25)
        >>> parse_coordinate("52°30'36\"S", "y", True), parse_coordinate("382,975.00", "x", False)
        (-52.51, None)
    """
    plain = text.strip().replace("\u2212", "-")
    if _DECIMAL.fullmatch(plain):
        return float(plain.replace(",", "."))
    return _parse_degrees(plain, axis) if degrees else None


def _parse_degrees(text: str, axis: str) -> float | None:
    hemisphere = re.search("^[NESW]|[NESW]$", text, re.IGNORECASE)
    sign, number = 1.0, text
    if hemisphere is not None:
        sign = _HEMISPHERES[axis].get(hemisphere[0].upper(), 0.0)
        number = (text[: hemisphere.start()] + text[hemisphere.end() :]).strip()
    match = _DEGREES.fullmatch(number)
    if match is None or not sign or (hemisphere is None and not _MARK.search(number)):
        return None
    if hemisphere is not None and match["sign"]:
        return None
    parts = [float((match[name] or "0").replace(",", ".")) for name in "dms"]
    degrees, minutes, seconds = parts
    finer = match["s"] or match["m"]
    coarse = parts[: 2 if match["s"] else 1] if finer else []
    if not all(map(float.is_integer, coarse)) or minutes >= 60 or seconds >= 60:
        return None
    value = degrees + minutes / 60 + seconds / 3600
    if value > _LARGEST[axis]:
        return None
    return -sign * value if match["sign"] == "-" else sign * value


def parse_geometry(text: str) -> tuple[shapely.Geometry | None, int | None]:
    """The geometry of a well-known text or binary, and the code of its CRS if the text tells it, as PostGIS does.

    Args:
        text: Cell of a table.

    Returns:
        geometry: None if the text is none. Rings are closed.
        srid: None if there is none, or if it is 0.

    Examples:
        >>> shape, srid = parse_geometry("SRID=32633;POINT(4 5)")
        >>> shape.wkt, srid
        ('POINT (4 5)', 32633)
    """
    if _HEX.fullmatch(text):
        shape = _parsed(shapely.from_wkb, text.strip())
        return shape, None if shape is None else int(shapely.get_srid(shape)) or None
    extended = _EWKT.fullmatch(text)
    if extended is None:
        return _parsed(shapely.from_wkt, text), None
    return _parsed(shapely.from_wkt, extended[2]), int(extended[1]) or None


def _parsed(parse: Callable[..., shapely.Geometry], text: str) -> shapely.Geometry | None:
    try:
        shape = parse(text, on_invalid="fix")  # None if it is broken
        return parse(text, on_invalid="ignore") if are_collapsed(shape) else shape
    except NotImplementedError:  # curves
        return None
