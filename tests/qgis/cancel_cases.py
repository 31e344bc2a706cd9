"""Cases on runs that are cancelled late, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

from qgis.core import QgsProcessingException, QgsProcessingFeedback
from running import Job, algorithm, new_context


class Canceller(QgsProcessingFeedback):
    """A user who cancels as soon as a message is shown."""

    def pushInfo(self, text: str) -> None:
        super().pushInfo(text)
        self.cancel()


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
