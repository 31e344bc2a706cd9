"""Cases on names and colours of classes in a layer's style, which `cases.py` runs inside QGIS's own Python."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsEditorWidgetSetup,
    QgsFeature,
    QgsGeometry,
    QgsMarkerSymbol,
    QgsPalettedRasterRenderer,
    QgsProcessingFeedback,
    QgsProject,
    QgsRandomColorRamp,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QLocale
from qgis.PyQt.QtGui import QColor
from running import Job, run, vector


def _points(field: str, values: list[Any]) -> Any:
    layer = QgsVectorLayer(f"Point?crs=EPSG:32633&field=k:{field}", "Orte", "memory")
    rows = []
    for value in values:
        row = QgsFeature(layer.fields())
        row.setGeometry(QgsGeometry.fromWkt("Point(5 7)"))
        row.setAttributes([value])
        rows.append(row)
    layer.dataProvider().addFeatures(rows)
    return layer


def names_by_locale(job: Job) -> Job:
    """Names that QGIS's own Classify gives numbers, in several locales: of points and of a raster."""
    from hsi_geo_qgis.class_styles import class_styles, raster_styles

    found: Job = {}
    layers = [_points("integer", job["codes"]), _points("double", job["decimals"])]
    raster = QgsRasterLayer(job["raster"], "Codes")
    before = QLocale()
    for locale in job["locales"]:
        QLocale.setDefault(QLocale(locale))
        styles, labels = [], []
        for layer in layers:
            values = sorted(layer.uniqueValues(0))
            categories = QgsCategorizedSymbolRenderer.createCategories(
                values, QgsMarkerSymbol.createSimple({}), layer, "k"
            )
            labels += [one.label() for one in categories]
            layer.setRenderer(QgsCategorizedSymbolRenderer("k", categories))
            styles.append(class_styles(layer, "k"))
        provider = raster.dataProvider()
        classes = QgsPalettedRasterRenderer.classDataFromRaster(provider, 1, QgsRandomColorRamp())
        raster.setRenderer(QgsPalettedRasterRenderer(provider, 1, classes))
        styles.append(raster_styles(raster))
        names = {value: one.get("name", value) for each in styles for value, one in each.items()}
        found[locale] = {"labels": labels, "names": names}
    QLocale.setDefault(before)
    return found


def doubled_labels(job: Job) -> Job:
    """Names of points and of a raster, two of whose classes have one label."""
    from hsi_geo_qgis.class_styles import class_styles, raster_styles

    feedback, styles = QgsProcessingFeedback(), []
    layer = _points("integer", [int(value) for value in job["labels"]])
    categories = [
        QgsRendererCategory(int(value), QgsMarkerSymbol.createSimple({}), label)
        for value, label in job["labels"].items()
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer("k", categories))
    styles.append(class_styles(layer, "k", feedback))
    raster = QgsRasterLayer(job["raster"], "Codes")
    classes = [
        QgsPalettedRasterRenderer.Class(int(value), QColor("#123456"), label)
        for value, label in job["labels"].items()
    ]
    raster.setRenderer(QgsPalettedRasterRenderer(raster.dataProvider(), 1, classes))
    styles.append(raster_styles(raster, feedback))
    names = [{value: one.get("name", value) for value, one in each.items()} for each in styles]
    return {"names": names, "log": feedback.textLog()}


def zones_of_one_text(job: Job) -> Job:
    """Texts of zones, some of which the form shows alike, for each chosen field; what is said."""
    from hsi_geo_qgis.class_styles import form_names

    layer = QgsVectorLayer("Polygon?field=gem:integer&field=kreis:string", "Gemeinden", "memory")
    rows = []
    for values in job["values"]:
        row = QgsFeature(layer.fields())
        row.setAttributes(values)
        rows.append(row)
    layer.dataProvider().addFeatures(rows)
    for index, texts in enumerate(job["texts"]):
        config = {"map": [{text: value} for value, text in texts]}
        layer.setEditorWidgetSetup(index, QgsEditorWidgetSetup("ValueMap", config))
    found: Job = {}
    for field in job["fields"]:
        feedback = QgsProcessingFeedback()
        found[field] = {"names": form_names(layer, field, feedback), "log": feedback.textLog()}
    return found


def parents_of_layers(job: Job) -> Job:
    """Classify with labels in several layers, whose forms show texts for the parents, or none."""
    ids: list[str] = []
    for path, texts in job["layers"]:
        layer = QgsVectorLayer(path, f"Punkte {len(ids)}")
        config = {"map": [{text: value} for value, text in texts]}
        index = layer.fields().lookupField("up")
        if texts:
            layer.setEditorWidgetSetup(index, QgsEditorWidgetSetup("ValueMap", config))
        QgsProject.instance().addMapLayer(layer)
        ids.append(layer.id())
    given = {"LABELS": ids[0], "MORE_LABELS": ids[1:], "PARENT_FIELD": "up"}
    return run("classify", {**job["parameters"], **given})


def mapped_parents_and_zones(job: Job) -> Job:
    """Classify with parents and zones whose form shows a text for each number."""
    labels = vector(job["labels"])
    zones = QgsVectorLayer(job["zones"], "Gemeinden")
    QgsProject.instance().addMapLayer(zones)
    for layer, field, texts in (
        (labels, "up", job["parents"]),
        (zones, job["field"], job["named"]),
    ):
        config = {"map": [{text: value} for value, text in texts.items()]}
        index = layer.fields().lookupField(field)
        layer.setEditorWidgetSetup(index, QgsEditorWidgetSetup("ValueMap", config))
    given = {"LABELS": labels.id(), "PARENT_FIELD": "UP", "ZONES": zones.id()}
    return run("classify", {**job["parameters"], **given, "ZONE_FIELD": job["chosen"]})
