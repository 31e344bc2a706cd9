"""The table of classes: key, name, colour, number of shots, and share of the preview."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import Qt, pyqtSignal
from qgis.PyQt.QtGui import QColor, QIcon, QKeyEvent, QPixmap
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QColorDialog,
    QHBoxLayout,
    QHeaderView,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from .classes import MAX_KEYS, Classes
from .map_tools import digit
from .texts import area_text, share_text

COLUMNS = ("Key", "Class", "Shots", "%", "ha")
TIPS = (
    "Press it on the map: it chooses the class, or changes the class of selected shots",
    "Name in the map",
    "Number of points and polygons",
    "Share of the preview in per cent",
    "Area in the preview in hectares",
)
NAME = 1

#: Rows that are shown before the table scrolls.
FEWEST_ROWS, MOST_ROWS = 3, 6


class ClassTable(QWidget):
    """The classes, and buttons to change them.

    Attributes:
        chosen: Signal with the index of the class that is to be drawn.
        renamed: Signal with the index of a class and its new name.
        recolored: Signal with the index of a class and its new colour.
        added: Signal: a class is wanted.
        removed: Signal with the index of a class that is to go.
    """

    chosen = pyqtSignal(int)
    renamed = pyqtSignal(int, str)
    recolored = pyqtSignal(int, str)
    added = pyqtSignal()
    removed = pyqtSignal(int)

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self._filling = False
        self.table = _Table(0, len(COLUMNS))
        self.table.setHorizontalHeaderLabels(list(COLUMNS))
        for column, tip in enumerate(TIPS):
            self.table.horizontalHeaderItem(column).setToolTip(tip)
        self.table.verticalHeader().hide()
        row_height = self.fontMetrics().height() + 8
        self.table.verticalHeader().setMinimumSectionSize(row_height)
        self.table.verticalHeader().setDefaultSectionSize(row_height)
        self.table.setWordWrap(False)
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.table.setEditTriggers(
            QAbstractItemView.EditTrigger.DoubleClicked
            | QAbstractItemView.EditTrigger.EditKeyPressed
        )
        self.table.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        header = self.table.horizontalHeader()
        header.setMinimumSectionSize(24)
        for column in range(len(COLUMNS)):
            stretch, fit = QHeaderView.ResizeMode.Stretch, QHeaderView.ResizeMode.ResizeToContents
            header.setSectionResizeMode(column, stretch if column == NAME else fit)
        self.table.currentCellChanged.connect(self._on_current)
        self.table.itemChanged.connect(self._on_edit)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        layout.addLayout(self._buttons())

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        for name, text, icon, tip, act in (
            ("add", "Add", "/symbologyAdd.svg", "Add a class", self._add),
            ("color", "Colour…", "", "Change the colour of the class", self._recolor),
            (
                *("remove", "Remove", "/symbologyRemove.svg"),
                *("Remove the class; it must have no shots", self._remove),
            ),
        ):
            button = QToolButton()
            button.setText(text)
            button.setToolTip(tip)
            if icon:
                button.setIcon(QgsApplication.getThemeIcon(icon))
                button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
            button.clicked.connect(lambda _=False, act=act: act())
            setattr(self, f"{name}_button", button)
            row.addWidget(button)
        row.addStretch(1)
        return row

    def show_classes(self, classes: Classes, current: int, counts: Mapping[str, int]) -> None:
        """Show the classes.

        Args:
            classes: The classes.
            current: Index of the one that is drawn.
            counts: Number of shots by the name of a class.
        """
        self._filling = True
        self.table.setRowCount(len(classes))
        for row, one in enumerate(classes):
            key = str(row + 1) if row < MAX_KEYS else ""
            self._set(row, 0, key)
            item = self._set(row, NAME, one.name)
            item.setIcon(swatch(one.color))
            item.setData(Qt.ItemDataRole.UserRole, one.color)
            self._set(row, 2, str(counts.get(one.name, 0)))
            for column in (3, 4):
                if self.table.item(row, column) is None:
                    self._set(row, column, "")
        if 0 <= current < len(classes) and self.table.currentRow() != current:
            self.table.setCurrentCell(current, NAME)
        rows = min(max(len(classes), FEWEST_ROWS), MOST_ROWS)
        row_height = self.table.verticalHeader().defaultSectionSize()
        height = self.table.horizontalHeader().sizeHint().height() + rows * row_height + 4
        self.table.setFixedHeight(height)
        self._filling = False

    def show_shares(self, preview: Mapping[str, Any]) -> None:
        """Show the share and the area of each class in a preview.

        Args:
            preview: Answer of the engine; an empty one clears the columns.
        """
        shares = {one.get("name"): one for one in preview.get("classes") or []}
        self._filling = True
        for row in range(self.table.rowCount()):
            one = shares.get(self.table.item(row, NAME).text(), {})
            self._set(row, 3, share_text(one.get("share")))
            self._set(row, 4, area_text(one.get("hectares")))
        self._filling = False

    def edit_name(self, row: int) -> None:
        """Begin to write the name of a class.

        Args:
            row: Index of the class.
        """
        self.table.setCurrentCell(row, NAME)
        self.table.editItem(self.table.item(row, NAME))

    def _set(self, row: int, column: int, text: str) -> QTableWidgetItem:
        item = self.table.item(row, column)
        if item is None:
            item = QTableWidgetItem()
            self.table.setItem(row, column, item)
            flags = Qt.ItemFlag.ItemIsSelectable | Qt.ItemFlag.ItemIsEnabled
            if column == NAME:
                flags = flags | Qt.ItemFlag.ItemIsEditable
            else:
                item.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
            item.setFlags(flags)
        if item.text() != text:
            item.setText(text)
        if column == NAME:
            item.setToolTip(f"<p>{html.escape(text, quote=False)}. Double-click to rename it.</p>")
        return item

    def _on_current(self, row: int, *_: int) -> None:
        if not self._filling and row >= 0:
            self.chosen.emit(row)

    def _on_edit(self, item: QTableWidgetItem) -> None:
        if not self._filling and item.column() == NAME:
            self.renamed.emit(item.row(), item.text())

    def _add(self) -> None:
        self.added.emit()
        self.edit_name(self.table.rowCount() - 1)

    def _recolor(self) -> None:
        row = self.table.currentRow()
        if row < 0:
            return
        before = QColor(self.table.item(row, NAME).data(Qt.ItemDataRole.UserRole) or "#888888")
        found = QColorDialog.getColor(before, self, "Colour of the class")
        if found.isValid():
            self.recolored.emit(row, found.name())

    def _remove(self) -> None:
        if self.table.currentRow() >= 0:
            self.removed.emit(self.table.currentRow())


class _Table(QTableWidget):
    """A table that leaves digits to the dock; while a name is written, its editor has them."""

    def keyPressEvent(self, event: QKeyEvent) -> None:
        if digit(event) >= 0:
            event.ignore()
        else:
            super().keyPressEvent(event)


def swatch(color: str) -> QIcon:
    """A square of a colour.

    Args:
        color: "#rrggbb".
    """
    square = QPixmap(14, 14)
    square.fill(QColor(color))
    return QIcon(square)
