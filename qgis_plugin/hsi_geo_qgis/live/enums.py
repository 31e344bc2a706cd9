"""Values of QGIS's enums that moved between 3.22 and 4.0."""

from __future__ import annotations

from typing import Any

from qgis.core import Qgis, QgsVectorLayer, QgsWkbTypes


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


def flags(value: Any) -> int:
    """Flags of Qt as a number: Qt 6 has them as enums.

    Args:
        value: The flags.
    """
    return int(getattr(value, "value", value))
