"""Classes that QGIS's undo gives the name back that they had, or its redo the other one."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from ..class_names import class_name
from .classes import Classes, ShotClass

#: Name of a class before and after it was renamed.
Renames = tuple[tuple[str, str], ...]


def with_rename(renames: Renames, before: str, after: str, *, is_undoable: bool) -> Renames:
    """The renames, and another one. Earlier ones of a class that has a name now by a person's will no longer count.

    Args:
        renames: Earlier renames.
        before: Name of a class.
        after: Its new name.
        is_undoable: Whether shots hold the name, so that QGIS can undo it.

    >>> with_rename((("a", "b"),), "b", "c", is_undoable=True)
    (('a', 'b'), ('b', 'c'))
    >>> with_rename((("a", "b"),), "Class 3", "a", is_undoable=False)
    ()
    """
    kept = tuple(pair for pair in renames if after not in pair)
    return (*kept, (before, after)) if is_undoable else kept


def followed(classes: Classes, renames: Renames, present: Collection[str]) -> Classes:
    """The classes, where the shots of some have their earlier name again: it is that class, with its key and colour.

    Args:
        classes: The classes, with a new one for each name that the shots have.
        renames: Renames that QGIS may have undone, or done again.
        present: Names of the classes that have shots.
    """
    found = {one.name: one for one in classes}
    for pair in (*reversed(renames), *renames):
        for gone, back in (pair, pair[::-1]):
            if gone in found and back in found and back in present and gone not in present:
                one = _with_name_of(found[gone], found.pop(back))
                found = {
                    each.name: each
                    for each in (one if e.name == gone else e for e in found.values())
                }
    return tuple(found.values())


def _with_name_of(one: ShotClass, other: ShotClass) -> ShotClass:
    """A class with the name and the values of another one."""
    codes = tuple(pair for pair in one.own if class_name(pair[1]) != one.name)
    value = other.value if isinstance(one.value, str) else one.value
    return replace(
        one, name=other.name, value=value, own=tuple(dict.fromkeys((*codes, *other.own)))
    )
