"""What to do about a map and a reference whose classes have different names."""

from __future__ import annotations

from collections.abc import Sequence

from hsi_geo.io.labels.shots import Shots


def hint_on_names(in_map: Sequence[str], in_reference: Sequence[str], labelled: Shots) -> str:
    """What to do if no class of a map has the name of a class of the reference.

    Args:
        in_map: Names of the map's classes; their values where it has no names.
        in_reference: Names of the reference's classes.
        labelled: The reference.
    """
    if labelled.other_fields:
        return "choose the field that holds the map's class names with --class-field"
    if all(map(str.isdecimal, in_map)) and not any(map(str.isdecimal, in_reference)):
        return (
            "name the classes of the reference by the map's numbers with --classes, or give a reference with these "
            "numbers and without names (in QGIS: a style whose labels are the values), since the file of the map has no "
            "names for its numbers"
        )
    return "give the classes of both the same names, or name those of the reference with --classes"
