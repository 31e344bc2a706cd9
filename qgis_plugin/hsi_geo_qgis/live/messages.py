"""Messages of the engine as sentences of the dock."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProcessingUtils

from ..wording import advice, as_options, in_dialog, without_folder
from .texts import sentence

#: Short name of the error of a scene whose file has changed since it was opened.
SCENE_CHANGED = "scene-changed"

#: Title of each widget of the dock by the option of the command line.
TITLES = {
    "--wavelengths": "Wavelengths",
    "--trust-shots": "Trust all shots",
    "--out": "Map",
    "--save-model": "Model",
    "--shots": "Shots",
}


def engine_text(text: str, names: Mapping[str, str]) -> str:
    """A message of the engine in the words of the dock.

    Args:
        text: The message.
        names: What users call a file by its path.
    """
    shown = in_dialog(as_options(text), TITLES, names)
    return sentence(without_folder(shown, QgsProcessingUtils.tempFolder()))


def code_of(error: Mapping[str, Any]) -> str:
    """The short name of an error of the library; empty for another one.

    Args:
        error: The ``error`` of an answer.
    """
    data = error.get("data")
    return str(data.get("code") or "") if isinstance(data, Mapping) else ""


def error_text(error: Mapping[str, Any], names: Mapping[str, str]) -> str:
    """An error of the engine as one sentence: what is wrong, and what to do.

    Args:
        error: The ``error`` of an answer.
        names: What users call a file by its path.
    """
    data = error.get("data")
    hint = str(data.get("hint") or "") if isinstance(data, Mapping) else ""
    parts = [str(error.get("message", "")), advice(as_options(hint), TITLES, names)]
    return engine_text("; ".join(part for part in parts if part), names)
