"""Cases that tests run inside QGIS's own Python: ``python3 cases.py CASE < JSON``.

Each takes its settings as JSON on stdin and prints one JSON object as its last line.
"""

from __future__ import annotations

import faulthandler
import json
import os
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from designer_cases import batch_dialog, dialogs, helped, whole_model
from qgis.core import (
    QgsApplication,
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsLayerTreeGroup,
    QgsLayerTreeModel,
    QgsMarkerSymbol,
    QgsPalettedRasterRenderer,
    QgsPointXY,
    QgsProcessingAlgorithm,
    QgsProcessingAlgRunnerTask,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingModelAlgorithm,
    QgsProcessingModelChildAlgorithm,
    QgsProcessingModelChildParameterSource,
    QgsProcessingModelOutput,
    QgsProcessingModelParameter,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterRasterLayer,
    QgsProcessingParameterVectorLayer,
    QgsProcessingUtils,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QEventLoop, QTimer
from qgis.PyQt.QtGui import QColor
from set_up_cases import menu, set_up, set_up_dialog

Job = dict[str, Any]


class Listener(QgsProcessingFeedback):
    """Keeps the stages begun, which the log does not hold."""

    def __init__(self) -> None:
        super().__init__()
        self.stages: set[str] = set()

    def setProgressText(self, text: str) -> None:
        self.stages.add(text)


def algorithm(name: str) -> QgsProcessingAlgorithm:
    return QgsApplication.processingRegistry().createAlgorithmById(f"hsi_geo:{name}")


def run(name: str, parameters: Job, context: QgsProcessingContext | None = None) -> Job:
    """Run an algorithm as the toolbox does: what it returns, or its sentence, and its log."""
    feedback = QgsProcessingFeedback()
    moved: list[float] = []
    feedback.progressChanged.connect(moved.append)
    context = context or new_context()
    try:
        results, ok = algorithm(name).run(parameters, context, feedback, {}, False)
    except QgsProcessingException as error:
        return {"ok": False, "error": str(error), "log": feedback.textLog()}
    QgsApplication.processEvents()  # signals from the thread that the process ran in
    return {"ok": ok, "results": results, "log": feedback.textLog(), "progress": moved}


def new_context() -> QgsProcessingContext:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return context


def vector(path: str) -> QgsVectorLayer:
    layer = QgsVectorLayer(path, "Meine Flächen")
    QgsProject.instance().addMapLayer(layer)
    return layer


def classify(job: Job, labels: Any) -> Job:
    return run("classify", {**job["parameters"], "LABELS": labels})


# Cases -------------------------------------------------------------------------------------------


def selected_only(job: Job) -> Job:
    layer = vector(job["labels"])
    layer.selectByExpression(job["expression"])
    source = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    return classify(job, source)


def unsaved_edits(job: Job) -> Job:
    """Delete the features of an expression and add a point, saving neither; run the row as it is."""
    layer = vector(job["labels"])
    layer.startEditing()
    layer.selectByExpression(job["expression"])
    layer.deleteSelectedFeatures()
    added = QgsFeature(layer.fields())
    added.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(*job["point"])))
    added.setAttribute(job["parameters"]["CLASS_FIELD"], job["class"])
    layer.addFeature(added)
    found = classify(job, layer)
    layer.rollBack()
    return found


def temporary_and_styled(job: Job) -> Job:
    """A temporary layer in other coordinates, with categories, in an environment that suits QGIS.

    Results are loaded as the toolbox does, and looked at.
    """
    saved = vector(job["labels"])
    crs = QgsCoordinateReferenceSystem("EPSG:4326")
    request = QgsFeatureRequest().setDestinationCrs(crs, QgsProject.instance().transformContext())
    layer = saved.materialize(request)
    QgsProject.instance().addMapLayer(layer)
    categories = []
    for value, (label, color) in job["categories"].items():
        symbol = QgsMarkerSymbol.createSimple({})
        symbol.setColor(QColor(color))
        categories.append(QgsRendererCategory(value, symbol, label))
    field = job["parameters"]["CLASS_FIELD"]
    layer.setRenderer(QgsCategorizedSymbolRenderer(field, categories))
    for name in ("GDAL_DATA", "PROJ_LIB", "PROJ_DATA", "PYTHONHOME", "PYTHONPATH"):
        os.environ[name] = "/nowhere"
    context = new_context()
    parameters = {**job["parameters"], "LABELS": layer}
    for name in ("OUTPUT", "CONFIDENCE"):
        parameters[name] = QgsProcessingOutputLayerDefinition(
            parameters[name], QgsProject.instance()
        )
    found = run("classify", parameters, context)
    found["provider"] = layer.providerType()
    found["layers"] = {
        details.outputName: load(path, details, context)
        for path, details in context.layersToLoadOnCompletion().items()
        if found["ok"]
    }
    return found


