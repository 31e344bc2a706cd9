"""Export layers of QGIS to files that hsi-geo reads."""

from __future__ import annotations

import json
import os
import re
from typing import Any

from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsExpressionContext,
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
    QgsRasterLayer,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from .class_field import MAX_CLASSES, class_name, default_class_field, shown_names

Parameters = dict[str, Any]

#: Custom property of a layer that *Open scene* made: path of the product that it shows.
PRODUCT_PROPERTY = "hsi_geo/product"

#: What QGIS appends to the source of a raster layer: options of its driver, and of its login.
_SOURCE_OPTIONS = re.compile(r"\|(?:option|credential):.*$|\s+authcfg='\w*'$")


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
    return layer_path(layer, context)


def layer_path(layer: QgsRasterLayer, context: QgsProcessingContext) -> str:
    """Path or name that GDAL opens for a raster layer.

    Args:
        layer: The layer.
        context: As given to the algorithm.

    Raises:
        QgsProcessingException: If GDAL does not read it.
    """
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"layer '{layer.name()}' comes from '{layer.providerType()}', not from a file; "
            "export it as GeoTIFF"
        )
    product = _product_of(layer, context)
    return product or without_options(layer.source())


def without_options(source: str) -> str:
    """The name that GDAL opens, of a raster layer's source.

    Args:
        source: Source of the layer: a path, a file in an archive, a part of a file; maybe with the options
            that QGIS appends.

    >>> without_options("/vsizip/a.zip/b.tif|option:NUM_THREADS=2")
    '/vsizip/a.zip/b.tif'
    """
    return _SOURCE_OPTIONS.sub("", source)


def _product_of(layer: QgsRasterLayer, context: QgsProcessingContext) -> str:
    """Path of the product that a layer of *Open scene* shows; empty for any other layer."""
    if context.project() is None or context.project().mapLayer(layer.id()) is None:
        layer.loadDefaultStyle()  # a file given by its path: the property is saved beside it
    product = str(layer.customProperty(PRODUCT_PROPERTY) or "")
    if product and not product.startswith("/vsi") and not os.path.exists(product):
        raise QgsProcessingException(
            f"layer '{layer.name()}' shows the product '{product}', which does not exist any more; choose "
            "the product where it is now instead of the layer"
        )
    return product


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


def vector_layer(
    parameters: Parameters, name: str, context: QgsProcessingContext
) -> QgsVectorLayer | None:
    """The layer of a parameter, with its style; call on the main thread.

    Args:
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.

    Returns:
        The layer; None if the parameter is no vector layer.
    """
    layer = _vector_layer(parameters.get(name), context)
    if layer is not None and (
        context.project() is None or context.project().mapLayer(layer.id()) is None
    ):
        layer.loadDefaultStyle()  # a file given by its path: the style saved beside it
    return layer


def chosen_field(layer: QgsVectorLayer | None, field: str) -> str:
    """The field with the class; call on the main thread.

    Args:
        layer: The layer of labels; None if it is no vector layer.
        field: Field that the user chose; empty for the layer's own.

    Returns:
        Name of the field.

    Raises:
        QgsProcessingException: If none was chosen, and no field of the layer can hold a class.
    """
    found = field or ("" if layer is None else default_class_field(layer))
    if not found and layer is not None:
        raise QgsProcessingException(
            f"layer '{layer.name()}' has no field of text or whole numbers; add one that holds the class of "
            "each feature"
        )
    return found


def class_styles(layer: QgsVectorLayer | None, field: str) -> dict[str, dict[str, str]]:
    """Names and colours of classes, as a layer's style and form show them; call on the main thread.

    The label of a category names a class, if it is not only the value. Else the form's text does,
    such as that of a value map.

    Args:
        layer: The layer of labels, with its style; None if it is no vector layer.
        field: Field with the class.

    Returns:
        {value: {"name": ..., "color": "#rrggbb"}}, each of the two where there is one.
    """
    index = -1 if layer is None else layer.fields().lookupField(field)
    if layer is None or index < 0:
        return {}
    values = [value for value in layer.uniqueValues(index) if _is_class(value)]
    if len(values) > MAX_CLASSES:
        return {}
    categories = _categories(layer, field, values)
    shown = shown_names(layer, field, values)
    labels = {value: label for value, (label, _) in categories.items() if label not in ("", value)}
    names = {**shown, **labels}
    for possible in (names, shown, {}):  # two classes of one name: use the next best
        given = [possible.get(class_name(value), class_name(value)) for value in values]
        if len(set(given)) == len(given):
            names = possible
            break
    styles: dict[str, dict[str, str]] = {}
    for value in map(class_name, values):
        if value in categories or value in names:
            styles[value] = {"name": names.get(value, value)}
        if value in categories:
            styles[value]["color"] = categories[value][1]
    return styles


def _categories(layer: QgsVectorLayer, field: str, values: list[Any]) -> dict[str, tuple[str, str]]:
    """Label and colour by value of a field, if the layer's categories are made from that field only."""
    renderer = layer.renderer()
    if not isinstance(renderer, QgsCategorizedSymbolRenderer) or not values:
        return {}
    fields, attribute = layer.fields(), renderer.classAttribute()
    index = fields.lookupField(field)
    expression = None
    if fields.lookupField(attribute) != index:
        expression = QgsExpression(attribute)
        used = {fields.lookupField(name) for name in expression.referencedColumns()} - {-1}
        if used != {index} or not expression.isValid():
            return {}
    by_value = {}
    for category in renderer.categories():
        grouped = isinstance(category.value(), (list, tuple))
        for value in category.value() if grouped else [category.value()]:
            if category.symbol() is not None and _is_class(value):
                label = "" if grouped else category.label().strip()
                by_value[class_name(value)] = (label, category.symbol().color().name())
    found = {}
    for value in values:
        category_value = value
        if expression is not None:
            feature = QgsFeature(fields)
            feature.setAttribute(index, value)
            scope = QgsExpressionContext()
            scope.setFields(fields)
            scope.setFeature(feature)
            category_value = expression.evaluate(scope)
        if class_name(category_value) in by_value:
            label, color = by_value[class_name(category_value)]
            plain = label == class_name(category_value)
            found[class_name(value)] = ("" if plain else label, color)
    return found


def _is_class(value: Any) -> bool:
    return isinstance(value, (str, int, float)) and class_name(value) != ""


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


def _file_name(name: str) -> str:
    """A layer's name as a file name, so that messages show the name of the layer."""
    return re.sub(r"[^\w .-]", "_", os.path.basename(name)).strip(" .") or "layer"
