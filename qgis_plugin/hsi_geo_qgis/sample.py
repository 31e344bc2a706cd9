"""Draw places to check a map by."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterNumber,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters, raster_path
from .map_files import warn_of_mismatches
from .parameter_basics import one_of
from .styling import load_styled

#: Least number of places of a class that hsi-geo takes by itself.
LEAST = 20


class DrawSample(HsiGeoAlgorithm):
    """``hsi-geo sample``."""

    NAME = "sample"
    TITLE = "Draw places to check a map"
    SHORT = (
        "Draw a random sample of places, with a form to fill in, as many as a standard error needs."
    )
    TAGS = (*HsiGeoAlgorithm.TAGS, "sampling", "accuracy", "validation", "field work", "QField")
    HELP = """<p>Draws places at random, in each class of a map or in the whole map. Their number follows from the standard error
that you want.</p>
<h3>Example</h3>
<p>Draw places of a class map. Visit them with QField, or look at them in images, and choose the class of each in its form. Then
run <i>Assess map</i> with this layer and the same sampling design.</p>"""
    HELPS: ClassVar = {
        "INPUT": "Raster of classes, of hsi-geo or any other program. For a map of 'Compare maps' the form asks for the class of both "
        "dates.",
        "DESIGN": "'stratified': at random in each class of the map, so that rare classes have places, too. 'simple': at random in "
        "the whole map.",
        "TARGET_SE": "Standard error of the overall accuracy. With 0.02 the 95 % interval is about 4 points up and down. It is not used "
        "if a number of places is given.",
        "COUNT": "Number of places, instead of a standard error.",
        "LEAST": "Least number of places of a class in a stratified sample. For areas of rare classes give 50 or more.",
        "EXPECTED": "Share of the pixels that you expect to be right. If it is empty: the mean confidence of each class if the "
        "confidence is beside the map, else 0.8.",
        "OUTPUT": "GeoPackage of points. Its form asks for the class, and does not show that of the map. It remembers how it was drawn.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Class map"))
        self.addParameter(one_of("DESIGN", "Sampling design", ["stratified", "simple"]))
        whole = QgsProcessingParameterNumber.Type.Integer
        share = QgsProcessingParameterNumber.Type.Double
        self.addParameter(
            QgsProcessingParameterNumber(
                "TARGET_SE", "Standard error that is wanted", share,
                defaultValue=0.02, minValue=0.001, maxValue=0.49,
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterNumber(
                "COUNT", "or the number of places", whole, optional=True, minValue=2
            )
        )
        self.add_advanced(
            QgsProcessingParameterNumber(
                "LEAST", "Least number of places of a class", whole,
                defaultValue=LEAST, minValue=2,
            )
        )  # fmt: skip
        self.add_advanced(
            QgsProcessingParameterNumber(
                "EXPECTED", "Expected share of right pixels", share,
                optional=True, minValue=0.01, maxValue=0.99,
            )
        )  # fmt: skip
        self.add_seed()
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", "Places to check", QgsProcessing.SourceType.TypeVectorPoint
            )
        )
        self.addOutput(QgsProcessingOutputNumber("PLACES", "Number of places"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        output = self.geopackage(parameters, context)
        class_map = raster_path(self, parameters, "INPUT", context)
        known = warn_of_mismatches(class_map, feedback)
        has_count = parameters.get("COUNT") not in (None, "")
        has_expected = parameters.get("EXPECTED") not in (None, "")
        target = self.parameterAsDouble(parameters, "TARGET_SE", context)
        expected = self.parameterAsDouble(parameters, "EXPECTED", context)
        least = self.parameterAsInt(parameters, "LEAST", context)
        command = arguments(
            "sample",
            class_map,
            design=self.parameterAsEnumString(parameters, "DESIGN", context),
            target_se=None if has_count else str(target),
            count=self.parameterAsInt(parameters, "COUNT", context) if has_count else None,
            least=None if least == LEAST else least,  # hsi-geo warns if it overrides COUNT
            expected=str(expected) if has_expected else None,
            seed=self.parameterAsInt(parameters, "SEED", context),
            out=output,
            overwrite=os.path.exists(output),  # QGIS has asked the user before
        )
        run = self.run_command(command, feedback, {}, known=known)
        run.show_output(after=1)
        load_styled(output, context)
        return {"OUTPUT": output, "PLACES": run.result["count"]}
