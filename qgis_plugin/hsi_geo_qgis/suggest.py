"""Suggest places to label."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessing,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterNumber,
    QgsProcessingParameterVectorDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters
from .protocol import MAPPING
from .styling import load_styled


class SuggestPlaces(HsiGeoAlgorithm):
    """``hsi-geo suggest``."""

    NAME = "suggest"
    TITLE = "Suggest places to label"
    SHORT = "Make a layer of points where the next labels would help a model most."
    TAGS = (*HsiGeoAlgorithm.TAGS, "active learning", "sampling", "labels")
    HELP = """<p>Makes a layer of points where the next labels would help most. More of them lie where the model is
uncertain.</p>
<h3>Example</h3>
<p>Run <i>Adapt model</i> with the labels that you have. Choose the scene and that model here. Fill in the field
<i>class</i> of each point in the new layer. Delete points whose class you do not know. Merge the points with your
labels, and adapt or classify again.</p>"""
    HELPS: ClassVar = {
        "COUNT": "How many points are wanted. Fewer are found in a small or uniform scene.",
        "OUTPUT": "GeoPackage of points with an empty field 'class', the predicted class ('guess') and its confidence in per cent. "
        "Rank 1 is the most useful one.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.add_scene()
        self.add_model()
        whole = QgsProcessingParameterNumber.Type.Integer
        self.addParameter(
            QgsProcessingParameterNumber(
                "COUNT", "Number of places", whole, defaultValue=20, minValue=1
            )
        )
        self.add_seed()
        self.add_rescale()
        self.add_aoi("Suggest only inside these polygons")
        self.add_run_options()
        self.add_memory()
        self.addParameter(
            QgsProcessingParameterVectorDestination(
                "OUTPUT", "Places to label", QgsProcessing.SourceType.TypeVectorPoint
            )
        )
        self.addOutput(QgsProcessingOutputNumber("PLACES", "Number of places found"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        output = self.geopackage(parameters, context)
        command = arguments(
            "suggest",
            self.scene(parameters, context),
            model=self.parameterAsFile(parameters, "MODEL", context),
            count=self.parameterAsInt(parameters, "COUNT", context),
            seed=self.parameterAsInt(parameters, "SEED", context),
            rescale=self.parameterAsString(parameters, "RESCALE", context),
            aoi=self.aoi(parameters, context, feedback),
            max_memory=self.parameterAsString(parameters, "MAX_MEMORY", context),
            **self.run_options(parameters, context),
            out=output,
            overwrite=os.path.exists(output),  # QGIS has asked the user before
        )
        run = self.run_command(command, feedback, {MAPPING: 1.0})
        run.show_output(after=1)
        load_styled(output, context)
        return {"OUTPUT": output, "PLACES": run.result["count"]}
