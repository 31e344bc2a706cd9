"""Cases on what algorithms leave in a project, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsLayerTreeGroup,
    QgsLayerTreeModel,
    QgsPointXY,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
)
from running import Job, algorithm, load, new_context, run, vector


def finished(job: Job) -> Job:
    """Classify twice in a project, and load the results as QGIS's own dialog does."""
    sys.path.append(job["plugins"])
    from hsi_geo_qgis import base
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.Postprocessing import handleAlgorithmResults
    from qgis.gui import QgsMessageBar

    class Interface:
        bar = QgsMessageBar()

        def messageBar(self) -> QgsMessageBar:
            return self.bar

        def activeLayer(self) -> None:
            return None

    vars(base)["iface"] = Interface()
    ProcessingConfig.initialize()
    scene = QgsRasterLayer(job["parameters"]["INPUT"], "Szene")
    project = QgsProject.instance()
    project.addMapLayer(scene)
    labels = vector(job["labels"])
    other = vector(job["labels"])  # lies above the labels that are learnt from
    other.setName("other")
    outputs = job["outputs"]
    runs, messages = [], []
    for number in range(2):
        context, feedback = new_context(), QgsProcessingFeedback()
        parameters = {**job["parameters"], "INPUT": scene.id(), "LABELS": labels.id()}
        for name, path in outputs[number].items():
            parameters[name] = QgsProcessingOutputLayerDefinition(path, project)
        done = algorithm("classify").create()
        _, ok = done.run(parameters, context, feedback, {}, False)
        assert ok, feedback.textLog()
        assert handleAlgorithmResults(done, context, feedback, parameters=parameters)
        end = time.monotonic() + 1
        while time.monotonic() < end:
            QgsApplication.processEvents()
        runs.append(feedback.textLog())
        messages.append([item.text() for item in Interface.bar.items()])
        Interface.bar.clearWidgets()  # QGIS shows no second message of the same text
    return {
        "logs": runs,
        "tree": [tree_of(node) for node in project.layerTreeRoot().children()],
        "messages": messages,
        "layers": {layer.source(): metadata_of(layer) for layer in project.mapLayers().values()},
    }


def group_in_view(job: Job) -> Job:
    """Which rows of the panel of layers are open after the layers of a run have come into their group."""
    from hsi_geo_qgis.run_group import ORDER, ArrangeLayer, RunSummary, run_group
    from qgis.gui import QgsLayerTreeView

    project = QgsProject.instance()
    root = project.layerTreeRoot()
    view, model = QgsLayerTreeView(), QgsLayerTreeModel(root)
    view.setModel(model)
    QgsApplication.processEvents()  # an open panel, not one that is still being laid out
    summary = RunSummary(
        "Classify", "0", "Szene", (), (), "class", datetime(2026, 11, 28, 14, 5), {}, {}
    )
    for output in ORDER:
        layer = QgsRasterLayer(job["raster"], output)
        project.addMapLayer(layer)
        QgsApplication.processEvents()
        ArrangeLayer(summary, output, output)._arrange(project, layer.id())
    QgsApplication.processEvents()
    group = run_group(root, summary)
    nodes = (group, *group.children())
    return {"open": {node.name(): view.isExpanded(view.node2index(node)) for node in nodes}}


def tree_of(node: Any) -> Any:
    if isinstance(node, QgsLayerTreeGroup):
        return [node.name(), [tree_of(child) for child in node.children()]]
    return [node.name(), node.isVisible()]


def metadata_of(layer: Any) -> Job:
    found = layer.metadata()
    boxes = found.extent().spatialExtents()
    return {
        "title": found.title(),
        "abstract": found.abstract(),
        "history": found.history(),
        "crs": boxes[0].extentCrs.authid() if boxes else "",
        "extent": [boxes[0].bounds.xMinimum(), boxes[0].bounds.yMaximum()] if boxes else [],
        "corner": [layer.extent().xMinimum(), layer.extent().yMaximum()],
    }


