"""The dock *hsi-geo live*: joins scene, shots, engine and preview."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsGeometry,
    QgsMapLayer,
    QgsPointXY,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsSettings,
)
from qgis.gui import QgsCollapsibleGroupBox, QgsDockWidget
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtGui import QColor, QIcon, QKeyEvent
from qgis.PyQt.QtWidgets import (
    QFileDialog,
    QHBoxLayout,
    QPushButton,
    QScrollArea,
    QVBoxLayout,
    QWidget,
)

from ..about import ICON
from ..layers import layer_path
from .class_table import ClassTable
from .map_tools import ClassKeys, PointTool, PolygonTool, digit
from .messages import sentence
from .panels import Notice, PreviewPanel, ScenePanel, ShotsPanel, WorkPanel, set_layer
from .preview_layer import PreviewLayer
from .product import show_product
from .project_state import LiveState, read_state, write_state
from .requests import RequestMaker
from .session import LiveSession
from .shot_layers import ShotLayers, make_layers
from .spectrum_plot import SpectrumPlot
from .steps import NextSteps
from .suggestions import Place, Suggestions
from .view import SceneView

#: Milliseconds between two questions for the spectrum under the cursor.
CURSOR_MS = 60

#: Number of places that are suggested at a time.
PLACES = 20


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
        self.is_active = self.restoring = False
        self.scene_path = self.scene_name = ""
        self.view: SceneView | None = None
        self.shots = ShotLayers(self)
        self.preview = PreviewLayer(self)
        self.requests = RequestMaker(self)
        self.session = LiveSession(self.requests.collect, self)
        self.steps = NextSteps(self)
        self._build()
        self._connect()
        self.point_tool = PointTool(self.canvas, self.draw)
        self.polygon_tool = PolygonTool(self.canvas, self.draw, self.current_color)
        self.keys = ClassKeys(self.on_key, self)
        self.cursor: QgsPointXY | None = None
        self.cursor_timer = QTimer(self)
        self.cursor_timer.setSingleShot(True)
        self.cursor_timer.setInterval(CURSOR_MS)
        self.cursor_timer.timeout.connect(self.ask_spectrum)
        self.show_classes()
        self.enable()

    # Widgets --------------------------------------------------------------------------------------

    def _build(self) -> None:
        self.notice, self.scene = Notice(), ScenePanel()
        self.shots_panel, self.table = ShotsPanel(), ClassTable()
        self.plot, self.preview_panel, self.work = SpectrumPlot(), PreviewPanel(), WorkPanel()
        self.suggestions = Suggestions(self.canvas, self.show_place)
        add = self.shots_panel.add_tool
        self.point_button = add(
            "Draw points", "/mActionCapturePoint.svg", "Draw points of the class. Keys 1 to 9 choose the class",
            self.use_point_tool, checkable=True,
        )  # fmt: skip
        self.polygon_button = add(
            "Draw polygons", "/mActionCapturePolygon.svg",
            "Draw polygons of the class: left clicks, and a right click at the end",
            self.use_polygon_tool, checkable=True,
        )  # fmt: skip
        self.select_button = add(
            "Select shots", "/mActionSelectRectangle.svg",
            "Select shots. Then a key 1 to 9 gives them another class",
            self.use_select_tool, checkable=False,
        )  # fmt: skip
        self.delete_button = add(
            "Delete selected shots", "/mActionDeleteSelected.svg", "Delete the selected shots",
            self.delete_selected, checkable=False,
        )  # fmt: skip
        self.shots_panel.tools.addStretch(1)
        self.suggest_button, self.finish_button = QPushButton("Suggest"), QPushButton("Finish…")
        self.suggest_button.setToolTip("Go to places where a shot helps most, one by one")
        self.finish_button.setToolTip("Write the map of the whole scene, its report and its model")
        inside = QWidget()
        layout = QVBoxLayout(inside)
        layout.setContentsMargins(6, 6, 6, 6)
        for widget in (self.notice, self.scene):
            layout.addWidget(widget)
        for title, widgets in (
            ("Shots", (self.shots_panel, self.table)),
            ("Preview", (self.preview_panel,)),
            ("Spectrum", (self.plot,)),
        ):
            box = QgsCollapsibleGroupBox(title)
            box_layout = QVBoxLayout(box)
            box_layout.setContentsMargins(6, 4, 6, 6)
            for widget in widgets:
                box_layout.addWidget(widget)
            layout.addWidget(box)
        layout.addStretch(1)
        area = QScrollArea()
        area.setWidgetResizable(True)
        area.setWidget(inside)
        area.setMinimumWidth(340)
        buttons = QHBoxLayout()
        buttons.addWidget(self.suggest_button)
        buttons.addWidget(self.finish_button)
        whole = QWidget()
        bottom = QVBoxLayout(whole)
        bottom.setContentsMargins(0, 0, 0, 4)
        bottom.addWidget(area, 1)
        below = QVBoxLayout()
        below.setContentsMargins(6, 0, 6, 0)
        below.addWidget(self.suggestions)
        below.addWidget(self.work)
        below.addLayout(buttons)
        bottom.addLayout(below)
        self.setWidget(whole)

    def _connect(self) -> None:
        self.scene.layer_chosen.connect(self.choose_layer)
        self.scene.file_wanted.connect(self.choose_file)
        self.scene.options_changed.connect(self.reopen)
        self.scene.trust_changed.connect(self.on_change)
        self.shots_panel.new_wanted.connect(self.new_shots)
        self.shots_panel.layers_chosen.connect(self.choose_shots)
        self.shots.changed.connect(self.on_change)
        self.shots.classes_changed.connect(self.show_classes)
        self.table.chosen.connect(self.shots.choose)
        self.table.renamed.connect(self.rename)
        self.table.recolored.connect(self.shots.recolor)
        self.table.added.connect(self.shots.add_class)
        self.table.removed.connect(self.remove_class)
        self.preview_panel.confidence_changed.connect(self.set_confidence)
        self.preview_panel.shot_chosen.connect(self.steps.go_to_wrong)
        self.suggestions.answered.connect(self.answer)
        self.suggestions.ended.connect(lambda: self.work.tell("No place is left."))
        self.suggest_button.clicked.connect(lambda _=False: self.suggest())
        self.finish_button.clicked.connect(lambda _=False: self.steps.finish())
        self.work.cancelled.connect(self.session.cancel)
        session = self.session
        session.opened.connect(self.on_opened)
        session.previewed.connect(self.on_preview)
        session.failed.connect(lambda text: self.notice.say("problem", text))
        session.hinted.connect(self.hint)
        session.died.connect(self.on_death)
        session.worked.connect(self.work.work)
        self.canvas.xyCoordinates.connect(self.on_cursor)
        self.canvas.extentsChanged.connect(self.on_extent)
        self.canvas.mapToolSet.connect(lambda *_: self.show_tool())
        self.closed.connect(self.end)
        QgsProject.instance().cleared.connect(self.restore)

    # Begin and end --------------------------------------------------------------------------------

    def begin(self) -> None:
        """Begin the session of the project, once the dock is shown."""
        if self.is_active:
            return
        self.is_active = True
        self.canvas.installEventFilter(self.keys)
        self.restore()
        self.save_state()

    def end(self) -> None:
        """End the session, since the dock was closed. The shots stay."""
        if not self.is_active:
            return
        self.is_active = False
        self.save_state()
        self._stop()

    def unload(self) -> None:
        """End the session before the plugin goes, and wait for the engine."""
        QgsProject.instance().cleared.disconnect(self.restore)
        self.canvas.extentsChanged.disconnect(self.on_extent)
        self.canvas.xyCoordinates.disconnect(self.on_cursor)
        self.is_active = False
        self._stop(wait=True)

    def _stop(self, *, wait: bool = False) -> None:
        self.canvas.removeEventFilter(self.keys)
        for tool in (self.point_tool, self.polygon_tool):
            self.canvas.unsetMapTool(tool)
        self.suggestions.stop()
        self.session.close(wait=wait)
        self.preview.remove()
        self.preview_panel.clear()
        self.scene_path = ""

    def restore(self) -> None:
        """Take the scene and the shots that the project names."""
        project, state = QgsProject.instance(), read_state()
        self.restoring = True
        self.suggestions.stop()
        self.session.close()
        self.notice.clear()
        self.scene_path, self.view = "", None
        self.scene.wavelengths.setText(state.wavelengths)
        self.scene.trust.setChecked(state.trust_shots)
        self.preview_panel.slider.setValue(state.min_confidence)
        self.session.min_confidence = state.min_confidence
        self.preview_panel.clear()
        self.plot.clear()
        self.table.show_shares({})
        set_layer(self.shots_panel.points, project.mapLayer(state.points))
        set_layer(self.shots_panel.polygons, project.mapLayer(state.polygons))
        self.shots.current = state.current
        self.choose_shots()
        layer = project.mapLayer(state.scene_layer) if state.scene_layer else None
        set_layer(self.scene.layers, layer)
        self.restoring = False
        if not self.is_active:
            return
        if layer is not None:
            self.choose_layer(layer)
        elif state.product:
            self.open_scene(state.product, state.product)
        else:
            self.scene.describe("")
            self.hint("Choose a scene.")
        self.enable()

    def save_state(self) -> None:
        """Keep the session in the project."""
        if self.restoring:
            return
        layer = self.scene.layers.currentLayer()
        ids = [
            "" if combo.currentLayer() is None else combo.currentLayer().id()
            for combo in (self.shots_panel.points, self.shots_panel.polygons)
        ]
        write_state(
            LiveState(
                is_open=self.is_active,
                scene_layer="" if layer is None else layer.id(),
                product="" if layer is not None else self.scene_path or read_state().product,
                points=ids[0],
                polygons=ids[1],
                wavelengths=self.scene.wavelengths.text().strip(),
                trust_shots=self.scene.trust.isChecked(),
                min_confidence=self.session.min_confidence,
                current=self.shots.current,
            )
        )

    # Scene ----------------------------------------------------------------------------------------

    def choose_layer(self, layer: QgsMapLayer | None) -> None:
        """Open the scene of a layer.

        Args:
            layer: The layer; None closes the scene.
        """
        if layer is None:
            if not self.restoring:
                self._no_scene()
            return
        context = QgsProcessingContext()
        context.setProject(QgsProject.instance())
        try:
            path = layer_path(layer, context)
        except QgsProcessingException as error:
            self._no_scene()
            self.notice.say("problem", sentence(str(error)))
            return
        self.open_scene(path, layer.name())

    def choose_file(self, is_folder: bool) -> None:
        """Ask for a product.

        Args:
            is_folder: Whether it is a folder.
        """
        ask = QFileDialog.getExistingDirectory if is_folder else QFileDialog.getOpenFileName
        begin = str(QgsSettings().value("/Processing/LastInputPath", "") or "")
        found: Any = ask(self, "Choose a product", begin)
        path = found if is_folder else found[0]
        if path:
            self.open_product(path)

    def open_product(self, path: str) -> None:
        """Open a product, and show it on the map.

        Args:
            path: Its file or folder.
        """
        set_layer(self.scene.layers, None)
        self.open_scene(path, path)
        show_product(path, self.scene.wavelengths.text().strip(), self.show_scene, self.scene_hidden)

    def show_scene(self, layer: QgsMapLayer) -> None:
        """Take the layer of a product that is open already.

        Args:
            layer: The layer.
        """
        set_layer(self.scene.layers, layer)
        self.scene_name = layer.name()
        self.save_state()

    def scene_hidden(self, reason: str) -> None:
        """Tell that a product is not shown.

        Args:
            reason: Why, as one sentence.
        """
        self.notice.say("warning", sentence(reason))

    def open_scene(self, path: str, name: str) -> None:
        """Open a scene in the engine.

        Args:
            path: Path of the scene.
            name: What users call it.
        """
        self.scene_path = path
        self.scene_name = name.replace("\\", "/").rstrip("/").split("/")[-1]
        self.view = None
        self.notice.clear()
        self.preview.remove()
        self.preview_panel.clear()
        self.plot.clear()
        self.scene.describe("")
        self.session.open(path, self.requests.scene_options())
        self.save_state()
        self.enable()

    def reopen(self) -> None:
        """Open the scene again, with other options."""
        if self.restoring or self.scene.wavelengths.text().strip() == read_state().wavelengths:
            return
        if self.scene_path:
            self.open_scene(self.scene_path, self.scene_name)

    def _no_scene(self) -> None:
        self.session.close()
        self.scene_path, self.view = "", None
        self.preview.remove()
        self.preview_panel.clear()
        self.scene.describe("")
        self.save_state()
        self.hint("Choose a scene.")
        self.enable()

    def on_opened(self, info: dict[str, Any]) -> None:
        """Show what the engine says of the scene."""
        self.view = SceneView(self.canvas, info)
        bands = len(info.get("centres_nm") or [])
        self.scene.describe(f"{info.get('width')} × {info.get('height')} pixels, {bands} bands")  # noqa: RUF001
        self.enable()

    def on_death(self, reason: str) -> None:
        """Tell that the engine has ended; one click starts it again."""
        self.suggestions.stop()
        self.enable()
        self.notice.say("problem", reason, "Restart", self.restart)

    def restart(self) -> None:
        """Start the engine again, and restore the session."""
        self.notice.clear()
        self.session.restart()

    # Shots ----------------------------------------------------------------------------------------

    def new_shots(self, is_geopackage: bool) -> None:
        """Make layers of shots.

        Args:
            is_geopackage: Whether to ask for a file; else they are scratch layers.
        """
        path = ""
        if is_geopackage:
            path, _ = QFileDialog.getSaveFileName(self, "Shots", "shots.gpkg", "GeoPackage (*.gpkg)")
            if not path:
                return
            path += "" if path.lower().endswith(".gpkg") else ".gpkg"
        self.make_shots(path)

    def make_shots(self, path: str = "") -> None:
        """Make layers of shots, and draw into them.

        Args:
            path: Path of a GeoPackage; empty for scratch layers.
        """
        layer = self.scene.layers.currentLayer()
        crs = self.view.crs if self.view is not None else None
        crs = layer.crs() if crs is None and layer is not None else crs
        if crs is None:
            self.hint("Choose a scene first.")
            return
        made, problem = make_layers(crs, self.shots.classes, path)
        if problem:
            self.notice.say("problem", sentence(f"the shots cannot be written: {problem}"))
            return
        for one in reversed(made):
            QgsProject.instance().addMapLayer(one)
        for combo, one in zip((self.shots_panel.points, self.shots_panel.polygons), made):
            set_layer(combo, one)
        self.shots.current = 0
        self.choose_shots()
        self.use_point_tool()

    def choose_shots(self) -> None:
        """Take the layers that are chosen."""
        combos = (self.shots_panel.points, self.shots_panel.polygons)
        chosen = [combo.currentLayer() for combo in combos]
        problem = self.shots.use([one for one in chosen if one is not None])
        if problem:
            self.notice.say("problem", problem)
        self.show_classes()
        self.save_state()
        self.enable()

    def show_classes(self) -> None:
        """Show the classes in the table."""
        shots = self.shots
        self.table.show_classes(shots.classes, shots.current, shots.counts())
        if not self.restoring:
            self.table.show_shares(self.session.preview)
        self.save_state()

    def rename(self, index: int, name: str) -> None:
        """Give a class another name."""
        if not self.shots.rename(index, name):
            self.work.tell("Another class has that name, or the name is empty.")
        self.show_classes()

    def remove_class(self, index: int) -> None:
        """Remove a class."""
        if not self.shots.remove_class(index):
            self.work.tell("The class has shots. Delete them first.")

    def on_change(self) -> None:
        """Follow a change of the shots."""
        self.show_classes()
        self.enable()
        self.session.change()

    def draw(self, geometry: QgsGeometry) -> None:
        """Add what a tool has drawn.

        Args:
            geometry: The geometry in the CRS of the canvas.
        """
        self.shots.unselect()
        crs = self.canvas.mapSettings().destinationCrs()
        problem = self.shots.add(geometry, crs)
        if problem:
            self.notice.say("problem", problem)

    def delete_selected(self) -> None:
        """Delete the selected shots."""
        count = self.shots.delete_selected()
        self.work.tell(f"Deleted: {count}." if count else "No shot is selected.")

    # Tools and keys -------------------------------------------------------------------------------

    def use_point_tool(self) -> None:
        """Draw points."""
        self._use(self.point_tool, self.shots.points())

    def use_polygon_tool(self) -> None:
        """Draw polygons."""
        self._use(self.polygon_tool, self.shots.polygons())

    def use_select_tool(self) -> None:
        """Select shots with QGIS's own tool, in the layer that was drawn into."""
        active = self.iface.activeLayer()
        if active not in self.shots.layers and self.shots.layers:
            self.iface.setActiveLayer(self.shots.layers[0])
        self.iface.actionSelect().trigger()

    def _use(self, tool: Any, layer: QgsMapLayer | None) -> None:
        if layer is not None:
            if not layer.isEditable():
                layer.startEditing()
            self.iface.setActiveLayer(layer)  # undo and QGIS's own tools work on it
            self.shots.unselect()
            self.canvas.setMapTool(tool)
        self.show_tool()

    def show_tool(self) -> None:
        """Press the button of the tool in use."""
        tool = self.canvas.mapTool()
        self.point_button.setChecked(tool is self.point_tool)
        self.polygon_button.setChecked(tool is self.polygon_tool)

    def current_color(self) -> QColor:
        """Colour of the class that is drawn."""
        shots = self.shots
        known = 0 <= shots.current < len(shots.classes)
        return QColor(shots.classes[shots.current].color if known else "#888888")

    def on_key(self, number: int) -> bool:
        """Use a digit: it answers a suggestion, changes selected shots, or chooses the class.

        Args:
            number: 0 to 9.

        Returns:
            Whether it was used.
        """
        index, classes = number - 1, self.shots.classes
        if not self.is_active:
            return False
        if self.suggestions.is_active and number == 0:
            self.suggestions.skip()
            return True
        if not 0 <= index < len(classes):
            return False
        if self.suggestions.is_active:
            self.suggestions.answer(index)
        elif self.shots.selected():
            count = self.shots.reclass_selected(index)
            self.work.tell(f"Now {classes[index].name}: {count} shot{'s' if count != 1 else ''}.")
        else:
            self.shots.choose(index)
        return True

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Use digits that no widget of the dock has taken; Qt calls this."""
        number = digit(event)
        if number < 0 or not self.on_key(number):
            super().keyPressEvent(event)

    # Preview --------------------------------------------------------------------------------------

    def on_extent(self) -> None:
        """Follow the canvas, if it shows what the preview does not."""
        if self.is_active and self.requests.is_view_missing():
            self.session.change()

    def on_preview(self, preview: dict[str, Any]) -> None:
        """Show a preview."""
        self.notice.clear("problem")
        colors = {one.name: one.color for one in self.shots.classes}
        named = [
            {**one, "color": colors.get(one["name"], one["color"])} for one in preview["classes"]
        ]
        problem = self.preview.show(preview["preview"], named, self.shots.layers)
        self.preview.set_visible(True)
        layer = self.preview.layer()
        if layer is not None:
            self.scene.layers.setExceptedLayerList([layer])
        if problem:
            self.notice.say("problem", problem)
        self.preview_panel.show_preview(preview, self.requests.is_part(preview))
        self.table.show_shares(preview)
        self.steps.list_wrong(preview.get("suspicious_shots") or [])
        warnings = self.session.warnings()
        if warnings:
            self.notice.say("warning", "<br>".join(warnings))
        else:
            self.notice.clear("warning")
        self.enable()

    def set_confidence(self, percent: int) -> None:
        """Make pixels of less confidence transparent."""
        if not self.restoring:
            self.session.set_min_confidence(percent)
            self.save_state()

    def hint(self, text: str) -> None:
        """Say what is missing for a preview."""
        if text:
            self.work.tell(text)
        self.enable()

    def enable(self) -> None:
        """Enable what can be used."""
        has_preview = bool(self.session.preview)
        self.suggest_button.setEnabled(has_preview and self.shots.points() is not None)
        self.finish_button.setEnabled(has_preview)
        self.shots_panel.new_button.setEnabled(bool(self.scene_path))
        self.point_button.setEnabled(self.shots.points() is not None)
        self.polygon_button.setEnabled(self.shots.polygons() is not None)
        has_shots = bool(self.shots.layers)
        for widget in (self.select_button, self.delete_button, self.table):
            widget.setEnabled(has_shots)

    # Cursor and places ----------------------------------------------------------------------------

    def on_cursor(self, point: QgsPointXY) -> None:
        """Follow the cursor."""
        self.cursor = point
        if self.is_active and self.session.is_open and not self.cursor_timer.isActive():
            self.cursor_timer.start()

    def ask_spectrum(self) -> None:
        """Ask for the spectrum under the cursor."""
        if self.view is None or self.cursor is None:
            return
        place = self.view.place(self.cursor)
        if place is not None:
            self.session.spectrum(place.x(), place.y(), self.show_spectrum)

    def show_spectrum(self, answer: Any) -> None:
        """Show a spectrum."""
        colors = {one.name: one.color for one in self.shots.classes}
        self.plot.show_spectrum(answer, colors)

    def suggest(self) -> None:
        """Ask for places, and go to the first."""
        self.session.suggest(PLACES, self.suggestions.begin)

    def show_place(self, place: Place) -> QgsPointXY | None:
        """Zoom to a suggested place.

        Args:
            place: The place.

        Returns:
            Where it is on the canvas.
        """
        if self.view is None:
            return None
        x, y = float(place["x"]), float(place["y"])
        self.view.zoom_to(QgsGeometry.fromPointXY(QgsPointXY(x, y)), self.view.crs)
        return self.view.on_canvas(x, y)

    def answer(self, place: Place, index: int) -> None:
        """Add a shot at a suggested place.

        Args:
            place: The place.
            index: Index of its class.
        """
        if self.view is None:
            return
        self.shots.choose(index)
        point = QgsGeometry.fromPointXY(QgsPointXY(float(place["x"]), float(place["y"])))
        problem = self.shots.add(point, self.view.crs)
        if problem:
            self.notice.say("problem", problem)
