"""Check environment."""

from __future__ import annotations

import json
from typing import Any, ClassVar

from qgis.core import (
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingOutputString,
    QgsProcessingParameterFile,
    QgsSettings,
)

from .base import HsiGeoAlgorithm, Results
from .command import arguments
from .interpreter import SET_UP, SETTING, Launcher, LauncherError
from .layers import Parameters
from .parameter_basics import ANY_FILE
from .pythons import LOWEST
from .runner import Run, launcher
from .set_up import environment_folder
from .set_up_algorithm import PATH_WIDGET
from .set_up_plan import EXTRAS
from .set_up_processes import probe

#: Exit codes of doctor: 1 if something is missing.
EXIT_CODES = (0, 1)


class CheckEnvironment(HsiGeoAlgorithm):
    """``hsi-geo doctor``."""

    NAME = "environment"
    TITLE = "Check environment"
    SHORT = "Check whether hsi-geo is installed and complete, and what to do if not."
    TAGS = ("hsi-geo", "install", "python", "doctor")
    HELP = """<p>Looks at the Python environment that hsi-geo is installed in. The result has three lines:
version and place of hsi-geo, Python and device, and whether it is ready. The log has the details.
Nothing is installed: <i>Plugins &gt; hsi-geo &gt; Set up hsi-geo...</i> does that.</p>
<h3>Example</h3>
<p>If you have installed hsi-geo yourself, choose its Python once, for instance
<i>C:\\hsi-geo-env\\Scripts\\python.exe</i>, or the folder of its environment, for instance
<i>/home/me/hsi-geo-env</i>. If it is ready, QGIS keeps the path, and the other algorithms use it.</p>"""
    HELPS: ClassVar = {
        "PYTHON": "Python of a venv or conda environment, or its folder. If it is empty: the one that QGIS has kept, else the one in "
        "the variable HSI_GEO_PYTHON, else that of the hsi-geo on the PATH.",
    }

    def initAlgorithm(self, config: dict[str, Any] | None = None) -> None:
        """Define the parameter and the outputs."""
        python = QgsProcessingParameterFile(
            "PYTHON", "Python that hsi-geo is installed in", optional=True, fileFilter=ANY_FILE
        )
        python.setMetadata(PATH_WIDGET)
        self.addParameter(python)
        self.addOutput(QgsProcessingOutputString("PROGRAM", "What starts hsi-geo"))
        self.addOutput(QgsProcessingOutputString("REPORT", "Result"))

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
        answered = probe(found.program) if found.command[1:] else None
        if answered is not None and answered.version[:2] < LOWEST:
            raise QgsProcessingException(
                f"'{found.program}' of {found.origin} cannot be used: {answered.obstacle()}; {SET_UP}"
            )
        run = Run(found, feedback).start(arguments("doctor", json=True), exit_codes=EXIT_CODES)
        checks = _checks(run)
        feedback.pushDebugInfo("Details:")
        for check in checks:
            if not _is_of_other_jobs(check):
                feedback.pushDebugInfo(f"{check['name']}: {check['found']}")
        place, system = summary(checks, found)
        feedback.pushInfo(place)
        feedback.pushInfo(system)
        missing = [check for check in checks if not check["ok"]]
        if missing:
            own = answered is None or answered.own
            raise QgsProcessingException(not_ready(missing, found.program, own))
        ready = "Ready."
        if python:
            QgsSettings().setValue(SETTING, python)
            ready = "Ready. QGIS keeps this Python."
        feedback.pushInfo(ready)
        return {"PROGRAM": found.program, "REPORT": f"{place}. {system}. {ready}"}


def summary(checks: list[dict[str, Any]], found: Launcher) -> tuple[str, str]:
    """What is installed where, and on what it runs.

    Args:
        checks: Checks of hsi-geo's doctor.
        found: Command that starts hsi-geo.

    >>> checks = [{"name": "hsi-geo", "found": "0.2.0"}, {"name": "python", "found": "3.12.1 on Linux"},
    ...     {"name": "device", "found": "CPU, 4 threads"}]
    >>> summary(checks, Launcher(("/env/bin/python", "-I"), "the PATH"))
    ("hsi-geo 0.2.0, started by '/env/bin/python' (the PATH)", 'Python 3.12.1 on Linux, CPU, 4 threads')
    """
    texts = {str(check["name"]): str(check["found"]) for check in checks}
    place = f"hsi-geo {texts.get('hsi-geo', '')}, started by '{found.program}' ({found.origin})"
    system = [texts[name] for name in ("python", "device", "memory") if name in texts]
    return place, f"Python {', '.join(system)}"


def not_ready(missing: list[dict[str, Any]], program: str, own: bool) -> str:
    """One sentence on what is missing and what to do.

    Args:
        missing: Checks that failed.
        program: What starts hsi-geo.
        own: Whether it belongs to an environment; nothing is installed into the system's Python.
    """
    names = ", ".join(f"{check['name']} ({check['found']})" for check in missing)
    if program.startswith(environment_folder()) or not own:
        return f"Not ready: {names}; {SET_UP}, which installs it anew"
    commands = "; ".join(dict.fromkeys(_fix_command(check, program) for check in missing))
    return f"Not ready: {names}; run in a terminal: {commands}; or {SET_UP}"


def _checks(run: Run) -> list[dict[str, Any]]:
    try:
        checks: list[dict[str, Any]] = json.loads("\n".join(run.output))["checks"]
    except (ValueError, KeyError, TypeError) as error:
        raise QgsProcessingException(run.failure()) from error
    return checks


def _is_of_other_jobs(check: dict[str, Any]) -> bool:
    """Whether it is about an extra of hsi-geo that no algorithm of the toolbox needs."""
    name = str(check["name"])
    return name.startswith("extra ") and name.split()[1] not in EXTRAS


def _fix_command(check: dict[str, Any], program: str) -> str:
    """The command, with the Python it is meant for."""
    fix = str(check.get("fix", ""))
    return f'"{program}" -m {fix}' if fix.startswith("pip ") else fix
