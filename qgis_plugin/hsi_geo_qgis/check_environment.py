"""Check environment."""

from __future__ import annotations

import json
from typing import Any

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsSettings,
)

from .base import ANY_FILE, HsiGeoAlgorithm, Results
from .command import arguments
from .interpreter import SETTING, LauncherError
from .layers import Parameters
from .runner import Run, launcher

#: Exit codes of doctor: 1 if something is missing.
EXIT_CODES = (0, 1)


class CheckEnvironment(HsiGeoAlgorithm):
    """``hsi-geo doctor``."""

    NAME = "environment"
    TITLE = "Check environment"
    SHORT = "Check whether hsi-geo is installed and complete, and what to do if not."
    TAGS = ("hsi-geo", "install", "python", "doctor")
    HELP = """<p>Looks at the Python environment that hsi-geo is installed in: versions, device,
memory, drivers, weights. For what is missing the log shows the command that installs it. Nothing is
installed.</p>
<h3>Example</h3>
<p>After installing hsi-geo, choose its Python once, for instance
<i>C:\\hsi-geo-env\\Scripts\\python.exe</i> or <i>/home/me/hsi-geo-env/bin/python</i>. If all is
well, QGIS keeps the path, and the other algorithms use it.</p>
<h3>Parameters</h3>
<ul>
<li><b>Python</b>: Python of the environment. If empty: the one that QGIS has kept, else the one in the variable
HSI_GEO_PYTHON, else that of the hsi-geo on the PATH.</li>
</ul>"""

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameter and the outputs."""
        self.addParameter(
            QgsProcessingParameterFile(
                "PYTHON",
                "Python that hsi-geo is installed in",
                optional=True,
                fileFilter=ANY_FILE,
            )
        )
        self.addOutput(QgsProcessingOutputString("PROGRAM", "What starts hsi-geo"))
        self.addOutput(QgsProcessingOutputString("REPORT", "What was found"))

    def canExecute(self) -> tuple[bool, str]:
        """Always: the algorithm shows what is missing."""
        return True, ""

    def processAlgorithm(
        self, parameters: Parameters, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> Results:
        """Run hsi-geo doctor."""
        python = self.parameterAsString(parameters, "PYTHON", context)
        try:
            found = launcher(python)
        except LauncherError as error:
            raise QgsProcessingException(str(error)) from error
        feedback.pushInfo(f"started by '{found.program}', named in {found.origin}")
        run = Run(found, feedback).start(arguments("doctor", json=True), exit_codes=EXIT_CODES)
        checks = _checks(run)
        lines = [f"{check['name']}: {check['found']}" for check in checks]
        commands = [_fix_command(check, found.program) for check in checks if not check["ok"]]
        for check, line in zip(checks, lines):
            if check["ok"]:
                feedback.pushInfo(line)
            else:
                feedback.reportError(f"{line} -> {_fix_command(check, found.program)}")
        if commands:
            raise QgsProcessingException(
                "the environment is incomplete; run: " + "; ".join(commands)
            )
        if python:
            QgsSettings().setValue(SETTING, python)
            feedback.pushInfo("all is well; this Python is remembered")
        else:
            feedback.pushInfo("all is well")
        return {"PROGRAM": found.program, "REPORT": "\n".join(lines)}


def _checks(run: Run) -> list[dict[str, Any]]:
    try:
        checks: list[dict[str, Any]] = json.loads("\n".join(run.output))["checks"]
    except (ValueError, KeyError, TypeError) as error:
        raise QgsProcessingException(run.failure()) from error
    return checks


def _fix_command(check: dict[str, Any], program: str) -> str:
    """The command, with the Python it is meant for."""
    fix = str(check.get("fix", ""))
    return f'"{program}" -m {fix}' if fix.startswith("pip ") else fix
