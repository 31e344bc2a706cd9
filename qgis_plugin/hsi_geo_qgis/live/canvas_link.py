"""The canvas: tools, keys, the cursor and the view."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import QgsGeometry, QgsMapLayer, QgsPointXY
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.PyQt.QtGui import QColor

from .map_tools import ClassKeys, PointTool, PolygonTool

if TYPE_CHECKING:
    from .dock import LiveDock

#: Milliseconds between two questions for the spectrum under the cursor.
CURSOR_MS = 60


class CanvasLink(QObject):
    """Joins the canvas and the dock.

    Args:
        dock: The dock.
    """

    def __init__(self, dock: LiveDock) -> None:
        super().__init__(dock)
        self.dock, self.canvas = dock, dock.canvas
        self.point_tool = PointTool(self.canvas, self.draw)
        self.polygon_tool = PolygonTool(self.canvas, self.draw, self.current_color)
        self.keys = ClassKeys(self.on_key, self)
        self.cursor: QgsPointXY | None = None
        self.cursor_timer = QTimer(self)
        self.cursor_timer.setSingleShot(True)
        self.cursor_timer.setInterval(CURSOR_MS)
        self.cursor_timer.timeout.connect(self.ask_spectrum)
        self.is_on = False

    def begin(self) -> None:
        """Listen to the canvas."""
        if self.is_on:
            return
        self.is_on = True
        self.canvas.installEventFilter(self.keys)
        self.canvas.xyCoordinates.connect(self.on_cursor)
        self.canvas.extentsChanged.connect(self.on_extent)
        self.canvas.mapToolSet.connect(self.show_tool)
        self.canvas.destinationCrsChanged.connect(self.on_crs)

    def end(self) -> None:
        """Leave the canvas alone."""
        if not self.is_on:
            return
        self.is_on = False
        self.cursor_timer.stop()
        self.canvas.removeEventFilter(self.keys)
        self.canvas.xyCoordinates.disconnect(self.on_cursor)
        self.canvas.extentsChanged.disconnect(self.on_extent)
        self.canvas.mapToolSet.disconnect(self.show_tool)
        self.canvas.destinationCrsChanged.disconnect(self.on_crs)
        for tool in (self.point_tool, self.polygon_tool):
            self.canvas.unsetMapTool(tool)

    # Tools ----------------------------------------------------------------------------------------

    def use_point_tool(self) -> None:
        """Draw points."""
        self._use(self.point_tool, self.dock.shots.points())

    def use_polygon_tool(self) -> None:
        """Draw polygons."""
        self._use(self.polygon_tool, self.dock.shots.polygons())

    def use_select_tool(self) -> None:
        """Select shots with QGIS's own tool, in the layer that was drawn into."""
        iface, layers = self.dock.iface, self.dock.shots.layers
        if iface.activeLayer() not in layers and layers:
            iface.setActiveLayer(layers[0])
        iface.actionSelect().trigger()

    def _use(self, tool: Any, layer: QgsMapLayer | None) -> None:
        if layer is not None:
            if not layer.isEditable():
                layer.startEditing()
            self.dock.iface.setActiveLayer(layer)  # undo and QGIS's own tools work on it
            self.dock.shots.unselect()
            self.canvas.setMapTool(tool)
            self.canvas.setFocus()
        self.show_tool()

    def show_tool(self, *_: Any) -> None:
        """Press the button of the tool in use."""
        tool = self.canvas.mapTool()
        self.dock.point_button.setChecked(tool is self.point_tool)
        self.dock.polygon_button.setChecked(tool is self.polygon_tool)

    def draw(self, geometry: QgsGeometry) -> bool:
        """Add what a tool has drawn.

        Args:
            geometry: The geometry in the CRS of the canvas.

        Returns:
            Whether it was added.
        """
        self.dock.shots.unselect()
        crs, view = self.canvas.mapSettings().destinationCrs(), self.dock.view
        if view is not None and not crs.isValid():  # then it has the coordinates of the scene
            crs = view.crs
        problem = self.dock.shots.add(geometry, crs)
        if problem:
            self.dock.notice.say("problem", problem)
        return not problem

    def delete_selected(self) -> None:
        """Delete the selected shots."""
        count, problem = self.dock.shots.delete_selected()
        done = f"Deleted: {count}." if count else "No shot is selected."
        self.dock.work.tell(problem or done)

    def current_color(self) -> QColor:
        """Colour of the class that is drawn."""
        shots = self.dock.shots
        known = 0 <= shots.current < len(shots.classes)
        return QColor(shots.classes[shots.current].color if known else "#888888")

    # Keys -----------------------------------------------------------------------------------------

    def on_key(self, number: int) -> bool:
        """Use a digit: it answers a suggestion, changes selected shots, or chooses the class.

        Args:
            number: 0 to 9.

        Returns:
            Whether it was used.
        """
        shots, suggestions = self.dock.shots, self.dock.suggestions
        index = number - 1
        if not self.is_on:
            return False
        if suggestions.is_active and number == 0:
            suggestions.skip()
            return True
        if not 0 <= index < len(shots.classes):
            return False
        if suggestions.is_active:
            suggestions.answer(index)
        elif shots.selected():
            count, problem = shots.reclass_selected(index)
            name = shots.classes[index].name
            done = f"Now {name}: {count} shot{'s' if count != 1 else ''}."
            self.dock.work.tell(problem or done)
        else:
            shots.choose(index)
        return True

    # Cursor and view ------------------------------------------------------------------------------

    def on_extent(self) -> None:
        """Follow the canvas, if it shows what the preview does not."""
        if self.dock.requests.is_view_missing():
            self.dock.session.change()

    def on_crs(self) -> None:
        """Forget what has the coordinates of the canvas as they were: corners of a polygon, and the cursor."""
        self.cursor = None
        self.polygon_tool.forget()
        self.dock.suggestions.mark()

    def on_cursor(self, point: QgsPointXY) -> None:
        """Follow the cursor.

        Args:
            point: Where it is, in the CRS of the canvas.
        """
        self.cursor = QgsPointXY(point)
        if self.dock.session.is_open and not self.cursor_timer.isActive():
            self.cursor_timer.start()

    def ask_spectrum(self) -> None:
        """Ask for the spectrum under the cursor."""
        view = self.dock.view
        place = None if view is None or self.cursor is None else view.place(self.cursor)
        if place is not None:
            self.dock.session.spectrum(place.x(), place.y(), self.dock.show_spectrum)
