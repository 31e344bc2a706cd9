"""The steps after the first preview: shots that look wrong, suggested places, and *Finish*."""

from __future__ import annotations

import contextlib
import html
import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from qgis.core import (
    Qgis,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingException,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtWidgets import QPushButton

from ..map_files import word_report
from .finish import Choice, FinishDialog, add_results
from .messages import TITLES
from .shot_features import Shot
from .suggestions import Place

if TYPE_CHECKING:
    from .dock import LiveDock

#: Number of places that are suggested at a time.
PLACES = 20

#: How long the message of a finished map is shown.
MESSAGE_SECONDS = 60

BATCH = "Map other tiles with the model…"


class NextSteps:
    """Acts for the dock.

    Args:
        dock: The dock.
    """

    def __init__(self, dock: LiveDock) -> None:
        self.dock = dock
        self.wrong: list[Mapping[str, Any]] = []
        self.batch_dialog: Any = None
        self.finish_dialog: Any = None

    # Shots that look wrong ------------------------------------------------------------------------

    def list_wrong(self, found: Sequence[Mapping[str, Any]]) -> None:
        """List shots that look wrong.

        Args:
            found: Entries of the engine.
        """
        self.wrong = [one for one in found if self._shot(one) is not None]
        self.dock.preview_panel.show_wrong(
            [f"{one['drawn']}, looks like {one['looks_like']}" for one in self.wrong]
        )

    def go_to_wrong(self, index: int) -> None:
        """Zoom to a shot that looks wrong, and select it.

        Args:
            index: Index in the list.
        """
        dock, shot = self.dock, self._shot(self.wrong[index])
        layer = None if shot is None else QgsProject.instance().mapLayer(shot.layer_id)
        if shot is None or dock.view is None or not isinstance(layer, QgsVectorLayer):
            return
        dock.view.zoom_to(shot.geometry, dock.session.sent.crs)
        dock.shots.unselect()
        found = self._now(shot)
        if found is None:
            dock.work.tell("The shot was changed or deleted meanwhile.")
            return
        layer.selectByIds([found])
        dock.iface.setActiveLayer(layer)
        dock.work.tell("Selected. A key 1 to 9 gives it another class, the bin deletes it.")
        dock.canvas.setFocus()

    def _now(self, shot: Shot) -> int | None:
        """Id of a shot as it is now: QGIS gives features other ids when their edits are saved. None if it is gone."""
        alike = [
            int(one.feature_id)
            for one in self.dock.requests.collect().shots
            if (one.layer_id, one.name) == (shot.layer_id, shot.name)
            and one.geometry.isGeosEqual(shot.geometry)
        ]
        return shot.feature_id if shot.feature_id in alike else next(iter(alike), None)

    def _shot(self, entry: Mapping[str, Any]) -> Shot | None:
        shots, index = self.dock.session.sent.shots, entry.get("feature_id")
        if not isinstance(index, int) or not 0 <= index < len(shots):
            return None
        found: Shot = shots[index]
        return found

    # Suggested places -----------------------------------------------------------------------------

    def suggest(self) -> None:
        """Ask for places, and go to the first."""
        self.dock.session.suggest(PLACES, self.dock.suggestions.begin)

    def show_place(self, place: Place) -> None:
        """Zoom to a suggested place.

        Args:
            place: The place.
        """
        view = self.dock.view
        if view is not None:
            point = QgsPointXY(float(place["x"]), float(place["y"]))
            view.zoom_to(QgsGeometry.fromPointXY(point), view.crs)

    def find_place(self, place: Place) -> QgsPointXY | None:
        """Where a suggested place is on the canvas.

        Args:
            place: The place.
        """
        view = self.dock.view
        return None if view is None else view.on_canvas(float(place["x"]), float(place["y"]))

    def answer(self, place: Place, index: int) -> None:
        """Add a shot at a suggested place.

        Args:
            place: The place.
            index: Index of its class.
        """
        dock = self.dock
        if dock.view is None:
            return
        dock.shots.choose(index)
        point = QgsGeometry.fromPointXY(QgsPointXY(float(place["x"]), float(place["y"])))
        problem = dock.shots.add(point, dock.view.crs)
        if problem:
            dock.notice.say("problem", problem)

    # The map --------------------------------------------------------------------------------------

    def finish(self) -> None:
        """Ask for the files, and write the map."""
        if self.finish_dialog is not None and not sip.isdeleted(self.finish_dialog):
            self.finish_dialog.raise_()
            return
        dialog = FinishDialog(self.dock.scene_name, self.dock.iface.mainWindow())
        self.finish_dialog, scene = dialog, self.dock.scene_path
        dialog.accepted.connect(lambda: self.write_map(dialog.choice(), scene))
        dialog.finished.connect(dialog.deleteLater)
        dialog.open()

    def write_map(self, choice: Choice, scene_path: str = "") -> None:
        """Write the map.

        Args:
            choice: Which files.
            scene_path: Path of the scene that they were chosen for; empty for the one that is open.
        """
        dock, started = self.dock, datetime.now()
        is_same = scene_path in ("", dock.scene_path)
        if not (
            is_same and dock.session.is_open
        ):  # the engine has ended, or another scene was chosen
            dock.work.tell(
                "No map is written: its scene was closed meanwhile. Choose Finish again."
            )
            return
        dock.suggestions.stop()
        labels = {layer.id(): layer.name() for layer in dock.shots.layers}
        field = dock.shots.field(dock.shots.layers[0]) if dock.shots.layers else ""
        scene = dock.scene_name

        names = dock.requests.names()

        def done(result: Mapping[str, Any]) -> None:
            _word_report(result.get("outputs") or {}, names)
            summary = add_results(result, scene, labels, field, started)
            if dock.scene_name == scene:
                dock.preview.hide()
            self._tell(summary.message, result.get("outputs") or {})

        dock.session.finish(choice.params(), names, done)
        dock.enable()

    def tell_dropped(self, text: str) -> None:
        """Tell that a map was cancelled, where it is seen without the dock too.

        Args:
            text: One sentence.
        """
        self.dock.notice.say("warning", text)
        bar = self.dock.iface.messageBar()
        bar.pushMessage("hsi-geo", text, Qgis.MessageLevel.Warning, MESSAGE_SECONDS)

    def _tell(self, text: str, outputs: Mapping[str, Any]) -> None:
        """Say what was written, in the dock and in QGIS's message bar, and offer the batch."""
        dock, model, report = self.dock, outputs.get("model"), outputs.get("report")
        folder = os.path.dirname(str(outputs.get("map", "")))
        link = html.escape(text, quote=False)
        if folder:
            name = html.escape(os.path.basename(folder), quote=False)
            link += f' Files: <a href="{Path(folder).as_uri()}">{name}</a>'
        if report:
            link += f', <a href="{Path(str(report)).as_uri()}">report</a>'
        dock.notice.say(
            "success", link, BATCH if model else "", lambda: self.offer_batch(str(model)),
            is_html=True,
        )  # fmt: skip
        bar = dock.iface.messageBar()
        widget = bar.createMessage("hsi-geo", text)
        if model:
            button = QPushButton(BATCH)
            button.clicked.connect(lambda _=False: self.offer_batch(str(model)))
            widget.layout().addWidget(button)
        bar.pushWidget(widget, Qgis.MessageLevel.Success, MESSAGE_SECONDS)

    def offer_batch(self, model: str) -> None:
        """Open *Batch of tiles* with a model.

        Args:
            model: Path of the model.
        """
        from processing import createAlgorithmDialog

        if self.batch_dialog is not None and not sip.isdeleted(self.batch_dialog):
            self.batch_dialog.close()
        self.batch_dialog = createAlgorithmDialog("hsi_geo:batch", {"MODEL": model})
        self.batch_dialog.show()


def _word_report(outputs: Mapping[str, Any], names: Mapping[str, str]) -> None:
    """Let the report of a map speak of the dock's widgets. As the engine wrote it, it is of use, too."""
    if outputs.get("report"):
        with contextlib.suppress(QgsProcessingException):
            word_report(str(outputs["report"]), TITLES, names, str(outputs.get("map", "")))
