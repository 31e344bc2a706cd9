"""Apply model."""

from __future__ import annotations

from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterBoolean,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters
from .protocol import MAPPING

STAGES = {MAPPING: 1.0}


class ApplyModel(HsiGeoAlgorithm):
    """``hsi-geo predict``."""

    NAME = "predict"
    TITLE = "Apply model"
    SHORT = "Map a hyperspectral scene with a model kept from Classify with few shots."
    HELP = """<p>Maps a scene with a model that was adapted to another scene of the same sensor.</p>
<h3>Example</h3>
<p>Run <i>Classify with few shots</i> on one flight line and keep its <i>Model</i>. Choose the
next flight line and that model here; with 'Run as Batch Process', all others at once.</p>
<p>The log shows the accuracy in the scene that the model was adapted to, marked as that of another scene, and how
much of this scene is unlike every label there.</p>"""
    HELPS: ClassVar = {
        "RESTAT": "For a whole scene of another date or sensor: mean and spread of each band are taken from this scene, not from the "
        "model. Never switch it on for a tile of a scene.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters."""
        self.add_scene()
        self.add_model()
        self.add_advanced(
            QgsProcessingParameterBoolean(
                "RESTAT", "Learn the statistics anew from this scene", defaultValue=False
            )
        )
        self.add_rescale()
        self.add_map_options()

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        command = arguments(
            "predict",
            self.scene(parameters, context),
            model=self.parameterAsFile(parameters, "MODEL", context),
            restat=self.parameterAsBoolean(parameters, "RESTAT", context),
            rescale=self.parameterAsString(parameters, "RESCALE", context),
            **self.run_options(parameters, context),
            **self.map_options(parameters, context, feedback),
        )
        run = self.run_command(command, feedback, STAGES)
        return self.finish_maps(parameters, context, feedback, run)
