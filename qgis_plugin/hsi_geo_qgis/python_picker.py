"""A field for a Python: its program, or the folder of an environment."""

from __future__ import annotations

from typing import Any

from qgis.PyQt.QtCore import pyqtSignal
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QLineEdit, QToolButton, QWidget

PROMPT = "Choose the folder of a venv or conda environment"


class PythonPicker(QWidget):
    """A path, with one button for a file and one for a folder.

    Args:
        parent: The widget that holds it.
    """

    changed = pyqtSignal(str)

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.line = QLineEdit(self)
        self.line.setClearButtonEnabled(True)
        self.line.setPlaceholderText("a Python, or the folder of a venv or conda environment")
        self.line.textChanged.connect(self.changed)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.line, 1)
        for text, tip, slot in (
            ("File…", "Choose the program of a Python", self.choose_file),
            ("Folder…", PROMPT, self.choose_folder),
        ):
            button = QToolButton(self)
            button.setText(text)
            button.setToolTip(tip)
            button.clicked.connect(slot)
            layout.addWidget(button)

    def path(self) -> str:
        """The path; empty if there is none."""
        return str(self.line.text()).strip()

    def set_path(self, path: str) -> None:
        """Show a path.

        Args:
            path: The path; may be empty.
        """
        self.line.setText(path)

    def choose_file(self) -> None:
        """Ask for a program."""
        found, _ = QFileDialog.getOpenFileName(self, "Choose a Python", self.path())
        if found:
            self.set_path(found)

    def choose_folder(self) -> None:
        """Ask for a folder."""
        found = QFileDialog.getExistingDirectory(self, PROMPT, self.path())
        if found:
            self.set_path(found)
