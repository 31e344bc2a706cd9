"""Assess map."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterRasterLayer,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .layers import Parameters, raster_path, temporary_file
from .map_files import move_files, warn_of_mismatches, word_report, write_text
from .parameter_basics import one_of
from .parameter_help import COMMON

#: Output and its key in the result.
NUMBERS = (
    ("OVERALL_ACCURACY", "Overall accuracy (per cent)", "oa", "value"),
    ("OVERALL_ACCURACY_LOW", "Its 95 % interval, lower end", "oa", "low"),
    ("OVERALL_ACCURACY_HIGH", "Its 95 % interval, upper end", "oa", "high"),
    ("AVERAGE_ACCURACY", "Average accuracy (per cent)", "aa", "value"),
    ("KAPPA", "Kappa (per cent)", "kappa", "value"),
)

#: Output for the number of places that would halve the interval.
FURTHER = "FURTHER_PLACES"


class AssessMap(HsiGeoAlgorithm):
    """``hsi-geo assess``."""

    NAME = "assess"
    TITLE = "Assess map"
    SHORT = "Compare a class map with reference labels: accuracies with 95 % intervals."
    TAGS = (*HsiGeoAlgorithm.TAGS, "accuracy", "confusion matrix", "area estimation", "kappa")
    HELP = """<p>Compares a class map with labels that it was not made from.</p>
<h3>Example</h3>
<p>Visit forty places, note the class of each in a point layer, choose the map, that layer and its
field. The log shows the confusion matrix, and overall, user's and producer's accuracy with their
95 % intervals.</p>"""
    HELPS: ClassVar = {
        "INPUT": "Raster of classes, of hsi-geo or any other program.",
        "REFERENCE": "Points, lines or polygons whose class you know, in any CRS. They must not be the labels that the map was made "
        "from. Classes are matched with those of the map by name. Leave it empty if you have only a raster of classes.",
        "MORE_REFERENCE": COMMON["MORE_LABELS"],
        "DESIGN": "How the reference points were chosen. 'none': not at random, or you do not know; the numbers then hold for these "
        "points only. 'simple': at random in the whole map. 'stratified': at random within each class of the map. With these two the "
        "numbers hold for the whole map, and areas are corrected for its errors (Olofsson et al. 2014). For a layer of 'Draw places to "
        "check a map' choose the design that it was drawn by.",
        "STRATA": "An older map of the same land, if the points were drawn within its classes.",
        "OUTPUT": "JSON file with every number that the log shows, for other programs.",
        "REPORT": "HTML page with the confusion matrix and all accuracies. The Results Viewer opens it.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and outputs."""
        self.addParameter(QgsProcessingParameterRasterLayer("INPUT", "Class map"))
        self.add_labels("REFERENCE", "Reference labels")
        designs = ["none", "simple", "stratified"]
        self.addParameter(one_of("DESIGN", "Sampling design", designs))
        self.add_all_touched()
        self.add_advanced(
            QgsProcessingParameterRasterLayer(
                "STRATA", "Map that a stratified sample was drawn from, if another", optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "OUTPUT", "All figures", "JSON (*.json)", optional=True, createByDefault=False
            )
        )
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT", "Report", "HTML files (*.html)", optional=True, createByDefault=False
            )
        )
        for name, title, _, _ in NUMBERS:
            self.addOutput(QgsProcessingOutputNumber(name, title))
        self.addOutput(
            QgsProcessingOutputNumber(FURTHER, "Further places that would halve the interval")
        )

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo."""
        design = self.parameterAsEnumString(parameters, "DESIGN", context)
        class_map = raster_path(self, parameters, "INPUT", context)
        strata = (
            raster_path(self, parameters, "STRATA", context) if parameters.get("STRATA") else None
        )
        known = [
            names
            for path in dict.fromkeys((class_map, strata))
            if path is not None
            for names in warn_of_mismatches(path, feedback)
        ]
        report = temporary_file("report.html") if parameters.get("REPORT") else None
        command = arguments(
            "assess",
            class_map,
            **self.label_options(parameters, context, feedback),
            design=None if design == "none" else design,
            strata=strata,
            out=report,
        )
        run = self.run_command(command, feedback, {}, known=known)
        run.show_output()
        found = run.result["assessment"]
        results: Results = {
            name: None if found[key] is None else 100.0 * found[key][part]
            for name, _, key, part in NUMBERS
        }
        if found.get("design"):  # earlier versions do not write it
            results[FURTHER] = sum(found["more_places"].values())
        if parameters.get("OUTPUT"):
            results["OUTPUT"] = self.parameterAsFileOutput(parameters, "OUTPUT", context)
            write_text(results["OUTPUT"], json.dumps(found, indent=2, ensure_ascii=False))
        if report is not None:
            results["REPORT"] = self.parameterAsFileOutput(parameters, "REPORT", context)
            word_report(report, self.titles(), {**self.names, report: results["REPORT"]})
            move_files({report: results["REPORT"]})
        return results
