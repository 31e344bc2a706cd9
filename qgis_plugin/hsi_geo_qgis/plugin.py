"""The plugin: registers the provider, and its settings page if there is a window."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsApplication

from .provider import HsiGeoProvider


class HsiGeoPlugin:
    """The plugin that QGIS loads.

    Args:
        iface: QGIS's window; None in qgis_process.
    """

    def __init__(self, iface: Any) -> None:
        self.iface = iface
        self.provider: HsiGeoProvider | None = None
        self.page: Any = None

    def initProcessing(self) -> None:
        """Register the provider; qgis_process calls only this."""
        self.provider = HsiGeoProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)

    def initGui(self) -> None:
        """Register the provider and the settings page."""
        from .settings_page import SettingsPageFactory

        self.initProcessing()
        self.page = SettingsPageFactory()
        self.iface.registerOptionsWidgetFactory(self.page)

    def unload(self) -> None:
        """Remove provider and settings page."""
        if self.page is not None:
            self.iface.unregisterOptionsWidgetFactory(self.page)
            self.page = None
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
