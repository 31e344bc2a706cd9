"""Classify several scenes."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputMultipleLayers,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFolderDestination,
)

from .base import HsiGeoAlgorithm, Results
from .classify import STAGES
from .command import arguments
from .layers import Parameters, given_layers, scene_title, temporary_file
from .map_files import load_table, move_files, warn_of_mismatches, word_report
from .protocol import MAPPING
from .run_group import RunSummary, arrange
from .runner import Run
from .styling import remove_stale_style, write_confidence_style

#: Parameter and title of each file beside a map.
BESIDE = (
    ("CONFIDENCE", "Write the confidence of each map"),
    ("PROBABILITIES", "Write the probabilities of each map"),
    ("PARENTS", "Write the map of the parents of each scene (classes of two levels)"),
    ("REPORT", "Write a report of each map"),
)


class ClassifyScenes(HsiGeoAlgorithm):
    """``hsi-geo classify`` with several scenes."""

    NAME = "classify_scenes"
    TITLE = "Classify several scenes"
    SHORT = "Learn from labels in several scenes of one sensor, and map all of them with one model."
    TAGS = (*HsiGeoAlgorithm.TAGS, "flight lines", "several", "folder")
    HELP = """<p>Learns one model from labels in several scenes of one sensor, and maps all of these scenes with it.
The maps appear together when the last one is complete.</p>
<h3>Example</h3>
<p>Two flight lines overlap, and you have drawn points in both. Choose both scenes, the layer of points and a folder, and
run. For many tiles of one grid, use <i>Adapt model</i> and <i>Batch of tiles</i>.</p>"""
    HELPS: ClassVar = {
        "MODEL": "File to write, if you want to map other scenes of the sensor with 'Apply model' or 'Batch of tiles'.",
        "PARENTS": "Raster of the upper level, SCENE_classes_parents.tif. The labels need the field with the parent of the class.",
        "ZONES": "Polygons in any CRS: communes, catchments, parcels. The area of each class in each of them is written beside each map, as "
        "SCENE_classes_zones.csv.",
        "REPORT": "HTML page with map, legend, accuracy, and labels that look wrong.",
        "OVERWRITE": "Off: if one of the maps exists, nothing is written, and a message names it.",
        "OUTPUT": "Each map is written as SCENE_classes.tif, with its style, names and record beside it. Choose a folder that stays; "
        "a temporary one is gone when QGIS ends.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.add_scenes_to_learn_from()
        self.add_learning()
        self.add_aoi("Map only inside these polygons")
        self.add_run_options()
        self.add_cleaning()
        self.add_zones()
        self.add_memory()
        for name, title in BESIDE:
            self.add_advanced(QgsProcessingParameterBoolean(name, title, defaultValue=False))
        self.addParameter(
            QgsProcessingParameterBoolean(
                "OVERWRITE", "Replace maps that are in the folder", defaultValue=False
            )
        )
        self.addParameter(QgsProcessingParameterFolderDestination("OUTPUT", "Folder for the maps"))
        self.add_kept_model()
        self.addOutput(QgsProcessingOutputMultipleLayers("MAPS", "Class maps"))
        self.addOutput(QgsProcessingOutputNumber("ACCURACY", "Estimated accuracy (per cent)"))

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Read names of scenes and styles of labels, on the main thread, where layers live."""
        layers = given_layers(self, parameters, "INPUTS", context)
        self.scene_names = [str(layer.name()) for layer in layers]
        if parameters.get("PRODUCT"):
            product = str(self.parameterAsFile(parameters, "PRODUCT", context))
            self.scene_names.append(scene_title(product))
        return super().prepareAlgorithm(parameters, context, feedback)

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        scenes = self.scenes(parameters, context, "PRODUCT")
        if not scenes:
            raise QgsProcessingException("no scene is given; choose raster layers, or a product")
        model = temporary_file("model.safetensors") if parameters.get("MODEL") else ""
        command = self._command(parameters, context, feedback, scenes, model)
        run = self.run_command(command, feedback, STAGES, rounds={MAPPING: len(scenes)})
        target = self.parameterAsFileOutput(parameters, "MODEL", context) if model else ""
        if model:
            self.names[model] = target  # in the reports
        self._show(run, f"{len(scenes)} scenes" if len(scenes) > 1 else "", context, feedback)
        share = run.result["accuracy"]["oa"]
        results: Results = {
            "OUTPUT": self.parameterAsString(parameters, "OUTPUT", context),
            "MAPS": [result["outputs"]["map"] for result in run.results],
            "ACCURACY": None if share is None else 100.0 * share,
        }
        if model:
            move_files({model: target})
            results["MODEL"] = os.path.abspath(target)
        return results

    def _command(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        scenes: list[str],
        model: str,
    ) -> list[str]:
        """Arguments of hsi-geo for these scenes, which writes the model to a file of this run first."""
        folder = self.parameterAsString(parameters, "OUTPUT", context)
        beside = {
            name.lower(): self.parameterAsBoolean(parameters, name, context)
            for name in ("OVERWRITE", *(name for name, _ in BESIDE))
        }
        return arguments(
            "classify",
            *scenes,
            **self.learning_options(parameters, context, feedback),
            **self.run_options(parameters, context),
            **beside,
            **self.cleaning_options(parameters, context),
            **self.zone_options(parameters, context, feedback),
            aoi=self.aoi(parameters, context, feedback),
            max_memory=self.parameterAsString(parameters, "MAX_MEMORY", context),
            save_model=model,
            out=folder if len(scenes) > 1 else _map_in(folder, scenes[0]),
        )

    def _show(
        self,
        run: Run,
        group: str,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
    ) -> None:
        """Have the maps loaded in one group, and tell how good they are."""
        common = replace(self.run_summary(run), group=group)
        for name, result in zip(self.scene_names, run.results):
            written = result["outputs"]
            remove_stale_style(written["map"])
            if "report" in written:
                word_report(written["report"], self.titles(), self.names, written["map"])
            warn_of_mismatches(written["map"], feedback)
            _load_maps(replace(common, scene=name), written, context)
            if "zones" in written:
                load_table(written["zones"], context)
        self.summary = replace(common, scene=group or self.scene_names[0])
        feedback.pushInfo(self.summary.message)


def _load_maps(summary: RunSummary, outputs: dict[str, str], context: QgsProcessingContext) -> None:
    """Register the map of one scene, and its confidence, to be loaded into the group of the run."""
    files = {"OUTPUT": outputs["map"]}
    if "confidence" in outputs:
        files["CONFIDENCE"] = outputs["confidence"]
        write_confidence_style(outputs["confidence"])
    if context.project() is None:
        return
    titles = {
        "OUTPUT": f"Class map of {summary.scene}",
        "CONFIDENCE": f"Confidence of {summary.scene} (per cent)",
    }
    for output, path in files.items():
        details = QgsProcessingContext.LayerDetails(titles[output], context.project(), "MAPS")
        context.addLayerToLoadOnCompletion(path, details)
    arrange(files, titles, summary, context)


def _map_in(folder: str, scene: str) -> str:
    """Path of the map of a single scene, named as those of several are."""
    os.makedirs(folder, exist_ok=True)
    stem = os.path.splitext(scene_title(scene))[0]
    return os.path.join(folder, f"{stem}_classes.tif")
