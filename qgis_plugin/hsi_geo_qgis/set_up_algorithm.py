"""Set up, as an algorithm: for scripts and qgis_process, which have no dialog."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsProcessingParameterString,
)

from .base import HsiGeoAlgorithm, Results
from .layers import Parameters
from .network import proxy_of_qgis
from .parameter_basics import ANY_FILE, one_of
from .pythons import python_in
from .set_up import SetUp, remember
from .set_up_plan import CPU, CPU_INDEX, DEFAULT, Options, sizes_text, torch_for
from .set_up_processes import SetUpError, choose_python

PATH_WIDGET = {"widget_wrapper": {"class": "hsi_geo_qgis.python_widget.PythonWidget"}}


class SetUpAlgorithm(HsiGeoAlgorithm):
    """Makes, updates or removes the environment, as the dialog does."""

    NAME = "setup"
    TITLE = "Set up"
    SHORT = "Install hsi-geo into a Python environment of its own in QGIS's profile, or remove it."
    TAGS = ("hsi-geo", "install", "update", "remove", "python")
    HELP = """<p>Makes a Python environment in the folder of QGIS's profile and installs hsi-geo into
it. The plugin carries hsi-geo; its packages, with PyTorch the largest, are downloaded. QGIS's own Python is not
changed. <i>Plugins &gt; hsi-geo &gt; Set up hsi-geo...</i> does the same with a dialog.</p>
<h3>Example</h3>
<p><code>qgis_process run hsi_geo:setup</code> finds a Python 3.12 or newer and installs. A second run
changes nothing. After an update of the plugin it updates hsi-geo.</p>"""
    HELPS: ClassVar = {
        "ACTION": "'install' installs hsi-geo, or updates it. 'remove' deletes its environment.",
        "PYTHON": "Python 3.12 or newer, or the folder of an environment. If it is empty, one is found.",
        "TORCH": "On Linux, 'cpu' is small, and 'default' includes CUDA for NVIDIA graphics cards. 'auto' looks for an NVIDIA driver. "
        "On Windows and macOS there is no choice.",
        "WHEELS": "Folder with the files (.whl) of all packages. Then nothing is downloaded.",
        "INDEX": "Address of another package index, such as a mirror. If it is empty, that of pip's settings.",
        "TORCH_INDEX": "Address that the small PyTorch ('cpu') is downloaded from.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameters and the output."""
        self.addParameter(one_of("ACTION", "Action", ["install", "remove"]))
        python = QgsProcessingParameterFile(
            "PYTHON", "Python 3.12 or newer (found if empty)", optional=True, fileFilter=ANY_FILE
        )
        python.setMetadata(PATH_WIDGET)
        self.addParameter(python)
        self.addParameter(one_of("TORCH", "PyTorch", ["auto", CPU, DEFAULT]))
        folder = QgsProcessingParameterFile.Behavior.Folder
        self.addParameter(
            QgsProcessingParameterFile(
                "WHEELS", "Folder of wheels (no download)", folder, optional=True
            )
        )
        for name, title, value in (
            ("INDEX", "Package index", None),
            ("TORCH_INDEX", "Index of PyTorch without CUDA", CPU_INDEX),
        ):
            self.add_advanced(
                QgsProcessingParameterString(name, title, defaultValue=value, optional=True)
            )
        self.addOutput(QgsProcessingOutputString("PROGRAM", "Python of the environment"))

    def canExecute(self) -> tuple[bool, str]:
        """Always."""
        return True, ""

    def prepareAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> bool:
        """Read the proxy on the main thread, where QGIS may ask for a password."""
        self.proxy = proxy_of_qgis()
        return True

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Install, update or remove."""
        shown = [""]

        def show(percent: float, text: str) -> None:
            feedback.setProgress(percent)
            stage = re.split("[:,]", text)[0]
            if stage != shown[0]:  # every text is a line in the log
                shown[0] = stage
                feedback.setProgressText(text)

        job = SetUp(feedback.pushConsoleInfo, show, feedback.isCanceled)
        try:
            if self.parameterAsEnumString(parameters, "ACTION", context) == "remove":
                job.remove()
                remember("")
                feedback.pushInfo(f"'{job.environment}' is removed")
                return {"PROGRAM": ""}
            options = self._options(parameters, context)
            feedback.pushInfo(sizes_text(options))
            python = job.install(options)
        except SetUpError as error:
            raise QgsProcessingException(str(error)) from error
        remember(python)
        feedback.pushInfo(f"hsi-geo is ready: {python}")
        return {"PROGRAM": python}

    def _options(self, parameters: Parameters, context: QgsProcessingContext) -> Options:
        given = self.parameterAsString(parameters, "PYTHON", context)
        python = python_in(given)
        if given and not python:
            raise SetUpError(f"folder '{given}' holds no Python; choose another one")
        torch = self.parameterAsEnumString(parameters, "TORCH", context)
        options = Options(
            choose_python(python).path,
            torch_for() if torch == "auto" else torch,
            self.parameterAsString(parameters, "TORCH_INDEX", context) or CPU_INDEX,
            self.parameterAsString(parameters, "INDEX", context),
            self.parameterAsString(parameters, "WHEELS", context),
        )
        return replace(options, proxy=self.proxy[0], no_proxy=self.proxy[1])
