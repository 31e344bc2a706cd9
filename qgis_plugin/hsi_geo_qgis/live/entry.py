"""Menu entry and button of the dock; opens it for a project that was saved with it."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsProject
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import QAction

from ..about import ICON
from .dock import LiveDock
from .preview_layer import remove_previews
from .project_state import read_state

TITLE = "hsi-geo live"


class LiveEntry:
    """Shows and hides the dock.

    Args:
        iface: QGIS's window.
        menu: Name of the plugin's menu.
    """

    def __init__(self, iface: Any, menu: str) -> None:
        self.iface, self.menu = iface, menu
        self.dock: LiveDock | None = None
        self.action = QAction(QIcon(ICON), TITLE, iface.mainWindow())
        self.action.setCheckable(True)
        self.action.setToolTip("hsi-geo live: draw shots, and a preview of the map follows")
        self.action.triggered.connect(self.toggle)
        iface.addPluginToMenu(menu, self.action)
        iface.addToolBarIcon(self.action)
        QgsProject.instance().readProject.connect(self.on_project)

    def toggle(self, shown: bool) -> None:
        """Show or hide the dock.

        Args:
            shown: Whether it is shown.
        """
        if shown:
            self.open()
        elif self.dock is not None and not self.dock.close():
            self.action.setChecked(True)

    def open(self) -> LiveDock:
        """Show the dock; it is made at the first time."""
        if self.dock is None:
            self.dock = LiveDock(self.iface, self.iface.mainWindow())
            self.dock.closed.connect(lambda: self.action.setChecked(False))
            self.iface.addDockWidget(Qt.DockWidgetArea.RightDockWidgetArea, self.dock)
        self.dock.show()
        self.dock.begin()
        self.action.setChecked(True)
        return self.dock

    def on_project(self, *_: Any) -> None:
        """Restore the session of a project that was opened."""
        remove_previews()
        if read_state().is_open:
            self.open().memory.restore()
        elif self.dock is not None:
            self.dock.memory.restore()

    def unload(self) -> None:
        """Remove the dock, its engine, the menu entry and the button."""
        QgsProject.instance().readProject.disconnect(self.on_project)
        if self.dock is not None:
            self.dock.unload()
            self.iface.removeDockWidget(self.dock)
            self.dock.deleteLater()
            self.dock = None
        self.iface.removePluginMenu(self.menu, self.action)
        self.iface.removeToolBarIcon(self.action)
