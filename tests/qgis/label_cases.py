"""Cases on layers of labels, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

import os
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsFeatureRequest,
    QgsGeometry,
    QgsMarkerSymbol,
    QgsPalettedRasterRenderer,
    QgsPointXY,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor
from running import Job, classify, load, new_context, run, vector


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


def numbered_features(job: Job) -> Job:
    """Export features with the ids of each row, and three that were drawn and not saved."""
    from hsi_geo_qgis.feature_export import export_source

    layer = QgsVectorLayer("Point?crs=EPSG:32633&field=class:string", "x", "memory")
    context, feedback = new_context(), QgsProcessingFeedback()

    def point(number: int, fid: int) -> QgsFeature:
        feature = QgsFeature(layer.fields(), fid)
        feature.setGeometry(QgsGeometry.fromPointXY(QgsPointXY(number, number)))
        feature["class"] = str(number)
        return feature

    class Source(QgsProcessingFeatureSource):
        def __init__(self, ids: list[int]) -> None:
            super().__init__(layer, context)
            self.ids = ids

        def getFeatures(self, *_: Any) -> Any:
            return (point(number, fid) for number, fid in enumerate(self.ids))

    def exported(source: QgsProcessingFeatureSource) -> list[Any]:
        found = QgsVectorLayer(export_source(source, context, feedback, "class"), "found", "ogr")
        return [[one.id(), one["class"]] for one in found.getFeatures()]

    rows = [exported(Source(ids)) for ids in job["rows"]]
    layer.dataProvider().addFeatures([point(0, 1)])
    layer.startEditing()
    for number in (1, 2, 3):
        layer.addFeature(point(number, 0))
    return {"rows": rows, "unsaved": exported(QgsProcessingFeatureSource(layer, context))}


def without_crs(job: Job) -> Job:
    """A temporary layer that nobody gave a CRS."""
    layer = vector(job["labels"]).materialize(QgsFeatureRequest())
    layer.setCrs(QgsCoordinateReferenceSystem())
    QgsProject.instance().addMapLayer(layer)
    return run("classify", {**job["parameters"], "LABELS": layer}, new_context())


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
