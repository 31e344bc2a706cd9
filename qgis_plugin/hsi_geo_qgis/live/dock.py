"""The dock *hsi-geo live*: its widgets, and what joins them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import QgsProject
from qgis.gui import QgsDockWidget
from qgis.PyQt.QtGui import QCloseEvent, QIcon, QKeyEvent
from qgis.PyQt.QtWidgets import QPushButton, QWidget

from ..about import ICON
from .canvas_link import CanvasLink
from .class_table import ClassTable
from .dock_layout import arrange
from .map_tools import digit
from .panels import Notice, ScenePanel, ShotsPanel, WorkPanel
from .preview_layer import PreviewLayer
from .preview_panel import PreviewPanel
from .project_memory import ProjectMemory
from .requests import RequestMaker
from .scene_chooser import SceneChooser
from .session import LiveSession
from .shot_chooser import ShotChooser
from .shot_layers import ShotLayers
from .spectrum_plot import SpectrumPlot
from .steps import NextSteps
from .suggestions import Suggestions
from .view import SceneView


class LiveDock(QgsDockWidget):
    """The dock.

    Args:
        iface: QGIS's window.
        parent: Its main window.
    """

    def __init__(self, iface: Any, parent: QWidget | None = None) -> None:
        super().__init__("hsi-geo live", parent)
        self.setObjectName("HsiGeoLive")
        self.setWindowIcon(QIcon(ICON))
        self.iface, self.canvas = iface, iface.mapCanvas()
        self.is_active = False
        self.scene_path = self.scene_name = self.product = self._hint = ""
        self.view: SceneView | None = None
        self.shots = ShotLayers(self)
        self.preview = PreviewLayer(self)
        self.requests, self.steps = RequestMaker(self), NextSteps(self)
        self.chooser, self.shot_chooser = SceneChooser(self), ShotChooser(self)
        self.memory = ProjectMemory(self)
        self.session = LiveSession(self.requests.collect, self)
        self.link = CanvasLink(self)
        self._build()
        self._connect()
        self.show_classes()
        self.enable()

    # Widgets --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.notice, self.scene = Notice(), ScenePanel()
        self.shots_panel, self.table = ShotsPanel(), ClassTable()
        self.plot, self.preview_panel, self.work = SpectrumPlot(), PreviewPanel(), WorkPanel()
        self.suggestions = Suggestions(self.canvas, self.steps.show_place, self.steps.find_place)
        self._tools()
        self.suggest_button, self.finish_button = QPushButton("Suggest"), QPushButton("Finish…")
        self.suggest_button.setToolTip("Go to places where a shot helps most, one by one")
        self.finish_button.setToolTip("Write the map of the whole scene, its report and its model")
        groups = (
            ("Shots", (self.shots_panel, self.table)),
            ("Preview", (self.preview_panel,)),
            ("Spectrum", (self.plot,)),
        )
        buttons = (self.suggest_button, self.finish_button)
        self.setWidget(
            arrange((self.notice, self.scene), groups, (self.suggestions, self.work), buttons)
        )

    def _tools(self) -> None:
        add, link = self.shots_panel.add_tool, self.link
        self.point_button = add(
            "Draw points",
            "/mActionCapturePoint.svg",
            "Draw points of the class. Keys 1 to 9 choose the class",
            link.use_point_tool,
            checkable=True,
        )
        self.polygon_button = add(
            "Draw polygons",
            "/mActionCapturePolygon.svg",
            "Draw polygons of the class: left clicks, and a right click at the end",
            link.use_polygon_tool,
            checkable=True,
        )
        self.select_button = add(
            "Select shots",
            "/mActionSelectRectangle.svg",
            "Select shots. Then a key 1 to 9 gives them another class",
            link.use_select_tool,
            checkable=False,
        )
        self.delete_button = add(
            "Delete selected shots",
            "/mActionDeleteSelected.svg",
            "Delete the selected shots",
            link.delete_selected,
            checkable=False,
        )
        self.shots_panel.tools.addStretch(1)

    def _connect(self) -> None:
        scene, table, steps, session = self.scene, self.table, self.steps, self.session
        for signal, slot in (
            (scene.layer_chosen, self.chooser.follow),
            (scene.file_wanted, self.chooser.choose_file),
            (scene.options_changed, self.chooser.reopen),
            (scene.trust_changed, self.on_change),
            (self.shots_panel.new_wanted, self.shot_chooser.new),
            (self.shots_panel.layers_chosen, self.shot_chooser.follow),
            (self.shots.changed, self.on_change),
            (self.shots.classes_changed, self.show_classes),
            (self.shots.field_lost, self.tell_problem),
            (self.shots.repaired, self.shot_chooser.follow),
            (table.chosen, self.shots.choose),
            (table.renamed, self.rename),
            (table.recolored, self.shots.recolor),
            (table.added, self.shots.add_class),
            (table.removed, self.remove_class),
            (self.preview_panel.confidence_changed, self.set_confidence),
            (self.preview_panel.shot_chosen, steps.go_to_wrong),
            (self.suggestions.answered, steps.answer),
            (self.work.cancelled, session.cancel),
            (session.opened, self.chooser.show_info),
            (session.previewed, self.show_preview),
            (session.failed, self.tell_problem),
            (session.unopened, self.tell_unopened),
            (session.outdated, self.tell_outdated),
            (session.hinted, self.hint),
            (session.died, self.tell_death),
            (session.dropped, steps.tell_dropped),
            (session.worked, self.work.work),
            (self.closed, self.end),
            (QgsProject.instance().cleared, self.memory.restore),
            (QgsProject.instance().layersRemoved, self.chooser.on_removed),
            (QgsProject.instance().layersRemoved, self.shot_chooser.on_removed),
        ):
            signal.connect(slot)
        self.suggest_button.clicked.connect(lambda _=False: steps.suggest())
        self.finish_button.clicked.connect(lambda _=False: steps.finish())

    # Begin and end --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin the session of the project, once the dock is shown."""
        if self.is_active:
            return
        self.is_active = True
        self.link.begin()
        self.memory.restore()
        self.memory.save()

    def end(self) -> None:
        """End the session, since the dock was closed. The shots stay."""
        if not self.is_active:
            return
        self.is_active = False
        self.memory.save()
        self._stop()

    def closeEvent(self, event: QCloseEvent) -> None:
        """Ask first if a map is being written; Qt calls this."""
        if self.is_active and not self.chooser.may_leave():
            event.ignore()
        else:
            super().closeEvent(event)

    def unload(self) -> None:
        """End the session before the plugin goes, and wait for the engine."""
        project = QgsProject.instance()
        project.cleared.disconnect(self.memory.restore)
        for chooser in (self.chooser, self.shot_chooser):
            project.layersRemoved.disconnect(chooser.on_removed)
        self.is_active = False
        self._stop(wait=True)

    def _stop(self, *, wait: bool = False) -> None:
        self.link.end()
        self.suggestions.stop()
        self.session.close(wait=wait)
        self.clear_preview()

    def clear_preview(self) -> None:
        """Show no preview, since the scene is another one."""
        self.view = None
        self.suggestions.stop()
        self.preview.remove()
        self.preview_panel.clear()
        self.plot.clear()
        self.scene.describe("")
        self.table.show_shares({})

    # Shots ----------------------------------------------------------------------------------------

    def show_classes(self) -> None:
        """Show the classes in the table."""
        if self.memory.is_restoring:
            return
        shots = self.shots
        self.table.show_classes(shots.classes, shots.current, shots.counts())
        self.table.show_shares(self.session.preview)
        self.memory.save()

    def rename(self, index: int, name: str) -> None:
        """Give a class another name.

        Args:
            index: Index of the class.
            name: The name.
        """
        problem = self.shots.rename(index, name)
        if problem:
            self.work.tell(problem)
        self.show_classes()

    def remove_class(self, index: int) -> None:
        """Remove a class.

        Args:
            index: Index of the class.
        """
        if not self.shots.remove_class(index):
            self.work.tell("The class has shots. Delete them first.")

    def on_change(self) -> None:
        """Follow a change of the shots."""
        if not self.memory.is_restoring:
            self.show_classes()
            self.enable()
            self.session.change()

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Use digits that no widget of the dock has taken; Qt calls this."""
        number = digit(event)
        if number < 0 or not self.link.on_key(number):
            super().keyPressEvent(event)

    # What the engine says -------------------------------------------------------------------------

    def show_preview(self, preview: Mapping[str, Any]) -> None:
        """Show a preview.

        Args:
            preview: Answer of the engine.
        """
        is_current = self.session.is_current
        if is_current:  # else the reason why the last update failed stays
            self.notice.release()
            self.notice.clear("problem")
        colors = {one.name: one.color for one in self.shots.classes}
        named = [
            {**one, "color": colors.get(one["name"], one["color"])} for one in preview["classes"]
        ]
        is_new = self.preview.layer() is None
        problem = self.preview.show(preview["preview"], named, self.shots.layers)
        problem = problem or self.shots.why_lost()
        layer = self.preview.layer()
        if is_new and layer is not None:
            self.scene.layers.setExceptedLayerList([layer])
        self.preview_panel.show_preview(preview, self.requests.is_part(preview))
        self.table.show_shares(preview)
        self.steps.list_wrong(preview.get("suspicious_shots") or [])
        warnings = self.session.warnings()
        if problem:
            self.tell_problem(problem)
        elif warnings and is_current:
            self.notice.say("warning", "\n".join(warnings))
        elif is_current:
            self.notice.clear("warning")
        self.enable()
        self.link.on_extent()  # the canvas may have moved meanwhile

    def show_spectrum(self, answer: Mapping[str, Any]) -> None:
        """Show the spectrum under the cursor.

        Args:
            answer: Answer of the engine.
        """
        self.plot.show_spectrum(answer, {one.name: one.color for one in self.shots.classes})

    def set_confidence(self, percent: int) -> None:
        """Make pixels of less confidence transparent.

        Args:
            percent: The confidence in per cent.
        """
        if not self.memory.is_restoring:
            self.session.set_min_confidence(percent)
            self.memory.save()

    def tell_problem(self, text: str) -> None:
        """Show a problem.

        Args:
            text: One sentence; empty if the problem is over.
        """
        if text:
            self.notice.say("problem", text)
        else:
            self.notice.clear("problem")
        self.enable()

    def tell_death(self, reason: str) -> None:
        """Tell that the engine has ended; one click starts it again.

        Args:
            reason: Why, as one sentence.
        """
        self.suggestions.stop()
        self.enable()
        self.notice.keep(reason, "Restart", self.restart)

    def tell_outdated(self) -> None:
        """Tell that the file of the scene has changed; one click opens it again."""
        self.suggestions.stop()
        self.enable()
        text = f"The file of scene '{self.scene_name}' has changed since it was opened."
        self.notice.say("problem", text, "Open again", self.restart)

    def tell_unopened(self, text: str) -> None:
        """Tell why the scene is not open, such as a file that is still being written; one click opens it again.

        Args:
            text: One sentence.
        """
        self.enable()
        self.notice.keep(text, "Open again", self.restart)

    def restart(self) -> None:
        """Start the engine if it has ended, and open the scene again."""
        self.notice.release()
        self.tell_problem(self.shots.why_lost())
        self.session.restart()
        self.enable()  # nothing is asked of a scene that is being opened

    def hint(self, text: str) -> None:
        """Say what is missing for a preview.

        Args:
            text: One sentence; empty if nothing is missing.
        """
        if text:
            self.work.tell(text)
        elif self._hint == self.work.text.text():  # it is missing no longer
            self.work.tell("")
        self._hint = text
        self.enable()

    def enable(self) -> None:
        """Enable what can be used."""
        has_preview, shots = bool(self.session.preview), self.shots
        self.suggest_button.setEnabled(has_preview and shots.points() is not None)
        self.finish_button.setEnabled(has_preview and not self.session.is_finishing)
        self.shots_panel.new_button.setEnabled(bool(self.scene_path))
        self.point_button.setEnabled(shots.points() is not None)
        self.polygon_button.setEnabled(shots.polygons() is not None)
        for widget in (self.select_button, self.delete_button, self.table):
            widget.setEnabled(bool(shots.layers))
