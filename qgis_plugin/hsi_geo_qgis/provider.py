"""The Processing provider ``hsi_geo``."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .about import ICON, VERSION
from .apply_model import ApplyModel
from .assess import AssessMap
from .check_environment import CheckEnvironment
from .classify import Classify


class HsiGeoProvider(QgsProcessingProvider):
    """Four algorithms; models and batch processing come from QGIS."""

    def id(self) -> str:
        """Never translated: scripts name algorithms by it."""
        return "hsi_geo"

    def name(self) -> str:
        """As shown in the toolbox."""
        return "hsi-geo"

    def longName(self) -> str:
        """With what it is for."""
        return "hsi-geo: few-shot maps of hyperspectral scenes"

    def versionInfo(self) -> str:
        """The plugin's version."""
        return VERSION

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(ICON)

    def supportsNonFileBasedOutput(self) -> bool:
        """Maps are files."""
        return False

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """Maps are GeoTIFFs."""
        return ["tif"]

    def loadAlgorithms(self) -> None:
        """Add the algorithms."""
        for algorithm in (Classify, ApplyModel, AssessMap, CheckEnvironment):
            self.addAlgorithm(algorithm())
