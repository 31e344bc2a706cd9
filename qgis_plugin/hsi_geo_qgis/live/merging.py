"""The classes of several layers as one list: a class has one name, and in each layer a value."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from qgis.core import QgsVectorLayer

from ..class_names import class_name
from .classes import (
    Classes,
    ShotClass,
    is_code,
    is_number,
    layer_values,
    new_color,
    shown_classes,
    with_distinct_names,
    with_spellings,
)


def values_in(classes: Classes, layer_id: str, *, is_numeric: bool) -> list[list[Any]]:
    """The values of each class in a layer; the first is what new shots get. No two classes have the same one.

    Args:
        classes: The classes.
        layer_id: Id of the layer.
        is_numeric: Whether its field holds numbers.
    """
    found = [_own(one, layer_id) for one in classes]
    if is_numeric:  # a style may hold texts that the field cannot
        found = [[value for value in values if is_number(value)] for values in found]
    taken = {class_name(value) for values in found for value in values}
    names = [one.name for one, values in zip(classes, found) if one.name in map(class_name, values)]
    holds_names = not is_numeric and (bool(names) or not taken)  # else its texts are codes
    choices = [_choices(one, is_numeric=is_numeric, is_name=holds_names) for one in classes]
    for rank in range(
        3
    ):  # what one class may well have comes before what another has to make do with
        for values, possible in zip(found, choices):
            if not values and rank < len(possible) and class_name(possible[rank]) not in taken:
                values.append(possible[rank])
                taken.add(class_name(possible[rank]))
    for one, values in zip(classes, found):
        if not values:
            values.append(_free_value(one.name, taken, is_numeric=is_numeric))
            taken.add(class_name(values[0]))
    return found


def _choices(one: ShotClass, *, is_numeric: bool, is_name: bool) -> list[Any]:
    """Values for a class that a layer does not have, the best first."""
    if is_numeric:
        return [int(one.key)] if is_number(one.key) else []
    best = one.name if is_name and not isinstance(one.value, str) else one.value
    return [best, one.name, one.key]


def _free_value(name: str, taken: Collection[str], *, is_numeric: bool) -> Any:
    """A value that no class of a layer has."""
    if is_numeric:
        # Not one above the largest: those of other classes would change with each class that is drawn.
        return next(number for number in count(1) if str(number) not in taken)
    return next(text for text in (f"{name} {n}" for n in count(2)) if text not in taken)


def merged(classes: Sequence[ShotClass], more: Sequence[ShotClass], layer_id: str) -> Classes:
    """The classes, and those of one more layer. Classes of one name are one, whatever their values are.

    A class without a name is that of the same value.

    Args:
        classes: The classes of other layers.
        more: The classes of a layer.
        layer_id: Id of that layer.
    """
    found, left = list(classes), []
    for one in more:
        index = next((i for i, other in enumerate(found) if other.name == one.name), -1)
        if index < 0:
            left.append(one)
        elif _own(found[index], layer_id):  # two classes of this layer have one name
            left.append(replace(one, name=one.key))
        else:
            found[index] = replace(found[index], own=(*found[index].own, *one.own))
    for one in left:
        index = next((i for i, other in enumerate(found) if _is_same(one, other, layer_id)), -1)
        if index < 0:
            found.append(replace(one, color=one.color or new_color(found)))
            continue
        other = found[index]
        named = one if other.name == other.key else other
        color = named.color or other.color
        found[index] = replace(other, name=named.name, color=color, own=(*other.own, *one.own))
    return with_distinct_names(found)


def _is_same(one: ShotClass, other: ShotClass, layer_id: str) -> bool:
    """Whether a class of a layer is another one by its value, since one of both has no name."""
    keys = {other.key, *(class_name(value) for _, value in other.own)}
    is_unnamed = one.name == one.key or other.name == other.key
    return is_unnamed and one.key in keys and not _own(other, layer_id)


def grown(classes: Classes, layer: QgsVectorLayer, field: str, *, is_numeric: bool) -> Classes:
    """The classes, and one for each value of a layer that has none.

    Args:
        classes: The classes.
        layer: The layer.
        field: Field with the class.
        is_numeric: Whether the field holds numbers.
    """
    layer_id, present = layer.id(), layer_values(layer, field)
    places = {
        class_name(value): index
        for index, values in enumerate(values_in(classes, layer_id, is_numeric=is_numeric))
        for value in values
    }
    found = list(classes)
    for key, values in present.items():
        if key in places:
            one = found[places[key]]
            known = with_spellings(_own(one, layer_id), values)
            found[places[key]] = replace(one, own=_with_own(one, layer_id, known))
    new = [values for key, values in present.items() if key not in places]
    for one in shown_classes(layer, field, new) if new else ():
        _add(found, one, layer_id, present)
    return with_distinct_names(found)


def _add(found: list[ShotClass], one: ShotClass, layer_id: str, present: Mapping[str, Any]) -> None:
    """Add a class of a layer; a class of its name takes its values, unless it has shots of its own in the layer."""
    one = replace(one, color=one.color or new_color(found))
    index = next((i for i, other in enumerate(found) if other.name == one.name), -1)
    if index < 0:
        found.append(one)
        return
    other = found[index]
    own, values = _own(other, layer_id), [value for _, value in one.own]
    if not any(class_name(value) in present for value in own):
        found[index] = replace(other, own=_with_own(other, layer_id, values))
    elif other.name == class_name(own[0]):  # the name is its value, so it stays
        found.append(replace(one, name=one.key))
    elif len(own) == len(other.own):
        found[index] = replace(other, name=other.key)
        found.append(one)
    else:  # the name stays with the class of the other layers
        found[index] = replace(other, own=_with_own(other, layer_id, values))
        pairs = tuple((layer_id, value) for value in own)
        found.append(ShotClass(own[0], class_name(own[0]), one.color, pairs))


def has_codes(classes: Classes, layer_id: str) -> bool:
    """Whether a class has a value in a layer that is not its name: then every value there is a code, also one like a name.

    Args:
        classes: The classes.
        layer_id: Id of the layer.
    """
    return any(class_name(value) != one.name for one in classes for value in _own(one, layer_id))


def renamed(one: ShotClass, name: str, texts: Collection[str]) -> ShotClass:
    """A class of another name, which is its value as well where the name before was.

    Args:
        one: The class.
        name: Its new name.
        texts: Ids of the layers that hold the name of the class.
    """
    own = [(layer_id, name if layer_id in texts else value) for layer_id, value in one.own]
    is_name = one.key == one.name and isinstance(one.value, str)
    value = name if is_name and not is_code(one, texts) else one.value
    return replace(one, name=name, value=value, own=tuple(dict.fromkeys(own)))


def restyled(
    classes: Classes, values: Sequence[Sequence[Any]], styled: Sequence[ShotClass], layer_id: str
) -> Classes:
    """The classes with names and colours of a layer whose style was changed, and its new classes.

    Args:
        classes: The classes.
        values: The values of each class in the layer.
        styled: The classes of the layer as its style shows them.
        layer_id: Id of the layer.
    """
    by_key, found = {one.key: one for one in styled}, []
    for one, each in zip(classes, values):
        other = by_key.pop(class_name(each[0]), one)
        found.append(replace(one, name=other.name, color=other.color or one.color))
    return merged(found, list(by_key.values()), layer_id)


def _own(one: ShotClass, layer_id: str) -> list[Any]:
    return [value for own_id, value in one.own if own_id == layer_id]


def _with_own(one: ShotClass, layer_id: str, values: Sequence[Any]) -> tuple[tuple[str, Any], ...]:
    others = [pair for pair in one.own if pair[0] != layer_id]
    pairs = [(layer_id, value) for value in values]
    return one.own if pairs == [p for p in one.own if p[0] == layer_id] else (*others, *pairs)
