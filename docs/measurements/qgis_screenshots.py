"""Start QGIS desktop on a virtual screen, classify a scene in it, and take two screenshots.

    python docs/measurements/qgis_screenshots.py SCENE LABELS CLASS_FIELD FOLDER

writes ``qgis-dialog.png`` (toolbox and filled dialog) and ``qgis-result.png`` (styled map and
confidence) into FOLDER. It needs QGIS and Xvfb (Debian: ``apt-get install qgis python3-qgis
qgis-providers xvfb``) and an installed hsi-geo, which the plugin starts with the Python that runs
this script. The script runs twice: with that Python, and again inside QGIS, where `Tour` begins.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2] if "__file__" in globals() else Path()
WIDTH, HEIGHT = 1360, 800
JOB = "HSI_GEO_SCREENSHOTS"

SETTINGS = """[PythonPlugins]
hsi_geo_qgis=true
processing=true

[app]
projections\\unknownCrsBehavior=NoAction

[qgis]
checkVersion=false
showTips=false
newsFeed\\httpfeedqgisorg\\disabled=true

[core]
NewsFeed\\httpfeedqgisorg\\disabled=true
"""


def main(scene: str, labels: str, field: str, folder: str) -> None:
    """Copy the data, since QGIS writes files beside it, and start QGIS."""
    with tempfile.TemporaryDirectory(prefix="qgis-") as temporary:
        home = Path(temporary)
        home.chmod(0o700)
        profile = home / "profiles" / "default" / "QGIS"
        profile.mkdir(parents=True)
        (profile / "QGIS3.ini").write_text(SETTINGS, encoding="utf-8")
        data = home / "data"
        for path in {Path(scene).resolve().parent, Path(labels).resolve().parent}:
            shutil.copytree(path, data, dirs_exist_ok=True)
        job = {
            "scene": str(data / Path(scene).name),
            "labels": str(data / Path(labels).name),
            "field": field,
            "out": str(home / "map.tif"),
            "confidence": str(home / "confidence.tif"),
            "folder": str(Path(folder).resolve()),
        }
        subprocess.run(
            ["xvfb-run", "--auto-servernum", f"--server-args=-screen 0 {WIDTH}x{HEIGHT}x24", "qgis",
             "--nologo", "--noversioncheck", "--profiles-path", str(home),
             "--code", str(Path(__file__).resolve())],
            env={
                **os.environ,
                "HOME": str(home),
                "XDG_RUNTIME_DIR": str(home),
                "QGIS_PLUGINPATH": str(ROOT / "qgis_plugin"),
                "HSI_GEO_PYTHON": sys.executable,
                "LC_ALL": "C.UTF-8",
                JOB: json.dumps(job),
            },
            timeout=600, check=True,
        )  # fmt: skip
    print(f"qgis-dialog.png and qgis-result.png are in {folder}")


class Tour:
    """The steps inside QGIS; a timer starts each of them."""

    def __init__(self, job: dict[str, str]) -> None:
        from qgis.PyQt.QtCore import QTimer
        from qgis.utils import iface

        self.job, self.iface, self.timer = job, iface, QTimer
        self.dialog: Any = None
        self.later(3000, self.open_layers)

    def later(self, milliseconds: int, step: Any) -> None:
        """Run a step after a delay; a step that fails ends QGIS with its message."""

        def guarded() -> None:
            try:
                step()
            except Exception as error:  # noqa: BLE001  # Qt drops it, and QGIS would not end
                sys.stderr.write(f"{step.__name__}: {error!r}\n")
                sys.stderr.flush()
                os._exit(1)

        self.timer.singleShot(milliseconds, guarded)

    def open_layers(self) -> None:
        """Open the scene in near-natural colours, and the labels."""
        from qgis.core import (
            QgsContrastEnhancement,
            QgsMultiBandColorRenderer,
            QgsRasterMinMaxOrigin,
        )
        from qgis.PyQt.QtWidgets import QDockWidget, QLineEdit

        window = self.iface.mainWindow()
        window.setGeometry(0, 0, WIDTH, HEIGHT)
        scene = self.iface.addRasterLayer(self.job["scene"], "Scene")
        scene.setRenderer(QgsMultiBandColorRenderer(scene.dataProvider(), 30, 20, 10))
        scene.setContrastEnhancement(
            QgsContrastEnhancement.ContrastEnhancementAlgorithm.StretchToMinimumMaximum,
            QgsRasterMinMaxOrigin.Limits.CumulativeCut,
        )
        labels = self.iface.addVectorLayer(self.job["labels"], "Labels", "ogr")
        self.iface.setActiveLayer(scene)
        self.iface.zoomToActiveLayer()
        for dock in window.findChildren(QDockWidget):
            if dock.objectName() == "ProcessingToolbox":
                dock.show()
                dock.findChildren(QLineEdit)[0].setText("hsi-geo")
            elif dock.objectName() in ("Browser", "LayerStyling"):
                dock.hide()
        self.scene, self.labels = scene, labels
        self.later(2500, self.fill_dialog)

    def fill_dialog(self) -> None:
        """Fill the Classify dialog as a user does."""
        import processing

        self.dialog = processing.createAlgorithmDialog(
            "hsi_geo:classify",
            {
                "INPUT": self.scene,
                "LABELS": self.labels,
                "CLASS_FIELD": self.job["field"],
                "OUTPUT": self.job["out"],
                "CONFIDENCE": self.job["confidence"],
            },
        )
        self.dialog.show()
        self.dialog.setGeometry(120, 90, 900, 690)
        self.later(2500, self.shoot_dialog)

    def shoot_dialog(self) -> None:
        """Take the first screenshot; then run."""
        self.shoot("qgis-dialog.png")
        self.dialog.algorithmFinished.connect(lambda *_: self.later(3000, self.arrange_result))
        self.dialog.runButton().click()

    def arrange_result(self) -> None:
        """Show the map below the labels, and the end of the dialog's log."""
        from qgis.core import QgsProject
        from qgis.PyQt.QtWidgets import QSplitter

        layers = QgsProject.instance().mapLayers().values()
        names = {layer.name().split(",")[0] for layer in layers}  # without the accuracy
        if not {"Class map", "Confidence (per cent)"} <= names:
            raise RuntimeError(f"no results among {names}: {self.dialog.textLog()}")
        tree = QgsProject.instance().layerTreeRoot()
        for layer in layers:
            node = tree.findLayer(layer.id())
            title = layer.name().split(",")[0]
            node.setItemVisibilityChecked(title in ("Class map", "Scene", "Labels"))
            node.setExpanded(title == "Class map")
        self.dialog.findChildren(QSplitter)[0].setSizes([1, 0])  # the help
        self.dialog.setGeometry(WIDTH - 650, HEIGHT - 480, 640, 470)
        seen = self.scene.extent()
        seen.setXMaximum(seen.xMaximum() + 0.9 * seen.width())  # the dialog covers that part
        self.iface.mapCanvas().setExtent(seen)
        self.iface.mapCanvas().refresh()
        self.later(2500, self.shoot_result)

    def shoot_result(self) -> None:
        """Take the second screenshot; then exit."""
        from qgis.PyQt.QtWidgets import QTextEdit

        for text in self.dialog.findChildren(QTextEdit):
            text.verticalScrollBar().setValue(text.verticalScrollBar().maximum())
        self.iface.mainWindow().repaint()
        self.dialog.repaint()
        self.shoot("qgis-result.png")
        os._exit(0)  # QGIS would ask about the unsaved project

    def shoot(self, name: str) -> None:
        """Save the whole screen to a file."""
        screen = self.iface.mainWindow().windowHandle().screen()
        if not screen.grabWindow(0).save(str(Path(self.job["folder"]) / name)):
            raise RuntimeError(f"cannot write {name}")


if JOB in os.environ:
    tour = Tour(json.loads(os.environ[JOB]))
elif __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    main(*sys.argv[1:])
