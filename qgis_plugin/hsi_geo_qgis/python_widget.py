"""The field for a Python in dialogs of algorithms."""

from __future__ import annotations

from typing import Any

from processing.gui.wrappers import WidgetWrapper
from qgis.PyQt.QtWidgets import QWidget

from .python_picker import PythonPicker


class PythonWidget(WidgetWrapper):
    """The field in dialogs of algorithms."""

    def createWidget(self) -> QWidget:
        """Make the widget."""
        self.picker = PythonPicker()
        self.picker.changed.connect(lambda _: self.widgetValueHasChanged.emit(self))
        return self.picker

    def setValue(self, value: Any) -> None:
        """Show a path."""
        self.picker.set_path("" if value is None else str(value))

    def value(self) -> Any:
        """The path; None if there is none."""
        return self.picker.path() or None