def without_crs(job: Job) -> Job:
    """A temporary layer that nobody gave a CRS."""
    layer = vector(job["labels"]).materialize(QgsFeatureRequest())
    layer.setCrs(QgsCoordinateReferenceSystem())
    QgsProject.instance().addMapLayer(layer)
    return run("classify", {**job["parameters"], "LABELS": layer}, new_context())


def load(path: str, details: Any, context: QgsProcessingContext) -> Job:
    layer = QgsProcessingUtils.mapLayerFromString(path, context)
    if details.postProcessor() is not None:
        details.postProcessor().postProcessLayer(layer, context, QgsProcessingFeedback())
    assert isinstance(layer, QgsRasterLayer)
    renderer = layer.renderer()
    legend = [(label, color.name()) for label, color in renderer.legendSymbologyItems()]
    return {"renderer": renderer.type(), "legend": legend}


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


def cancelled(job: Job) -> Job:
    """Cancel a background task, as the dialog does, when it has reached a stage."""
    parameters = {**job["parameters"], "LABELS": job["labels"]}
    # The stage may be over by the time of a check: a short one fits between two.
    return cancelled_when("classify", parameters, lambda feedback: job["stage"] in feedback.stages)


def cancelled_when(name: str, parameters: Job, is_time: Callable[[Listener], bool]) -> Job:
    """Run an algorithm as a background task, cancel it at some time, and measure how long that takes."""
    context, feedback = new_context(), Listener()  # the task does not own the context
    task = QgsProcessingAlgRunnerTask(algorithm(name), parameters, context, feedback)
    loop = QEventLoop()
    state: Job = {"asked": 0.0, "ok": None}

    def check() -> None:
        if not state["asked"] and is_time(feedback):
            state["asked"] = time.monotonic()
            feedback.cancel()

    def done(ok: bool, results: Job) -> None:
        state.update(ok=ok, results=results, took=time.monotonic() - state["asked"])
        loop.quit()

    timer = QTimer()
    timer.timeout.connect(check)
    timer.start(10)
    task.executed.connect(done)
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(120_000, loop.quit)
    loop.exec()
    return {**state, "log": feedback.textLog()}


def two_steps(job: Job) -> Job:
    """Build a model of Classify and Assess, and save it for qgis_process."""
    model = QgsProcessingModelAlgorithm("classify and assess", "tests")
    model.addModelParameter(
        QgsProcessingParameterRasterLayer("SCENE", "Scene"), QgsProcessingModelParameter("SCENE")
    )
    for name in ("SHOTS", "TRUTH"):
        model.addModelParameter(
            QgsProcessingParameterVectorLayer(name, name), QgsProcessingModelParameter(name)
        )

    def value(text: str) -> list[Any]:
        return [QgsProcessingModelChildParameterSource.fromStaticValue(text)]

    def given(name: str) -> list[Any]:
        return [QgsProcessingModelChildParameterSource.fromModelParameter(name)]

    def step(name: str, child: str, output: tuple[str, str], sources: dict[str, list[Any]]) -> None:
        added = QgsProcessingModelChildAlgorithm(f"hsi_geo:{name}")
        added.setChildId(child)
        for parameter, source in sources.items():
            added.addParameterSources(parameter, source)
        title, produces = output
        shown = QgsProcessingModelOutput(title, title)
        shown.setChildId(child)
        shown.setChildOutputName(produces)
        added.setModelOutputs({title: shown})
        model.addChildAlgorithm(added)

    field = value(job["field"])
    step(
        "classify", "first", ("Map", "OUTPUT"),
        {"INPUT": given("SCENE"), "LABELS": given("SHOTS"), "CLASS_FIELD": field},
    )  # fmt: skip
    produced = QgsProcessingModelChildParameterSource.fromChildOutput("first", "OUTPUT")
    step(
        "assess", "second", ("Numbers", "OUTPUT"),
        {"INPUT": [produced], "REFERENCE": given("TRUTH"), "CLASS_FIELD": field},
    )  # fmt: skip
    return {"ok": model.toFile(job["path"])}


