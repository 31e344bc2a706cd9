"""The classes of shots: their names, colours and keys, as the style of the layers shows them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from itertools import chain, count
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeatureRequest,
    QgsFillSymbol,
    QgsLineSymbol,
    QgsMarkerSymbol,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor

from ..class_field import categories_of
from ..class_names import class_name
from ..class_styles import value_styles
from .enums import is_point_layer, is_polygon_layer

#: Colours of new classes. They begin with those of Okabe and Ito for colour-blind readers, as hsi-geo's do.
COLORS = (
    *("#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7"),
    *("#0000ff", "#443311", "#ddddcc", "#bb44ff", "#aaee88", "#770066", "#ee1155"),
    *("#44eeff", "#884400", "#1100bb", "#553344", "#dd9955", "#aa88ff", "#114499"),
)

#: Classes that a key stands for.
MAX_KEYS = 9


@dataclass(frozen=True)
class ShotClass:
    """A class.

    Attributes:
        value: What the field of the layers holds, a text or a whole number.
        name: Name that is shown, and that the map has.
        color: "#rrggbb".
        own: Id of a layer and a value that the class has in it, which may differ from `value`. Several values of one
            layer are the same text in other characters.
    """

    value: Any
    name: str
    color: str
    own: tuple[tuple[str, Any], ...] = ()

    @property
    def key(self) -> str:
        """The value as text, which is the same for 3 and 3.0."""
        return class_name(self.value)


Classes = tuple[ShotClass, ...]


def new_color(classes: Sequence[ShotClass]) -> str:
    """A colour that no class has yet, or a colour of the palette again.

    Args:
        classes: The classes.
    """
    taken = {one.color.lower() for one in classes}
    free = [color for color in COLORS if color not in taken]
    return free[0] if free else COLORS[len(classes) % len(COLORS)]


def new_class(classes: Sequence[ShotClass], *, is_numeric: bool) -> ShotClass:
    """A class that the layers do not have yet.

    Args:
        classes: The classes.
        is_numeric: Whether the field holds numbers.
    """
    names, number = {one.name for one in classes}, len(classes) + 1
    while f"Class {number}" in names:
        number += 1
    name = f"Class {number}"
    value: Any = name
    if is_numeric:
        numbers = [int(one.key) for one in classes if is_number(one.key)]
        value = 1 + max(numbers, default=0)  # another layer may hold texts
    return ShotClass(value, name, new_color(classes))


def read_classes(layer: QgsVectorLayer, field: str) -> Classes:
    """The classes of a layer: the categories of its style, then values that have no category.

    Args:
        layer: The layer.
        field: Field with the class.

    Returns:
        The classes, no two of one name. The colour is empty where the style has none.
    """
    by_key: dict[str, list[Any]] = {}
    for value in _category_values(layer, field):
        by_key.setdefault(class_name(value), []).append(value)
    categories = len(by_key)
    for key, values in layer_values(layer, field).items():
        by_key[key] = with_spellings(by_key.get(key, []), values)
    found = list(shown_classes(layer, field, list(by_key.values())))
    for index in range(categories, len(found)):  # a group of values has one colour
        if found[index].color in [other.color for other in found[:index]]:
            found[index] = replace(found[index], color="")
    return tuple(found)


def shown_classes(layer: QgsVectorLayer, field: str, values: Sequence[Sequence[Any]]) -> Classes:
    """Classes with the names and colours that a layer's style and form show.

    Args:
        layer: The layer.
        field: Field with the class.
        values: Values of each class.

    Returns:
        The classes, no two of one name. The colour is empty where the style has none.
    """
    styles = value_styles(layer, field, [each[0] for each in values])
    found = []
    for each in values:
        style = styles.get(class_name(each[0]), {})
        own = tuple((layer.id(), value) for value in each)
        name = style.get("name", class_name(each[0]))
        found.append(ShotClass(each[0], name, style.get("color", ""), own))
    return tuple(found)


def read_categories(layer: QgsVectorLayer, field: str) -> list[tuple[Any, str, str]]:
    """Value, name and colour of the categories of a layer's style.

    Args:
        layer: The layer.
        field: Field with the class.
    """
    values = _category_values(layer, field)
    styles = value_styles(layer, field, values)
    shown = [styles.get(class_name(value), {}) for value in values]
    return [
        (value, style.get("name", class_name(value)), style.get("color", ""))
        for value, style in zip(values, shown)
    ]


def layer_values(layer: QgsVectorLayer, field: str) -> dict[str, list[Any]]:
    """The values that features of a layer have, in order, by their text.

    Args:
        layer: The layer.
        field: Field with the class.
    """
    index = layer.fields().lookupField(field)
    found: dict[str, list[Any]] = {}
    if index >= 0:
        # Not uniqueValues: its connection to a GeoPackage breaks when another layer of the file is saved.
        request = QgsFeatureRequest().setSubsetOfAttributes([index])
        values = {feature.attribute(index): None for feature in layer.getFeatures(request)}
        for value in sorted(filter(is_class, values), key=_order):
            found.setdefault(class_name(value), []).append(value)
    return found


def with_spellings(known: Sequence[Any], values: Sequence[Any]) -> list[Any]:
    """Values of a class, and other characters for the same text.

    Args:
        known: Values of the class in a layer.
        values: Values of features of the class.
    """
    if not known:
        return list(values)
    return [*known, *(one for one in values if isinstance(one, str) and one not in known)]


def with_distinct_names(classes: Sequence[ShotClass]) -> Classes:
    """The classes with names that differ: several of one name get their values as names, or numbered ones if these are taken.

    Args:
        classes: The classes.
    """
    names = [one.name for one in classes]
    doubled = {name for name in names if names.count(name) > 1}
    taken = set(names) - doubled
    found = []
    for one in classes:
        if one.name in doubled:
            numbered = (f"{one.name} {number}" for number in count(2))
            name = next(name for name in chain([one.key], numbered) if name not in taken)
            taken.add(name)
            one = replace(one, name=name)
        found.append(one)
    return tuple(found)


def is_number(value: Any) -> bool:
    """Whether a field of whole numbers can hold a value.

    Args:
        value: A value, or its text.
    """
    return class_name(value).removeprefix("-").isdecimal()


def _category_values(layer: QgsVectorLayer, field: str) -> list[Any]:
    """Values of a layer's categories; "all other values" and groups of values are left out."""
    renderer = categories_of(layer) if is_styled(layer, field) else None
    categories = [] if renderer is None else renderer.categories()
    return [one.value() for one in categories if one.symbol() is not None and is_class(one.value())]


