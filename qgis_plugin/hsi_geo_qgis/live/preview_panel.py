"""Part of the dock: the preview in words, with a slider for its confidence."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QHBoxLayout,
    QLabel,
    QListWidget,
    QListWidgetItem,
    QSizePolicy,
    QSlider,
    QVBoxLayout,
    QWidget,
)

from ..run_group import accuracy_text
from .panels import wrapped
from .texts import preview_text


class PreviewPanel(QWidget):
    """Says that the preview is one; its transparency, its accuracy, and shots that look wrong.

    Attributes:
        confidence_changed: Signal with the least confidence in per cent.
        shot_chosen: Signal with the index of a shot that looks wrong.
    """

    confidence_changed = pyqtSignal(int)
    shot_chosen = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.chip = QLabel("PREVIEW")
        self.chip.setStyleSheet(
            "background: #ffd54f; color: black; font-weight: bold; padding: 1px 6px; border-radius: 3px;"
        )
        self.chip.setSizePolicy(QSizePolicy.Policy.Fixed, QSizePolicy.Policy.Fixed)
        self.about = wrapped("")
        head = QHBoxLayout()
        head.addWidget(self.chip, 0, Qt.AlignmentFlag.AlignTop)
        head.addWidget(self.about, 1)
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, 100)
        self.slider.setToolTip("Pixels of less confidence are transparent")
        self.percent = QLabel("0 %")
        self.percent.setMinimumWidth(self.percent.fontMetrics().horizontalAdvance("100 %"))
        self.slider.valueChanged.connect(self._on_slider)
        row = QHBoxLayout()
        row.addWidget(QLabel("Least confidence"))
        row.addWidget(self.slider, 1)
        row.addWidget(self.percent)
        self.accuracy = wrapped("")
        self.accuracy.setTextFormat(Qt.TextFormat.RichText)
        self.wrong_title = QLabel("")
        self.wrong = QListWidget()
        self.wrong.setFixedHeight(76)
        self.wrong.setToolTip(
            "Click: zoom to the shot and select it. Then a key gives it another class"
        )
        self.wrong.itemClicked.connect(self._on_item)
        self.wrong.itemActivated.connect(self._on_item)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(head)
        layout.addLayout(row)
        layout.addWidget(self.accuracy)
        layout.addWidget(self.wrong_title)
        layout.addWidget(self.wrong)
        self.clear()

    def clear(self) -> None:
        """Show that there is no preview."""
        self.chip.setVisible(False)
        self.about.setText("There is no preview yet.")
        self.accuracy.setText("")
        self.show_wrong([])

    def show_preview(self, preview: Mapping[str, Any], is_part: bool) -> None:
        """Show what is known of a preview.

        Args:
            preview: Answer of the engine.
            is_part: Whether it covers a part of the scene only.
        """
        self.chip.setVisible(True)
        self.about.setText(preview_text(preview, is_part))
        accuracy = preview.get("accuracy") or {}
        estimate = accuracy_text(accuracy)
        # Names of classes may look like tags.
        reason = html.escape(str(accuracy.get("method") or "not estimated"), quote=False)
        caution = html.escape(str(accuracy.get("caution") or ""), quote=False)
        text = f"Estimated accuracy: <b>{estimate}</b>" if estimate else f"Accuracy: {reason}"
        self.accuracy.setText(f"{text}<br><small>{caution}</small>" if caution else text)

    def show_wrong(self, texts: Sequence[str]) -> None:
        """List the shots that look wrong.

        Args:
            texts: A line for each.
        """
        self.wrong.clear()
        for index, text in enumerate(texts):
            item = QListWidgetItem(text)
            item.setData(Qt.ItemDataRole.UserRole, index)
            self.wrong.addItem(item)
        self.wrong_title.setText(f"Shots that look wrong: {len(texts) or 'none'}")
        self.wrong.setVisible(bool(texts))

    def _on_slider(self, value: int) -> None:
        self.percent.setText(f"{value} %")
        self.confidence_changed.emit(value)

    def _on_item(self, item: QListWidgetItem) -> None:
        self.shot_chosen.emit(int(item.data(Qt.ItemDataRole.UserRole)))
