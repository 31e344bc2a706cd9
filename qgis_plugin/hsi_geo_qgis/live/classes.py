"""The classes of shots: their names, colours and keys, as the style of the layers shows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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

from ..class_field import class_name
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
    """

    value: Any
    name: str
    color: str

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
        numbers = [int(one.key) for one in classes if one.key.removeprefix("-").isdecimal()]
        value = 1 + max(numbers, default=0)  # another layer may hold texts
    return ShotClass(value, name, new_color(classes))


def read_classes(layer: QgsVectorLayer, field: str) -> Classes:
    """The classes of a layer: the categories of its style, then values that have no category.

    Args:
        layer: The layer.
        field: Field with the class.
    """
    found: list[ShotClass] = []
    renderer = layer.renderer()
    if is_styled(layer, field):
        for category in renderer.categories():
            symbol, value = category.symbol(), category.value()
            if symbol is None or not is_class(value):  # "all other values" has no value
                continue
            name = category.label().strip() or class_name(value)
            found.append(ShotClass(value, name, symbol.color().name()))
    return with_values(distinct_names(found), layer, field)


def with_values(classes: Classes, layer: QgsVectorLayer, field: str) -> Classes:
    """The classes, and one for each value of a layer that has none.

    Args:
        classes: The classes.
        layer: The layer.
        field: Field with the class.
    """
    found, known = list(classes), {one.key for one in classes}
    index = layer.fields().lookupField(field)
    values: dict[str, Any] = {}
    if index >= 0:
        # Not uniqueValues: its connection to a GeoPackage breaks when another layer of the file is saved.
        request = QgsFeatureRequest().setSubsetOfAttributes([index])
        for feature in layer.getFeatures(request):
            value = feature.attribute(index)
            if is_class(value):
                values.setdefault(class_name(value), value)
    for value in sorted(values.values(), key=_order):
        if class_name(value) not in known:
            known.add(class_name(value))
            found.append(ShotClass(value, class_name(value), new_color(found)))
    return distinct_names(found)


def distinct_names(classes: Sequence[ShotClass]) -> Classes:
    """The classes; where two have one name, they get their values as names.

    Args:
        classes: The classes.
    """
    names = [one.name for one in classes]
    return tuple(
        replace(one, name=one.key) if names.count(one.name) > 1 else one for one in classes
    )


def is_styled(layer: QgsVectorLayer, field: str) -> bool:
    """Whether a layer is drawn by categories of a field.

    Args:
        layer: The layer.
        field: Name of the field.
    """
    renderer = layer.renderer()
    return (
        isinstance(renderer, QgsCategorizedSymbolRenderer)
        and renderer.classAttribute().strip('"') == field
    )


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
    kept = {}
    if is_styled(layer, field):
        categories = layer.renderer().categories()
        kept = {class_name(one.value()): one.symbol() for one in categories if one.symbol()}
    shown = []
    for one in classes:
        symbol = kept[one.key].clone() if one.key in kept else _symbol(layer)
        symbol.setColor(_color(one.color, symbol.color().alpha()))
        shown.append(QgsRendererCategory(one.value, symbol, one.name))
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, shown))
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