def batch(job: Job) -> Job:
    """What the batch dialog does: one algorithm, a row of parameters each."""
    return {"rows": [run(job["algorithm"], row) for row in job["rows"]]}


def checked(job: Job) -> Job:
    """What a dialog says of parameters before it runs."""
    rows = []
    for row in job["rows"]:
        ok, reason = algorithm(job["algorithm"]).checkParameterValues(row, new_context())
        rows.append({"ok": ok, "reason": reason})
    return {"rows": rows}


def loaded(job: Job) -> Job:
    """Run an algorithm, and look at the layers that the toolbox loads."""
    context = new_context()
    found = run(job["algorithm"], job["parameters"], context)
    found["layers"] = [
        load(path, details, context) for path, details in context.layersToLoadOnCompletion().items()
    ]
    return found


def cancelled_batch(job: Job) -> Job:
    """Cancel a batch when its first map is there."""
    maps = Path(job["maps"])
    return cancelled_when("batch", job["parameters"], lambda _: bool(list(maps.glob("?.tif"))))


def dialog(job: Job) -> Job:
    """Open the dialog of an algorithm with layers in the project, and change what a user changes."""
    sys.path.append(job["plugins"])
    from processing.gui.AlgorithmDialog import AlgorithmDialog

    for path in job["rasters"]:
        layer = QgsRasterLayer(path, Path(path).name)
        assert layer.isValid(), path
        QgsProject.instance().addMapLayer(layer)
    for path in job["vectors"]:
        layer = QgsVectorLayer(path, Path(path).name)
        assert layer.isValid(), path
        QgsProject.instance().addMapLayer(layer)
    shown = AlgorithmDialog(algorithm("classify"))
    panel = shown.mainWidget()
    wrappers, found = panel.wrappers, []

    def look() -> None:
        values = panel.createProcessingParameters()
        given = {name: values.get(name) for name in ("INPUT", "PRODUCT", "LABELS", "CLASS_FIELD")}
        for name in ("INPUT", "LABELS"):
            layer = QgsProject.instance().mapLayer(str(given[name]))
            given[name] = layer.name() if layer is not None else given[name]
        ok, reason = algorithm("classify").checkParameterValues(
            {**values, "OUTPUT": "map.tif"}, new_context()
        )
        found.append({**given, "ok": ok, "reason": reason})

    look()
    for name, value in job["changes"]:
        layers = QgsProject.instance().mapLayersByName(str(value))
        wrappers[name].setParameterValue(layers[0].id() if layers else value, new_context())
        look()
    return {"seen": found}


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


def layers_of_project(job: Job) -> Job:
    """Classify layers that a user added to the project, from sources that are no paths."""
    scene = QgsRasterLayer(job["parameters"]["INPUT"], "Szene")
    assert scene.isValid(), job
    QgsProject.instance().addMapLayer(scene)
    labels = vector(job["labels"])
    assert labels.isValid(), job
    parameters = {**job["parameters"], "INPUT": scene.id(), "LABELS": labels.id()}
    return run("classify", parameters)


