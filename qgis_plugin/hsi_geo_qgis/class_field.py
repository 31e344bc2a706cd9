"""Which field of a layer holds the class, and the names of its values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsField,
    QgsFields,
    QgsVectorLayer,
)

from .class_names import class_name

#: Names, in lower case, of fields that hold the class; in the languages of many QGIS users.
USUAL_NAMES = (
    *("class", "class_name", "classname", "label", "land_cover", "landcover", "cover", "category"),
    *("klasse", "klassenname", "landbedeckung", "classe", "nom_classe", "etiquette", "clase"),
    *("etiqueta", "cobertura", "classe_nome", "copertura"),
)

#: Names, in lower case, of fields that count or describe features.
OTHER_NAMES = (
    *("fid", "id", "gid", "ogc_fid", "objectid", "uuid", "area", "shape_area", "length"),
    *("color", "colour", "comment", "notes", "note", "remark", "author", "date", "x", "y", "z"),
)

#: Editor widgets that show a text for a stored value.
TRANSLATING_WIDGETS = ("ValueMap", "ValueRelation", "RelationReference")

#: A field of more different values than this does not hold classes.
MAX_CLASSES = 1000

#: The values of larger layers are not counted: a dialog would wait for them.
MAX_COUNTED_FEATURES = 100_000


#: Numbers of Qt's types of values, in Qt 5 and 6: truth value, whole and other numbers, text, date, time, both.
_PLAIN_TYPES = frozenset([1, 2, 3, 4, 5, 6, 38, 10, 14, 15, 16])


@dataclass(frozen=True)
class FieldSummary:
    """What is known of a field.

    Attributes:
        name: Name of the field.
        is_text: Whether it holds text; else it holds whole numbers.
        has_names: Whether its editor widget shows a text for each value.
        repeats: Whether some of its values occur several times; None if that is not known.
    """

    name: str
    is_text: bool
    has_names: bool = False
    repeats: bool | None = None


def likely_field(fields: Iterable[FieldSummary]) -> str:
    """The field that most likely holds the class.

    Args:
        fields: Fields of text or whole numbers, in the layer's order.

    Returns:
        Its name; empty if no field can hold a class.

    >>> likely_field([FieldSummary("fid", False), FieldSummary("Klasse", True)])
    'Klasse'
    """

    def rank(field: FieldSummary) -> tuple[bool, ...]:
        name = field.name.lower()
        return (
            name not in OTHER_NAMES,
            name in USUAL_NAMES,
            field.has_names,
            field.repeats is not False,
            field.is_text,
        )

    found = list(fields)
    return max(found, key=rank).name if found else ""


def default_class_field(layer: QgsVectorLayer) -> str:
    """The field that a layer is styled by, else the one that most likely holds the class.

    Args:
        layer: A vector layer.

    Returns:
        Name of the field; empty if no field can hold a class.
    """
    return styled_field(layer) or likely_field(_summaries(layer))


def styled_field(layer: QgsVectorLayer) -> str:
    """The field that the categories of a layer's style are made from.

    Args:
        layer: A vector layer.

    Returns:
        Name of the field; empty if the layer has no categories, or they need several fields.
    """
    renderer = categories_of(layer)
    if renderer is None:
        return ""
    attribute = renderer.classAttribute()
    if layer.fields().lookupField(attribute) >= 0:  # a name with a blank is no expression
        return str(layer.fields().at(layer.fields().lookupField(attribute)).name())
    used = QgsExpression(attribute).referencedColumns()
    indices = {layer.fields().lookupField(name) for name in used} - {-1}
    return str(layer.fields().at(indices.pop()).name()) if len(indices) == 1 else ""


def categories_of(layer: QgsVectorLayer) -> QgsCategorizedSymbolRenderer | None:
    """The categories that a layer is drawn by; those of single features where QGIS draws points in clusters, or displaced.

    Args:
        layer: A vector layer.

    Returns:
        The renderer with the categories; None if there is none. It is part of the layer's renderer.
    """
    renderer = layer.renderer()
    if renderer is not None and not isinstance(renderer, QgsCategorizedSymbolRenderer):
        renderer = renderer.embeddedRenderer()
    return renderer if isinstance(renderer, QgsCategorizedSymbolRenderer) else None


def own_name(fields: QgsFields, name: str) -> str:
    """The name of a field as the layer has it; scripts and models may give it in another case, or its alias.

    Args:
        fields: Fields of a layer.
        name: What was given.

    Returns:
        The layer's name of the field; what was given if there is no such field.
    """
    index = fields.lookupField(name) if name else -1
    return str(fields.at(index).name()) if index >= 0 else name


def shown_names(layer: QgsVectorLayer, field: str, values: Iterable[Any]) -> dict[str, str]:
    """The texts that a layer's form shows for the values of a field, such as those of a value map.

    Args:
        layer: A vector layer.
        field: Name of the field.
        values: Values of the field.

    Returns:
        Text by value as text; empty where the form shows the values themselves.
    """
    index = layer.fields().lookupField(field)
    setup = layer.editorWidgetSetup(index)
    if setup.type() not in TRANSLATING_WIDGETS:
        return {}
    formatter = QgsApplication.fieldFormatterRegistry().fieldFormatter(setup.type())
    config = setup.config()
    found = {}
    for value in values:
        # Python cannot hold the formatter's cache, so it reads its table for each value.
        text = str(formatter.representValue(layer, index, config, None, value)).strip()
        if text and text != f"({value})":  # how QGIS shows a value that the list does not have
            found[class_name(value)] = text
    return found


def _summaries(layer: QgsVectorLayer) -> list[FieldSummary]:
    features = layer.featureCount()
    found = []
    for index, field in enumerate(layer.fields()):
        if not may_hold_classes(field):
            continue
        repeats = None
        if 0 < features <= MAX_COUNTED_FEATURES:
            values = [
                value for value in layer.uniqueValues(index) if str(value) not in ("", "NULL")
            ]
            if not values:
                continue
            repeats = len(values) < min(features, MAX_CLASSES) or features < 3
        widget = layer.editorWidgetSetup(index).type()
        named = widget in TRANSLATING_WIDGETS
        found.append(FieldSummary(field.name(), not field.isNumeric(), named, repeats))
    return found


def is_plain(field: QgsField) -> bool:
    """Whether a field holds single values, and no lists, objects or bytes.

    Args:
        field: Field of a vector layer.
    """
    kind = field.type()
    return int(getattr(kind, "value", kind)) in _PLAIN_TYPES


def may_hold_classes(field: QgsField) -> bool:
    """Whether a field holds text or whole numbers.

    Args:
        field: Field of a vector layer.
    """
    if field.isNumeric():
        kind = field.typeName().lower()
        return "int" in kind or (
            field.precision() == 0 and "real" not in kind and "double" not in kind
        )
    kind = field.typeName().lower()
    return not field.isDateOrTime() and not any(
        other in kind for other in ("bool", "blob", "binary", "bytea", "json", "map", "list")
    )
