"""Shots of several files as one: their classes are matched, and each keeps its CRS."""

from __future__ import annotations

import contextlib
import dataclasses
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import geopandas as gpd
import pandas as pd
from pyproj.exceptions import ProjError

from hsi_geo.errors import ShotsError
from hsi_geo.io.labels.class_colors import complete_colors
from hsi_geo.io.labels.parents import with_parents
from hsi_geo.io.labels.purposes import Purpose
from hsi_geo.io.labels.shots import ClassTable, LandClass, Shots, require_number_of_classes
from hsi_geo.text import quoted


def join_shots(parts: Sequence[Shots], purpose: Purpose) -> Shots:
    """Join the shots of several files.

    Classes of one name are one class. A number without a name takes the name that another file gives
    it, else it is the class of that number in every file. A class has the colour that the first file gives it.

    Args:
        parts: Shots of each file, one or more, maybe of one class each.
        purpose: What the shots are used for.

    Returns:
        The shots of all files, with `Shots.parts`. Classes are ordered by number where all have one,
        else by name.

    Raises:
        ShotsError: If the classes of a file are bare numbers and those of the others names, if files
            give a number different names that a third one has without a name, or if there are too few
            classes or more than can be mapped.

    Examples:
        >>> import shapely
        >>> from hsi_geo.io.labels.purposes import TRAINING
        >>> from hsi_geo.io.labels.shots import make_shots
        >>> places = gpd.GeoSeries([shapely.Point(0, 0), shapely.Point(1, 0)])
        >>> points = make_shots(places, ["roof", "tree"])
        >>> polygons = make_shots(places.buffer(0.1), ["tree", "water"])
        >>> [c.name for c in join_shots([points, polygons], TRAINING).classes]
        ['roof', 'tree', 'water']
    """
    parts = [one for part in parts for one in part.parts or (part,)]
    if len(parts) == 1:
        require_number_of_classes([c.name for c in parts[0].classes], parts[0].source, purpose)
        return dataclasses.replace(parts[0], purpose=purpose)
    names = _matched_names(parts)
    source = ", ".join(part.source for part in parts)
    classes, defaults = _class_table(parts, names)
    require_number_of_classes([c.name for c in classes], source, purpose)
    id_of = {one.name: one.id for one in classes}
    own = []
    for part, by_id in zip(parts, names, strict=True):
        ids = part.frame["class_id"].map({id: id_of[name] for id, name in by_id.items()})
        frame = part.frame.assign(class_id=ids)
        own.append(
            dataclasses.replace(
                part, classes=classes, frame=frame, purpose=purpose, default_colors=defaults
            )
        )
    return Shots(
        classes,
        _joined_frame(own),
        source,
        tuple(f"{text} in '{_short(part)}'" for part in parts for text in part.skipped),
        tuple(f"'{_short(part)}': {note}" for part in parts for note in part.notes),
        in_scene_frame=all(part.in_scene_frame for part in parts),
        purpose=purpose,
        files=tuple(dict.fromkeys(name for part in parts for name in part.files)),
        other_fields=tuple(dict.fromkeys(name for part in parts for name in part.other_fields)),
        default_colors=defaults,
        cautions=tuple(text for part in parts for text in part.cautions),
        parts=tuple(own),
    )


def joined_classes(
    parts: Sequence[Shots],
) -> tuple[ClassTable, tuple[int, ...], list[dict[int, int]]]:
    """The classes of several shots together.

    Args:
        parts: Shots of each file.

    Returns:
        classes: The class table of all.
        defaults: Ids of the classes whose colour nobody gave.
        ids: For each part, the id in that table by its own id.

    Raises:
        ShotsError: As `join_shots`.
    """
    names = _matched_names(parts)
    classes, defaults = _class_table(parts, names)
    id_of = {one.name: one.id for one in classes}
    return classes, defaults, [{id: id_of[name] for id, name in one.items()} for one in names]


def _matched_names(parts: Sequence[Shots]) -> list[dict[int, str]]:
    """For each file, the name in the joined class table by class id."""
    named: dict[int, set[str]] = defaultdict(set)
    for part in parts:
        for one in part.classes:
            if one.value is not None and not _is_bare(one):
                named[one.value].add(one.name)
    found = []
    for part in parts:
        by_id = {}
        for one in part.classes:
            others = sorted(named[one.value]) if _is_bare(one) and one.value is not None else []
            if len(others) > 1:
                raise ShotsError(
                    f"{part.purpose.labels} '{part.source}' have a class {one.value} without a name, and other "
                    f"files name it {quoted(others)}",
                    hint="give it a name there, too",
                )
            by_id[one.id] = others[0] if others else one.name
        found.append(by_id)
    _refuse_bare_numbers(parts, found)
    return found


