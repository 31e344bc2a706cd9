"""How the parts of the dock are arranged."""

from __future__ import annotations

from collections.abc import Sequence

from qgis.gui import QgsCollapsibleGroupBox
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import QHBoxLayout, QPushButton, QScrollArea, QVBoxLayout, QWidget

#: Least width of the part that scrolls, in pixels.
WIDTH_PX = 370


def arrange(
    above: Sequence[QWidget],
    groups: Sequence[tuple[str, Sequence[QWidget]]],
    below: Sequence[QWidget],
    buttons: Sequence[QPushButton],
) -> QWidget:
    """Put the parts of the dock below each other.

    Args:
        above: Parts at the top. They scroll with the groups.
        groups: Title and parts of each group, which the user can fold.
        below: Parts that always show.
        buttons: Buttons at the end, side by side.

    Returns:
        The widget that holds all of them.
    """
    inside = QWidget()
    layout = QVBoxLayout(inside)
    layout.setContentsMargins(6, 6, 6, 6)
    for widget in above:
        layout.addWidget(widget)
    for title, widgets in groups:
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
    area.setMinimumWidth(WIDTH_PX)
    area.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    row = QHBoxLayout()
    for button in buttons:
        row.addWidget(button)
    bottom = QVBoxLayout()
    bottom.setContentsMargins(6, 0, 6, 0)
    for widget in below:
        bottom.addWidget(widget)
    bottom.addLayout(row)
    whole = QWidget()
    column = QVBoxLayout(whole)
    column.setContentsMargins(0, 0, 0, 4)
    column.addWidget(area, 1)
    column.addLayout(bottom)
    return whole
