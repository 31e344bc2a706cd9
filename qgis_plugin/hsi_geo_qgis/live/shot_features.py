"""Shots as the engine takes them: GeoJSON inside the request, so that no file is written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsVectorLayer,
)

from .enums import wkt2

#: Field with the class, in the layers that *New shots* makes and in requests.
FIELD = "class"

#: What messages of the engine call the shots.
ENGINE_NAME = "shots of the request"

#: Authorities whose codes other programs know as well.
AUTHORITIES = ("EPSG", "ESRI", "OGC", "IAU_2015")

#: Digits after the point of coordinates in a request: what a number of double precision holds.
_DIGITS = 15


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


@dataclass(frozen=True)
class Collected:
    """The shots of all layers.

    Attributes:
        shots: The shots.
        crs: CRS of all of them.
        classless: Number of features that have no class that the dock knows.
    """

    shots: Sequence[Shot]
    crs: QgsCoordinateReferenceSystem
    classless: int = 0

    def warnings(self) -> list[str]:
        """What a preview of these shots leaves out, as sentences."""
        if not self.classless:
            return []
        one = self.classless == 1
        text = "feature has no class, and is" if one else "features have no class, and are"
        return [f"{self.classless} {text} left out."]


def collected(
    features: Iterable[tuple[QgsVectorLayer, QgsFeature, str]], crs: QgsCoordinateReferenceSystem
) -> Collected:
    """The shots among features.

    Args:
        features: Features, with their layers and the names of their classes (empty for none).
        crs: CRS of the shots.
    """
    found, classless = [], 0
    for layer, feature, name in features:
        geometry = feature.geometry()
        if geometry.isNull() or geometry.isEmpty():
            continue
        if not name:
            classless += 1
            continue
        placed = transformed(geometry, layer.crs(), crs)
        if not placed.isNull():
            found.append(Shot(layer.id(), feature.id(), name, placed))
    return Collected(found, crs, classless)


def shots_key(shots: Sequence[Shot], crs: QgsCoordinateReferenceSystem, *more: Any) -> str:
    """A text that is the same for the same shots.

    Args:
        shots: The shots.
        crs: Their CRS.
        *more: Whatever else the preview depends on.
    """
    digest = hashlib.sha256(repr((crs.toWkt(), *more)).encode("utf-8", "replace"))
    for shot in shots:
        digest.update(repr(shot.name).encode("utf-8", "replace"))
        digest.update(shot.geometry.asWkb().data())
    return digest.hexdigest()


def feature_collection(
    shots: Sequence[Shot], crs: QgsCoordinateReferenceSystem, colors: Mapping[str, str]
) -> dict[str, Any]:
    """Shots as GeoJSON. The id of a feature is its index in the list.

    Args:
        shots: The shots.
        crs: Their CRS; that of the scene if it is not valid.
        colors: Colour by the name of a class.
    """
    features = [
        {
            "type": "Feature",
            "id": index,
            "geometry": json.loads(shot.geometry.asJson(_DIGITS)),
            "properties": {FIELD: shot.name, "color": colors.get(shot.name)},
        }
        for index, shot in enumerate(shots)
    ]
    return {"type": "FeatureCollection", "crs": crs_text(crs), "features": features}


def crs_text(crs: QgsCoordinateReferenceSystem) -> str | None:
    """A CRS as the engine understands it: only QGIS knows the numbers of CRSs that a user has defined.

    Args:
        crs: The CRS.

    Returns:
        Its code, or WKT; None, which means that of the scene, if it is not valid.
    """
    if not crs.isValid():
        return None
    code = str(crs.authid())
    return code if code.split(":")[0] in AUTHORITIES else wkt2(crs)


def moved(
    shots: Sequence[Shot],
    source: QgsCoordinateReferenceSystem,
    target: QgsCoordinateReferenceSystem,
) -> list[Shot]:
    """Shots in another CRS, without those that have no place there.

    Args:
        shots: The shots.
        source: Their CRS.
        target: The other CRS.
    """
    found = [replace(one, geometry=transformed(one.geometry, source, target)) for one in shots]
    return [one for one in found if not one.geometry.isNull()]


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
