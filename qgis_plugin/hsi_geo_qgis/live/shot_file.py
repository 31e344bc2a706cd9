"""The file of shots that the engine reads: all layers in one GeoPackage, with the colours of the classes."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from .classes import Classes, style_layer
from .enums import any_geometry

#: Field with the class in the file.
FIELD = "class"


@dataclass(frozen=True)
class Shot:
    """A feature with a class.

    Attributes:
        layer_id: Id of its layer.
        feature_id: Id of the feature in the layer.
        name: Name of the class.
        geometry: The geometry, in the CRS of all shots.
    """

    layer_id: str
    feature_id: int
    name: str
    geometry: QgsGeometry


def shots_key(shots: Sequence[Shot], crs: QgsCoordinateReferenceSystem, *more: Any) -> str:
    """A text that is the same for the same shots.

    Args:
        shots: The shots.
        crs: Their CRS.
        *more: Whatever else the preview depends on.
    """
    digest = hashlib.sha256(repr((crs.toWkt(), *more)).encode())
    for shot in shots:
        digest.update(repr(shot.name).encode())
        digest.update(shot.geometry.asWkb().data())
    return digest.hexdigest()


def transformed(
    geometry: QgsGeometry,
    source: QgsCoordinateReferenceSystem,
    target: QgsCoordinateReferenceSystem,
) -> QgsGeometry:
    """A copy of a geometry in another CRS; empty if it has no place there.

    Args:
        geometry: The geometry.
        source: Its CRS.
        target: The other CRS.
    """
    copy = QgsGeometry(geometry)
    if source.isValid() and target.isValid() and source != target:
        try:
            copy.transform(QgsCoordinateTransform(source, target, QgsProject.instance()))
        except QgsCsException:
            return QgsGeometry()
    return copy


def write_shots(
    shots: Sequence[Shot],
    crs: QgsCoordinateReferenceSystem,
    classes: Classes,
    path: str,
) -> str:
    """Write shots. The id of the n-th one in the file is n, from 1.

    Args:
        shots: The shots.
        crs: Their CRS.
        classes: The classes.
        path: Path of the GeoPackage. The colours come into a style (.qml) beside it.

    Returns:
        What went wrong; empty if nothing did.
    """
    template = QgsVectorLayer(f"Point?field={FIELD}:string(0)", "shots", "memory")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName = "GPKG"
    context = QgsProject.instance().transformContext()
    writer = QgsVectorFileWriter.create(
        path, template.fields(), any_geometry(), crs, context, options
    )
    if writer.hasError() != QgsVectorFileWriter.WriterError.NoError:
        return str(writer.errorMessage())
    for shot in shots:
        feature = QgsFeature(template.fields())
        feature.setGeometry(shot.geometry)
        feature.setAttribute(0, shot.name)
        if not writer.addFeature(feature):
            return str(writer.errorMessage())
    del writer  # closes the file
    by_name = tuple(type(one)(one.name, one.name, one.color) for one in classes)
    style_layer(template, FIELD, by_name)
    template.saveNamedStyle(_style_path(path))
    return ""


def remove_shots(path: str) -> None:
    """Remove a file of `write_shots`.

    Args:
        path: Path of the GeoPackage.
    """
    for one in (path, _style_path(path), f"{path}-wal", f"{path}-shm"):
        if os.path.exists(one):
            os.remove(one)




def _style_path(path: str) -> str:
    return os.path.splitext(path)[0] + ".qml"
