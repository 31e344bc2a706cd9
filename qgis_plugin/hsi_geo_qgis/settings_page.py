"""The settings page of the provider in QGIS's options; imported only if there is a window."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsSettings
from qgis.gui import QgsOptionsPageWidget, QgsOptionsWidgetFactory
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QCheckBox, QFormLayout, QLabel

from .about import ICON
from .interpreter import SETTING
from .python_picker import PythonPicker
from .runner import SHOW_COMMANDS, shows_commands

NOTE = (
    "'Plugins > hsi-geo > Set up hsi-geo...' installs hsi-geo and fills this field. If it is empty, the variable "
    "HSI_GEO_PYTHON counts, else the hsi-geo on the PATH."
)


class SettingsPage(QgsOptionsPageWidget):
    """Settings page: the Python that hsi-geo is installed in, and whether the log shows commands.

    Args:
        parent: Widget of the options dialog.
    """

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)
        self.python = PythonPicker(self)
        self.python.set_path(str(QgsSettings().value(SETTING, "") or ""))
        note = QLabel(NOTE)
        note.setWordWrap(True)
        layout = QFormLayout(self)
        layout.addRow("Python that hsi-geo is installed in", self.python)
        layout.addRow(note)
        self.commands = QCheckBox("Show the commands that are run in the log (to look for a fault)")
        self.commands.setChecked(shows_commands())
        layout.addRow(self.commands)

    def apply(self) -> None:
        """Save the setting; QGIS calls this when the options are accepted."""
        QgsSettings().setValue(SETTING, self.python.path())
        QgsSettings().setValue(SHOW_COMMANDS, self.commands.isChecked())


class SettingsPageFactory(QgsOptionsWidgetFactory):
    """Makes the settings page when the options are opened."""

    def __init__(self) -> None:
        super().__init__()
        self.setTitle("hsi-geo")

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(ICON)

    def createWidget(self, parent: Any) -> SettingsPage:
        """A new settings page.

        Args:
            parent: Widget of the options dialog.
        """
        return SettingsPage(parent)