def _is_bare(one: LandClass) -> bool:
    """Whether a class is a number that nobody named."""
    return one.value is not None and one.name == str(one.value)


def _refuse_bare_numbers(parts: Sequence[Shots], names: Sequence[dict[int, str]]) -> None:
    """Refuse a file of numbers beside one of names, if they have no class in common."""
    worded = [part for part in parts if any(one.value is None for one in part.classes)]
    if not worded:
        return
    for index, part in enumerate(parts):
        others = {name for i, by_id in enumerate(names) if i != index for name in by_id.values()}
        if all(map(_is_bare, part.classes)) and not others & set(names[index].values()):
            raise ShotsError(
                f"the classes of '{part.source}' are numbers without names "
                f"({quoted([one.name for one in part.classes])}), and those of '{worded[0].source}' are names",
                hint="choose the field of the names with --class-field, or name the numbers with --classes",
            )


def _class_table(
    parts: Sequence[Shots], names: Sequence[dict[int, str]]
) -> tuple[ClassTable, tuple[int, ...]]:
    """The classes of all files, and the ids of those whose colour nobody gave."""
    values: dict[str, set[int | None]] = defaultdict(set)
    colors: dict[str, str] = {}
    for part, by_id in zip(parts, names, strict=True):
        for one in part.classes:
            name = by_id[one.id]
            values[name].add(one.value)
            if one.id not in part.default_colors:
                colors.setdefault(name, one.color)
    numbers = {name: next(iter(found)) for name, found in values.items() if len(found) == 1}
    distinct = {number for number in numbers.values() if number is not None}
    numbered = len(distinct) == len(values)
    ordered = sorted(values, key=lambda name: (numbers[name] or 0 if numbered else 0, name))
    given = [colors.get(name) for name in ordered]
    painted = complete_colors(given, ordered)
    classes = tuple(
        LandClass(id, name, color, numbers[name] if numbered else None)
        for id, (name, color) in enumerate(zip(ordered, painted, strict=True), start=1)
    )
    classes = with_parents(classes, *_parents(parts, names, classes))
    return classes, tuple(id for id, color in enumerate(given, start=1) if color is None)


def _parents(
    parts: Sequence[Shots], names: Sequence[dict[int, str]], classes: ClassTable
) -> tuple[dict[int, str], dict[str, str | None]]:
    """Parent by id of the class, and colour by name of the parent, of all files; the first file counts."""
    parent_of: dict[str, str] = {}
    colors: dict[str, str | None] = {}
    for part, by_id in zip(parts, names, strict=True):
        for one in part.classes:
            if one.parent is not None:
                first = parent_of.setdefault(by_id[one.id], one.parent)
                if first != one.parent:
                    raise ShotsError(
                        f"{part.purpose.labels} '{part.source}' have the class '{by_id[one.id]}' below "
                        f"'{one.parent}', and another file below '{first}'",
                        hint="give each class one parent",
                    )
                colors.setdefault(one.parent, one.parent_color)
    return {c.id: parent_of[c.name] for c in classes if c.name in parent_of}, colors


def _joined_frame(parts: Sequence[Shots]) -> gpd.GeoDataFrame:
    """Features of all files in the CRS of the first that has one; the column ``part`` counts the files from 0.

    Only for tables and hints: `shot_pixels.to_grid` reprojects each file on its own.
    """
    crs = next((part.frame.crs for part in parts if part.frame.crs is not None), None)
    frames = []
    for index, part in enumerate(parts):
        frame = part.frame
        if frame.crs is not None and not frame.crs.equals(crs):
            with contextlib.suppress(ProjError):  # on another planet; `to_grid` names it
                frame = frame.to_crs(crs)
        frames.append(frame.set_crs(crs, allow_override=True).assign(part=index))
    return gpd.GeoDataFrame(pd.concat(frames, ignore_index=True), geometry="geometry", crs=crs)


def _short(part: Shots) -> str:
    return Path(part.source).name or part.source
