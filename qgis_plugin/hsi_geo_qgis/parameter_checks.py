"""Texts that QGIS would take for a default, a rounded number or a yes: scripts, models and qgis_process give values as texts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from qgis.core import (
    QgsProcessingParameterBoolean,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
)

#: Texts that QGIS reads as it should for yes and no, in small letters.
_YES_OR_NO = ("", "0", "1", "false", "true")


def text_problem(
    definitions: Iterable[QgsProcessingParameterDefinition], parameters: Mapping[str, Any]
) -> str:
    """A sentence about the first text that is no number, or neither yes nor no; empty if there is none.

    Args:
        definitions: Parameters of the algorithm.
        parameters: Values by name.
    """
    for definition in definitions:
        value = parameters.get(definition.name())
        if isinstance(value, str) and (wanted := _wanted(definition, value.strip())):
            title = definition.description()
            return f"'{title}' ({definition.name()}) is '{value}', and {wanted} is wanted"
    return ""


def _wanted(definition: QgsProcessingParameterDefinition, text: str) -> str:
    """What a parameter wants instead of a text; empty if the text is fine."""
    if isinstance(definition, QgsProcessingParameterBoolean):
        return "" if text.lower() in _YES_OR_NO else "true or false"
    if not isinstance(definition, QgsProcessingParameterNumber) or not text:
        return ""
    is_whole = definition.dataType() == QgsProcessingParameterNumber.Type.Integer
    wanted = "a whole number such as 20" if is_whole else "a number such as 0.5"
    try:
        number = float(text)
    except ValueError:
        return wanted
    return wanted if is_whole and not number.is_integer() else ""
