"""Names and colours of classes out of a JSON file (``--classes``)."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

from hsi_geo.errors import OptionError
from hsi_geo.io.files.references import require_text
from hsi_geo.io.files.text_encoding import decode
from hsi_geo.io.labels.class_names import clean_name
from hsi_geo.io.labels.land_cover_colors import land_cover_colors
from hsi_geo.io.labels.parents import with_parents
from hsi_geo.io.labels.shots import ClassTable, LandClass, Shots
from hsi_geo.text import quoted

_COLOR = re.compile(r"#[0-9a-fA-F]{6}")
_EXAMPLE = '{"1": {"name": "roof", "color": "#e60000"}}'


def style_classes(shots: Shots, path: str | os.PathLike[str]) -> Shots:
    """Name and colour the classes of shots by a file.

    Args:
        shots: Labelled geometries.
        path: JSON file that maps values of the class field to a ``name``, a ``color`` ("#rrggbb"), a ``parent`` (the
            name of the class of the upper level), or several of these. Where classes are text, an entry also
            belongs to the class that has its ``name``. An entry with the name of a parent may give its ``color``.
            A note lists entries of no class. Classes that the file does not have stay as they are.

    Returns:
        The shots with another class table. Ids and their order stay.

    Raises:
        OptionError: If the file is missing or of another form, or gives two classes one name.
    """
    styles = {clean_name(value): style for value, style in _read(path).items()}
    key_of = _keys_of_classes(shots.classes, styles)
    style_of: dict[int, dict[str, Any]] = {
        one.id: styles[key_of[one.id]] if one.id in key_of else {} for one in shots.classes
    }
    classes = tuple(_apply_style(one, style_of[one.id], path) for one in shots.classes)
    defaults = tuple(
        one.id
        for one in shots.classes
        if one.id in shots.default_colors and "color" not in style_of[one.id]
    )
    classes = _recolored(classes, defaults)
    parents = {one.id: style_of[one.id].get("parent") for one in shots.classes}
    if any(parents.values()):
        classes = with_parents(
            classes,
            {id: str(name) for id, name in parents.items() if name},
            _parent_colors(styles, path),
        )
    names = [one.name for one in classes]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise OptionError(
            f"class file '{os.fspath(path)}' gives several classes the name {quoted(twice)}",
            hint="give each its own, or merge them in the shots",
        )
    return dataclasses.replace(
        shots,
        classes=classes,
        files=(*shots.files, os.fspath(path)),
        default_colors=defaults,
        notes=(*shots.notes, *_notes_on_others(styles, set(key_of.values()), path)),
    )


def named_classes(path: str | os.PathLike[str]) -> frozenset[str]:
    """Names and values of the classes that a file of classes names.

    Args:
        path: JSON file, as of `style_classes`.

    Raises:
        OptionError: If the file is missing or of another form.
    """
    styles = _read(path)
    names = [style["name"] for style in styles.values() if "name" in style]
    return frozenset(clean_name(name) for name in [*styles, *names])


def _keys_of_classes(classes: ClassTable, styles: dict[str, Any]) -> dict[int, str]:
    """Entry of each class by its id: the one of its value, else for a class that is text the one of its name."""
    found = {one.id: _key(one) for one in classes if _key(one) in styles}
    by_name: dict[str, str] = {}
    for key, style in styles.items():
        if key not in found.values() and "name" in style:
            by_name.setdefault(clean_name(style["name"]), key)
    for one in classes:
        if one.id not in found and one.value is None and one.name in by_name:
            found[one.id] = by_name[one.name]
    return found


def _notes_on_others(
    styles: dict[str, Any], used: set[str], path: str | os.PathLike[str]
) -> list[str]:
    """A note on entries that belong to no class, and to no parent of one."""
    parents = {clean_name(styles[key].get("parent", "")) for key in used}
    others = [
        key
        for key, style in styles.items()
        if key not in used and not {key, clean_name(style.get("name", key))} & parents
    ]
    if not others:
        return []
    return [f"entries of class file '{os.fspath(path)}' that belong to no class: {quoted(others)}"]


def _recolored(classes: ClassTable, defaults: tuple[int, ...]) -> ClassTable:
    """The classes; of those with a default colour, each gets the usual one of what its name now says."""
    named = [one for one in classes if one.id in defaults]
    usual = dict(
        zip([one.id for one in named], land_cover_colors([one.name for one in named]), strict=True)
    )
    taken = {one.color for one in classes if not usual.get(one.id)}
    return tuple(
        dataclasses.replace(one, color=color)
        if (color := usual.get(one.id)) and color not in taken
        else one
        for one in classes
    )


def _parent_colors(styles: dict[str, Any], path: str | os.PathLike[str]) -> dict[str, str | None]:
    """Colours of entries by their name, for those whose name is that of a parent."""
    colors = {name: style.get("color") for name, style in styles.items()}
    for style in styles.values():
        if "name" in style:
            colors.setdefault(clean_name(style["name"]), style.get("color"))
    for name, color in colors.items():
        if color is not None and not _COLOR.fullmatch(str(color)):
            raise OptionError(
                f"class file '{os.fspath(path)}' gives '{name}' the color '{color}'",
                hint=f"write {_EXAMPLE}",
            )
    return {name: None if color is None else str(color).lower() for name, color in colors.items()}


def _key(one: LandClass) -> str:
    """The value of the class field, also where a QGIS style has named the class already."""
    return one.name if one.value is None else str(one.value)


def _read(path: str | os.PathLike[str]) -> dict[str, Any]:
    name = os.fspath(path)
    require_text(name, "class file", OptionError)
    try:
        found = json.loads(decode(Path(name).read_bytes())[0])
    except OSError as error:
        raise OptionError(
            f"class file '{name}' cannot be read ({error.strerror})", hint="check its path"
        ) from error
    except (ValueError, RecursionError) as error:  # brackets in brackets in brackets
        raise OptionError(f"class file '{name}' is no JSON", hint=f"write {_EXAMPLE}") from error
    if not isinstance(found, dict) or not all(isinstance(v, dict) for v in found.values()):
        raise OptionError(
            f"class file '{name}' does not map values to names and colours",
            hint=f"write {_EXAMPLE}",
        )
    return found


def _apply_style(one: LandClass, style: dict[str, Any], path: str | os.PathLike[str]) -> LandClass:
    name, color = clean_name(style.get("name", one.name)), str(style.get("color", one.color))
    if not name or not _COLOR.fullmatch(color):
        raise OptionError(
            f"class file '{os.fspath(path)}' gives class '{one.name}' the name '{name}' and the "
            f"color '{color}'",
            hint=f"write {_EXAMPLE}",
        )
    return dataclasses.replace(one, name=name, color=color.lower())
