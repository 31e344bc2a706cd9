"""Layers for new shots."""

from __future__ import annotations

from dataclasses import replace

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsEditFormConfig,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from ..class_field import default_class_field
from .classes import (
    Classes,
    is_number,
    layer_values,
    new_class,
    read_categories,
    style_layer,
)
from .shot_features import FIELD

#: Custom property of a layer that *New shots* made.
SHOTS_PROPERTY = "hsi_geo/shots"

#: Kind of the layers, in QGIS's words, and their names.
KINDS = (("Point", "Shots (points)"), ("Polygon", "Shots (polygons)"))

#: Their tables in a GeoPackage.
TABLES = ("points", "polygons")


def make_layers(
    crs: QgsCoordinateReferenceSystem, classes: Classes, path: str
) -> tuple[list[QgsVectorLayer], str]:
    """Make a layer of points and one of polygons. They are not in the project yet.

    Args:
        crs: CRS of the layers.
        classes: Their classes; two if there are none.
        path: Path of a GeoPackage, which is replaced; empty for scratch layers.

    Returns:
        The layers, and what went wrong (empty if nothing did).
    """
    while len(classes) < 2:
        classes = (*classes, new_class(classes, is_numeric=False))
    texts = tuple(replace(one, value=one.name, own=()) for one in classes)
    made = []
    for kind, name in KINDS:
        layer = QgsVectorLayer(f"{kind}?field={FIELD}:string(0)", name, "memory")
        layer.setCrs(crs)
        made.append(layer)
    if path:
        for layer, table in zip(made, TABLES):
            problem = _save(layer, path, table, is_first=table == TABLES[0])
            if problem:
                return [], problem
        # Only now: a layer that is open holds the file in a state that others do not write well.
        made = [
            QgsVectorLayer(f"{path}|layername={table}", name, "ogr")
            for table, (_, name) in zip(TABLES, KINDS)
        ]
    for layer, (kind, _) in zip(made, KINDS):
        layer.setCustomProperty(SHOTS_PROPERTY, kind)
        form = layer.editFormConfig()  # QGIS's own tools ask for no attributes
        form.setSuppress(QgsEditFormConfig.FeatureFormSuppress.SuppressOn)
        layer.setEditFormConfig(form)
        style_layer(layer, FIELD, texts)
    return made, ""


def is_made(layer: QgsVectorLayer) -> bool:
    """Whether *New shots* made a layer. A style that is pasted onto another layer brings the property along.

    Args:
        layer: The layer.
    """
    return bool(layer.customProperty(SHOTS_PROPERTY)) and FIELD in layer.fields().names()


def class_field(layer: QgsVectorLayer) -> str:
    """The field with the class of a layer that is chosen.

    Args:
        layer: A vector layer.

    Returns:
        Name of the field; empty if none can hold a class.
    """
    field = FIELD if is_made(layer) else default_class_field(layer)
    return "" if _holds_decimals(layer, field) else field


def _holds_decimals(layer: QgsVectorLayer, field: str) -> bool:
    """Whether a field of numbers, such as the one that a layer is styled by, has some that are not whole."""
    index = layer.fields().lookupField(field)
    if index < 0 or not layer.fields().at(index).isNumeric():
        return False
    styled = [value for value, _, _ in read_categories(layer, field)]
    return not all(map(is_number, [*styled, *layer_values(layer, field)]))


def _save(layer: QgsVectorLayer, path: str, table: str, *, is_first: bool) -> str:
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", table
    options.actionOnExistingFile = (
        QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteFile
        if is_first
        else QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
    )
    context = QgsProject.instance().transformContext()
    error, message, *_ = QgsVectorFileWriter.writeAsVectorFormatV3(layer, path, context, options)
    return "" if error == QgsVectorFileWriter.WriterError.NoError else str(message)
