"""The files that a run writes: checked before it starts, so that no hour is lost and no layer replaced."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingAlgorithm,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProcessingOutputLayerDefinition,
    QgsProcessingParameterDefinition,
    QgsProject,
    QgsProperty,
    QgsRasterLayer,
    QgsVectorLayer,
)

from .layers import Parameters, vector_layer
from .products import file_of, is_same_file, product_of, without_options
from .record import has_record, record_path
from .styling import is_confidence_style

#: End of the name that hsi-geo gives an output beside the raster OUTPUT, from where it is moved.
_BESIDE = {
    "CONFIDENCE": "_confidence.tif",
    "PROBABILITIES": "_probabilities.tif",
    "PARENTS": "_parents.tif",
    "POLYGONS": "_polygons.gpkg",
    "REPORT": "_report.html",
    "ZONE_TABLE": "_zones.csv",
}

#: Layers that a batch writes into its folder, and tables.
_IN_FOLDER = ("polygons", "zones")

#: What scripts and dialogs give for an output that QGIS makes a temporary file for.
_TEMPORARY = "TEMPORARY_OUTPUT"

_RASTER, _FOLDER, _VECTOR = "rasterDestination", "folderDestination", "vectorDestination"

#: Tables beside the layer that an algorithm writes into its GeoPackage.
_TABLES = {"zones": ("areas",)}

#: Tables of a GeoPackage that belong to the layers in it.
_STYLES = "layer_styles"

#: QGIS's table of the projects in a GeoPackage.
_PROJECTS = "qgis_projects"

#: Layers and tables of a GeoPackage, and QGIS's table of projects in it.
_LAYERS = "SELECT table_name FROM gpkg_contents UNION SELECT name FROM sqlite_master WHERE name = 'qgis_projects'"


def check_destinations(
    algorithm: QgsProcessingAlgorithm, parameters: Parameters, context: QgsProcessingContext
) -> None:
    """Refuse files that cannot be written, or that would replace what the run reads, or each other.

    Call it on the main thread, where layers live. Files without a path of the user are left out.

    Args:
        algorithm: The algorithm.
        parameters: As given to the algorithm.
        context: As given to the algorithm.

    Raises:
        QgsProcessingException: If a folder is missing or cannot be written to, a file would replace another one, or one
            whose layer is being edited.
    """
    wanted = {}
    for definition in algorithm.destinationParameterDefinitions():
        path = _chosen_path(parameters.get(definition.name()), context)
        if path and definition.type() == _FOLDER:
            _check_folder(_existing(path))
            _refuse(
                edits_problem(context.project(), definition.description(), path, is_folder=True)
            )
        elif path:
            _check_folder(os.path.dirname(os.path.abspath(path)))
            if os.path.isdir(path):
                raise QgsProcessingException(f"'{path}' is a folder; choose a file")
            _refuse(edits_problem(context.project(), definition.description(), path))
            if definition.type() == _VECTOR:
                _refuse(
                    tables_problem(
                        definition.description(), path, _TABLES.get(algorithm.name(), ())
                    )
                )
            wanted[definition.name()] = definition, path
    if not wanted:
        return
    read = {_key(path): name for path, name in _files_read(algorithm, parameters, context)}
    taken: dict[str, str] = {}
    for definition, path in wanted.values():
        for file in _files_of(definition, path, wanted):
            key, title = _key(file), definition.description()
            if key in read:
                raise QgsProcessingException(
                    f"'{title}' would replace '{file}', which belongs to {read[key]}, and the run reads that; choose "
                    "another file"
                )
            if taken.setdefault(key, title) != title:
                raise QgsProcessingException(
                    f"'{title}' and '{taken[key]}' would both write '{file}'; choose another file for one of them"
                )
        style = _style(path)
        is_new_raster = definition.type() == _RASTER and not os.path.exists(path)
        if is_new_raster and os.path.exists(style) and not is_confidence_style(style):
            raise QgsProcessingException(
                f"'{style}' exists without '{os.path.basename(path)}', so it is the style of something else; choose "
                f"another name for '{definition.description()}'"
            )


def _files_of(
    definition: QgsProcessingParameterDefinition, path: str, wanted: dict[str, Any]
) -> Iterator[str]:
    """Every file that an output writes, for a while or for good."""
    yield path
    if definition.type() == _RASTER:
        yield _style(path)
        yield f"{path}.aux.xml"
    name = definition.name()
    output, place = wanted.get("OUTPUT", (None, ""))
    if output is None or output.type() != _RASTER:
        return
    stem = os.path.splitext(place)[0]
    if name == "OUTPUT":
        yield f"{stem}.json"
    elif name in _BESIDE:
        yield stem + _BESIDE[name]


def _files_read(
    algorithm: QgsProcessingAlgorithm, parameters: Parameters, context: QgsProcessingContext
) -> Iterator[tuple[str, str]]:
    """Each file that the inputs are read from, and what users call the input."""
    for definition in algorithm.parameterDefinitions():
        name, kind = definition.name(), definition.type()
        if definition.isDestination() or not parameters.get(name):
            continue
        layers: list[QgsMapLayer | None] = []
        if kind == "file":
            path = str(algorithm.parameterAsFile(parameters, name, context))
            yield from ((file, f"'{path}'") for file in _files_of_dataset(path, path))
        elif kind == "raster":
            layers = [algorithm.parameterAsRasterLayer(parameters, name, context)]
        elif kind == "source":
            layers = [vector_layer(parameters, name, context)]
        elif kind == "multilayer":
            layers = algorithm.parameterAsLayerList(parameters, name, context) or []
        for layer in layers:
            if layer is not None:
                for file in _files_of_layer(layer):
                    yield file, f"layer '{layer.name()}'"


def _files_of_layer(layer: QgsMapLayer) -> Iterator[str]:
    """Files that a layer shows, and the record of a class map."""
    source, path = str(layer.source()), file_of(layer)
    if path and has_record(path):
        yield record_path(path)
    name = without_options(source) if isinstance(layer, QgsRasterLayer) else path
    yield from _files_of_dataset(name, path)
    product = product_of(layer)
    if product is not None:
        yield from _files_of_dataset(product.path, product.path)


def _files_of_dataset(name: str, path: str) -> list[str]:
    """The file of a dataset, and what GDAL finds beside it or inside a mosaic, if it lies on this computer."""
    if not os.path.isfile(path):
        return []
    from osgeo import gdal  # comes with QGIS

    with warnings.catch_warnings():  # GDAL says that it will raise errors in version 4
        warnings.simplefilter("ignore", FutureWarning)
        try:
            dataset = gdal.OpenEx(name)
            found = [] if dataset is None else dataset.GetFileList() or []
        except RuntimeError:  # no dataset, where GDAL raises errors already
            found = []
    return [path, *found]


def _chosen_path(value: Any, context: QgsProcessingContext) -> str:
    """The path that a user chose for an output; empty if QGIS makes one, or a database is meant."""
    if isinstance(value, QgsProcessingOutputLayerDefinition):
        value = value.sink
    if isinstance(value, QgsProperty):
        value, _ = value.valueAsString(context.expressionContext(), "")
    if not isinstance(value, str) or value == _TEMPORARY:
        return ""
    is_database = "://" in value or "dbname=" in value or value.startswith("memory:")
    return "" if is_database else value


def written_paths(
    algorithm: QgsProcessingAlgorithm, parameters: Parameters, context: QgsProcessingContext
) -> list[str]:
    """Files and folders that the user chose for the outputs.

    Args:
        algorithm: The algorithm.
        parameters: As given to the algorithm.
        context: As given to the algorithm.
    """
    names = [one.name() for one in algorithm.destinationParameterDefinitions()]
    paths = [_chosen_path(parameters.get(name), context) for name in names]
    return [path for path in paths if path]


def _refuse(problem: str) -> None:
    if problem:
        raise QgsProcessingException(problem)


def tables_problem(title: str, path: str, own: Sequence[str] = (), others: int = 1) -> str:
    """Why a GeoPackage is not replaced: it has other layers, or a project, which would be lost, or is in use.

    Args:
        title: What writes the file.
        path: Path of the file.
        own: Names of tables that are written.
        others: Number of further layers that are replaced, whatever they are called.

    Returns:
        A sentence with advice; empty if there is no such file.
    """
    if not os.path.isfile(path):
        return ""
    try:
        with contextlib.closing(
            sqlite3.connect(f"{Path(os.path.abspath(path)).as_uri()}?mode=ro", timeout=0, uri=True)
        ) as file:  # QGIS would stand still while it waits
            found = [str(name) for (name,) in file.execute(_LAYERS)]
    except sqlite3.Error as error:
        if "locked" not in str(error):  # no GeoPackage
            return ""
        return (
            f"'{title}' would replace '{path}', which is in use by another program; close it there, or choose "
            "another file"
        )
    names = [name for name in found if name != _STYLES]
    if _PROJECTS not in names and len([name for name in names if name not in own]) <= others:
        return ""
    shown = ", ".join(f"'{name}'" for name in names)
    lost = "all of them" if len(names) > 1 else "it"
    return f"'{title}' would replace '{path}', which holds {shown}, and {lost} would be lost; choose another file"


def edits_problem(
    project: QgsProject | None, title: str, path: str, *, is_folder: bool = False
) -> str:
    """Why a file is not replaced: its layer is being edited, and QGIS would write the edits onto other features.

    Args:
        project: The project; None if there is none.
        title: What writes the file.
        path: Path of the file, or of a folder.
        is_folder: Whether it is a folder for the files of a batch.

    Returns:
        A sentence with advice; empty if no such layer is being edited.
    """
    for layer in [] if project is None else project.mapLayers().values():
        if not isinstance(layer, QgsVectorLayer) or not layer.isEditable():
            continue
        shown = file_of(layer)
        folder, name = os.path.split(shown)
        is_inside = is_folder and bool(shown) and is_same_file(folder, path)
        if (is_inside and name.startswith(_IN_FOLDER)) or (shown and is_same_file(shown, path)):
            return (
                f"'{title}' would replace '{shown}', which layer '{layer.name()}' shows, and that layer is being edited; "
                "save or discard its edits first, and end editing"
            )
    return ""


def _check_folder(folder: str) -> None:
    if not os.path.isdir(folder):
        raise QgsProcessingException(
            f"folder '{folder}' does not exist; create it, or choose another one"
        )
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise QgsProcessingException(
            f"nothing can be written into folder '{folder}' ({error.strerror}); choose another one"
        ) from error


def _existing(folder: str) -> str:
    """The folder, or the nearest one above it that exists: folders for maps are made."""
    folder = os.path.abspath(folder)
    while not os.path.exists(folder) and os.path.dirname(folder) != folder:
        folder = os.path.dirname(folder)
    return folder


def _style(path: str) -> str:
    return os.path.splitext(path)[0] + ".qml"


def _key(path: str) -> str:
    return os.path.normcase(os.path.realpath(path))
