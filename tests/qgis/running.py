"""What cases of several modules use: algorithms, layers, and a run as the toolbox does it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QTimer

Job = dict[str, Any]


class Listener(QgsProcessingFeedback):
    """Keeps the stages begun, which the log does not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: set[str] = set()

    def setProgressText(self, text: str) -> None:
        self.stages.add(text)


class Canceller(QgsProcessingFeedback):
    """A user who cancels as soon as a message is shown."""

    def pushInfo(self, text: str) -> None:
        super().pushInfo(text)
        self.cancel()


def algorithm(name: str) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById(f"hsi_geo:{name}")


def run(name: str, parameters: Job, context: QgsProcessingContext | None = None) -> Job:
    """Run an algorithm as the toolbox does: what it returns, or its sentence, and its log."""
    feedback = QgsProcessingFeedback()
    moved: list[float] = []
    feedback.progressChanged.connect(moved.append)
    context = context or new_context()
    try:
        results, ok = algorithm(name).run(parameters, context, feedback, {}, False)
    except QgsProcessingException as error:
        return {"ok": False, "error": str(error), "log": feedback.textLog()}
    QgsApplication.processEvents()  # signals from the thread that the process ran in
    return {"ok": ok, "results": results, "log": feedback.textLog(), "progress": moved}


def new_context() -> QgsProcessingContext:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return context


def vector(path: str) -> QgsVectorLayer:
    layer = QgsVectorLayer(path, "Meine Flächen")
    QgsProject.instance().addMapLayer(layer)
    return layer


def classify(job: Job, labels: Any) -> Job:
    return run("classify", {**job["parameters"], "LABELS": labels})


def load(path: str, details: Any, context: QgsProcessingContext) -> Job:
    layer = QgsProcessingUtils.mapLayerFromString(path, context)
    if details.postProcessor() is not None:
        details.postProcessor().postProcessLayer(layer, context, QgsProcessingFeedback())
    assert isinstance(layer, QgsRasterLayer)
    renderer = layer.renderer()
    legend = [(label, color.name()) for label, color in renderer.legendSymbologyItems()]
    return {"renderer": renderer.type(), "legend": legend}


def cancelled_when(name: str, parameters: Job, is_time: Callable[[Listener], bool]) -> Job:
    """Run an algorithm as a background task, cancel it at some time, and measure how long that takes."""
    context, feedback = new_context(), Listener()  # the task does not own the context
    task = QgsProcessingAlgRunnerTask(algorithm(name), parameters, context, feedback)
    loop = QEventLoop()
    state: Job = {"asked": 0.0, "ok": None}

    def check() -> None:
        if not state["asked"] and is_time(feedback):
            state["asked"] = time.monotonic()
            feedback.cancel()

    def done(ok: bool, results: Job) -> None:
        state.update(ok=ok, results=results, took=time.monotonic() - state["asked"])
        loop.quit()

    timer = QTimer()
    timer.timeout.connect(check)
    timer.start(10)
    task.executed.connect(done)
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(120_000, loop.quit)
    loop.exec()
    return {**state, "log": feedback.textLog()}
