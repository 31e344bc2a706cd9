"""hsi-geo in QGIS: a Processing provider that starts the command line of the package hsi-geo.

The package lives in a Python environment of its own; nothing of it is imported here.
"""

from __future__ import annotations

from typing import Any


def classFactory(iface: Any) -> Any:
    """Make the plugin; QGIS calls this.

    Args:
        iface: QGIS's window; None without one.
    """
    from .plugin import HsiGeoPlugin

    return HsiGeoPlugin(iface)
