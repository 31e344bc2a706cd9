"""The layer that shows the preview. It is in the project, but never in the project's file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsDataProvider,
    QgsMapLayer,
    QgsPalettedRasterRenderer,
    QgsProject,
    QgsRasterLayer,
)
from qgis.PyQt.QtCore import QObject, QTimer
from qgis.PyQt.QtGui import QColor

#: Custom property of the layer: the file that it shows. It is part of the style, which may come to other layers.
PREVIEW_PROPERTY = "hsi_geo/preview"

NAME = "Preview (not the finished map)"

#: Bands of the preview file: class ids, and opacity.
CLASS_BAND, ALPHA_BAND = 1, 4


class PreviewLayer(QObject):
    """Shows the last preview right below the shots."""

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        project = QgsProject.instance()
        project.writeProject.connect(self._leave)
        self._id = ""  # of the layer that was made here; others may have its style
        self._left: tuple[Any, Any, int, bool] | None = None
        self._is_covered = False  # by a map that was written

    def layer(self) -> QgsRasterLayer | None:
        """The layer; None if there is none."""
        found = QgsProject.instance().mapLayer(self._id)
        return found if isinstance(found, QgsRasterLayer) else None

    def show(
        self, path: str, classes: Sequence[Mapping[str, Any]], below: Sequence[QgsMapLayer]
    ) -> str:
        """Show a preview.

        Args:
            path: Path of its file.
            classes: ``id``, ``name`` and ``color`` of its classes.
            below: Layers that stay above it.

        Returns:
            What is wrong, as one sentence; empty if nothing is.
        """
        layer = self.layer()
        if layer is None:
            layer = QgsRasterLayer(path, NAME, "gdal")
            if not layer.isValid():
                return "QGIS cannot read the preview."
            self._id = layer.id()
            layer.setCustomProperty(PREVIEW_PROPERTY, path)
            _style(layer, classes)
            self._add(layer, below)
            return ""
        layer.setDataSource(path, NAME, "gdal", QgsDataProvider.ProviderOptions())
        if not layer.isValid():
            return "QGIS cannot read the preview."
        layer.setCustomProperty(PREVIEW_PROPERTY, path)
        _style(layer, classes)
        layer.triggerRepaint()
        if self._is_covered:
            self._is_covered = False
            self._set_visible(True)
        return ""

    def hide(self) -> None:
        """Uncheck the layer until the next preview: a map of the same shots is shown."""
        self._is_covered = True
        self._set_visible(False)

    def _set_visible(self, visible: bool) -> None:
        layer = self.layer()
        node = None if layer is None else QgsProject.instance().layerTreeRoot().findLayer(layer)
        if node is not None:
            node.setItemVisibilityChecked(visible)

    def remove(self) -> None:
        """Remove the layer from the project, also one that comes back after saving: another project may be open then."""
        self._left, self._is_covered = None, False
        layer = self.layer()
        if layer is not None:
            QgsProject.instance().removeMapLayer(layer.id())

    def _add(self, layer: QgsRasterLayer, below: Sequence[QgsMapLayer]) -> None:
        project = QgsProject.instance()
        project.addMapLayer(layer, False)
        root = project.layerTreeRoot()
        nodes = [node for node in map(root.findLayer, below) if node is not None]
        parent, position = root, 0
        if nodes:
            order = [node.layerId() for node in root.findLayers()]
            lowest = max(nodes, key=lambda node: order.index(node.layerId()))
            parent = lowest.parent()
            position = parent.children().index(lowest) + 1
        parent.insertLayer(position, layer).setExpanded(False)

    # Saving ---------------------------------------------------------------------------------------

    def _leave(self, document: Any) -> None:
        """Take the layer out of the project while it is saved: its file goes with the engine."""
        layer, project = self.layer(), QgsProject.instance()
        if layer is None:
            return
        node = project.layerTreeRoot().findLayer(layer)
        parent = project.layerTreeRoot() if node is None else node.parent()
        position = 0 if node is None else parent.children().index(node)
        visible = True if node is None else bool(node.itemVisibilityChecked())
        taken = project.takeMapLayer(layer)
        if taken is None:
            return
        self._left = (taken, parent, position, visible)
        nodes = document.elementsByTagName("layer-tree-layer")
        for index in reversed(range(nodes.count())):
            element = nodes.at(index).toElement()
            if element.attribute("id") == taken.id():
                element.parentNode().removeChild(element)
        QTimer.singleShot(0, self._return)  # saved or not

    def _return(self) -> None:
        if self._left is None:
            return
        (layer, parent, position, visible), self._left = self._left, None
        project = QgsProject.instance()
        was_dirty = project.isDirty()
        project.addMapLayer(layer, False)
        node = parent.insertLayer(min(position, len(parent.children())), layer)
        node.setItemVisibilityChecked(visible)
        node.setExpanded(False)
        project.setDirty(was_dirty)


def is_preview(layer: QgsMapLayer) -> bool:
    """Whether a layer shows a preview, and has not only the style of one.

    Args:
        layer: The layer.
    """
    shown = str(layer.customProperty(PREVIEW_PROPERTY) or "")
    return bool(shown) and os.path.abspath(str(layer.source())) == os.path.abspath(shown)


def remove_previews() -> None:
    """Remove previews that a project's file holds all the same: their files are gone."""
    project = QgsProject.instance()
    for layer in list(project.mapLayers().values()):
        if is_preview(layer):
            project.removeMapLayer(layer.id())


def _style(layer: QgsRasterLayer, classes: Sequence[Mapping[str, Any]]) -> None:
    shown = [
        QgsPalettedRasterRenderer.Class(int(one["id"]), QColor(one["color"]), str(one["name"]))
        for one in classes
    ]
    renderer = QgsPalettedRasterRenderer(layer.dataProvider(), CLASS_BAND, shown)
    if layer.bandCount() >= ALPHA_BAND:
        renderer.setAlphaBand(ALPHA_BAND)
    layer.setRenderer(renderer)
    layer.emitStyleChanged()
