"""Widgets of the dialogs: the file or folder of a product or a library, and the field with the class."""

from __future__ import annotations

from typing import Any

from processing.gui.wrappers import WidgetWrapper
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingParameterDefinition,
    QgsProject,
    QgsSettings,
)
from qgis.gui import QgsFieldComboBox, QgsFileWidget, QgsGui
from qgis.PyQt.QtWidgets import QFileDialog, QHBoxLayout, QToolButton, QWidget

from .class_field import default_class_field
from .layers import vector_layer

#: Setting of the folder in which QGIS's dialogs begin.
_LAST_FOLDER = "/Processing/LastInputPath"


class _Widget(WidgetWrapper):
    """A widget for one parameter in dialogs of algorithms and batches; the modeler keeps QGIS's own.

    Args:
        parameter: The parameter.
        dialog: The dialog.
        row: Row in a batch.
        column: Column in a batch.
    """

    def __new__(
        cls, parameter: QgsProcessingParameterDefinition, dialog: Any, row: int = 0, column: int = 0
    ) -> Any:
        if type(dialog).__name__ == "ModelerParametersDialog":
            return QgsGui.processingGuiRegistry().createModelerParameterWidget(
                dialog.model, dialog.childId, parameter, dialog.context
            )
        return super().__new__(cls)

    def __init__(
        self,
        parameter: QgsProcessingParameterDefinition,
        dialog: Any,
        row: int = 0,
        column: int = 0,
    ) -> None:
        self.context = QgsProcessingContext()
        self.context.setProject(QgsProject.instance())
        super().__init__(parameter, dialog, row, column)

    def other(self, wrappers: list[Any], name: str) -> Any:
        """The widget of another parameter.

        Args:
            wrappers: The widgets of the dialog, or of a row of the batch.
            name: Name of the parameter.
        """
        return next((w for w in wrappers if w.parameterDefinition().name() == name), None)


class _PathWidget(_Widget):
    """A path, with one button for a file and one for a folder.

    Attributes:
        WHAT: What is chosen, for the titles of dialogs.
        EXAMPLES: Text in the empty field.
        FOLDERS: Examples of folders.
    """

    WHAT, EXAMPLES, FOLDERS = "", "", ""

    def createWidget(self) -> QWidget:
        """Make the widget."""
        whole = QWidget()
        layout = QHBoxLayout(whole)
        layout.setContentsMargins(0, 0, 0, 0)
        self.path = QgsFileWidget()
        self.path.setStorageMode(QgsFileWidget.StorageMode.GetFile)
        self.path.setFilter(self.parameterDefinition().fileFilter())
        self.path.setDialogTitle(f"Choose the file of a {self.WHAT}")
        self.path.setDefaultRoot(str(QgsSettings().value(_LAST_FOLDER, "") or ""))
        self.path.lineEdit().setPlaceholderText(self.EXAMPLES)
        self.folder = QToolButton()
        self.folder.setText("Folder…")
        self.folder.setToolTip(f"Choose the folder of a {self.WHAT}, such as {self.FOLDERS}")
        self.folder.clicked.connect(self.choose_folder)
        layout.addWidget(self.path)
        layout.addWidget(self.folder)
        self.path.fileChanged.connect(lambda _: self.widgetValueHasChanged.emit(self))
        return whole

    def choose_folder(self) -> None:
        """Ask for a folder."""
        begin = self.path.filePath() or str(QgsSettings().value(_LAST_FOLDER, "") or "")
        title = f"Choose the folder of a {self.WHAT}"
        found = QFileDialog.getExistingDirectory(self.path, title, begin)
        if found:
            QgsSettings().setValue(_LAST_FOLDER, found)
            self.path.setFilePath(found)

    def setValue(self, value: Any) -> None:
        """Show a path."""
        self.path.setFilePath("" if value is None else str(value))

    def value(self) -> Any:
        """The path; None if there is none."""
        return self.path.filePath().strip() or None


class ProductWidget(_PathWidget):
    """The path or link of a product. It and the layer exclude each other."""

    WHAT = "product"
    EXAMPLES = "PRISMA, EMIT, EnMAP, DESIS, NEON, ENVI, Zarr, https:// ..."
    FOLDERS = "EnMAP's or a Zarr store"

    def postInitialize(self, wrappers: list[Any]) -> None:
        """Clear the layer when a path is chosen, and the path when a layer is."""
        self.layer = self.other(wrappers, "INPUT")
        if self.layer is not None:
            self.widgetValueHasChanged.connect(self._clear_layer)
            self.layer.widgetValueHasChanged.connect(self._clear_path)

    def _clear_layer(self, _: Any) -> None:
        if self.value() and self.layer.parameterValue():
            self.layer.setParameterValue(None, self.context)

    def _clear_path(self, _: Any) -> None:
        if self.layer.parameterValue() and self.value():
            self.path.setFilePath("")


class LibraryWidget(_PathWidget):
    """The path of a spectral library."""

    WHAT = "spectral library"
    EXAMPLES = "ENVI .sli, CSV, EnMAP-Box .gpkg, .asd, .sig ..."
    FOLDERS = "one of field spectra"


class ClassFieldWidget(_Widget):
    """The fields of the layer of labels. The one that the layer is styled by is chosen first."""

    def createWidget(self) -> QWidget:
        """Make the widget."""
        self.fields = QgsFieldComboBox()
        self.fields.setAllowEmptyFieldName(True)
        self.fields.fieldChanged.connect(lambda _: self.widgetValueHasChanged.emit(self))
        return self.fields

    def setValue(self, value: Any) -> None:
        """Choose a field."""
        self.fields.setField("" if value is None else str(value))

    def value(self) -> Any:
        """Name of the field; None if none is chosen."""
        return self.fields.currentField() or None

    def postInitialize(self, wrappers: list[Any]) -> None:
        """Follow the layer of labels."""
        self.labels = self.other(wrappers, self.parameterDefinition().parentLayerParameterName())
        if self.labels is not None:
            self.labels.widgetValueHasChanged.connect(self._follow)
            self._follow(self.labels)

    def _follow(self, _: Any) -> None:
        name = self.labels.parameterDefinition().name()
        layer = vector_layer({name: self.labels.parameterValue()}, name, self.context)
        if layer is None:
            self.fields.setLayer(None)
        elif layer != self.fields.layer():
            self.fields.setLayer(layer)
            self.fields.setField(default_class_field(layer))
