"""The spectrum under the cursor beside the mean spectra of the classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.PyQt.QtCore import QPointF, QRectF, QSize, Qt
from qgis.PyQt.QtGui import QColor, QPainter, QPaintEvent, QPalette, QPen, QPolygonF
from qgis.PyQt.QtWidgets import QSizePolicy, QWidget

from .axes import line_parts, tick_text, ticks, value_range
from .enums import flags

#: Height of the plot without its legend, and of a row of the legend.
PLOT_HEIGHT, ROW_HEIGHT = 170, 16

#: Width of a line in the legend, and of the blank after an entry.
SWATCH, BLANK = 14, 10

X_TITLE, Y_TITLE = "Wavelength (nm)", "Value"
EMPTY = "Move the cursor over the scene."


class SpectrumPlot(QWidget):
    """Axes, lines and a legend.

    Attributes:
        lines: Name, colour and values of each line; the spectrum under the cursor comes first and has no colour.
    """

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.centres: list[float] = []
        self.lines: list[tuple[str, str, list[float | None]]] = []
        self.place = ""
        self.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Fixed)
        self.setMinimumWidth(240)

    def show_spectrum(self, answer: Mapping[str, Any], colors: Mapping[str, str]) -> None:
        """Show an answer to ``spectrum``.

        Args:
            answer: The answer.
            colors: Colour by the name of a class.
        """
        rows = len(self._legend_rows())
        self.centres = [float(one) for one in answer.get("centres_nm") or []]
        named = answer.get("class")
        here = f"cursor ({named})" if named else "cursor"
        self.lines = [(here, "", list(answer.get("values") or []))]
        for mean in answer.get("means") or []:
            name = str(mean.get("name", ""))
            color = colors.get(name) or str(mean.get("color") or "#888888")
            self.lines.append((name, color, list(mean.get("values") or [])))
        if rows != len(self._legend_rows()):
            self.updateGeometry()
        self.update()

    def clear(self) -> None:
        """Show nothing."""
        self.centres, self.lines = [], []
        self.updateGeometry()
        self.update()

    def sizeHint(self) -> QSize:
        """Size with the legend; Qt calls this."""
        return QSize(320, PLOT_HEIGHT + ROW_HEIGHT * len(self._legend_rows()))

    minimumSizeHint = sizeHint

    def resizeEvent(self, event: Any) -> None:
        """Give the legend its rows; Qt calls this."""
        super().resizeEvent(event)
        self.updateGeometry()

    def paintEvent(self, event: QPaintEvent) -> None:
        """Draw; Qt calls this."""
        painter = QPainter(self)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), self.palette().color(QPalette.ColorRole.Base))
        text = self.palette().color(QPalette.ColorRole.Text)
        if not self.centres:
            painter.setPen(text)
            painter.drawText(self.rect(), flags(Qt.AlignmentFlag.AlignCenter), EMPTY)
            painter.end()
            return
        metrics = painter.fontMetrics()
        low, high = value_range([values for _, _, values in self.lines])
        y_ticks = ticks(low, high, 5)
        step = y_ticks[1] - y_ticks[0] if len(y_ticks) > 1 else 1.0
        texts = [tick_text(one, step) for one in y_ticks]
        left = max(metrics.horizontalAdvance(one) for one in texts) + metrics.height() + 12
        bottom = 2 * metrics.height() + 8
        legend = self._legend_rows()
        frame = QRectF(
            left, 6, self.width() - left - 10, self.height() - 6 - bottom - ROW_HEIGHT * len(legend)
        )
        self._draw_axes(painter, frame, (low, high), list(zip(y_ticks, texts)))
        self._draw_lines(painter, frame, (low, high), text)
        self._draw_legend(painter, legend, text)
        painter.end()

    # Parts ----------------------------------------------------------------------------------------

    def _draw_axes(
        self,
        painter: QPainter,
        frame: QRectF,
        ends: tuple[float, float],
        y_ticks: list[tuple[float, str]],
    ) -> None:
        metrics = painter.fontMetrics()
        text = self.palette().color(QPalette.ColorRole.Text)
        faint = QColor(text)
        faint.setAlpha(45)
        height = metrics.height()
        for value, shown in y_ticks:
            y = frame.bottom() - (value - ends[0]) / (ends[1] - ends[0]) * frame.height()
            painter.setPen(QPen(faint, 1))
            painter.drawLine(QPointF(frame.left(), y), QPointF(frame.right(), y))
            painter.setPen(text)
            place = QRectF(height + 4, y - height / 2, frame.left() - height - 8, height)
            painter.drawText(
                place, flags(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter), shown
            )
        first, last = self.centres[0], self.centres[-1]
        x_ticks = ticks(first, last, max(2, int(frame.width() / 70)))
        step = x_ticks[1] - x_ticks[0] if len(x_ticks) > 1 else 1.0
        for value in x_ticks:
            x = self._x(frame, value)
            painter.setPen(text)
            painter.drawLine(QPointF(x, frame.bottom()), QPointF(x, frame.bottom() + 4))
            shown = tick_text(value, step)
            wide = metrics.horizontalAdvance(shown)
            start = min(max(0.0, x - wide / 2), self.width() - wide - 1.0)
            painter.drawText(QPointF(start, frame.bottom() + 4 + metrics.ascent()), shown)
        painter.drawLine(frame.bottomLeft(), frame.bottomRight())
        painter.drawLine(frame.bottomLeft(), frame.topLeft())
        title = QRectF(frame.left(), frame.bottom() + height + 4, frame.width(), height)
        painter.drawText(title, flags(Qt.AlignmentFlag.AlignCenter), X_TITLE)
        painter.save()
        painter.translate(2, frame.center().y())
        painter.rotate(-90)
        along = QRectF(-frame.height() / 2, 0, frame.height(), height)
        painter.drawText(along, flags(Qt.AlignmentFlag.AlignCenter), Y_TITLE)
        painter.restore()

    def _draw_lines(
        self, painter: QPainter, frame: QRectF, ends: tuple[float, float], text: QColor
    ) -> None:
        for _, color, values in reversed(self.lines):  # that of the cursor comes on top
            painter.setPen(QPen(QColor(color) if color else text, 1.4 if color else 2.0))
            for part in line_parts(self.centres, values):
                points = [
                    QPointF(
                        self._x(frame, centre),
                        frame.bottom() - (value - ends[0]) / (ends[1] - ends[0]) * frame.height(),
                    )
                    for centre, value in part
                ]
                if len(points) > 1:
                    painter.drawPolyline(QPolygonF(points))
                else:
                    painter.drawPoint(points[0])

    def _draw_legend(
        self, painter: QPainter, rows: list[list[tuple[int, str, str]]], text: QColor
    ) -> None:
        metrics = painter.fontMetrics()
        top = self.height() - ROW_HEIGHT * len(rows)
        for number, row in enumerate(rows):
            middle = top + ROW_HEIGHT * number + ROW_HEIGHT / 2 - 1
            for x, name, color in row:
                painter.setPen(QPen(QColor(color) if color else text, 3))
                painter.drawLine(QPointF(x, middle), QPointF(x + SWATCH, middle))
                painter.setPen(text)
                baseline = middle + (metrics.ascent() - metrics.descent()) / 2
                painter.drawText(QPointF(x + SWATCH + 4, baseline), name)

    def _legend_rows(self) -> list[list[tuple[int, str, str]]]:
        """Entries of the legend by row: left end, name and colour."""
        metrics, rows, x = self.fontMetrics(), [], 0
        width = max(self.width(), 240) - 8
        row: list[tuple[int, str, str]] = []
        for name, color, _ in self.lines:
            shown = metrics.elidedText(name, Qt.TextElideMode.ElideRight, width // 2)
            wide = SWATCH + 4 + metrics.horizontalAdvance(shown) + BLANK
            if row and x + wide > width:
                rows.append(row)
                row, x = [], 0
            row.append((x + 6, shown, color))
            x += wide
        return [*rows, row] if row else []

    def _x(self, frame: QRectF, centre: float) -> float:
        first, last = self.centres[0], self.centres[-1]
        share = (centre - first) / (last - first) if last > first else 0.5
        return float(frame.left() + share * frame.width())
