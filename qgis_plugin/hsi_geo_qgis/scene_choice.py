"""Which scene and labels a dialog suggests, and what is wrong with the choice of a scene."""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProject, QgsRasterLayer, QgsVectorLayer
from qgis.PyQt.QtCore import QThread
from qgis.utils import iface

from .class_field import styled_field
from .layers import Parameters

#: A raster of fewer bands is not suggested as a scene.
FEWEST_BANDS = 8


def scene_problem(parameters: Parameters) -> str:
    """What is wrong with the choice of a scene: none is given, or two are; empty if nothing is.

    Args:
        parameters: As given to the algorithm.
    """
    layer, product = parameters.get("INPUT"), parameters.get("PRODUCT")
    if layer and product:
        return "a layer and a product are given, and only one scene is mapped; clear one of the two"
    if not layer and not product:
        return "no scene is given; choose a raster layer, or the file, folder or link of a product"
    return ""


def suggested_scene() -> str | None:
    """Id of the layer that dialogs suggest as the scene: the active one, else that of the most bands."""
    application = QgsApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return None  # layers live on the main thread
    layers = [
        layer
        for layer in QgsProject.instance().mapLayers().values()
        if isinstance(layer, QgsRasterLayer)
        and layer.providerType() == "gdal"
        and layer.bandCount() >= FEWEST_BANDS
    ]
    if not layers:
        return None
    active = [] if iface is None else [layer for layer in layers if layer == iface.activeLayer()]
    return str(max(active or layers, key=lambda layer: layer.bandCount()).id())


def suggested_labels() -> str | None:
    """Id of the layer that dialogs suggest as labels: the active one, one drawn by categories, or the topmost."""
    application = QgsApplication.instance()
    if application is None or QThread.currentThread() != application.thread():
        return None  # layers live on the main thread
    layers = [
        node.layer()
        for node in QgsProject.instance().layerTreeRoot().findLayers()
        if isinstance(node.layer(), QgsVectorLayer) and node.layer().isSpatial()
    ]
    if not layers:
        return None
    active = [] if iface is None else [layer for layer in layers if layer == iface.activeLayer()]
    styled = [layer for layer in layers if styled_field(layer)]
    return str((active or styled or layers)[0].id())
