"""Names and colours of classes, as the style of a layer of labels shows them."""

from __future__ import annotations

import json
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsExpressionContext,
    QgsFeature,
    QgsPalettedRasterRenderer,
    QgsRasterLayer,
    QgsVectorLayer,
)

from .class_field import MAX_CLASSES, class_name, is_plain, shown_names
from .layers import temporary_file

#: {value: {"name": ..., "color": "#rrggbb"}}, each of the two where there is one.
Styles = dict[str, dict[str, str]]


def class_styles(layer: QgsVectorLayer | None, field: str) -> Styles:
    """Names and colours of classes, as a layer's style and form show them; call on the main thread.

    The label of a category names a class, if it is not only the value. Else the form's text does,
    such as that of a value map.

    Args:
        layer: The layer of labels, with its style; None if it is no vector layer.
        field: Field with the class.

    Returns:
        {value: {"name": ..., "color": "#rrggbb"}}, each of the two where there is one.
    """
    index = -1 if layer is None else layer.fields().lookupField(field)
    if layer is None or index < 0 or not is_plain(layer.fields().at(index)):
        return {}
    values = [value for value in layer.uniqueValues(index) if _is_class(value)]
    if len(values) > MAX_CLASSES:
        return {}
    categories = _categories(layer, field, values)
    shown = shown_names(layer, field, values)
    labels = {value: label for value, (label, _) in categories.items() if label not in ("", value)}
    names = {**shown, **labels}
    for possible in (names, shown, {}):  # two classes of one name: use the next best
        given = [possible.get(class_name(value), class_name(value)) for value in values]
        if len(set(given)) == len(given):
            names = possible
            break
    styles: Styles = {}
    for value in map(class_name, values):
        if value in categories or value in names:
            styles[value] = {"name": names.get(value, value)}
        if value in categories:
            styles[value]["color"] = categories[value][1]
    return styles


def _categories(layer: QgsVectorLayer, field: str, values: list[Any]) -> dict[str, tuple[str, str]]:
    """Label and colour by value of a field, if the layer's categories are made from that field only."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer) or not values:
        return {}
    fields, attribute = layer.fields(), renderer.classAttribute()
    index = fields.lookupField(field)
    expression = None
    if fields.lookupField(attribute) != index:
        expression = QgsExpression(attribute)
        used = {fields.lookupField(name) for name in expression.referencedColumns()} - {-1}
        if used != {index} or not expression.isValid():
            return {}
    by_value = {}
    for category in renderer.categories():
        grouped = isinstance(category.value(), (list, tuple))
        for value in category.value() if grouped else [category.value()]:
            if category.symbol() is not None and _is_class(value):
                label = "" if grouped else category.label().strip()
                by_value[class_name(value)] = (label, category.symbol().color().name())
    found = {}
    for value in values:
        category_value = value
        if expression is not None:
            feature = QgsFeature(fields)
            feature.setAttribute(index, value)
            scope = QgsExpressionContext()
            scope.setFields(fields)
            scope.setFeature(feature)
            category_value = expression.evaluate(scope)
        if class_name(category_value) in by_value:
            label, color = by_value[class_name(category_value)]
            plain = label == class_name(category_value)
            found[class_name(value)] = ("" if plain else label, color)
    return found


def _is_class(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and class_name(value) != ""


def raster_styles(layer: QgsRasterLayer) -> Styles:
    """Names and colours of the classes of a raster, if it is drawn by unique values; call on the main thread.

    Args:
        layer: The raster of classes, with its style.

    Returns:
        Name and colour by value; a class whose label is only its value has no name.
    """
    renderer = layer.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return {}
    styles: Styles = {}
    for one in renderer.classes():
        value, label = class_name(one.value), one.label.strip()
        styles[value] = {"color": one.color.name()}
        if label not in ("", value):
            styles[value]["name"] = label
    names = [style["name"] for style in styles.values() if "name" in style]
    if len(set(names)) < len(names):  # two classes of one name
        for style in styles.values():
            style.pop("name", None)
    return styles


def write_class_styles(styles: Styles) -> str | None:
    """Write class names and colours for --classes.

    Args:
        styles: Name and colour by value; see `class_styles`.

    Returns:
        Path of the file; None if there are no styles.
    """
    if not styles:
        return None
    path = temporary_file("classes.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(styles, file, ensure_ascii=False)
    return path
