"""Names and colours of the classes of a map of any program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from hsi_geo.io.labels.class_colors import complete_colors, parse_color
from hsi_geo.io.labels.map_records import read_record
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.reader import ReadMap, read_colors


def read_legend(opened: ReadMap, values: Iterable[int]) -> dict[int, LandClass]:
    """Name and colour of values of a map.

    A colour is that of the map's colour table, else of its attribute table, else of its record, else one of the
    palette.

    Args:
        opened: The map.
        values: Values to describe.

    Returns:
        Class by value, in the order of the values; its id is the value.
    """
    ordered = sorted({int(value) for value in values})
    names = [opened.name_of(value) for value in ordered]
    stored = {
        **_recorded_colors(opened),
        **opened.class_values.colors,
        **read_colors(opened.path),
    }
    colors = complete_colors([stored.get(value) for value in ordered], names)
    return {
        value: LandClass(value, name, color, value)
        for value, name, color in zip(ordered, names, colors, strict=True)
    }


def _recorded_colors(opened: ReadMap) -> dict[int, str]:
    """Colours in the record of a map with too many classes for a colour table."""
    listed = read_record(opened.path).get("classes")
    found = {}
    for one in listed if isinstance(listed, list) else ():
        if isinstance(one, Mapping) and isinstance(one.get("id"), int):
            color = parse_color(str(one.get("color")))
            if color is not None and one.get("name") == opened.names.get(one["id"]):
                found[one["id"]] = color
    return found