def named_values(job: Job) -> Job:
    """Classify points whose field shows a text for each number, by a value map or another layer."""
    layer = vector(job["labels"])
    if job["widget"] == "ValueMap":
        config: Job = {"map": [{name: value} for value, name in job["names"].items()]}
    else:
        table = QgsVectorLayer("None?field=code:int&field=kind:string", "kinds", "memory")
        rows = []
        for value, name in job["names"].items():
            row = QgsFeature(table.fields())
            row.setAttributes([int(value), name])
            rows.append(row)
        table.dataProvider().addFeatures(rows)
        QgsProject.instance().addMapLayer(table)
        config = {"Layer": table.id(), "Key": "code", "Value": "kind"}
    index = layer.fields().lookupField("code")
    layer.setEditorWidgetSetup(index, QgsEditorWidgetSetup(job["widget"], config))
    if job["categories"]:
        attribute = job["categories"]
        values: list[tuple[Any, str]] = [(1, "#112233"), (2, "#445566"), (3, "#778899")]
        if attribute != "code":
            values = [(f"<{value}>", color) for value, color in values]
        found = []
        for value, color in values:
            symbol = QgsMarkerSymbol.createSimple({})
            symbol.setColor(QColor(color))
            found.append(QgsRendererCategory(value, symbol, str(value)))
        layer.setRenderer(QgsCategorizedSymbolRenderer(attribute, found))
    return classify(job, layer)


def several_labels(job: Job) -> Job:
    """Classify by several layers of labels, some of them rasters that are drawn by unique values."""
    ids = []
    for path, name in job["layers"]:
        raster = path.endswith(".tif")
        layer = QgsRasterLayer(path, name) if raster else QgsVectorLayer(path, name)
        assert layer.isValid(), path
        if raster and job["drawn"]:
            classes = [
                QgsPalettedRasterRenderer.Class(value, QColor(color), label)
                for value, label, color in job["drawn"]
            ]
            layer.setRenderer(QgsPalettedRasterRenderer(layer.dataProvider(), 1, classes))
        QgsProject.instance().addMapLayer(layer)
        ids.append(layer.id())
    main = ids[0] if job["main"] else None
    if main and job["selected"]:
        QgsProject.instance().mapLayer(main).selectByExpression(job["selected"])
        main = QgsProcessingFeatureSourceDefinition(main, True)
    further = ids[1:] if job["main"] else ids
    return run(
        job["algorithm"],
        {**job["parameters"], job["parameter"]: main, f"MORE_{job['parameter']}": further},
    )


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


def commands_in_log(job: Job) -> Job:
    """Classify as it is, and with commands shown in the log."""
    from hsi_geo_qgis.settings_page import SettingsPageFactory
    from qgis.PyQt.QtWidgets import QWidget

    logs = []
    parent = QWidget()
    page = SettingsPageFactory().createWidget(parent)
    for shown in (page.commands.isChecked(), True):
        page.commands.setChecked(shown)
        page.apply()
        logs.append(classify(job, job["labels"])["log"])
    return {"logs": logs}


def settings_page(job: Job) -> Job:
    """Open the page of the options, accept another Python, and open it again."""
    from hsi_geo_qgis.runner import launcher
    from hsi_geo_qgis.settings_page import SettingsPageFactory
    from qgis.PyQt.QtWidgets import QWidget

    parent = QWidget()
    factory = SettingsPageFactory()
    page = factory.createWidget(parent)
    page.python.set_path(job["python"])
    page.apply()
    again = factory.createWidget(parent)
    return {"shown": again.python.path(), "origin": launcher().origin}


CASES: dict[str, Callable[[Job], Job]] = {
    case.__name__: case
    for case in (
        selected_only,
        unsaved_edits,
        temporary_and_styled,
        without_crs,
        finished,
        group_in_view,
        cancelled,
        two_steps,
        batch,
        cancelled_batch,
        checked,
        loaded,
        dialog,
        layers_of_project,
        several_labels,
        several_scenes,
        commands_in_log,
        helped,
        dialogs,
        batch_dialog,
        whole_model,
        named_values,
        open_scene,
        settings_page,
        set_up,
        set_up_dialog,
        menu,
    )
}


def main() -> None:
    faulthandler.enable()
    application = QgsApplication([], True)
    application.initQgis()
    from hsi_geo_qgis.plugin import HsiGeoPlugin

    plugin = HsiGeoPlugin(None)
    plugin.initProcessing()
    found = CASES[sys.argv[1]](json.load(sys.stdin))
    sys.stdout.write("\n" + json.dumps(found, default=str) + "\n")
    sys.stdout.flush()
    plugin.unload()
    # QGIS's own tear-down crashes now and then once plugins are gone; the answer is out.
    os._exit(0)


if __name__ == "__main__":
    main()
