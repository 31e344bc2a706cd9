"""Edits of the layers of shots: all of what a person wants, or nothing and a sentence that says why."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from qgis.core import QgsGeometry, QgsVectorLayer, QgsVectorLayerUtils

from .classes import is_number
from .enums import is_own_field

#: Features of one layer: the layer, the index of its class field, and ids.
Chosen = tuple[QgsVectorLayer, int, Sequence[int]]

#: What to do about a layer whose field with the class was removed or renamed.
CHOOSE_AGAIN = "Undo that, or choose no layer and choose it again."


def why_no_class(layer: QgsVectorLayer, field: int, value: Any) -> str:
    """Why features of a layer cannot get a class.

    Args:
        layer: The layer; it is made editable if that is possible.
        field: Index of the field with the class.
        value: Value of the class, a text or a whole number.

    Returns:
        One sentence; empty if they can get it.
    """
    name = layer.name()
    problem = why_not_editable(layer)
    if problem:
        return problem
    if field < 0:
        return f"Layer '{name}' no longer has its field with the class. {CHOOSE_AGAIN}"
    one = layer.fields().at(field)
    if not is_own_field(layer, field):
        return f"Field '{one.name()}' of layer '{name}' is computed or joined, so its values cannot be changed."
    if one.isNumeric() and not is_number(value):
        return f"Field '{one.name()}' of layer '{name}' holds whole numbers, and '{value}' is none."
    if not one.isNumeric() and 0 < one.length() < len(str(value)):
        return f"Field '{one.name()}' of layer '{name}' holds {one.length()} letters, and '{value}' has more."
    return _why_not_encodable(layer, str(value))


def _why_not_encodable(layer: QgsVectorLayer, text: str) -> str:
    """Why the file of a layer cannot hold a text: QGIS saves letters that its encoding does not have as "?"."""
    encoding = str(layer.dataProvider().encoding() or "UTF-8")
    try:
        text.encode(encoding)
    except LookupError:  # one that only QGIS knows
        return ""
    except UnicodeEncodeError:
        return (
            f"The file of layer '{layer.name()}' holds the letters of {encoding} only, and '{text}' has others. Use "
            "another name, or a GeoPackage."
        )
    return ""


def why_not_editable(layer: QgsVectorLayer) -> str:
    """Why a layer cannot be edited.

    Args:
        layer: The layer; it is made editable if that is possible.

    Returns:
        One sentence; empty if it is editable.
    """
    if layer.isEditable() or (not layer.readOnly() and layer.startEditing()):
        return ""
    return f"Layer '{layer.name()}' cannot be edited."


def write_class(chosen: Sequence[Chosen], values: Sequence[Any], text: str) -> str:
    """Give features of one layer or more another class; all of them, or none.

    Args:
        chosen: The features.
        values: Value of the class in each of these layers.
        text: What QGIS's list of undo steps says.

    Returns:
        What is wrong, as one sentence; empty if nothing is.
    """
    by_layer = {layer.id(): value for (layer, *_), value in zip(chosen, values)}
    for layer, field, _ in chosen:
        problem = why_no_class(layer, field, by_layer[layer.id()])
        if problem:
            return problem

    def write(layer: QgsVectorLayer, field: int, features: Sequence[int]) -> bool:
        value = by_layer[layer.id()]
        return all(layer.changeAttributeValue(one, field, value) for one in features)

    return _in_one_step(chosen, text, write)


def delete(chosen: Sequence[Chosen], text: str) -> str:
    """Delete features of one layer or more; all of them, or none.

    Args:
        chosen: The features.
        text: What QGIS's list of undo steps says.

    Returns:
        What is wrong, as one sentence; empty if nothing is.
    """
    for layer, _, _ in chosen:
        problem = why_not_editable(layer)
        if problem:
            return problem

    def remove(layer: QgsVectorLayer, _: int, features: Sequence[int]) -> bool:
        return bool(layer.deleteFeatures(list(features)))

    return _in_one_step(chosen, text, remove)


def add(layer: QgsVectorLayer, geometry: QgsGeometry, values: Mapping[int, Any], text: str) -> str:
    """Add a feature. Its other fields get the default values of the layer, as with QGIS's own tools.

    Args:
        layer: The layer, which is editable.
        geometry: The geometry, in the CRS of the layer.
        values: Value by the index of a field.
        text: What QGIS's list of undo steps says.

    Returns:
        What is wrong, as one sentence; empty if nothing is.
    """
    context = layer.createExpressionContext()
    feature = QgsVectorLayerUtils.createFeature(layer, geometry, dict(values), context)

    def insert(layer: QgsVectorLayer, _: int, __: Sequence[int]) -> bool:
        return bool(layer.addFeature(feature))

    return _in_one_step([(layer, -1, ())], text, insert)


def _in_one_step(
    chosen: Sequence[Chosen], text: str, act: Callable[[QgsVectorLayer, int, Sequence[int]], bool]
) -> str:
    """Act on each layer as one undo step, or take all of it back."""
    begun = []
    for one in chosen:
        layer = one[0]
        layer.beginEditCommand(text)
        begun.append(layer)
        if not act(*one):
            for other in reversed(begun):
                other.destroyEditCommand()
            return f"Layer '{layer.name()}' does not take the change."
    for layer in begun:
        layer.endEditCommand()
        layer.triggerRepaint()
    return ""
