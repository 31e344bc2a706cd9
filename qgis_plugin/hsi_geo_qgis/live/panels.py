"""Parts of the dock: notices, the scene, the tools, and what is being done."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qgis.core import QgsApplication, QgsMapLayer, QgsMapLayerProxyModel
from qgis.gui import QgsCollapsibleGroupBox, QgsMapLayerComboBox
from qgis.PyQt.QtCore import QSize, Qt, pyqtSignal
from qgis.PyQt.QtWidgets import (
    QCheckBox,
    QFormLayout,
    QFrame,
    QHBoxLayout,
    QLabel,
    QLineEdit,
    QMenu,
    QProgressBar,
    QPushButton,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

Act = Callable[[], None]


class Notice(QFrame):
    """One sentence in a coloured frame, with a button or without."""

    COLORS: Mapping[str, str] = {
        "problem": "background: #f8d7da; color: #58151c;",
        "warning": "background: #fff3cd; color: #664d03;",
        "success": "background: #d1e7dd; color: #0a3622;",
    }

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.kind = ""
        self.text = wrapped("")
        self.text.setOpenExternalLinks(True)
        self.button = QPushButton()
        self.button.setAutoDefault(False)
        self.close_button = QToolButton()
        self.close_button.setText("\N{MULTIPLICATION SIGN}")
        self.close_button.setAutoRaise(True)
        self.close_button.setToolTip("Close the message")
        self.close_button.clicked.connect(lambda _=False: self._close())
        self._act: Act | None = None
        self._kept: tuple[str, str, Act] | None = None
        self.button.clicked.connect(lambda _=False: self._press())
        row = QHBoxLayout()
        row.addWidget(self.text, 1)
        row.addWidget(self.close_button, 0, Qt.AlignmentFlag.AlignTop)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(8, 6, 4, 6)
        layout.addLayout(row)
        layout.addWidget(self.button, 0, Qt.AlignmentFlag.AlignLeft)
        self.hide()

    def say(
        self,
        kind: str,
        text: str,
        button: str = "",
        act: Act | None = None,
        *,
        is_html: bool = False,
    ) -> None:
        """Show a text.

        Args:
            kind: "problem", "warning" or "success".
            text: The text.
            button: Text of the button; empty for none.
            act: What the button does.
            is_html: Whether the text is HTML; else names in it may hold what looks like HTML.
        """
        self.kind, self._act = kind, act
        shown = Qt.TextFormat.RichText if is_html else Qt.TextFormat.PlainText
        self.text.setTextFormat(shown)
        style = self.COLORS[kind]
        self.setStyleSheet(f"Notice {{ {style} border-radius: 4px; }} QLabel {{ {style} }}")
        self.text.setText(text)
        self.button.setText(button)
        self.button.setVisible(bool(button))
        self.show()

    def keep(self, text: str, button: str, act: Act) -> None:
        """Show a problem that comes back after each other text, until `release`: nothing goes on without its button.

        Args:
            text: The text.
            button: Text of the button.
            act: What the button does.
        """
        self._kept = text, button, act
        self.say("problem", *self._kept)

    def release(self) -> None:
        """Let the problem of `keep` be over."""
        self._kept = None

    def clear(self, kind: str = "") -> None:
        """Hide the text, and show the problem that is kept.

        Args:
            kind: Only if the text is of this kind; empty for any.
        """
        if kind and kind != self.kind:
            return
        self._hide()
        if self._kept is not None:
            self.say("problem", *self._kept)

    def _close(self) -> None:
        """Close what is shown, as a person wants it."""
        is_kept = self._kept is not None and self.text.text() == self._kept[0]
        (self._hide if is_kept else self.clear)()

    def _hide(self) -> None:
        self.kind = ""
        self.hide()

    def _press(self) -> None:
        if self._act is not None:
            self._act()


class ScenePanel(QWidget):
    """The scene: a raster layer, or the file or folder of a product.

    Attributes:
        layer_chosen: Signal with the layer, or None.
        file_wanted: Signal: whether a folder is wanted instead of a file.
        options_changed: Signal when the scene has to be read in another way.
        trust_changed: Signal when shots are trusted or no longer.
    """

    layer_chosen = pyqtSignal(object)
    file_wanted = pyqtSignal(bool)
    options_changed = pyqtSignal()
    trust_changed = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.layers = layer_combo(QgsMapLayerProxyModel.Filter.RasterLayer)
        self.layers.layerChanged.connect(self.layer_chosen.emit)
        more = QToolButton()
        more.setText("…")
        more.setToolTip("Open a product: PRISMA, EMIT, EnMAP, DESIS, NEON, ENVI, Zarr ...")
        more.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(more)
        for text, is_folder in (("File of a product…", False), ("Folder of a product…", True)):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, it=is_folder: self.file_wanted.emit(it))
        more.setMenu(menu)
        row = QHBoxLayout()
        row.addWidget(self.layers, 1)
        row.addWidget(more)
        self.wavelengths = QLineEdit()
        self.wavelengths.setPlaceholderText("only for a scene that has none")
        self.wavelengths.setToolTip(
            "First and last wavelength in nm, as 400:2500, or the path of a file"
        )
        self.wavelengths.editingFinished.connect(self.options_changed.emit)
        self.trust = QCheckBox("Trust all shots")
        self.trust.setToolTip("Shots that look wrong weigh as much as others")
        self.trust.toggled.connect(lambda _: self.trust_changed.emit())
        self.options = QgsCollapsibleGroupBox("Options")
        form = QFormLayout(self.options)
        form.addRow("Wavelengths", self.wavelengths)
        form.addRow("", self.trust)
        self.options.setCollapsed(True)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        form = QFormLayout()
        form.addRow("Scene", row)
        layout.addLayout(form)
        layout.addWidget(self.options)

    def describe(self, text: str) -> None:
        """Show a line on the scene, when the cursor is over its name.

        Args:
            text: The line; empty for none.
        """
        self.layers.setToolTip(text)


class ShotsPanel(QWidget):
    """The layers of shots, and tools to draw them.

    Attributes:
        new_wanted: Signal: whether a GeoPackage is wanted instead of scratch layers.
        layers_chosen: Signal when other layers are chosen.
    """

    new_wanted = pyqtSignal(bool)
    layers_chosen = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.new_button = QToolButton()
        self.new_button.setText("New shots")
        self.new_button.setIcon(QgsApplication.getThemeIcon("/mActionNewVectorLayer.svg"))
        self.new_button.setToolButtonStyle(Qt.ToolButtonStyle.ToolButtonTextBesideIcon)
        self.new_button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        menu = QMenu(self.new_button)
        for text, is_file in (("Scratch layers", False), ("GeoPackage…", True)):
            action = menu.addAction(text)
            action.triggered.connect(lambda _=False, it=is_file: self.new_wanted.emit(it))
        self.new_button.setMenu(menu)
        self.points = layer_combo(QgsMapLayerProxyModel.Filter.PointLayer)
        self.polygons = layer_combo(QgsMapLayerProxyModel.Filter.PolygonLayer)
        for combo in (self.points, self.polygons):
            combo.layerChanged.connect(lambda _: self.layers_chosen.emit())
        self.points.setToolTip("Layer of points")
        self.polygons.setToolTip("Layer of polygons")
        row = QHBoxLayout()
        row.addWidget(QLabel("Layers"))
        row.addWidget(self.points, 1)
        row.addWidget(self.polygons, 1)
        self.tools = QHBoxLayout()
        self.tools.addWidget(self.new_button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addLayout(self.tools)
        layout.addLayout(row)

    def add_tool(self, text: str, icon: str, tip: str, act: Act, *, checkable: bool) -> QToolButton:
        """Add a button.

        Args:
            text: Its text.
            icon: Name of QGIS's icon.
            tip: Its tool tip.
            act: What it does.
            checkable: Whether it stays pressed.
        """
        button = QToolButton()
        button.setText(text)
        button.setIcon(QgsApplication.getThemeIcon(icon))
        button.setIconSize(QSize(20, 20))
        button.setToolTip(tip)
        button.setAccessibleName(text)
        button.setCheckable(checkable)
        button.clicked.connect(lambda _=False: act())
        self.tools.addWidget(button)
        return button


class WorkPanel(QWidget):
    """What is being done, with a bar, and Cancel.

    Attributes:
        cancelled: Signal: the work is to end.
    """

    cancelled = pyqtSignal()

    def __init__(self, parent: QWidget | None = None) -> None:
        super().__init__(parent)
        self.text = QLabel("")
        self.text.setTextFormat(Qt.TextFormat.PlainText)
        self.text.setWordWrap(True)
        self.bar = QProgressBar()
        self.bar.setTextVisible(False)
        self.bar.setFixedHeight(8)
        self.button = QToolButton()
        self.button.setText("Cancel")
        self.button.clicked.connect(lambda _=False: self.cancelled.emit())
        row = QHBoxLayout()
        row.addWidget(self.bar)
        row.addWidget(self.button)
        layout = QVBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.text)
        layout.addLayout(row)
        self.work("", 0.0)

    def work(self, text: str, percent: float) -> None:
        """Show what is done.

        Args:
            text: What is done; empty for nothing.
            percent: Per cent; -1 if it is not known.
        """
        for widget in (self.bar, self.button):
            widget.setEnabled(bool(text))
        self.bar.setRange(0, 0 if text and percent < 0 else 100)
        if percent >= 0:
            self.bar.setValue(round(percent))
        if text:
            self.text.setText(f"{text} …")
        elif self.text.text().endswith(" …"):
            self.text.setText("")

    def tell(self, text: str) -> None:
        """Show a text until the next work.

        Args:
            text: The text.
        """
        self.text.setText(text)


def layer_combo(kind: Any) -> QgsMapLayerComboBox:
    """A list of layers of the project, none of which is chosen.

    Args:
        kind: Kind of the layers.
    """
    combo = QgsMapLayerComboBox()
    combo.setAllowEmptyLayer(True)
    combo.setFilters(kind)
    combo.setLayer(None)
    combo.setMinimumWidth(120)
    combo.setSizePolicy(QSizePolicy.Policy.Ignored, QSizePolicy.Policy.Fixed)
    return combo


def set_layer(combo: QgsMapLayerComboBox, layer: QgsMapLayer | None) -> None:
    """Choose a layer without telling anybody.

    Args:
        combo: The list.
        layer: The layer; None for none.
    """
    combo.blockSignals(True)
    combo.setLayer(layer)
    combo.blockSignals(False)


def wrapped(text: str) -> QLabel:
    """A text that takes as many lines as it needs.

    Args:
        text: The text.
    """
    label = QLabel(text)
    label.setWordWrap(True)
    label.setMinimumWidth(60)
    return label
