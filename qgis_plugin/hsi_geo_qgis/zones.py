"""Areas per zone."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from .base import HsiGeoAlgorithm, Results
from .class_field import own_name
from .class_styles import class_styles, write_class_styles
from .command import Value, arguments
from .feature_export import export_source
from .label_layers import STYLE_NAME
from .layers import SAMPLE_FIELDS, Parameters, raster_path, vector_layer
from .map_files import warn_of_mismatches
from .parameter_basics import one_of
from .protocol import ADDING_AREAS
from .styling import load_styled


class AreasPerZone(HsiGeoAlgorithm):
    """``hsi-geo zones``."""

    NAME = "zones"
    TITLE = "Areas per zone"
    SHORT = "Count the area of each class in communes, catchments or parcels, with standard errors."
    TAGS = (
        *HsiGeoAlgorithm.TAGS,
        "zonal statistics",
        "zonal histogram",
        "area estimation",
        "statistics",
    )
    HELP = """<p>Counts the area of each class of a map in each zone, and says how far it may be wrong.</p>
<h3>Example</h3>
<p>Choose a class map and a layer of communes. The result has the communes, each with its largest class, and the table
<i>areas</i> with a row for each class of each commune. With a layer of 'Draw places to check a map' that you have filled in, the
areas are corrected for the errors of the map.</p>"""
    HELPS: ClassVar = {
        "INPUT": "Raster of classes, of hsi-geo or any other program, or the mosaic of a batch.",
        "REFERENCE": "Places that were drawn at random, such as those of 'Draw places to check a map', with their true class. If it is "
        "empty, areas are those of the map, and their error is a hint from labels that were held out.",
        "CLASS_OF_PLACES": "Field of the places with the true class. If it is empty: the field 'class'.",
        "DESIGN": "How the places were drawn: 'stratified' in each class of the map, 'simple' in the whole map. It is not used without "
        "places.",
        "OUTPUT": "GeoPackage with the zones, and the table 'areas'.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Class map"))
        self.add_zones("Zones", advanced=False)
        points = [QgsProcessing.SourceType.TypeVectorPoint]
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "REFERENCE", "Places with their true class", points, optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterField(
                "CLASS_OF_PLACES", "Field with the true class",
                parentLayerParameterName="REFERENCE", optional=True,
            )
        )  # fmt: skip
        self.addParameter(one_of("DESIGN", "Sampling design", ["stratified", "simple"]))
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", "Areas per zone", QgsProcessing.SourceType.TypeVectorPolygon
            )
        )
        self.addOutput(QgsProcessingOutputNumber("ZONES_COUNTED", "Number of zones"))

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the names of the classes of the places, on the main thread, where layers live."""
        self.place_styles = class_styles(
            vector_layer(parameters, "REFERENCE", context),
            self._class_of_places(parameters, context),
            feedback,
        )
        return super().prepareAlgorithm(parameters, context, feedback)

    def _class_of_places(self, parameters: Parameters, context: QgsProcessingContext) -> str:
        return self.parameterAsString(parameters, "CLASS_OF_PLACES", context) or "class"

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        output = self.geopackage(parameters, context)
        class_map = raster_path(self, parameters, "INPUT", context)
        known = warn_of_mismatches(class_map, feedback)
        command = arguments(
            "zones",
            class_map,
            **self.zone_options(parameters, context, feedback),
            **self._reference_options(parameters, context, feedback),
            out=output,
            overwrite=os.path.exists(output),  # QGIS has asked the user before
        )
        run = self.run_command(command, feedback, {ADDING_AREAS: 1.0}, known=known)
        run.show_output(after=1)
        load_styled(output, context)
        counted = {one["zone"] for one in run.result["areas"]}
        return {"OUTPUT": output, "ZONES_COUNTED": len(counted)}

    def _reference_options(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> dict[str, Value]:
        """Options of the command line for the places, which are exported to a file."""
        if not parameters.get("REFERENCE"):
            return {}
        source = self.parameterAsSource(parameters, "REFERENCE", context)
        field = own_name(source.fields(), self._class_of_places(parameters, context))
        path = export_source(source, context, feedback, field, SAMPLE_FIELDS)
        self.names[path] = str(source.sourceName())
        classes = write_class_styles(self.place_styles)
        if classes:
            self.names[classes] = STYLE_NAME
        return {
            "reference": path,
            "class_field": field,
            "classes": classes,
            "design": self.parameterAsEnumString(parameters, "DESIGN", context),
        }
