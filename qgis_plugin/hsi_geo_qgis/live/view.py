"""The canvas and the scene: what is seen of it, where the cursor is, and zooming to a place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsPointXY,
    QgsProject,
    QgsRectangle,
)
from qgis.gui import QgsMapCanvas

#: Pixels of the scene to each side of a place that is zoomed to.
NEIGHBOURHOOD = 15

Bounds = list[float]


class SceneView:
    """A scene on a canvas.

    Args:
        canvas: The canvas.
        info: Answer of the engine to ``open``.
        shown: CRS of its layer in QGIS.

    Attributes:
        crs: CRS of the scene, or of its layer if its file has none; invalid if neither has one.
        has_crs: Whether its file has one.
    """

    def __init__(
        self,
        canvas: QgsMapCanvas,
        info: Mapping[str, Any],
        shown: QgsCoordinateReferenceSystem | None = None,
    ) -> None:
        self.canvas = canvas
        wkt = str(info.get("crs") or "")
        self.crs = QgsCoordinateReferenceSystem()
        if wkt:
            self.crs.createFromWkt(wkt)
        self.has_crs = bool(wkt)
        if shown is not None and not wkt:
            self.crs = shown
        self.bounds = [float(one) for one in info.get("bounds") or (0.0, 0.0, 0.0, 0.0)]
        sides = [abs(float(one)) for one in info.get("pixel_size") or (1.0, 1.0)]
        self.pixel = max(sides)

    def seen(self) -> Bounds | None:
        """What the canvas shows of the scene, as (left, bottom, right, top); None for all or nothing of it."""
        extent = self._to_scene(self.canvas.extent())
        whole = QgsRectangle(*self.bounds)
        if extent is None or not extent.intersects(whole) or extent.contains(whole):
            return None
        part = extent.intersect(whole)
        if part.width() < self.pixel or part.height() < self.pixel:
            return None
        return [part.xMinimum(), part.yMinimum(), part.xMaximum(), part.yMaximum()]

    def covers(self, bounds: Bounds | None) -> bool:
        """Whether a part of the scene holds all that is seen of it.

        Args:
            bounds: The part.
        """
        return self._holds(bounds, self.seen() or self.bounds)

    def is_whole(self, bounds: Bounds | None) -> bool:
        """Whether a part is the whole scene, but for a pixel of the preview.

        Args:
            bounds: The part.
        """
        return self._holds(bounds, self.bounds)

    def _holds(self, bounds: Bounds | None, seen: Bounds) -> bool:
        if not bounds:
            return False
        slack = self.pixel
        return (
            bounds[0] <= seen[0] + slack
            and bounds[1] <= seen[1] + slack
            and bounds[2] >= seen[2] - slack
            and bounds[3] >= seen[3] - slack
        )

    def place(self, point: QgsPointXY) -> QgsPointXY | None:
        """A point of the canvas in the scene's CRS; None if it lies outside of the scene.

        Args:
            point: The point in the CRS of the canvas.
        """
        found = transformed_point(point, self._canvas_crs(), self.crs)
        if found is None or not QgsRectangle(*self.bounds).contains(found):
            return None
        return found

    def zoom_to(self, geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> None:
        """Show a place and its neighbourhood. A closer view stays as close.

        Args:
            geometry: The place.
            crs: Its CRS.
        """
        copy = QgsGeometry(geometry)
        side = 2 * NEIGHBOURHOOD * self.pixel
        if crs.isValid() and self.crs.isValid() and crs != self.crs:
            try:
                copy.transform(QgsCoordinateTransform(crs, self.crs, QgsProject.instance()))
            except QgsCsException:
                return
        box = copy.boundingBox()
        centre = box.center()
        width, height = max(box.width() * 1.5, side), max(box.height() * 1.5, side)
        wanted = QgsRectangle.fromCenterAndSize(centre, width, height)
        now = self._to_scene(self.canvas.extent())
        if now is not None and now.width() < width and now.width() > box.width() * 1.5:
            wanted = QgsRectangle.fromCenterAndSize(centre, now.width(), now.height())
        shown = self._from_scene(wanted)
        if shown is not None:
            self.canvas.setExtent(shown)
            self.canvas.refresh()

    def on_canvas(self, x: float, y: float) -> QgsPointXY | None:
        """A point of the scene in the CRS of the canvas.

        Args:
            x: Coordinate in the scene's CRS.
            y: Coordinate in the scene's CRS.
        """
        return transformed_point(QgsPointXY(x, y), self.crs, self._canvas_crs())

    def _canvas_crs(self) -> QgsCoordinateReferenceSystem:
        return self.canvas.mapSettings().destinationCrs()

    def _to_scene(self, extent: QgsRectangle) -> QgsRectangle | None:
        return _transformed_box(extent, self._canvas_crs(), self.crs)

    def _from_scene(self, extent: QgsRectangle) -> QgsRectangle | None:
        return _transformed_box(extent, self.crs, self._canvas_crs())


def transformed_point(
    point: QgsPointXY, source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem
) -> QgsPointXY | None:
    """A point in another CRS; None if it has no place there.

    Args:
        point: The point.
        source: Its CRS.
        target: The other CRS.
    """
    if not (source.isValid() and target.isValid()) or source == target:
        return QgsPointXY(point)
    try:
        return QgsCoordinateTransform(source, target, QgsProject.instance()).transform(point)
    except QgsCsException:
        return None


def _transformed_box(
    box: QgsRectangle, source: QgsCoordinateReferenceSystem, target: QgsCoordinateReferenceSystem
) -> QgsRectangle | None:
    if not (source.isValid() and target.isValid()) or source == target:
        return QgsRectangle(box)
    try:
        return QgsCoordinateTransform(source, target, QgsProject.instance()).transformBoundingBox(
            box
        )
    except QgsCsException:
        return None
