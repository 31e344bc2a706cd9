"""Suggested places, answered one by one."""

from __future__ import annotations

import html
from collections.abc import Callable, Mapping
from typing import Any

from qgis.core import QgsPointXY
from qgis.gui import QgsMapCanvas, QgsVertexMarker
from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtGui import QColor
from qgis.PyQt.QtWidgets import QFrame, QHBoxLayout, QLabel, QPushButton, QVBoxLayout, QWidget

Place = Mapping[str, Any]


class Suggestions(QFrame):
    """Asks for the class of each place.

    Args:
        canvas: The canvas, which shows a mark at the place.
        show: Function that zooms to a place.
        find: Function that returns where a place is on the canvas.

    Attributes:
        answered: Signal with the place and the index of its class.
        ended: Signal when no place is left, or the user has stopped.
    """

    answered = pyqtSignal(object, int)
    ended = pyqtSignal()

    def __init__(
        self,
        canvas: QgsMapCanvas,
        show: Callable[[Place], None],
        find: Callable[[Place], QgsPointXY | None],
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self.canvas, self.show_place, self.find_place = canvas, show, find
        self.places: list[Place] = []
        self.position = 0
        self.marker: QgsVertexMarker | None = None
        self.setFrameShape(QFrame.Shape.StyledPanel)
        self.text = QLabel()
        self.text.setWordWrap(True)
        self.skip_button = QPushButton("Skip (0)")
        self.skip_button.setToolTip(
            "Go on without a shot here, such as where you do not know the class"
        )
        self.stop_button = QPushButton("Stop")
        self.skip_button.clicked.connect(lambda _=False: self.skip())
        self.stop_button.clicked.connect(lambda _=False: self.stop())
        row = QHBoxLayout()
        row.addStretch(1)
        for button in (self.skip_button, self.stop_button):
            button.setAutoDefault(False)
            row.addWidget(button)
        layout = QVBoxLayout(self)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.hide()

    @property
    def is_active(self) -> bool:
        """Whether a place waits for its class."""
        return self.position < len(self.places)

    def begin(self, places: list[dict[str, Any]]) -> None:
        """Begin with the first of some places.

        Args:
            places: Answer of the engine, the most useful place first.
        """
        self.places, self.position = list(places), 0
        self._show()

    def answer(self, index: int) -> None:
        """Answer with a class, and go on.

        Args:
            index: Index of the class.
        """
        place = self.places[self.position]
        self.position += 1
        self.answered.emit(place, index)
        self._show()

    def skip(self) -> None:
        """Go on to the next place."""
        self.position += 1
        self._show()

    def stop(self) -> None:
        """Forget the places that are left."""
        was_active = bool(self.places)
        self.places, self.position = [], 0
        self._unmark()
        self.hide()
        if was_active:
            self.ended.emit()

    def _show(self) -> None:
        if not self.is_active:
            self.stop()
            return
        place = self.places[self.position]
        guess, confidence = place.get("predicted"), place.get("confidence")
        looks = f" The preview says {html.escape(str(guess), quote=False)}" if guess else ""
        sure = f" ({confidence:.0f} %)" if looks and confidence is not None else ""
        self.text.setText(
            f"<b>Place {self.position + 1} of {len(self.places)}.</b>{looks}{sure}{'.' if looks else ''} "
            "Press the key of its class."
        )
        self.show()
        self.show_place(place)
        self.mark()
        self.canvas.setFocus()

    def mark(self) -> None:
        """Mark the place that waits for its class where it is on the canvas now."""
        if not self.is_active:
            return
        self._unmark()
        point = self.find_place(self.places[self.position])
        if point is not None:
            self.marker = QgsVertexMarker(self.canvas)
            self.marker.setCenter(point)
            self.marker.setIconType(QgsVertexMarker.IconType.ICON_CROSS)
            self.marker.setColor(QColor("#ff00ff"))
            self.marker.setIconSize(18)
            self.marker.setPenWidth(3)

    def _unmark(self) -> None:
        if self.marker is not None:
            self.canvas.scene().removeItem(self.marker)
            self.marker = None