def loaded(job: Job) -> Job:
    """Run an algorithm, and look at the layers that the toolbox loads."""
    context = new_context()
    found = run(job["algorithm"], job["parameters"], context)
    found["layers"] = [
        load(path, details, context) for path, details in context.layersToLoadOnCompletion().items()
    ]
    return found


def open_scene(job: Job) -> Job:
    """Open products as the toolbox does, look at the layers, and classify with the first of them."""
    found, layers = [], []
    for parameters in job["runs"]:
        context = new_context()
        done = run("open", parameters, context)
        found.append({**done, "layers": []})
        for path, details in context.layersToLoadOnCompletion().items():
            layer = QgsProcessingUtils.mapLayerFromString(path, context)
            if details.postProcessor() is not None:
                details.postProcessor().postProcessLayer(layer, context, QgsProcessingFeedback())
            layer.setName(details.name)
            QgsProject.instance().addMapLayer(context.takeResultLayer(layer.id()))
            layers.append(layer)
            found[-1]["layers"].append(described(layer))
    if not layers:
        return {"runs": found}
    os.environ["HSI_GEO_PYTHON"] = job["fake"]
    if job["moved"]:
        Path(job["moved"]).unlink()
    again = str(Path(job["map"]).with_name("project.qgs"))
    QgsProject.instance().write(again)
    name = layers[0].name()
    QgsProject.instance().read(again)  # as on another day
    layer = QgsProject.instance().mapLayersByName(name)[0]
    given = {"LABELS": job["labels"], "CLASS_FIELD": "class", "OUTPUT": job["map"]}
    by_layer = run("classify", {**given, "INPUT": layer.id()})
    by_path = run("classify", {**given, "INPUT": found[0]["results"]["OUTPUT"]})
    return {"runs": found, "by_layer": by_layer, "by_path": by_path}


def described(layer: QgsRasterLayer) -> Job:
    renderer, extent = layer.renderer(), layer.extent()
    bands = renderer.usesBands()
    provider = layer.dataProvider()
    # Not the centre itself, which may lie between two pixels.
    x = extent.center().x() + layer.rasterUnitsPerPixelX() / 4
    y = extent.center().y() - layer.rasterUnitsPerPixelY() / 4
    return {
        "name": layer.name(),
        "renderer": renderer.type(),
        "bands": [layer.bandName(band) for band in bands],
        "crs": layer.crs().authid(),
        "extent": [extent.xMinimum(), extent.yMinimum(), extent.xMaximum(), extent.yMaximum()],
        "stretch": [renderer.redContrastEnhancement().minimumValue(),
                    renderer.redContrastEnhancement().maximumValue()]
        if renderer.type() == "multibandcolor" else None,
        "count": layer.bandCount(),
        "centre": [provider.sample(QgsPointXY(x, y), band + 1)[0] for band in range(layer.bandCount())],
    }  # fmt: skip


def several_scenes(job: Job) -> Job:
    """Classify several scenes of a project, and load the maps as QGIS's own dialog does."""
    sys.path.append(job["plugins"])
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.Postprocessing import handleAlgorithmResults

    ProcessingConfig.initialize()
    project = QgsProject.instance()
    layers = [QgsRasterLayer(path, name) for path, name in job["scenes"]]
    project.addMapLayers(layers)
    labels = vector(job["labels"])
    context, feedback = new_context(), QgsProcessingFeedback()
    moved: list[float] = []
    feedback.progressChanged.connect(moved.append)
    parameters = {
        **job["parameters"], "INPUTS": [layer.id() for layer in layers], "LABELS": labels.id(),
    }  # fmt: skip
    done = algorithm("classify_scenes").create()
    results, ok = done.run(parameters, context, feedback, {}, False)
    assert ok, feedback.textLog()
    QgsApplication.processEvents()  # signals from the thread that the process ran in
    progress = list(moved)
    assert handleAlgorithmResults(done, context, feedback, parameters=parameters)
    end = time.monotonic() + 1
    while time.monotonic() < end:
        QgsApplication.processEvents()
    return {
        "results": results,
        "log": feedback.textLog(),
        "progress": progress,
        "tree": [tree_of(node) for node in project.layerTreeRoot().children()],
    }
