"""Classify with few shots."""

from __future__ import annotations

import os
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingParameterFileDestination,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters, temporary_file
from .map_files import word_report
from .protocol import LEARNING, MAPPING, TRAINING

#: Share of the time that each stage takes, about.
STAGES = {LEARNING: 0.25, TRAINING: 0.6, MAPPING: 0.15}


class Classify(HsiGeoAlgorithm):
    """``hsi-geo classify``."""

    NAME = "classify"
    TITLE = "Classify with few shots"
    SHORT = "Map a hyperspectral scene from a few labelled points, lines or polygons a class."
    HELP = """<p>Maps land cover of a hyperspectral scene from a few labelled features a class, and
estimates how good the map is.</p>
<h3>Example</h3>
<p>Draw five points in each of 'roof', 'tree' and 'water' into a layer with a text field
<i>class</i>. Choose your scene, that layer and that field, and run. The map comes with class names
and with the colours of your layer's categories; the log shows the accuracy to expect.</p>
<p>Same seed, machine and threads give the same map. Cancelling leaves no file.</p>"""
    HELPS: ClassVar = {
        "MODEL": "File to write, if you want to map other scenes of the sensor with 'Apply model' or 'Batch of tiles'.",
        "REPORT": "HTML page with map, legend, accuracy, and labels that look wrong. The Results Viewer opens it.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters."""
        self.add_scene()
        self.add_learning()
        self.add_map_options()
        self.add_kept_model()
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT",
                "Report",
                "HTML files (*.html)",
                optional=True,
                createByDefault=False,
            )
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        scene = self.scene(parameters, context)
        running = self.run_options(parameters, context)
        mapping = self.map_options(parameters, context, feedback)
        learning = self.learning_options(parameters, context, feedback)
        target = self.parameterAsFileOutput(parameters, "MODEL", context)
        keeps_model = bool(parameters.get("MODEL"))
        # QGIS has asked the user whether to replace the file. hsi-geo writes into a folder of this run first, so that an
        # older model is replaced when the map is complete.
        model = temporary_file("model.safetensors") if keeps_model else None
        reports = bool(parameters.get("REPORT"))
        kept = {"save_model": model, "report": reports}
        command = arguments("classify", scene, **learning, **running, **mapping, **kept)
        run = self.run_command(command, feedback, STAGES)
        more: Results = {}
        moved = {}
        if model is not None:
            moved[model] = target
            more["MODEL"] = os.path.abspath(target)
        if reports:
            more["REPORT"] = self.parameterAsFileOutput(parameters, "REPORT", context)
            moved[run.result["outputs"]["report"]] = more["REPORT"]
        results = {**self.finish_maps(parameters, context, feedback, run, moved), **more}
        if reports:
            names = {**self.names, **({} if model is None else {model: target})}
            word_report(results["REPORT"], self.titles(), names, results["OUTPUT"])
        return results
