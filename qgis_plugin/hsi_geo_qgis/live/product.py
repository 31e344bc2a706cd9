"""A product that no layer shows yet: *Open scene* makes the layer, in the background."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProject,
    QgsRasterLayer,
)

from ..open_scene import SHOWN_BANDS

_running: list[Any] = []  # Python keeps what the tasks need


def show_product(
    path: str,
    wavelengths: str,
    on_layer: Callable[[QgsRasterLayer], None],
    on_error: Callable[[str], None],
) -> None:
    """Add a product to the project as a layer, unless the project is closed meanwhile.

    Args:
        path: File or folder of the product.
        wavelengths: Wavelengths, if it has none.
        on_layer: Is called with the layer.
        on_error: Is called with one sentence instead.
    """
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("hsi_geo:open")
    context, feedback = QgsProcessingContext(), _Errors()
    parameters = {"PRODUCT": path, "BANDS": SHOWN_BANDS, "WAVELENGTHS": wavelengths}
    task = QgsProcessingAlgRunnerTask(algorithm, parameters, context, feedback)
    kept = (algorithm, context, feedback, task)
    _running.append(kept)
    project, closed = QgsProject.instance(), []

    def close() -> None:
        closed.append(True)

    project.cleared.connect(close)

    def done(ok: bool, results: dict[str, Any]) -> None:
        _running.remove(kept)
        project.cleared.disconnect(close)
        if closed:  # the layer is not for the next project
            return
        if not ok:
            on_error(feedback.last or f"'{os.path.basename(path)}' cannot be shown on the map")
            return
        layer = QgsRasterLayer(results["OUTPUT"], os.path.basename(path.rstrip("/\\")), "gdal")
        project.addMapLayer(layer)
        on_layer(layer)

    task.executed.connect(done)
    QgsApplication.taskManager().addTask(task)


class _Errors(QgsProcessingFeedback):
    """Keeps the last error."""

    def __init__(self) -> None:
        super().__init__()
        self.last = ""

    def reportError(self, error: str, fatalError: bool = False) -> None:
        self.last = error