def is_styled(layer: QgsVectorLayer, field: str) -> bool:
    """Whether a layer is drawn by categories of a field.

    Args:
        layer: The layer.
        field: Name of the field.
    """
    renderer = categories_of(layer)
    return renderer is not None and renderer.classAttribute().strip('"') == field


def is_code(one: ShotClass, texts: Collection[str]) -> bool:
    """Whether the text of a class is its code in a layer.

    Args:
        one: The class.
        texts: Ids of the layers that hold its name.
    """
    return any(value == one.value for layer_id, value in one.own if layer_id not in texts)


def is_class(value: Any) -> bool:
    """Whether a value of the field is a class; an empty one is none.

    Args:
        value: The value.
    """
    usable = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return usable and class_name(value) not in ("", "NULL")


def style_layer(layer: QgsVectorLayer, field: str, classes: Classes) -> None:
    """Draw a layer by its classes.

    Args:
        layer: The layer. Symbols of classes that it has are kept, and get the class's colour.
        field: Field with the class.
        classes: The classes, in the order of their keys.
    """
    kept, before = {}, categories_of(layer)
    if before is not None and is_styled(layer, field):
        categories = before.categories()
        kept = {class_name(one.value()): one.symbol() for one in categories if one.symbol()}
    shown = []
    for one in classes:
        symbol = kept[one.key].clone() if one.key in kept else _symbol(layer)
        symbol.setColor(_color(one.color, symbol.color().alpha()))
        shown.append(QgsRendererCategory(one.value, symbol, one.name))
    drawn = QgsCategorizedSymbolRenderer(field, shown)
    renderer = layer.renderer()
    if renderer is None or renderer.embeddedRenderer() is None:
        layer.setRenderer(drawn)
    else:  # in clusters, or displaced
        around = renderer.clone()
        around.setEmbeddedRenderer(drawn)
        layer.setRenderer(around)
    layer.triggerRepaint()
    layer.emitStyleChanged()


def _color(name: str, alpha: int) -> Any:
    color = QColor(name)
    color.setAlpha(alpha)
    return color


def _symbol(layer: QgsVectorLayer) -> Any:
    """A symbol that is seen on any scene: with a thin white edge."""
    edge = {"outline_color": "255,255,255,255", "outline_width": "0.3"}
    if is_point_layer(layer):
        return QgsMarkerSymbol.createSimple({"name": "circle", "size": "3", **edge})
    if not is_polygon_layer(layer):
        return QgsLineSymbol.createSimple({"line_width": "0.8"})
    return QgsFillSymbol.createSimple({"color": "0,0,0,150", **edge})


def _order(value: Any) -> tuple[bool, Any]:
    return (isinstance(value, str), value)
