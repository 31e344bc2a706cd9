"""Export layers of QGIS to files that hsi-geo reads."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsFields,
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

Parameters = dict[str, Any]


def raster_path(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> str:
    """Path or name that GDAL opens for a raster parameter.

    Args:
        algorithm: The algorithm of the parameter.
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.

    Raises:
        QgsProcessingException: If it is no raster, or one that GDAL does not read.
    """
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        raise QgsProcessingException(algorithm.invalidRasterError(parameters, name))
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"layer '{layer.name()}' comes from '{layer.providerType()}', not from a file; "
            "export it as GeoTIFF"
        )
    # Without the open options that QGIS appends to the source.
    parts = QgsProviderRegistry.instance().decodeUri("gdal", layer.source())
    return str(parts.get("path") or layer.source())


def export_features(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
    field: str = "",
) -> str:
    """Write the features of a parameter to a GeoPackage among QGIS's temporary files.

    Edits that are not saved yet are written, too. If the parameter says so, only selected features are.

    Args:
        algorithm: The algorithm of the parameter.
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.
        feedback: Its cancelling ends the writing.
        field: Name of the one field to write; empty writes none.

    Returns:
        Path of the GeoPackage.

    Raises:
        QgsProcessingException: If there is no such layer, or it cannot be written.
    """
    source = algorithm.parameterAsSource(parameters, name, context)
    if source is None:
        raise QgsProcessingException(algorithm.invalidSourceError(parameters, name))
    fields, attributes = QgsFields(), []
    if field:
        attributes = [source.fields().lookupField(field)]
        if attributes[0] < 0:
            known = ", ".join(f"'{known}'" for known in source.fields().names())
            raise QgsProcessingException(
                f"layer '{source.sourceName()}' has no field '{field}', only {known}"
            )
        fields.append(source.fields().at(attributes[0]))
    path = temporary_file(f"{_file_name(source.sourceName())}.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    # The user's field may have the name that GDAL gives its own columns.
    options.layerOptions = ["FID=hsi_geo_fid", "GEOMETRY_NAME=hsi_geo_geometry"]
    writer = QgsVectorFileWriter.create(
        path, fields, source.wkbType(), source.sourceCrs(), context.transformContext(), options
    )
    if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
        raise QgsProcessingException(f"'{path}' cannot be written: {writer.errorMessage()}")
    request = QgsFeatureRequest().setSubsetOfAttributes(attributes)
    # hsi-geo repairs invalid polygons, or names them in an error.
    unchecked = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for feature in source.getFeatures(request, unchecked):
        if feedback.isCanceled():
            break
        copy = QgsFeature(fields)
        copy.setGeometry(feature.geometry())
        copy.setAttributes([feature.attribute(index) for index in attributes])
        if not writer.addFeature(copy, QgsFeatureSink.Flag.FastInsert):
            raise QgsProcessingException(f"'{path}' cannot be written: {writer.errorMessage()}")
    del writer  # closes the file
    return path


def class_styles(
    parameters: Parameters, name: str, field: str, context: QgsProcessingContext
) -> dict[str, dict[str, str]]:
    """Names and colours of classes from a layer's categorised symbols; call on the main thread.

    Args:
        parameters: As given to the algorithm.
        name: Name of the parameter.
        field: Field with the class.
        context: As given to the algorithm.

    Returns:
        {value: {"name": ..., "color": "#rrggbb"}}; empty if the layer is styled by something else.
    """
    layer = _vector_layer(parameters.get(name), context)
    if layer is None:
        return {}
    if context.project() is None or context.project().mapLayer(layer.id()) is None:
        layer.loadDefaultStyle()  # a file given by its path: the style saved beside it
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer):
        return {}
    if renderer.classAttribute().strip('"') != field:
        return {}
    found = {
        _class_name(category.value()): {
            "name": category.label().strip() or _class_name(category.value()),
            "color": category.symbol().color().name(),
        }
        for category in renderer.categories()
        if category.symbol() is not None and isinstance(category.value(), (str, int, float))
    }
    found.pop("", None)
    names = [style["name"] for style in found.values()]
    if len(set(names)) < len(names):  # two classes of one label: use the values
        for value, style in found.items():
            style["name"] = value
    return found


def write_class_styles(styles: dict[str, dict[str, str]]) -> str | None:
    """Write class names and colours for --classes.

    Args:
        styles: Name and colour by value; see `class_styles`.

    Returns:
        Path of the file; None if there are no styles.
    """
    if not styles:
        return None
    path = temporary_file("classes.json")
    with open(path, "w", encoding="utf-8") as file:
        json.dump(styles, file, ensure_ascii=False)
    return path


def temporary_file(name: str) -> str:
    """A path in a new temporary folder, which QGIS removes when it ends.

    Args:
        name: Name of the file.
    """
    return str(QgsProcessingUtils.generateTempFilename(name))


def _vector_layer(value: Any, context: QgsProcessingContext) -> QgsVectorLayer | None:
    if isinstance(value, QgsProcessingFeatureSourceDefinition):
        value = value.source.staticValue()
    if isinstance(value, str):
        value = QgsProcessingUtils.mapLayerFromString(value, context)
    is_vector = isinstance(value, QgsMapLayer) and isinstance(value, QgsVectorLayer)
    return value if is_vector else None


def _class_name(value: Any) -> str:
    """The name that hsi-geo gives a class: integers without a decimal point."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _file_name(name: str) -> str:
    """A layer's name as a file name, so that messages show the name of the layer."""
    return re.sub(r"[^\w .-]", "_", os.path.basename(name)).strip(" .") or "layer"
