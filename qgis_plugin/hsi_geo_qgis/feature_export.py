"""Write the features of layers to files that hsi-geo reads."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from qgis.core import (
    QgsFeature,
    QgsFeatureRequest,
    QgsFeatureSink,
    QgsField,
    QgsFields,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from .class_field import is_plain
from .class_names import class_name
from .layers import Parameters, file_stem, temporary_file

#: Column of the ids of the features, which messages and reports name. The user's field may have GDAL's own name for it.
_IDS = "hsi_geo_fid"

#: Length of the name of a file that is written, in UTF-8: disks have names of up to 255 bytes, and SQLite adds to them.
_MOST_BYTES = 120


def plain_fields(fields: QgsFields) -> list[str]:
    """Names of the fields that a GeoPackage can hold: no lists or objects, and no second name that differs by case.

    Args:
        fields: Fields of a layer.
    """
    found: dict[str, str] = {}
    for field in fields:
        if is_plain(field):
            found.setdefault(field.name().lower(), field.name())
    return list(found.values())


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
    return export_source(source, context, feedback, field)


def export_source(
    source: QgsProcessingFeatureSource,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
    field: str = "",
    more: Sequence[str] = (),
    names: Mapping[str, Mapping[str, str]] | None = None,
) -> str:
    """Write features to a GeoPackage among QGIS's temporary files; see `export_features`.

    They keep their ids. Features that are not saved, or whose id another one has, get new ones.

    Args:
        source: The features.
        context: As given to the algorithm.
        feedback: Its cancelling ends the writing.
        field: Name of the one field to write; empty writes none.
        more: Names of further fields, which are written if the layer has them.
        names: Text to write for a value, by value as text, by field.

    Returns:
        Path of the GeoPackage.

    Raises:
        QgsProcessingException: If the field is missing, a field holds lists or objects, two names differ by case only,
            or the file cannot be written.
    """
    names = names or {}
    attributes = _attributes(source, field, more)
    fields = QgsFields()
    ids = _IDS + "_" * (_IDS in [source.fields().at(index).name().lower() for index in attributes])
    fields.append(_field(ids, "int8"))
    for index in attributes:
        own = source.fields().at(index)
        fields.append(_field(own.name(), "string") if own.name() in names else own)
    path = temporary_file(f"{_file_name(source.sourceName())}.gpkg")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    # The user's field may have the name that GDAL gives its own columns.
    options.layerOptions = [f"FID={ids}", "GEOMETRY_NAME=hsi_geo_geometry"]
    writer = QgsVectorFileWriter.create(
        path, fields, source.wkbType(), source.sourceCrs(), context.transformContext(), options
    )
    if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
        raise QgsProcessingException(f"'{path}' cannot be written: {writer.errorMessage()}")
    request = QgsFeatureRequest().setSubsetOfAttributes(attributes)
    # hsi-geo repairs invalid polygons, or names them in an error.
    unchecked = QgsProcessingFeatureSource.Flag.FlagSkipGeometryValidityChecks
    for own_id, feature in _numbered(source.getFeatures(request, unchecked), feedback):
        copy = QgsFeature(fields)
        copy.setGeometry(feature.geometry())
        copy.setAttributes(
            [
                own_id,
                *(
                    _value(feature.attribute(index), names.get(source.fields().at(index).name()))
                    for index in attributes
                ),
            ]
        )
        if not writer.addFeature(copy, QgsFeatureSink.Flag.FastInsert):
            raise QgsProcessingException(f"'{path}' cannot be written: {writer.errorMessage()}")
    del writer  # closes the file
    return path


def _numbered(
    features: Iterable[QgsFeature], feedback: QgsProcessingFeedback
) -> Iterator[tuple[int, QgsFeature]]:
    """Features and their ids. Ids that are repeated, and those of unsaved features, are new ones above all others.

    Unsaved features have the ids -2, -3 and so on, in the order in which they were drawn.
    """
    taken: set[int] = set()
    left = []
    for feature in features:
        if feedback.isCanceled():
            return
        if feature.id() < 0 or feature.id() in taken:  # a database may repeat them
            left.append(feature)
        else:
            taken.add(feature.id())
            yield feature.id(), feature
    left.sort(key=lambda one: max(0, -one.id()))
    yield from enumerate(left, start=1 + max(taken, default=0))


def _attributes(source: QgsProcessingFeatureSource, field: str, more: Sequence[str]) -> list[int]:
    """Indices of the fields to write, each once."""
    fields, found = source.fields(), []
    if field and fields.lookupField(field) < 0:
        known = ", ".join(f"'{known}'" for known in fields.names())
        raise QgsProcessingException(
            f"layer '{source.sourceName()}' has no field '{field}', only {known}"
        )
    taken: dict[str, str] = {}
    for index in dict.fromkeys(fields.lookupField(name) for name in (field, *more) if name):
        if index < 0:
            continue
        name = fields.at(index).name()
        if not is_plain(fields.at(index)):
            raise QgsProcessingException(
                f"field '{name}' of layer '{source.sourceName()}' holds lists or objects; choose a field of text or "
                "numbers"
            )
        if taken.setdefault(name.lower(), name) != name:
            raise QgsProcessingException(
                f"fields '{taken[name.lower()]}' and '{name}' of layer '{source.sourceName()}' differ only in upper "
                "and lower case; rename one of them"
            )
        found.append(index)
    return found


def _field(name: str, kind: str) -> QgsField:
    """A field of text ("string") or whole numbers ("int8"); Qt 5 and 6 name the types in different ways."""
    field = QgsField(QgsVectorLayer(f"None?field=one:{kind}", "one", "memory").fields().at(0))
    field.setName(name)
    field.setLength(0)  # any
    return field


def _value(value: Any, names: Mapping[str, str] | None) -> Any:
    """A value as it is written: its name, where the field has names."""
    if names is None or not isinstance(value, (str, int, float)):
        return value
    return names.get(class_name(value), class_name(value))


def _file_name(name: str) -> str:
    """A layer's name as a file name, so that messages show the name of the layer."""
    safe = re.sub(r"[^\w .-]", "_", os.path.basename(name))
    return file_stem(safe, _MOST_BYTES).strip(" .") or "layer"
