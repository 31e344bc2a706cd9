"""The Processing provider ``hsi_geo``."""

from __future__ import annotations

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .about import ICON, VERSION
from .adapt import AdaptModel
from .apply_model import ApplyModel
from .assess import AssessMap
from .batch import BatchOfTiles
from .check_environment import CheckEnvironment
from .classify import Classify
from .classify_scenes import ClassifyScenes
from .compare import CompareMaps
from .describe import DescribeScene
from .open_scene import OpenScene
from .polygons import MapToPolygons
from .sample import DrawSample
from .set_up_algorithm import SetUpAlgorithm
from .suggest import SuggestPlaces
from .zones import AreasPerZone


class HsiGeoProvider(QgsProcessingProvider):
    """The algorithms; models and batch processing come from QGIS."""

    def id(self) -> str:
        """Id of the provider in scripts, never translated."""
        return "hsi_geo"

    def name(self) -> str:
        """Name of the provider in the toolbox."""
        return "hsi-geo"

    def longName(self) -> str:
        """Name with a description."""
        return "hsi-geo: few-shot maps of hyperspectral scenes"

    def versionInfo(self) -> str:
        """Version of the plugin."""
        return VERSION

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(ICON)

    def supportsNonFileBasedOutput(self) -> bool:
        """False: maps are files."""
        return False

    def supportedOutputRasterLayerExtensions(self) -> list[str]:
        """GeoTIFF only."""
        return ["tif"]

    def supportedOutputVectorLayerExtensions(self) -> list[str]:
        """GeoPackage only."""
        return ["gpkg"]

    def loadAlgorithms(self) -> None:
        """Add the algorithms."""
        for algorithm in (
            OpenScene,
            DescribeScene,
            Classify,
            ClassifyScenes,
            AdaptModel,
            SuggestPlaces,
            ApplyModel,
            BatchOfTiles,
            MapToPolygons,
            DrawSample,
            AssessMap,
            CompareMaps,
            AreasPerZone,
            CheckEnvironment,
            SetUpAlgorithm,
        ):
            self.addAlgorithm(algorithm())
