"""The dialog *Set up hsi-geo*; imported only if there is a window."""

from __future__ import annotations

import os
import sys
from typing import Any

from qgis.core import QgsApplication, QgsSettings
from qgis.gui import QgsCollapsibleGroupBox, QgsFileWidget
from qgis.PyQt import sip
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtGui import QIcon
from qgis.PyQt.QtWidgets import (
    QComboBox,
    QDialog,
    QFileDialog,
    QFormLayout,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QPlainTextEdit,
    QProgressBar,
    QPushButton,
    QVBoxLayout,
    QWidget,
)

from . import set_up_plan as plan
from .about import ICON
from .network import proxy_of_qgis
from .python_picker import PROMPT
from .pythons import Python, python_in, where_to_get
from .set_up import environment_folder, profile_folder, remember
from .set_up_processes import SetUpError, choose_python
from .set_up_task import FindPythonsTask, SetUpTask

INTRODUCTION = (
    "hsi-geo needs a Python environment of its own. This makes one in <i>{folder}</i>, and installs hsi-geo "
    "{version} into it. QGIS's own Python is not changed. No administrator's rights are needed."
)


class SetUpDialog(QDialog):
    """Installs, updates and removes hsi-geo. The work goes on if the dialog is closed.

    Args:
        parent: QGIS's window.
    """

    def __init__(self, parent: Any = None) -> None:
        super().__init__(parent)
        self.setWindowTitle("Set up hsi-geo")
        self.setWindowIcon(QIcon(ICON))
        self.resize(720, 600)
        self.task: SetUpTask | None = None
        self.search: FindPythonsTask | None = None
        self.wheel = plan.carried_wheel()
        version = plan.state_of_wheel(self.wheel).version if self.wheel else ""
        text = INTRODUCTION.format(folder=environment_folder(), version=version)
        layout = QVBoxLayout(self)
        layout.addWidget(_text(text))
        layout.addLayout(self._choices())
        layout.addWidget(self._network())
        self.status = _text("")
        self.status.setOpenExternalLinks(True)
        self.bar = QProgressBar()
        self.log = QPlainTextEdit()
        self.log.setReadOnly(True)
        self.log.setPlaceholderText("The log is shown here.")
        for widget in (self.status, self.bar, self.log):
            layout.addWidget(widget, 1 if widget is self.log else 0)
        layout.addWidget(
            _text(f"The log is kept in <i>{os.path.join(profile_folder(), plan.LOG)}</i>.")
        )
        layout.addLayout(self._buttons())
        self._sizes()
        self._update()
        self.look_for_pythons()

    # Widgets -------------------------------------------------------------------------------------

    def _choices(self) -> QFormLayout:
        self.pythons = QComboBox()
        self.pythons.setSizeAdjustPolicy(
            QComboBox.SizeAdjustPolicy.AdjustToMinimumContentsLengthWithIcon
        )
        self.pythons.setMinimumContentsLength(30)
        row = QHBoxLayout()
        row.addWidget(self.pythons, 1)
        for text, tip, slot in (
            ("File…", "Choose the program of another Python", self.choose_file),
            ("Folder…", PROMPT, self.choose_folder),
        ):
            button = QPushButton(text)
            button.setToolTip(tip)
            button.setAutoDefault(False)
            button.clicked.connect(slot)
            row.addWidget(button)
        self.torch = QComboBox()
        names = {plan.CPU: "for the CPU", plan.DEFAULT: "with CUDA, for NVIDIA GPUs"}
        if not sys.platform.startswith("linux"):
            names = {plan.DEFAULT: "as in the package index"}
        for value, name in names.items():
            self.torch.addItem(f"{name} ({plan.bytes_text(plan.size_of(value).download)})", value)
        self.torch.setCurrentIndex(max(0, self.torch.findData(plan.torch_for())))
        self.torch.currentIndexChanged.connect(self._sizes)
        self.sizes = _text("")
        form = QFormLayout()
        form.addRow("Python 3.12 or newer", row)
        form.addRow("PyTorch", self.torch)
        form.addRow("Size", self.sizes)
        return form

    def _network(self) -> QWidget:
        box = QgsCollapsibleGroupBox("Network and offline installation")
        form = QFormLayout(box)
        proxy, _ = proxy_of_qgis()
        shown = plan.without_passwords(proxy) or "that of the system"
        form.addRow("Proxy", _text(f"{shown} (<i>Settings &gt; Options &gt; Network</i>)"))
        self.wheels = QgsFileWidget()
        self.wheels.setStorageMode(QgsFileWidget.StorageMode.GetDirectory)
        self.wheels.setDialogTitle("Choose a folder of wheels")
        self.wheels.fileChanged.connect(self._sizes)
        self.index = QLineEdit()
        self.index.setPlaceholderText("that of pip's settings, else https://pypi.org/simple")
        self.torch_index = QLineEdit(plan.CPU_INDEX)
        form.addRow("Folder of wheels", self.wheels)
        form.addRow("Package index", self.index)
        form.addRow("PyTorch's index (CPU)", self.torch_index)
        box.setCollapsed(True)
        return box

    def _buttons(self) -> QHBoxLayout:
        row = QHBoxLayout()
        self.remove_button = QPushButton("Remove")
        self.cancel_button = QPushButton("Cancel")
        self.start_button = QPushButton("Set up")
        self.start_button.setDefault(True)
        close = QPushButton("Close")
        close.setToolTip("Closes this window. A set-up goes on in the background.")
        for button, slot in (
            (self.remove_button, self.remove),
            (self.cancel_button, self.cancel),
            (close, self.close),
            (self.start_button, self.start),
        ):
            button.clicked.connect(lambda _checked=False, slot=slot: slot())
            row.addWidget(button)
            if button is self.remove_button:
                row.addStretch(1)
        return row

    # The search for Pythons ----------------------------------------------------------------------

    def look_for_pythons(self) -> None:
        """Look for Pythons in the background."""
        self.status.setText("Looking for Python 3.12 or newer ...")
        self.search = FindPythonsTask(self.show_pythons)
        QgsApplication.taskManager().addTask(self.search)

    def show_pythons(self, found: list[Python]) -> None:
        """List the Pythons that were found.

        Args:
            found: The Pythons, best first.
        """
        if sip.isdeleted(self):  # QGIS ends a task after the window that started it
            return
        for python in found:
            self.pythons.addItem(f"Python {python.version_text}: {python.path}", python.path)
        self.search = None
        self._update()

    def choose_file(self) -> None:
        """Ask for the program of a Python."""
        found, _ = QFileDialog.getOpenFileName(self, "Choose a Python 3.12 or newer")
        if found:
            self.add_python(found)

    def choose_folder(self) -> None:
        """Ask for the folder of an environment."""
        found = QFileDialog.getExistingDirectory(self, PROMPT)
        if found:
            self.add_python(found)

    def add_python(self, path: str) -> None:
        """List a Python and choose it, or say why it cannot be used.

        Args:
            path: Path of the program, or of the folder of an environment.
        """
        program = python_in(path)
        try:
            if not program:
                raise SetUpError(f"folder '{path}' holds no Python; choose another one")
            python = choose_python(program)
        except SetUpError as error:
            self.status.setText(_sentence(str(error).replace(", or none to let one be found", "")))
            return
        self.pythons.insertItem(0, f"Python {python.version_text}: {python.path}", python.path)
        self.pythons.setCurrentIndex(0)
        self._update()

    # The work ------------------------------------------------------------------------------------

    def options(self) -> plan.Options:
        """The choices in the dialog."""
        proxy, no_proxy = proxy_of_qgis()
        return plan.Options(
            python=str(self.pythons.currentData() or ""),
            torch=str(self.torch.currentData()),
            torch_index=self.torch_index.text().strip() or plan.CPU_INDEX,
            index=self.index.text().strip(),
            wheels=self.wheels.filePath().strip(),
            proxy=proxy,
            no_proxy=no_proxy,
        )

    def start(self) -> None:
        """Install or update."""
        self._begin(SetUpTask(self.options(), self.finish))

    def remove(self) -> None:
        """Delete the environment."""
        self._begin(SetUpTask(None, self.finish))

    def cancel(self) -> None:
        """Stop; what is half made is removed."""
        if self.task is not None:
            self.task.cancel()
            self.status.setText("Cancelling ...")

    def _begin(self, task: SetUpTask) -> None:
        self.log.clear()
        task.line.connect(self.log.appendPlainText)
        task.stage.connect(self._show_stage)
        self.task = task
        self._update()
        QgsApplication.taskManager().addTask(task)

    def _show_stage(self, percent: float, text: str) -> None:
        self.bar.setValue(round(percent))
        self.status.setText(text)

    def finish(self, task: SetUpTask) -> None:
        """Show how the task ended.

        Args:
            task: The task.
        """
        self.task = None
        if not task.error:
            remember(task.python)
        if sip.isdeleted(self):
            return
        self._update()
        if task.error:
            self.status.setText(_sentence(task.error))
        elif task.options is None:
            self.status.setText("hsi-geo is removed.")
        else:
            self.status.setText(
                "hsi-geo is ready. Its algorithms are in the Processing toolbox, under <b>hsi-geo</b>."
            )

    def _update(self) -> None:
        running = self.task is not None
        installed = plan.read_state(environment_folder())
        wanted = plan.state_of_wheel(self.wheel) if self.wheel else None
        self.bar.setVisible(running)
        self.cancel_button.setVisible(running)
        self.remove_button.setEnabled(not running and os.path.isdir(environment_folder()))
        self.start_button.setText("Update" if installed and installed != wanted else "Set up")
        ready = self.pythons.count() > 0 or installed is not None
        self.start_button.setEnabled(not running and bool(self.wheel) and ready)
        self.pythons.setEnabled(not running)
        if running or self.search is not None:
            return
        if not self.wheel:
            text = (
                "This plugin comes from a checkout and carries no wheel of hsi-geo. <code>make plugin</code> "
                "builds the ZIP file that does."
            )
        elif installed and installed != wanted:
            text = f"hsi-geo {installed.version} is installed. The plugin brings another version: update it."
        elif installed:
            text = f"hsi-geo {installed.version} is installed."
        elif not self.pythons.count():
            text = _sentence(f"no Python 3.12 or newer was found; {where_to_get()}")
        else:
            text = "Choose <b>Set up</b> to begin. It takes some minutes."
        self.status.setText(text)

    def _sizes(self, *_: Any) -> None:
        self.sizes.setText(plan.sizes_text(self.options()))


def first_use() -> bool:
    """Whether QGIS has not yet offered the set-up in this profile; the next call says no."""
    settings = QgsSettings()
    offered = settings.value("hsi_geo/set_up_offered", False, type=bool)
    settings.setValue("hsi_geo/set_up_offered", True)
    return not offered


def _text(text: str) -> QLabel:
    label = QLabel(text)
    label.setWordWrap(True)
    label.setTextInteractionFlags(Qt.TextInteractionFlag.TextBrowserInteraction)
    return label


def _sentence(text: str) -> str:
    """A message as a sentence, with its addresses as links."""
    words = []
    for word in text.split(" "):
        address = word.strip("(),;'")
        words.append(
            word.replace(address, f'<a href="{address}">{address}</a>')
            if address.startswith("https://")
            else word
        )
    return text[:1].upper() + " ".join(words)[1:] + "."
