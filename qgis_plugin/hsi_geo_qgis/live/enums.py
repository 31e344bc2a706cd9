"""Values of QGIS's enums that moved between 3.22 and 4.0."""

from __future__ import annotations

from typing import Any

from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFields,
    QgsProject,
    QgsVectorLayer,
    QgsWkbTypes,
)


def is_point_layer(layer: QgsVectorLayer) -> bool:
    """Whether a layer holds points.

    Args:
        layer: The layer.
    """
    if hasattr(Qgis, "GeometryType"):  # QGIS 3.30 and newer
        return bool(layer.geometryType() == Qgis.GeometryType.Point)
    return bool(layer.geometryType() == QgsWkbTypes.GeometryType.PointGeometry)


def is_polygon_layer(layer: QgsVectorLayer) -> bool:
    """Whether a layer holds polygons.

    Args:
        layer: The layer.
    """
    if hasattr(Qgis, "GeometryType"):
        return bool(layer.geometryType() == Qgis.GeometryType.Polygon)
    return bool(layer.geometryType() == QgsWkbTypes.GeometryType.PolygonGeometry)


def polygon_geometry() -> Any:
    """The kind that a rubber band of an area has."""
    if hasattr(Qgis, "GeometryType"):
        return Qgis.GeometryType.Polygon
    return QgsWkbTypes.GeometryType.PolygonGeometry


def is_own_field(layer: QgsVectorLayer, index: int) -> bool:
    """Whether a layer stores the values of a field itself: it is neither computed nor joined.

    Args:
        layer: The layer.
        index: Index of the field.
    """
    origin = layer.fields().fieldOrigin(index)
    if hasattr(Qgis, "FieldOrigin"):  # QGIS 3.38 and newer
        return origin in (Qgis.FieldOrigin.Provider, Qgis.FieldOrigin.Edit)
    return origin in (QgsFields.FieldOrigin.OriginProvider, QgsFields.FieldOrigin.OriginEdit)


def wkt2(crs: QgsCoordinateReferenceSystem) -> str:
    """A CRS as WKT 2, which holds what other programs need to know of it.

    Args:
        crs: The CRS.
    """
    if hasattr(Qgis, "CrsWktVariant"):  # QGIS 3.36 and newer
        return str(crs.toWkt(Qgis.CrsWktVariant.Preferred))
    return str(crs.toWkt(QgsCoordinateReferenceSystem.WktVariant.WKT_PREFERRED))


def flags(value: Any) -> int:
    """Flags of Qt as a number: Qt 6 has them as enums.

    Args:
        value: The flags.
    """
    return int(getattr(value, "value", value))


def is_in_project(layer: Any) -> bool:
    """Whether a layer is still in the project; QGIS may have deleted it.

    Args:
        layer: The layer.
    """
    try:
        return QgsProject.instance().mapLayer(layer.id()) is not None
    except RuntimeError:
        return False
