"""Cases on files that a run replaces while the project shows them, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsApplication,
    QgsDataProvider,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsVectorLayer,
)
from running import Job, algorithm, new_context, run


def replaced_results(job: Job) -> Job:
    """Run each algorithm several times into one file, and load the result as the toolbox does.

    Returns:
        What the layers of the project show after each run.
    """
    sys.path.append(job["plugins"])
    from processing.core.ProcessingConfig import ProcessingConfig
    from processing.gui.Postprocessing import handleAlgorithmResults

    ProcessingConfig.initialize()
    project, found = QgsProject.instance(), []
    for row in job["rows"]:
        context, feedback = new_context(), QgsProcessingFeedback()
        output: Any = row["output"]  # not opened
        if row["is_opened"]:
            output = QgsProcessingOutputLayerDefinition(output, project)
        done = algorithm(row["algorithm"]).create()
        parameters = {**row["parameters"], "OUTPUT": output}
        _, ok = done.run(parameters, context, feedback, {}, False)
        assert ok, feedback.textLog()
        assert handleAlgorithmResults(done, context, feedback, parameters=parameters)
        layers = [one for one in project.mapLayers().values() if row["output"] in one.source()]
        found.append([shown(one) for one in layers])
    return {"rows": found}


def replaced_rasters(job: Job) -> Job:
    """Replace the file of a layer, and let each step that follows a run look at the layer."""
    from hsi_geo_qgis.live.finish import add_results
    from hsi_geo_qgis.run_group import ArrangeLayer, RunSummary
    from hsi_geo_qgis.styling import StyleBeside, StyleOfMap

    path, other = job["path"], job["other"]
    when = datetime(2026, 11, 28, 14, 5)
    summary = RunSummary("Classify", "0", "Szene", (), (), "class", when, {}, {})
    style = str(Path(path).with_suffix(".qml"))

    def finish(layer: Any) -> None:
        add_results({"outputs": {"map": path}}, "Szene", {}, "class", when)

    steps = {
        "a result": lambda layer: StyleBeside().postProcessLayer(layer, new_context(), None),
        "a mosaic": lambda layer: StyleOfMap(style).postProcessLayer(layer, new_context(), None),
        "a map": lambda layer: ArrangeLayer(summary, "OUTPUT", "Map").postProcessLayer(
            layer, new_context(), None
        ),
        "hsi-geo live": finish,
    }
    found: Job = {}
    for name, step in steps.items():
        copy(job["first"], path)
        layer = QgsRasterLayer(path, "map")
        QgsProject.instance().addMapLayer(layer)
        before = shown(layer)
        copy(other, path)
        step(layer)
        QgsApplication.processEvents()  # QGIS removes layers later that are nowhere in the tree
        found[name] = [before, shown(layer)]
        found[f"layers of {name}"] = len(QgsProject.instance().mapLayers())
        QgsProject.instance().clear()
    return found


def replaced_twins(job: Job) -> Job:
    """Replace a file that two layers show, one of them in a group of the user, as a run and *Finish* do."""
    from hsi_geo_qgis.live.finish import add_results
    from hsi_geo_qgis.styling import read_anew

    path, old = job["path"], str(Path(job["path"]).with_name("old.tif"))
    project, root = QgsProject.instance(), QgsProject.instance().layerTreeRoot()
    folder, when = str(Path(path).parent), datetime(2026, 11, 28, 14, 5)
    copy(job["first"], old)
    os.utime(old, (0, 0))
    steps: dict[str, Callable[[], Any]] = {
        "a run": lambda: read_anew(project, [path]),
        "a batch": lambda: read_anew(project, [folder], time.time() - 60),
        "hsi-geo live": lambda: add_results({"outputs": {"map": path}}, "Szene", {}, "class", when),
    }
    found: Job = {}
    for name, step in steps.items():
        copy(job["first"], path)
        mine, twin, other = (QgsRasterLayer(one, "My map") for one in (path, path, old))
        project.addMapLayers([twin, other])
        project.addMapLayer(mine, False)
        root.addGroup("My own group").addLayer(mine)
        other.setOpacity(0.5)
        copy(job["other"], path)
        step()
        QgsApplication.processEvents()
        found[name] = [shown(mine), shown(twin)]
        names = {node.name(): [one.name() for one in node.children()] for node in root.findGroups()}
        found[f"tree of {name}"] = [names, mine.name(), other.opacity()]
        project.clear()
    return found


def edited_results(job: Job) -> Job:
    """Run algorithms into files whose layers are being edited."""
    rows = []
    for row in job["rows"]:
        layer = QgsVectorLayer(row["shown"], "my places")
        QgsProject.instance().addMapLayer(layer)
        layer.startEditing()
        layer.changeAttributeValue(1, layer.fields().lookupField("class"), "seen")
        done = run(row["algorithm"], row["parameters"])
        rows.append([done["ok"], done.get("error") or done["log"]])
        layer.rollBack()
        QgsProject.instance().clear()
    return {"rows": rows}


def copy(source: str, target: str) -> None:
    """Put a file in the place of another, in one step as hsi-geo does; the style beside it, too."""
    for end in (".tif", ".qml"):
        part = Path(target).with_suffix(f"{end}.part")
        shutil.copyfile(Path(source).with_suffix(end), part)
        part.replace(Path(target).with_suffix(end))


def shown(layer: Any) -> Job:
    """What a layer shows: features, or the classes of its pixels; its legend and the widgets of its form."""
    if isinstance(layer, QgsVectorLayer):
        widgets = [layer.editorWidgetSetup(i).type() for i in range(layer.fields().count())]
        return {
            "count": len(list(layer.getFeatures())),
            "renderer": layer.renderer().type(),
            "widgets": sorted({one for one in widgets if one}),
        }
    block = layer.dataProvider().block(1, layer.extent(), layer.width(), layer.height())
    values = {block.value(r, c) for r in range(layer.height()) for c in range(layer.width())}
    return {
        "values": sorted(values - {0}),
        "legend": [label for label, _ in layer.legendSymbologyItems()],
    }


def broken_layers(job: Job) -> Job:
    """Give layers to an algorithm whose file is gone, as the scene, the labels, and among several ones."""
    raster, points = job["parameters"]["INPUT"], job["labels"]
    gone = [QgsRasterLayer(raster, "Szene"), QgsVectorLayer(points, "Punkte")]
    good = [QgsRasterLayer(raster, "good"), QgsVectorLayer(points, "good points")]
    for layer in gone:
        missing = str(Path(job["folder"]) / f"gone{Path(layer.source()).suffix}")
        provider = QgsDataProvider.ProviderOptions()
        layer.setDataSource(missing, layer.name(), layer.providerType(), provider)
    QgsProject.instance().addMapLayers([*gone, *good])
    common = {**job["parameters"], "LABELS": good[1]}
    rows = {
        "scene": ("classify", {**common, "INPUT": gone[0]}),
        "labels": ("classify", {**common, "LABELS": gone[1]}),
        "more labels": ("classify", {**common, "MORE_LABELS": [gone[1]]}),
        "more rasters": ("classify", {**common, "MORE_LABELS": [gone[0]]}),
        "scenes": ("classify_scenes", {**common, "INPUTS": [good[0], gone[0]]}),
        "path of labels": ("classify", {**common, "MORE_LABELS": [points, "/nowhere/a.gpkg"]}),
        "path of a scene": ("adapt", {**common, "INPUTS": [raster, "/nowhere/b.tif"]}),
        "path of a tile": (
            "batch",
            {**common, "INPUTS": [raster, "/nowhere/c.tif"], "MODEL": raster},
        ),
    }
    found = {}
    for name, (one, parameters) in rows.items():
        done = run(one, parameters)
        found[name] = [done["ok"], done.get("error") or done["log"]]
    return found


CASES = (broken_layers, edited_results, replaced_rasters, replaced_results, replaced_twins)
