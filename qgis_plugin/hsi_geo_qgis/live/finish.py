"""*Finish*: which files are written, and how they come into the project."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qgis.core import QgsProject, QgsRasterLayer, QgsSettings
from qgis.gui import QgsFileWidget
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QDialog,
    QDialogButtonBox,
    QFormLayout,
    QLabel,
    QMessageBox,
    QVBoxLayout,
    QWidget,
)

from ..about import ICON, VERSION
from ..layers import file_stem
from ..products import is_same_file
from ..run_group import RUN_PROPERTY, RunSummary, leave_group, run_group
from ..styling import read_anew, remove_stale_style, write_confidence_style

#: Setting of the folder in which the dialog begins.
_LAST_FOLDER = "hsi_geo/live_folder"

#: Files beside the map: name of the parameter of ``finish``, end of its name, title.
MODEL_END, REPORT_END, CONFIDENCE_END = "_model.safetensors", "_report.html", "_confidence.tif"


@dataclass(frozen=True)
class Choice:
    """What is written.

    Attributes:
        out: Path of the map.
        report: Whether a report is.
        model: Whether the model is.
        confidence: Whether the confidence is.
    """

    out: str
    report: bool = True
    model: bool = True
    confidence: bool = False

    @property
    def model_path(self) -> str:
        """Path of the model."""
        return os.path.splitext(self.out)[0] + MODEL_END

    def params(self) -> dict[str, Any]:
        """Parameters of ``finish``; the dialog has asked whether to replace a map."""
        return {
            "out": self.out,
            "overwrite": os.path.exists(self.out),
            "save_model": self.model_path if self.model else None,
            "report": self.report,
            "confidence": self.confidence,
        }


class FinishDialog(QDialog):
    """Asks for the files.

    Args:
        scene: Name of the scene.
        parent: QGIS's window.
    """

    def __init__(self, scene: str, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Finish the map")
        self.setWindowIcon(QIcon(ICON))
        self.setMinimumWidth(520)
        self.map = QgsFileWidget()
        self.map.setStorageMode(QgsFileWidget.StorageMode.SaveFile)
        self.map.setFilter("GeoTIFF (*.tif)")
        self.map.setDialogTitle("Choose the file of the map")
        self.map.setConfirmOverwrite(False)  # the dialog asks itself, also for a path that is typed
        folder = str(QgsSettings().value(_LAST_FOLDER, "") or "")
        self.folder = folder or QgsProject.instance().homePath() or os.path.expanduser("~")
        stem = os.path.splitext(scene)[0] or "scene"
        safe = "".join(one if one.isalnum() or one in " ._-" else "_" for one in stem)
        self.map.setFilePath(os.path.join(self.folder, f"{file_stem(safe, 120)}_classes.tif"))
        self.report = QCheckBox("Report (HTML)")
        self.model = QCheckBox("Model, to map other scenes with")
        self.confidence = QCheckBox("Confidence (GeoTIFF)")
        self.report.setChecked(True)
        self.model.setChecked(True)
        form = QFormLayout()
        form.addRow("Map", self.map)
        form.addRow("Also write", self.report)
        form.addRow("", self.model)
        form.addRow("", self.confidence)
        text = QLabel(
            "The whole scene is mapped with the shots as they are now. The files are written beside the map. The "
            "map can differ from the preview in some pixels."
        )
        text.setWordWrap(True)
        accepting = QDialogButtonBox.StandardButton.Ok
        self.buttons = QDialogButtonBox(accepting | QDialogButtonBox.StandardButton.Cancel)
        self.buttons.button(accepting).setText("Finish")
        self.buttons.accepted.connect(self.accept)
        self.buttons.rejected.connect(self.reject)
        layout = QVBoxLayout(self)
        layout.addWidget(text)
        layout.addLayout(form)
        layout.addWidget(self.buttons)

    def choice(self) -> Choice:
        """What was chosen. A name without a folder lies in that of the dialog: the engine has another one."""
        path = self.map.filePath().strip()
        path = os.path.join(self.folder, os.path.expanduser(path)) if path else ""
        if path and not path.lower().endswith((".tif", ".tiff")):
            path += ".tif"
        return Choice(
            path,
            report=self.report.isChecked(),
            model=self.model.isChecked(),
            confidence=self.confidence.isChecked(),
        )

    def accept(self) -> None:
        """Close with the choice, after a question if there is such a map already."""
        found = self.choice()
        if not found.out:
            return
        if os.path.exists(found.out) and not self._may_replace(found.out):
            return
        QgsSettings().setValue(_LAST_FOLDER, os.path.dirname(found.out))
        super().accept()

    def _may_replace(self, path: str) -> bool:
        text = f"'{os.path.basename(path)}' exists. Replace it, and the files beside it?"
        answer = QMessageBox.question(self, self.windowTitle(), text)
        return bool(answer == QMessageBox.StandardButton.Yes)


def may_stop(parent: QWidget | None) -> bool:
    """Ask whether the map that is being written may be cancelled.

    Args:
        parent: What the question is shown above.
    """
    text = "A map is being written. Cancel it? Nothing of it is kept then."
    answer = QMessageBox.question(parent, "hsi-geo live", text)
    return bool(answer == QMessageBox.StandardButton.Yes)


def add_results(
    result: Mapping[str, Any],
    scene: str,
    labels: Mapping[str, str],
    field: str,
    started: datetime,
) -> RunSummary:
    """Add the finished map to the project: one group, as the algorithms make it.

    Args:
        result: Answer of the engine to ``finish``.
        scene: Name of the scene.
        labels: Name of each layer of shots by its id.
        field: Field with the class.
        started: Local time of the start.

    Returns:
        The run.
    """
    summary = RunSummary(
        algorithm="hsi-geo live",
        version=VERSION,
        scene=scene,
        labels=tuple(labels.values()),
        label_ids=tuple(labels),
        field=field,
        started=started,
        accuracy=result.get("accuracy") or {},
        adapted_accuracy={},
    )
    outputs = result.get("outputs") or {}
    if outputs.get("map"):
        remove_stale_style(outputs["map"])
    project = QgsProject.instance()
    root = project.layerTreeRoot()
    for output, key, title in (
        ("OUTPUT", "map", "Class map"),
        ("CONFIDENCE", "confidence", "Confidence"),
    ):
        path = outputs.get(key)
        if not path:
            continue
        if output == "CONFIDENCE":
            write_confidence_style(path)
        layer = _layer_of(path)
        if not layer.isValid():
            continue
        read_anew(project, [path])
        layer.setMetadata(summary.metadata(layer, title))
        before = root.findLayer(layer)
        is_own = before is not None and not before.parent().customProperty(RUN_PROPERTY)
        if not is_own or layer.name().startswith(title):  # else a person has named it
            layer.setName(summary.layer_name(title, output))
        if is_own:  # a person has put it there
            continue
        node = run_group(root, summary).addLayer(layer)
        if before is not None:
            leave_group(before)  # not earlier: QGIS removes layers that are nowhere in the tree
        node.setCustomProperty(RUN_PROPERTY, output)
        node.setItemVisibilityChecked(output == "OUTPUT")
    return summary


def _layer_of(path: str) -> QgsRasterLayer:
    """A layer of a file, in the project: the one that the project has already, if the file was replaced."""
    project = QgsProject.instance()
    for layer in project.mapLayers().values():
        if isinstance(layer, QgsRasterLayer) and is_same_file(str(layer.source()), path):
            return layer
    layer = QgsRasterLayer(path, "", "gdal")
    if layer.isValid():
        project.addMapLayer(layer, False)
    return layer
