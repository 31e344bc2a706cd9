"""Cases on runs that are cancelled late, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

from qgis.core import QgsProcessingException
from running import Canceller, Job, algorithm, new_context


def cancelled_late(job: Job) -> Job:
    """Cancel a run at its message: what it returns, or its sentence, and its log."""
    feedback = Canceller()
    try:
        results, ok = algorithm(job["algorithm"]).run(
            job["parameters"], new_context(), feedback, {}, False
        )
    except QgsProcessingException as error:
        return {"ok": False, "error": str(error), "log": feedback.textLog()}
    return {"ok": ok, "results": results, "log": feedback.textLog()}
