"""Adapt model."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFileDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters, temporary_file
from .learning_parameters import MODEL_FILES
from .map_files import move_files
from .protocol import LEARNING, TRAINING

#: Share of the time that each stage takes, about.
STAGES = {LEARNING: 0.3, TRAINING: 0.7}


class AdaptModel(HsiGeoAlgorithm):
    """``hsi-geo adapt``."""

    NAME = "adapt"
    TITLE = "Adapt model"
    SHORT = (
        "Learn classes from a few labelled features in one or several scenes, and keep the model."
    )
    TAGS = (*HsiGeoAlgorithm.TAGS, "training", "model")
    HELP = """<p>Learns the classes of your labels, and keeps the model. Nothing is mapped. <i>Apply model</i> and
<i>Batch of tiles</i> map scenes with it.</p>
<h3>Example</h3>
<p>Draw five points in each of 'roof', 'tree' and 'water' into one layer, some on each of two flight lines. Choose
both scenes, that layer and its field, and run.</p>"""
    HELPS: ClassVar = {
        "OUTPUT": "File to write. The log shows the accuracy to expect.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.add_scenes_to_learn_from()
        self.add_learning()
        self.add_run_options()
        self.addParameter(QgsProcessingParameterFileDestination("OUTPUT", "Model", MODEL_FILES))
        self.addOutput(QgsProcessingOutputNumber("ACCURACY", "Estimated accuracy (per cent)"))

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        target = self.parameterAsFileOutput(parameters, "OUTPUT", context)
        model = temporary_file("model.safetensors")
        command = arguments(
            "adapt",
            *self.scenes(parameters, context, "PRODUCT"),
            **self.learning_options(parameters, context, feedback),
            **self.run_options(parameters, context),
            out=model,
        )
        run = self.run_command(command, feedback, STAGES)
        run.show_output(after=1)
        move_files({model: target})
        share = run.result["accuracy"]["oa"]
        return {
            "OUTPUT": os.path.abspath(target),
            "ACCURACY": None if share is None else 100.0 * share,
        }
