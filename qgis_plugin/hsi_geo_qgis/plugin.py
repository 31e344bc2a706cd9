"""The plugin: registers the provider; if there is a window, also its settings page, its menu and the dock."""

from __future__ import annotations

from typing import Any

from qgis.core import Qgis, QgsApplication

from .interpreter import LauncherError
from .provider import HsiGeoProvider
from .runner import launcher

MENU = "hsi-geo"
SET_UP = "Set up hsi-geo..."


class HsiGeoPlugin:
    """The plugin that QGIS loads.

    Args:
        iface: QGIS's window; None in qgis_process.
    """

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: HsiGeoProvider | None = None
        self.page: Any = None
        self.action: Any = None
        self.dialog: Any = None
        self.live: Any = None

    def initProcessing(self) -> None:
        """Register the provider; qgis_process calls only this."""
        self.provider = HsiGeoProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Register the provider, the settings page, the menu and the dock; offer the set-up."""
        from qgis.PyQt.QtCore import QTimer
        from qgis.PyQt.QtGui import QIcon
        from qgis.PyQt.QtWidgets import QAction

        from .about import ICON
        from .live.entry import LiveEntry
        from .settings_page import SettingsPageFactory

        self.initProcessing()
        self.page = SettingsPageFactory()
        self.iface.registerOptionsWidgetFactory(self.page)
        self.action = QAction(QIcon(ICON), SET_UP, self.iface.mainWindow())
        self.action.triggered.connect(self.set_up)
        self.iface.addPluginToMenu(MENU, self.action)
        self.live = LiveEntry(self.iface, MENU)
        QTimer.singleShot(0, self.offer)  # once QGIS has shown its window

    def offer(self) -> None:
        """Open the set-up at the first use, and say later what is missing or can be updated."""
        from .set_up import update_available
        from .set_up_dialog import first_use

        if self.action is None:  # unloaded meanwhile
            return
        try:
            launcher()
        except LauncherError:
            if first_use():
                self.set_up()
            else:
                self._message("hsi-geo is not set up.", SET_UP)
            return
        if update_available():
            self._message("The plugin brings another version of hsi-geo.", "Update hsi-geo...")

    def set_up(self, *_: Any) -> None:
        """Open the dialog of the set-up; there is one, which a running set-up keeps."""
        from .set_up_dialog import SetUpDialog

        if self.dialog is not None and self.dialog.task is None:
            self.dialog.deleteLater()
            self.dialog = None
        if self.dialog is None:
            self.dialog = SetUpDialog(self.iface.mainWindow())
        self.dialog.show()
        self.dialog.raise_()

    def unload(self) -> None:
        """Remove provider, settings page, menu entries, dialog and dock; a running set-up is cancelled."""
        if self.live is not None:
            self.live.unload()
            self.live = None
        if self.dialog is not None:
            self.dialog.cancel()
            self.dialog.close()
            self.dialog = None
        if self.action is not None:
            self.iface.removePluginMenu(MENU, self.action)
            self.action = None
        if self.page is not None:
            self.iface.unregisterOptionsWidgetFactory(self.page)
            self.page = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None

    def _message(self, text: str, button: str) -> None:
        from qgis.PyQt.QtWidgets import QPushButton

        bar = self.iface.messageBar()
        widget = bar.createMessage("hsi-geo", text)
        opened = QPushButton(button)
        opened.clicked.connect(self.set_up)
        opened.clicked.connect(lambda: bar.popWidget(widget))
        widget.layout().addWidget(opened)
        bar.pushWidget(widget, Qgis.MessageLevel.Info)
