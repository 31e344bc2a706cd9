"""Names and colours of classes, as the style of a layer of labels shows them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsExpression,
    QgsExpressionContext,
    QgsFeature,
    QgsPalettedRasterRenderer,
    QgsProcessingFeedback,
    QgsRasterLayer,
    QgsVectorLayer,
)

from .class_field import (
    MAX_CLASSES,
    TRANSLATING_WIDGETS,
    categories_of,
    is_plain,
    own_name,
    shown_names,
)
from .class_names import class_name, distinct_names, is_only_value
from .layers import temporary_file

#: {value: {"name": ..., "color": "#rrggbb"}}, each of the two where there is one.
Styles = dict[str, dict[str, str]]


def class_styles(
    layer: QgsVectorLayer | None, field: str, feedback: QgsProcessingFeedback | None = None
) -> Styles:
    """Names and colours of classes, as a layer's style and form show them; call on the main thread.

    The label of a category names a class, if it is not only the value. Else the form's text does,
    such as that of a value map.

    Args:
        layer: The layer of labels, with its style; None if it is no vector layer.
        field: Field with the class.
        feedback: Receives a warning of classes that have one name.

    Returns:
        {value: {"name": ..., "color": "#rrggbb"}}, each of the two where there is one.
    """
    index = -1 if layer is None else layer.fields().lookupField(field)
    if layer is None or index < 0 or not is_plain(layer.fields().at(index)):
        return {}
    values = [value for value in layer.uniqueValues(index) if _is_class(value)]
    return {} if len(values) > MAX_CLASSES else value_styles(layer, field, values, feedback)


def value_styles(
    layer: QgsVectorLayer,
    field: str,
    values: Sequence[Any],
    feedback: QgsProcessingFeedback | None = None,
) -> Styles:
    """Names and colours of values; see `class_styles`.

    Args:
        layer: A vector layer.
        field: One of its fields.
        values: Values of the field.
        feedback: Receives a warning of values that have one name.
    """
    categories = _categories(layer, field, values)
    shown = shown_names(layer, field, values)
    possible = {
        value: [name for name in (categories.get(value, ("",))[0], shown.get(value, "")) if name]
        for value in map(class_name, values)
    }
    names = _distinct(possible, layer.name(), feedback)
    styles: Styles = {}
    for value, known in possible.items():
        if value in categories or known:
            styles[value] = {"name": names[value]}
        if value in categories:
            styles[value]["color"] = categories[value][1]
    return styles


def value_names(
    layer: QgsVectorLayer | None, field: str, feedback: QgsProcessingFeedback | None = None
) -> dict[str, str]:
    """Names of values of a field, as a layer's style and form show them; call on the main thread.

    Args:
        layer: A vector layer, or None.
        field: Name of the field; empty for none.
        feedback: Receives a warning of values that have one name.

    Returns:
        Name by value as text; empty if all names are the values.
    """
    names = {value: one["name"] for value, one in class_styles(layer, field, feedback).items()}
    return names if any(value != name for value, name in names.items()) else {}


def form_names(
    layer: QgsVectorLayer | None, field: str = "", feedback: QgsProcessingFeedback | None = None
) -> dict[str, dict[str, str]]:
    """Texts that a layer's form shows for zones, by field; call on the main thread.

    Args:
        layer: A vector layer, or None.
        field: Field with the name of the zone; empty for any.
        feedback: Receives a warning of zones that have one text.

    Returns:
        Text by value as text, by field; only fields whose form shows texts, such as those of a value map. The texts of
        a field differ.
    """
    found: dict[str, dict[str, str]] = {}
    if layer is None:
        return found
    chosen = own_name(layer.fields(), field)
    for index, one in enumerate(layer.fields()):
        is_named = layer.editorWidgetSetup(index).type() in TRANSLATING_WIDGETS and is_plain(one)
        if not is_named or chosen not in ("", one.name()):
            continue
        values = [value for value in layer.uniqueValues(index) if _is_class(value)]
        if 0 < len(values) <= MAX_CLASSES:
            shown = shown_names(layer, one.name(), values)
            possible = {
                value: [shown[value]] if value in shown else []
                for value in sorted(map(class_name, values))
            }
            found[one.name()] = _distinct(possible, layer.name(), feedback, ("zone", "zones"))
    return found


def _distinct(
    possible: Mapping[str, Sequence[str]],
    title: str,
    feedback: QgsProcessingFeedback | None,
    kind: tuple[str, str] = ("class", "classes"),
) -> dict[str, str]:
    names, doubled = distinct_names(possible)
    one, several = kind
    for name, values in doubled.items():
        if feedback is not None:
            instead = ", ".join(f"'{names[value]}'" for value in values)
            feedback.pushWarning(
                f"several {several} of layer '{title}' are labelled '{name}': they are named {instead} instead; "
                f"to make them one {one}, give them one value"
            )
    return names


def _categories(
    layer: QgsVectorLayer, field: str, values: Sequence[Any]
) -> dict[str, tuple[str, str]]:
    """Label and colour by value of a field, if the layer's categories are made from that field only."""
    renderer = categories_of(layer)
    if renderer is None or not values:
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
                named = not grouped and not is_only_value(category.label(), value)
                label = class_name(category.label()) if named else ""
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
            found[class_name(value)] = by_value[class_name(category_value)]
    return found


def _is_class(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and class_name(value) != ""


def raster_styles(layer: QgsRasterLayer, feedback: QgsProcessingFeedback | None = None) -> Styles:
    """Names and colours of the classes of a raster, if it is drawn by unique values; call on the main thread.

    Args:
        layer: The raster of classes, with its style.
        feedback: Receives a warning of classes that have one name.

    Returns:
        Name and colour by value; a class whose label is only its value has no name.
    """
    renderer = layer.renderer()
    if not isinstance(renderer, QgsPalettedRasterRenderer):
        return {}
    colors = {class_name(one.value): one.color.name() for one in renderer.classes()}
    possible = {
        class_name(one.value): []
        if is_only_value(one.label, one.value)
        else [class_name(one.label)]
        for one in renderer.classes()
    }
    names = _distinct(possible, layer.name(), feedback)
    return {
        value: {"color": color, **({"name": names[value]} if names[value] != value else {})}
        for value, color in colors.items()
    }


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
