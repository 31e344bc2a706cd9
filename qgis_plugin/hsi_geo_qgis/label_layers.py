"""Layers of labels of a run: their class fields and styles, and the files that hsi-geo reads instead."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsRasterLayer,
    QgsVectorLayer,
)

from .class_field import default_class_field, own_name
from .class_styles import Styles, class_styles, raster_styles, value_names, write_class_styles
from .command import Value
from .feature_export import export_source
from .layers import (
    SAMPLE_FIELDS,
    Parameters,
    given_layers,
    layer_path,
    require_readable,
    scene_title,
    vector_layer,
)
from .raster_overrides import require_nodata_of_file

#: Parameter of a spectral library.
LIBRARY = "LIBRARY"

#: What users call the file of names and colours that is written for a layer.
STYLE_NAME = "style of the labels"


@dataclass(frozen=True)
class LabelLayer:
    """A layer of labels, as far as it is read on the main thread.

    Attributes:
        name: Name of the layer.
        layer_id: Id of the layer; empty if a script gave something else than a layer.
        field: Field with the class; empty for a raster.
        styles: Names and colours of the classes.
        parameter: Name of the parameter that selects features of the layer; empty for a further layer.
        path: Path of a raster, or of a spectral library; empty for a vector layer.
        parent: Field with the parent of the class; empty for classes of one level.
        parent_names: Name by value of that field, where this layer or another one of the run shows names.
    """

    name: str
    layer_id: str
    field: str
    styles: Styles
    parameter: str = ""
    path: str = ""
    parent: str = ""
    parent_names: Mapping[str, str] | None = None

    @property
    def fields(self) -> str:
        """Field of the class, after that of its parent, as the command line takes them."""
        return f"{self.parent}/{self.field}" if self.parent and self.field else self.field


def further_labels(name: str) -> str:
    """Name of the parameter of further labels.

    Args:
        name: Name of the parameter of labels.
    """
    return f"MORE_{name}"


def labels_problem(parameters: Parameters, name: str) -> str:
    """What is wrong with the choice of labels: none are given; empty if nothing is.

    Args:
        parameters: As given to the algorithm.
        name: Name of the parameter of labels.
    """
    if any(parameters.get(one) for one in (name, further_labels(name), LIBRARY)):
        return ""
    return (
        "no labels are given; choose a layer of points, lines or polygons, or a raster of classes"
    )


def find_labels(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> list[LabelLayer]:
    """The layers of labels, with their fields and styles; call on the main thread, where layers live.

    Args:
        algorithm: The algorithm of the parameters.
        parameters: As given to the algorithm.
        name: Name of the parameter of labels.
        context: As given to the algorithm.
        feedback: Is told which field is taken where the user has chosen none.

    Raises:
        QgsProcessingException: If a layer has no field that can hold a class, or is no kind of labels.
    """
    given, parent = (
        _chosen_text(algorithm, parameters, one, context) for one in ("CLASS_FIELD", "PARENT_FIELD")
    )
    found: list[LabelLayer] = []
    if parameters.get(name):
        found.append(_first_layer(parameters, name, given, parent, context, feedback))
        given, parent = found[0].field, found[0].parent
    for layer in given_layers(algorithm, parameters, further_labels(name), context):
        if layer.id() not in [
            other.layer_id for other in found
        ]:  # else it is chosen in both places
            found.append(_further_layer(layer, given, context, parent, feedback))
            given = found[0].field or given
    if parameters.get(LIBRARY):
        library = str(algorithm.parameterAsFile(parameters, LIBRARY, context))
        own = _chosen_text(algorithm, parameters, "LIBRARY_FIELD", context).strip()
        found.append(LabelLayer(scene_title(library), "", own, {}, path=library))
    return _with_parent_names(found)


def _chosen_text(
    algorithm: QgsProcessingAlgorithm,
    parameters: Parameters,
    name: str,
    context: QgsProcessingContext,
) -> str:
    """Text of a parameter; empty if the algorithm has no such one."""
    if algorithm.parameterDefinition(name) is None:
        return ""
    return str(algorithm.parameterAsString(parameters, name, context) or "")


def _first_layer(
    parameters: Parameters,
    name: str,
    given: str,
    parent: str,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> LabelLayer:
    """The layer of the parameter of labels, which may be the selected features of one."""
    layer = vector_layer(parameters, name, context)
    if layer is not None:
        require_readable(layer)
    field = chosen_field(layer, given)
    upper = parent if layer is None else own_name(layer.fields(), parent)
    title, layer_id = ("", "") if layer is None else (layer.name(), layer.id())
    if not given and field:
        feedback.pushInfo(f"The class is in the field '{field}'.")
    styles, names = class_styles(layer, field, feedback), value_names(layer, upper, feedback)
    return LabelLayer(
        title, layer_id, field, styles, parameter=name, parent=upper, parent_names=names
    )


def _with_parent_names(labels: Sequence[LabelLayer]) -> list[LabelLayer]:
    """Layers whose parents have names that only another layer shows: a value is one parent in all of them."""
    shared: dict[str, str] = {}
    for one in labels:
        for value, name in (one.parent_names or {}).items():
            if name != value:
                shared.setdefault(value, name)
    named = []
    for one in labels:
        own = {value: name for value, name in (one.parent_names or {}).items() if name != value}
        # Two parents of one layer do not become one by the name of another layer.
        others = {value: name for value, name in shared.items() if name not in own.values()}
        named.append(replace(one, parent_names={**others, **own}) if one.parent else one)
    return named


def _further_layer(
    layer: QgsMapLayer,
    field: str,
    context: QgsProcessingContext,
    parent: str,
    feedback: QgsProcessingFeedback,
) -> LabelLayer:
    """A further layer; its class is in the field of that name, else in its own."""
    require_readable(layer)
    in_project = (
        context.project() is not None and context.project().mapLayer(layer.id()) is not None
    )
    if not in_project:
        layer.loadDefaultStyle()  # a file given by its path: the style saved beside it
    if isinstance(layer, QgsRasterLayer):
        path = layer_path(layer, context)
        require_nodata_of_file(layer)
        return LabelLayer(layer.name(), layer.id(), "", raster_styles(layer, feedback), path=path)
    if not isinstance(layer, QgsVectorLayer):
        raise QgsProcessingException(
            f"layer '{layer.name()}' has no labels; choose vector layers, or rasters of classes"
        )
    has_field = bool(field) and layer.fields().lookupField(field) >= 0
    own = chosen_field(layer, field if has_field else "")
    has_parent = bool(parent) and layer.fields().lookupField(parent) >= 0
    upper = own_name(layer.fields(), parent) if has_parent else ""
    styles, names = class_styles(layer, own, feedback), value_names(layer, upper, feedback)
    feedback.pushInfo(f"The class of '{layer.name()}' is in the field '{own}'.")
    return LabelLayer(layer.name(), layer.id(), own, styles, parent=upper, parent_names=names)


def chosen_field(layer: QgsVectorLayer | None, field: str) -> str:
    """The field with the class; call on the main thread.

    Args:
        layer: The layer of labels; None if it is no vector layer.
        field: Field that the user chose; empty for the layer's own.

    Returns:
        Name of the field, as the layer has it.

    Raises:
        QgsProcessingException: If none was chosen, and no field of the layer can hold a class.
    """
    found = field or ("" if layer is None else default_class_field(layer))
    if not found and layer is not None:
        raise QgsProcessingException(
            f"layer '{layer.name()}' has no field of text or whole numbers; add one that holds the class of "
            "each feature"
        )
    return found if layer is None else own_name(layer.fields(), found)


def field_text(labels: Sequence[LabelLayer]) -> str:
    """The fields with the class, for metadata: one name if all are the same.

    Args:
        labels: Layers of labels.

    >>> field_text([LabelLayer("a", "1", "class", {}), LabelLayer("b", "2", "Klasse", {})])
    "'class' of a, 'Klasse' of b"
    """
    fields = {one.field for one in labels if one.field}
    if len(fields) < 2:
        return "".join(fields)
    return ", ".join(f"'{one.field}' of {one.name}" for one in labels if one.field)


def label_options(
    algorithm: QgsProcessingAlgorithm,
    labels: Sequence[LabelLayer],
    parameters: Parameters,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> tuple[list[str], dict[str, Value], dict[str, str]]:
    """Files of labels and their options of the command line; vector layers are exported.

    Args:
        algorithm: The algorithm of the parameters.
        labels: Layers of labels, as `find_labels` returned them.
        parameters: As given to the algorithm.
        context: As given to the algorithm.
        feedback: Its cancelling ends the export.

    Returns:
        Paths; value by option; what users call each file by its path.

    Raises:
        QgsProcessingException: If there are no labels, or a layer cannot be exported.
    """
    paths, classes, names = [], [], {}
    for one in labels:
        path = one.path or _exported(algorithm, one, parameters, context, feedback)
        if not one.path:
            names[path] = one.name
        paths.append(path)
        classes.append(write_class_styles(one.styles) or "")
    names.update({path: STYLE_NAME for path in classes if path})
    if not paths:
        raise QgsProcessingException("no labels are given; choose a layer, or a raster of classes")
    fields = [one.fields for one in labels]
    options: dict[str, Value] = {
        name: each if any(each) else None
        for name, each in (("class_field", fields), ("classes", classes))
    }
    return paths, options, names


def _exported(
    algorithm: QgsProcessingAlgorithm,
    one: LabelLayer,
    parameters: Parameters,
    context: QgsProcessingContext,
    feedback: QgsProcessingFeedback,
) -> str:
    source: Any = (
        algorithm.parameterAsSource(parameters, one.parameter, context)
        if one.parameter
        else QgsProcessingUtils.variantToSource(one.layer_id, context)
    )
    if source is None:
        name = one.parameter or one.name
        raise QgsProcessingException(algorithm.invalidSourceError(parameters, name))
    index = source.fields().lookupField(one.parent) if one.parent else -1
    names = {source.fields().at(index).name(): one.parent_names} if one.parent_names else {}
    more = (*SAMPLE_FIELDS, one.parent)
    return export_source(source, context, feedback, one.field, more, names)
