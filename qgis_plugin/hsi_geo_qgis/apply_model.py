"""Apply model."""

from __future__ import annotations

from typing import Any

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
<h3>Parameters</h3>
<ul>
<li><b>Hyperspectral scene</b>: a raster layer, or a product's file or folder. It has to cover the model's
wavelengths.</li>
<li><b>Model</b>: a .safetensors file of hsi-geo.</li>
<li><b>Learn the statistics anew</b>: for a whole scene of another date or sensor, never for a tile
of one.</li>
<li><b>Multiply the scene's values</b>: where it is on another scale than the model, such as 0 to 1
beside 0 to 10,000; 'auto' finds the power of ten. Without it such a scene is refused.</li>
</ul>
<p>The log shows the accuracy in the scene that the model was adapted to, marked as that of another scene, and how
much of this scene is unlike every label there.</p>"""

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
