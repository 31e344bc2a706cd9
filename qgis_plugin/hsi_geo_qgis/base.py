"""Base class of the algorithms: texts, values of common parameters, runs and their outputs."""

from __future__ import annotations

import html
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from qgis.core import (
    Qgis,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
)
from qgis.PyQt.QtGui import QIcon
from qgis.utils import iface

from .about import ICON, VERSION, help_page
from .class_styles import form_names
from .destinations import check_destinations, written_paths
from .interpreter import LauncherError
from .label_layers import field_text, find_labels, labels_problem
from .layers import (
    Parameters,
    is_output_wanted,
    scene_title,
    selection_problem,
    vector_layer,
)
from .map_files import load_table, move_files_of_map, warn_of_mismatches
from .parameter_checks import text_problem
from .parameter_values import ParameterValues
from .protocol import ProgressBar, Stages
from .run_group import RunSummary, arrange
from .runner import NOTHING_KEPT, Run, launcher, run_command
from .scene_choice import scene_problem
from .styling import read_anew, remove_stale_style, write_confidence_style

Results = dict[str, Any]

#: How long the message of a finished run is shown.
MESSAGE_SECONDS = 30


class HsiGeoAlgorithm(ParameterValues):
    """Base of the algorithms.

    Attributes:
        NAME: Name in scripts, never translated.
        TITLE: Name in the toolbox.
        SHORT: One line for the toolbox.
        HELP: HTML beside the dialog, with an example.
        TAGS: Words for the toolbox's search.
    """

    NAME = ""
    TITLE = ""
    SHORT = ""
    HELP = ""
    TAGS: tuple[str, ...] = ("hyperspectral", "land cover", "classification", "few-shot")

    def name(self) -> str:
        """Name of the algorithm in scripts, never translated."""
        return self.NAME

    def displayName(self) -> str:
        """Name of the algorithm in the toolbox."""
        return self.TITLE

    def shortDescription(self) -> str:
        """One line for the toolbox."""
        return self.SHORT

    def shortHelpString(self) -> str:
        """HTML beside the dialog: an example, and the help of each parameter."""
        text = " ".join(self.HELP.split())  # QGIS shows line breaks of the source as such
        for heading, is_advanced in (("Parameters", False), ("Advanced parameters", True)):
            lines = [
                f"<li><b>{html.escape(title, quote=False)}</b>: {html.escape(about, quote=False)}</li>"
                for title, about, advanced in self.listed
                if advanced == is_advanced
            ]
            if lines:
                text += f"<h3>{heading}</h3><ul>{''.join(lines)}</ul>"
        return text

    def helpUrl(self) -> str:
        """Address of the algorithm's section of the documentation."""
        return help_page(self.TITLE.lower().replace(" ", "-"))

    def tags(self) -> list[str]:
        """Words for the toolbox's search."""
        return list(self.TAGS)

    def icon(self) -> QIcon:
        """The plugin's icon."""
        return QIcon(ICON)

    def createInstance(self) -> QgsProcessingAlgorithm:
        """A new instance."""
        return type(self)()

    def canExecute(self) -> tuple[bool, str]:
        """Whether hsi-geo is set up, and why not. Whether it works shows when it runs."""
        try:
            launcher()
        except LauncherError as error:
            return False, str(error)
        return True, ""

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Check the files to write, and read styles of label layers, on the main thread, where layers live."""
        problem = selection_problem(self, parameters, context)
        if problem:
            raise QgsProcessingException(problem)
        check_destinations(self, parameters, context)
        self.started = datetime.now()
        self.written = written_paths(self, parameters, context)
        self.summary: RunSummary | None = None
        self.labels = []
        self.names = {}
        zones = vector_layer(parameters, "ZONES", context)
        field = "" if zones is None else self.parameterAsString(parameters, "ZONE_FIELD", context)
        self.zone_names = form_names(zones, field, feedback)
        self.remember_opening(parameters, context, feedback)
        self.scene_name = self._scene_name(parameters, context)
        name = self._labels_name()
        if name:
            self.labels = find_labels(self, parameters, name, context, feedback)
        return True

    def _scene_name(self, parameters: Parameters, context: QgsProcessingContext) -> str:
        if parameters.get("PRODUCT"):
            product = str(self.parameterAsFile(parameters, "PRODUCT", context))
            return scene_title(product)
        if self.parameterDefinition("INPUT") is None:
            return ""
        layer = self.parameterAsRasterLayer(parameters, "INPUT", context)
        return "" if layer is None else str(layer.name())

    def postProcessAlgorithm(
        self, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Read replaced files anew, and show the accuracy in QGIS's message bar; QGIS calls this on the main thread."""
        if context.project() is not None:
            read_anew(context.project(), self.written, self.started.timestamp())
        if self.summary is not None and iface is not None:
            iface.messageBar().pushMessage(
                "hsi-geo", self.summary.message, Qgis.MessageLevel.Success, MESSAGE_SECONDS
            )
        return {}

    def checkParameterValues(
        self, parameters: Parameters, context: QgsProcessingContext
    ) -> tuple[bool, str]:
        """Whether the values can be used, and why not: a scene has to be given, or several."""
        problem = text_problem(self.parameterDefinitions(), parameters)
        defined = {one.name() for one in self.parameterDefinitions()}
        if not problem and {"INPUT", "PRODUCT"} <= defined:
            problem = scene_problem(parameters)
        elif (
            not problem
            and {"INPUTS", "PRODUCT"} <= defined
            and not (
                # A batch may take a folder instead.
                any(parameters.get(name) for name in ("INPUTS", "PRODUCT", "FOLDER"))
            )
        ):
            problem = (
                "no scene is given; choose raster layers, or the file, folder or link of a product"
            )
        if not problem and self._labels_name():
            problem = labels_problem(parameters, self._labels_name())
        if not problem and parameters.get("ZONE_TABLE") and not parameters.get("ZONES"):
            problem = "a table of areas per zone is wanted, and no zones are given; choose a layer of zones"
        if problem:
            return False, problem
        ok, reason = super().checkParameterValues(parameters, context)
        return bool(ok), str(reason)

    def run_command(
        self,
        arguments: list[str],
        feedback: QgsProcessingFeedback,
        stages: Stages,
        part: tuple[float, float] = (0.0, 100.0),
        known: Sequence[tuple[str, ...]] = (),
        *,
        partial: bool = False,
        rounds: dict[str, int] | None = None,
        kept: str = NOTHING_KEPT,
    ) -> Run:
        """Run a command of hsi-geo; messages name this dialog's parameters instead of options."""
        bar = ProgressBar(stages, *part, rounds=rounds)
        return run_command(
            arguments, feedback, bar, self.titles(), known, self.names, partial=partial, kept=kept
        )

    def finish_maps(
        self,
        parameters: Parameters,
        context: QgsProcessingContext,
        feedback: QgsProcessingFeedback,
        run: Run,
        more: Mapping[str, str] | None = None,
    ) -> Results:
        """Move optional files to the user's paths, check all files, and load the styles.

        Args:
            parameters: As given to the algorithm.
            context: As given to the algorithm.
            feedback: Receives a warning for each file that differs from the map's record.
            run: The run that wrote the maps.
            more: New path of each further file by its path.

        Returns:
            Path of each output by its name, without those of ``more``.
        """
        run.show_output(after=1)  # the paths, which QGIS shows itself
        written = run.result["outputs"]
        results: Results = {"OUTPUT": written["map"]}
        targets = dict(more or {})
        for name in ("CONFIDENCE", "PROBABILITIES", "PARENTS"):
            if is_output_wanted(parameters, name):
                results[name] = self.parameterAsOutputLayer(parameters, name, context)
                targets[written[name.lower()]] = results[name]
        if "PARENTS" in results:
            targets[written["parents_names"]] = f"{results['PARENTS']}.aux.xml"
            targets[written["parents_style"]] = f"{os.path.splitext(results['PARENTS'])[0]}.qml"
        moved = {name.lower(): path for name, path in results.items() if name != "OUTPUT"}
        if "zones" in written:
            results["ZONE_TABLE"] = written["zones"]
            if parameters.get("ZONE_TABLE"):
                table = self.parameterAsFileOutput(parameters, "ZONE_TABLE", context)
                targets[written["zones"]] = results["ZONE_TABLE"] = table
        move_files_of_map(results["OUTPUT"], written.get("item", ""), targets)
        remove_stale_style(results["OUTPUT"])
        warn_of_mismatches(results["OUTPUT"], feedback, moved)
        if "ZONE_TABLE" in results:
            load_table(results["ZONE_TABLE"], context)
        if "CONFIDENCE" in results:
            write_confidence_style(results["CONFIDENCE"])
        self.summary = self.run_summary(run)
        titles = {one.name(): one.description() for one in self.parameterDefinitions()}
        arrange(results, titles, self.summary, context)
        return results

    def run_summary(self, run: Run) -> RunSummary:
        """What the layers of a run tell about it.

        Args:
            run: The run that wrote the maps.
        """
        return RunSummary(
            algorithm=self.TITLE,
            version=VERSION,
            scene=self.scene_name,
            labels=tuple(one.name for one in self.labels if one.name),
            label_ids=tuple(one.layer_id for one in self.labels if one.layer_id),
            field=field_text(self.labels),
            started=self.started,
            accuracy=run.result.get("accuracy") or {},
            adapted_accuracy=run.result.get("adapted_accuracy") or {},
        )
