"""Layers of QGIS: the files that they show, and those that are made for a run."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorLayer,
)

from .products import ShownProduct, foreign_product, gone_options, product_of, without_options
from .raster_overrides import crs_problem, require_nodata_of_file

Parameters = dict[str, Any]

#: Fields in which a sample of *Draw places to check a map* remembers how it was drawn.
SAMPLE_FIELDS = ("stratum", "stratum_px", "stratum_ha", "stratum_n")


def raster_path(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
    *,
    zero_is_missing: bool = True,
) -> str:
    """Path or name that GDAL opens for a raster parameter of classes, heights or per cent.

    Args:
        algorithm: The algorithm of the parameter.
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.
        zero_is_missing: Whether 0 is no data where the file names no other value, as in rasters of classes.

    Raises:
        QgsProcessingException: If it is no raster, or one that GDAL does not read, or QGIS shows it in another CRS
            or with other values of no data than its file says.
    """
    layer = _raster_layer(algorithm, parameters, name, context)
    path = layer_path(layer, context)
    require_nodata_of_file(layer, zero_is_missing=zero_is_missing)
    return path


def scene_path(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback | None = None,
) -> str:
    """Path or name that GDAL opens for a raster parameter of a scene.

    Args:
        algorithm: The algorithm of the parameter.
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.
        feedback: See `layer_path`.

    Raises:
        QgsProcessingException: If it is no raster, or see `layer_path`.
    """
    return layer_path(_raster_layer(algorithm, parameters, name, context), context, feedback)


def _raster_layer(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> QgsRasterLayer:
    layer = algorithm.parameterAsRasterLayer(parameters, name, context)
    if layer is None:
        raise QgsProcessingException(algorithm.invalidRasterError(parameters, name))
    return layer


def layer_path(
    layer: QgsRasterLayer,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback | None = None,
    *,
    may_lack_crs: bool = False,
) -> str:
    """Path or name that GDAL opens for a raster layer.

    Args:
        layer: The layer.
        context: As given to the algorithm.
        feedback: Receives a warning, instead of an error, of a CRS that only QGIS holds.
        may_lack_crs: Whether the file may have no CRS, since that of the layer is taken.

    Raises:
        QgsProcessingException: If GDAL does not read it, or QGIS shows it in another CRS than its file says.
    """
    if layer.providerType() != "gdal":
        raise QgsProcessingException(
            f"layer '{layer.name()}' comes from '{layer.providerType()}', not from a file; "
            "export it as GeoTIFF"
        )
    product = shown_product(layer, context)
    path = "" if product is None else product.path
    if not path:
        require_readable(layer)
    if path and not is_link(path) and not os.path.exists(path):
        raise QgsProcessingException(
            f"layer '{layer.name()}' shows the product '{path}', which does not exist any more; choose "
            "the product where it is now instead of the layer"
        )
    # A product is read itself, also where the copy that showed it is gone.
    problem = crs_problem(layer, path, may_lack_crs=may_lack_crs) if layer.isValid() else ""
    if problem:
        if feedback is None:
            raise QgsProcessingException(problem)
        feedback.pushWarning(problem)
    return path or without_options(layer.source())


def require_readable(layer: QgsMapLayer) -> None:
    """Refuse a layer that QGIS marks as broken.

    Args:
        layer: The layer.

    Raises:
        QgsProcessingException: If its file is missing, or cannot be read.
    """
    if not layer.isValid():
        raise QgsProcessingException(
            f"layer '{layer.name()}' cannot be read: its file '{without_options(layer.source())}' is missing or damaged; "
            "correct it with 'Repair Data Source', or choose another layer"
        )


def given_layers(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> list[QgsMapLayer]:
    """The layers of a parameter of several layers. QGIS leaves those out without a word that it cannot open.

    Args:
        algorithm: The algorithm of the parameter.
        parameters: As given to the algorithm.
        name: Name of the parameter.
        context: As given to the algorithm.

    Raises:
        QgsProcessingException: If one of them cannot be opened.
    """
    given = parameters.get(name)
    found = list(algorithm.parameterAsLayerList(parameters, name, context) or [])
    for one in given if isinstance(given, (list, tuple)) else []:
        if isinstance(one, str) and QgsProcessingUtils.mapLayerFromString(one, context) is None:
            title = algorithm.parameterDefinition(name).description()
            raise QgsProcessingException(
                f"'{one}' in '{title}' cannot be opened; check its path, or leave it out"
            )
    if given and not found:
        raise QgsProcessingException(algorithm.invalidSourceError(parameters, name))
    return found


def shown_product(
    layer: QgsRasterLayer,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback | None = None,
) -> ShownProduct | None:
    """The product that a layer of *Open scene* shows, without options whose file is gone; None for any other layer.

    Args:
        layer: The layer.
        context: As given to the algorithm.
        feedback: Receives the warnings of `product_warnings`.
    """
    if context.project() is None or context.project().mapLayer(layer.id()) is None:
        layer.loadDefaultStyle()  # a file given by its path: the product is saved beside it
    if feedback is not None:
        for warning in product_warnings(layer):
            feedback.pushWarning(warning)
    product = product_of(layer)
    if product is None:
        return None
    gone = gone_options(product.options)
    return replace(
        product, options={name: one for name, one in product.options.items() if name not in gone}
    )


def product_warnings(layer: QgsRasterLayer) -> list[str]:
    """What a user of a scene's layer may not expect: sentences on the product that its style names.

    Args:
        layer: The layer, with its style.
    """
    found, product, other = [], product_of(layer), foreign_product(layer)
    if other:
        found.append(
            f"layer '{layer.name()}' has the style of a layer that shows the product '{other}', but its own file is "
            "read, which is another one; to read the product, choose it instead of the layer"
        )
    for path in gone_options({} if product is None else product.options).values():
        found.append(
            f"layer '{layer.name()}' was opened with '{path}', which does not exist any more; the product is read "
            "without it, unless you choose another one"
        )
    return found


def is_link(name: str) -> bool:
    """Whether a name is an address, or one of GDAL's names, and no path of a file.

    >>> is_link("https://a.org/b.nc"), is_link("/vsizip/a.zip/b.tif"), is_link("C:/a.tif")
    (True, True, False)
    """
    return "://" in name or name.startswith("/vsi")


def scene_title(name: str) -> str:
    """The last part of a path or a link, without the query of a link.

    >>> scene_title("https://a.org/x/b.nc?token=a/c"), scene_title("/a/EnMAP/")
    ('b.nc', 'EnMAP')
    """
    if "://" in name:
        name = re.split(r"[?#]", name, maxsplit=1)[0]
    return os.path.basename(name.rstrip("/\\"))


def file_stem(name: str, most_bytes: int) -> str:
    """The begin of a name that a file can have: disks have names of up to 255 bytes.

    Args:
        name: The name.
        most_bytes: Its most bytes in UTF-8.

    >>> file_stem("Größe", 4)
    'Grö'
    """
    return name.encode("utf-8", "replace")[:most_bytes].decode("utf-8", "ignore")


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


def selection_problem(
    algorithm: QgsProcessingAlgorithm, parameters: Parameters, context: QgsProcessingContext
) -> str:
    """Which parameter takes selected features of a layer that has none; call on the main thread.

    Args:
        algorithm: The algorithm of the parameters.
        parameters: As given to the algorithm.
        context: As given to the algorithm.

    Returns:
        A sentence with advice; empty if there is no such parameter.
    """
    for definition in algorithm.parameterDefinitions():
        given = parameters.get(definition.name())
        if not isinstance(given, QgsProcessingFeatureSourceDefinition):
            continue
        layer = vector_layer(parameters, definition.name(), context)
        if layer is not None and given.selectedFeaturesOnly and not layer.selectedFeatureCount():
            return (
                f"'{definition.description()}' takes selected features only, and no feature of layer '{layer.name()}' is "
                "selected; select features, or take all of them"
            )
    return ""


def is_output_wanted(parameters: Parameters, name: str) -> bool:
    """Whether a path is given for an optional output.

    Args:
        parameters: As given to the algorithm. For a raster that nobody wants, the batch dialog gives a definition
            without a path.
        name: Name of the parameter.
    """
    value = parameters.get(name)
    if not isinstance(value, QgsProcessingOutputLayerDefinition):
        return bool(value)
    sink = value.sink
    return bool(sink.staticValue() or sink.field() or sink.expressionString())


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
