"""Tools of the canvas that draw shots, and its keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qgis.core import QgsGeometry, QgsPointXY
from qgis.gui import QgsMapCanvas, QgsMapMouseEvent, QgsMapTool, QgsRubberBand
from qgis.PyQt.QtCore import QEvent, QObject, Qt
from qgis.PyQt.QtGui import QColor, QKeyEvent

from .enums import polygon_geometry

#: Is called with a geometry in the CRS of the canvas. Returns whether it was added.
OnDrawn = Callable[[QgsGeometry], bool]


class PointTool(QgsMapTool):
    """Each click is a point.

    Args:
        canvas: The canvas.
        on_drawn: Is called with each point.
    """

    def __init__(self, canvas: QgsMapCanvas, on_drawn: OnDrawn) -> None:
        super().__init__(canvas)
        self.on_drawn = on_drawn
        self.setCursor(Qt.CursorShape.CrossCursor)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Add a point; QGIS calls this."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.on_drawn(QgsGeometry.fromPointXY(event.snapPoint()))


class PolygonTool(QgsMapTool):
    """Each click is a corner. The right button ends a polygon, Backspace removes a corner, Esc all.

    A polygon that cannot be added stays on the canvas: its reason can be mended, and the right button pressed again.

    Args:
        canvas: The canvas.
        on_drawn: Is called with each polygon.
        color: Function that returns the colour of the current class.
    """

    def __init__(
        self, canvas: QgsMapCanvas, on_drawn: OnDrawn, color: Callable[[], QColor]
    ) -> None:
        super().__init__(canvas)
        self.on_drawn, self.color = on_drawn, color
        self.corners: list[QgsPointXY] = []
        self.band: QgsRubberBand | None = None
        self.setCursor(Qt.CursorShape.CrossCursor)

    def canvasReleaseEvent(self, event: QgsMapMouseEvent) -> None:
        """Add a corner, or end the polygon; QGIS calls this."""
        if event.button() == Qt.MouseButton.LeftButton:
            self.corners.append(event.snapPoint())
            self._draw(None)
        elif event.button() == Qt.MouseButton.RightButton:
            ring = [*self.corners, *self.corners[:1]]
            if len(self.corners) < 3 or self.on_drawn(QgsGeometry.fromPolygonXY([ring])):
                self.forget()

    def canvasMoveEvent(self, event: QgsMapMouseEvent) -> None:
        """Show the polygon up to the cursor; QGIS calls this."""
        if self.corners:
            self._draw(event.snapPoint())

    def keyPressEvent(self, event: QKeyEvent) -> None:
        """Remove corners; QGIS calls this."""
        if event.key() == Qt.Key.Key_Escape and self.corners:
            self.forget()
        elif event.key() in (Qt.Key.Key_Backspace, Qt.Key.Key_Delete) and self.corners:
            self.corners.pop()
            self._draw(None)
        else:
            return
        event.ignore()  # QGIS's canvas takes an ignored key as used by the tool

    def deactivate(self) -> None:
        """Forget a polygon that is half drawn; QGIS calls this."""
        self.forget()
        super().deactivate()

    def _draw(self, cursor: QgsPointXY | None) -> None:
        if self.band is None:
            self.band = QgsRubberBand(self.canvas(), polygon_geometry())
            self.band.setWidth(2)
        color = QColor(self.color())
        self.band.setStrokeColor(color)
        color.setAlpha(90)
        self.band.setFillColor(color)
        self.band.reset(polygon_geometry())
        shown = [*self.corners, cursor] if cursor is not None else self.corners
        for corner in shown:
            self.band.addPoint(corner)

    def forget(self) -> None:
        """Forget a polygon that is half drawn."""
        self.corners = []
        if self.band is not None:
            self.canvas().scene().removeItem(self.band)
            self.band = None


class ClassKeys(QObject):
    """Takes the keys 0 to 9 where the canvas has the focus; all other keys and places keep theirs.

    Args:
        on_key: Is called with the number; returns whether it was used.
        parent: Owner of the object.
    """

    def __init__(self, on_key: Callable[[int], bool], parent: QObject) -> None:
        super().__init__(parent)
        self.on_key = on_key

    def eventFilter(self, watched: Any, event: QEvent) -> bool:
        """Whether a key was used; Qt calls this."""
        if event.type() == QEvent.Type.KeyPress:
            number = digit(event)
            return number >= 0 and self.on_key(number)
        return False


def digit(event: Any) -> int:
    """The digit of a key that was pressed without Ctrl, Alt or Meta.

    Args:
        event: The event of the key.

    Returns:
        0 to 9; -1 for another key.
    """
    for one in (
        Qt.KeyboardModifier.ControlModifier,
        Qt.KeyboardModifier.AltModifier,
        Qt.KeyboardModifier.MetaModifier,
    ):
        if event.modifiers() & one:
            return -1
    text = event.text()
    return int(text) if len(text) == 1 and text in "0123456789" else -1
