"""Map to polygons."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters, raster_path
from .map_files import warn_of_mismatches
from .protocol import POLYGONS
from .styling import load_styled


class MapToPolygons(HsiGeoAlgorithm):
    """``hsi-geo polygons``."""

    NAME = "polygons"
    TITLE = "Map to polygons"
    SHORT = "Make a layer of polygons from a class map, with hectares and confidence of each."
    TAGS = (*HsiGeoAlgorithm.TAGS, "polygonize", "vectorize", "smooth", "area")
    HELP = """<p>Makes one polygon for all connected pixels of a class. Each has the class, its name, hectares, pixels and
mean confidence. The layer has the colours of the map.</p>
<h3>Example</h3>
<p>Run <i>Classify with few shots</i> with the output <i>Confidence</i>. Choose the class map and the confidence here. Select
polygons of low confidence by <i>"confidence" &lt; 50</i>, and look at them first.</p>"""
    HELPS: ClassVar = {
        "INPUT": "Raster of classes, of hsi-geo or any other program, or the mosaic of a batch.",
        "CONFIDENCE": "Raster of per cent on the same pixels. If it is empty: the file MAP_confidence.tif beside the map, if there "
        "is one.",
        "OUTPUT": "GeoPackage of polygons. It holds its own style.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Class map"))
        self.addParameter(
            QgsProcessingParameterRasterLayer("CONFIDENCE", "Confidence", optional=True)
        )
        self.add_smooth()
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", "Polygons", QgsProcessing.SourceType.TypeVectorPolygon
            )
        )
        self.addOutput(QgsProcessingOutputNumber("POLYGONS", "Number of polygons"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        output = self.geopackage(parameters, context)
        class_map = raster_path(self, parameters, "INPUT", context)
        known = warn_of_mismatches(class_map, feedback)
        command = arguments(
            "polygons",
            class_map,
            confidence=raster_path(self, parameters, "CONFIDENCE", context, zero_is_missing=False)
            if parameters.get("CONFIDENCE")
            else None,
            smooth=self.parameterAsInt(parameters, "SMOOTH", context),
            out=output,
            overwrite=os.path.exists(output),  # QGIS has asked the user before
        )
        run = self.run_command(command, feedback, {POLYGONS: 1.0}, known=known)
        run.show_output(after=1)
        load_styled(output, context)
        return {"OUTPUT": output, "POLYGONS": run.result["count"]}
