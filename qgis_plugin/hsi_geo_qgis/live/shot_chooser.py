"""Which layers of shots are used: new ones, or those that are chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from qgis.core import QgsProject
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QFileDialog, QMessageBox

from ..destinations import edits_problem, tables_problem
from .new_layers import TABLES, make_layers
from .panels import set_layer
from .scene_chooser import CHOOSE
from .texts import sentence

if TYPE_CHECKING:
    from .dock import LiveDock


class ShotChooser:
    """Makes and chooses layers of shots for the dock.

    Args:
        dock: The dock.
    """

    def __init__(self, dock: LiveDock) -> None:
        self.dock = dock

    def new(self, is_geopackage: bool) -> None:
        """Make layers of shots.

        Args:
            is_geopackage: Whether to ask for a file; else they are scratch layers.
        """
        path = ""
        if is_geopackage:
            files = "GeoPackage (*.gpkg)"
            path, _ = QFileDialog.getSaveFileName(self.dock, "New shots", "shots.gpkg", files)
            if not path:
                return
            if not path.lower().endswith(".gpkg"):  # the dialog has asked about another file
                path += ".gpkg"
                if os.path.exists(path) and not self._may_replace(path):
                    return
        self.make_layers(path)

    def _may_replace(self, path: str) -> bool:
        text = f"'{os.path.basename(path)}' exists. Replace it, and all layers in it?"
        answer = QMessageBox.question(self.dock, "New shots", text)
        return bool(answer == QMessageBox.StandardButton.Yes)

    def make_layers(self, path: str = "") -> None:
        """Make layers of shots, and draw into them.

        Args:
            path: Path of a GeoPackage; empty for scratch layers.
        """
        dock = self.dock
        layer = dock.scene.layers.currentLayer()
        crs = dock.view.crs if dock.view is not None else None
        crs = layer.crs() if crs is None and layer is not None else crs
        if crs is None:
            dock.work.tell(CHOOSE)
            return
        problem = edits_problem(QgsProject.instance(), "New shots", path) if path else ""
        problem = problem or tables_problem("New shots", path, TABLES, others=0)
        if problem:
            dock.tell_problem(sentence(problem))
            return
        made, problem = make_layers(crs, dock.shots.classes, path)
        if problem:
            dock.tell_problem(sentence(f"the shots cannot be written: {problem}"))
            return
        for one in reversed(made):
            QgsProject.instance().addMapLayer(one)
        for combo, one in zip((dock.shots_panel.points, dock.shots_panel.polygons), made):
            set_layer(combo, one)
        dock.shots.current = 0
        self.choose()
        dock.link.use_point_tool()

    def follow(self) -> None:
        """Take the layers that are chosen, once QGIS has removed those that go."""
        if not self.dock.memory.is_restoring:
            QTimer.singleShot(0, self._choose)

    def on_removed(self, *_: Any) -> None:
        """Use no layer in place of one that was removed: QGIS's list shows another one, which nobody has chosen."""
        QTimer.singleShot(0, self._forget_removed)

    def _forget_removed(self) -> None:
        shots = self.dock.shots
        if sip.isdeleted(self.dock) or shots.are_all_alive():
            return
        for combo in (self.dock.shots_panel.points, self.dock.shots_panel.polygons):
            if combo.currentLayer() not in (*shots.layers, *shots.refused):
                set_layer(combo, None)
        self.choose()

    def _choose(self) -> None:
        if not sip.isdeleted(self.dock):
            self.choose()

    def choose(self) -> None:
        """Take the layers that are chosen."""
        dock = self.dock
        combos = (dock.shots_panel.points, dock.shots_panel.polygons)
        chosen = [combo.currentLayer() for combo in combos]
        problem = dock.shots.use([one for one in chosen if one is not None])
        if problem:
            dock.tell_problem(problem)
        dock.show_classes()
        dock.enable()
