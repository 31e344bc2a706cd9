"""Classes that QGIS's undo gives the name back that they had, or its redo the other one."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from ..class_names import class_name
from .classes import Classes, ShotClass, is_code

#: Id of a layer, and that of a feature in it.
Shots = frozenset[tuple[str, int]]


@dataclass(frozen=True)
class Rename:
    """A class that was renamed.

    Attributes:
        before: Its name before.
        after: Its name after.
        shots: The shots that it had: an undo gives all of these the name back, and no others.
        texts: Ids of the layers that hold its name.
    """

    before: str
    after: str
    shots: Shots
    texts: frozenset[str] = frozenset()


Renames = tuple[Rename, ...]


def with_rename(renames: Renames, one: Rename) -> Renames:
    """The renames, and another one, if shots hold the name: else there is nothing that QGIS can undo.

    Args:
        renames: Earlier renames.
        one: The rename.

    >>> first, second = Rename("a", "b", frozenset({("x", 1)})), Rename("b", "c", frozenset({("x", 1)}))
    >>> with_rename((first,), second) == (first, second)
    True
    >>> with_rename((first,), Rename("Class 3", "a", frozenset()))
    ()
    """
    kept = without_names(renames, {one.after})
    return (*kept, one) if one.shots else kept


def without_names(renames: Renames, names: Collection[str]) -> Renames:
    """The renames without those of names that other classes have now by a person's will.

    Args:
        renames: The renames.
        names: Names of these classes.
    """
    return tuple(one for one in renames if one.before not in names and one.after not in names)


def followed(
    classes: Classes,
    renames: Renames,
    present: Collection[str],
    shots_of: Callable[[str], Shots],
) -> Classes:
    """The classes, where all shots of a rename have the other name: it is that class, with its key, colour and codes.

    In any other case there are two classes, so that none is lost.

    Args:
        classes: The classes, with a new one for each name that the shots have.
        renames: Renames that QGIS may have undone, or done again.
        present: Names of the classes that have shots.
        shots_of: Function that finds the shots of a name.
    """
    found = {one.name: one for one in classes}
    for rename in (*reversed(renames), *renames):
        pair = rename.before, rename.after
        for gone, back in (pair, pair[::-1]):
            if (
                gone in found
                and back in found
                and back in present
                and not any(layer_id in rename.texts for layer_id, _ in shots_of(gone))
                and shots_of(back) == rename.shots
            ):
                one = _with_name_of(found[gone], found.pop(back), rename.texts)
                found = {
                    each.name: each
                    for each in (one if e.name == gone else e for e in found.values())
                }
    return tuple(found.values())


def _with_name_of(one: ShotClass, other: ShotClass, texts: Collection[str]) -> ShotClass:
    """A class with the name and the values of another one, and its own codes."""
    codes = tuple(
        (layer_id, value)
        for layer_id, value in one.own
        if class_name(value) != one.name or layer_id not in texts
    )
    is_name = isinstance(one.value, str) and not is_code(one, texts)
    value = other.value if is_name else one.value
    return replace(
        one, name=other.name, value=value, own=tuple(dict.fromkeys((*codes, *other.own)))
    )
