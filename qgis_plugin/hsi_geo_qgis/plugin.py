"""The plugin: registers the provider, and its page of settings where there is a window."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication

from .provider import HsiGeoProvider


class HsiGeoPlugin:
    """What QGIS loads.

    Args:
        iface: QGIS's window, None under qgis_process.
    """

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: HsiGeoProvider | None = None
        self.page: Any = None

    def initProcessing(self) -> None:
        """Register the provider; all that qgis_process calls."""
        self.provider = HsiGeoProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Register the provider, and the page of settings."""
        from .settings_page import SettingsPageFactory

        self.initProcessing()
        self.page = SettingsPageFactory()
        self.iface.registerOptionsWidgetFactory(self.page)

    def unload(self) -> None:
        """Take both away again."""
        if self.page is not None:
            self.iface.unregisterOptionsWidgetFactory(self.page)
            self.page = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
