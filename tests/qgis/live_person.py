"""A person at the dock *hsi-geo live*, in as much of QGIS's window as the plugin uses."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication, QgsGeometry, QgsPointXY, QgsProject, QgsRasterLayer
from qgis.gui import QgsMapCanvas, QgsMessageBar
from qgis.PyQt.QtCore import QEvent, QPoint, Qt
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QAction, QMainWindow

Job = dict[str, Any]


class Interface:
    """As much of QGIS's window as the plugin uses."""

    def __init__(self) -> None:
        self.window, self.bar = QMainWindow(), QgsMessageBar()
        self.canvas = QgsMapCanvas(self.window)
        self.window.setCentralWidget(self.canvas)
        self.window.resize(1366, 740)
        self.menu: list[tuple[str, str]] = []
        self.toolbar: list[str] = []
        self.active: Any = None
        self.select = QAction()

    def mainWindow(self) -> QMainWindow:
        return self.window

    def mapCanvas(self) -> QgsMapCanvas:
        return self.canvas

    def messageBar(self) -> QgsMessageBar:
        return self.bar

    def addPluginToMenu(self, name: str, action: Any) -> None:
        self.menu.append((name, action.text()))

    def removePluginMenu(self, name: str, action: Any) -> None:
        self.menu.remove((name, action.text()))

    def addToolBarIcon(self, action: Any) -> None:
        self.toolbar.append(action.text())

    def removeToolBarIcon(self, action: Any) -> None:
        self.toolbar.remove(action.text())

    def addDockWidget(self, area: Any, dock: Any) -> None:
        self.window.addDockWidget(area, dock)

    def removeDockWidget(self, dock: Any) -> None:
        self.window.removeDockWidget(dock)

    def activeLayer(self) -> Any:
        return self.active

    def setActiveLayer(self, layer: Any) -> None:
        self.active = layer

    def actionSelect(self) -> QAction:
        return self.select


class Person:
    """Works at the dock, with the scene of a job on the canvas."""

    def __init__(self, job: Job) -> None:
        from hsi_geo_qgis.live.entry import LiveEntry

        self.iface = Interface()
        self.canvas = self.iface.canvas
        self.entry: Any = LiveEntry(self.iface, "hsi-geo")
        self.iface.window.show()
        self.scene = QgsRasterLayer(job["scene"], "Szene")
        assert self.scene.isValid()
        QgsProject.instance().addMapLayer(self.scene)
        self.canvas.setDestinationCrs(self.scene.crs())
        self.canvas.setLayers([self.scene])
        self.canvas.setExtent(self.scene.extent())
        self.dock: Any = self.entry.open()
        self.previews: list[Job] = []
        self.dock.session.previewed.connect(self.previews.append)

    def open_scene(self) -> None:
        self.dock.scene.layers.setLayer(self.scene)
        wait_until(lambda: self.dock.session.is_open or bool(self.dock.notice.kind))

    def begin(self, names: list[str]) -> None:
        """Open the scene, and make shots with classes of these names."""
        self.open_scene()
        self.dock.shot_chooser.make_layers()
        for index, name in enumerate(names):
            if index >= len(self.dock.shots.classes):
                self.dock.table.add_button.click()
            self.dock.table.table.item(index, 1).setText(name)

    def place(self, column: float, row: float) -> QgsPointXY:
        """The middle of a pixel of the scene."""
        box, layer = self.scene.extent(), self.scene
        return QgsPointXY(
            box.xMinimum() + (column + 0.5) * layer.rasterUnitsPerPixelX(),
            box.yMaximum() - (row + 0.5) * layer.rasterUnitsPerPixelY(),
        )

    def on_canvas(self, point: QgsPointXY) -> QPoint:
        found = self.canvas.getCoordinateTransform().transform(point)
        return QPoint(round(found.x()), round(found.y()))

    def click(self, column: float, row: float, button: Any = None) -> None:
        """Click on a pixel with the tool of the canvas."""
        button = Qt.MouseButton.LeftButton if button is None else button
        modifier = Qt.KeyboardModifier.NoModifier
        place = self.on_canvas(self.place(column, row))
        QTest.mouseClick(self.canvas.viewport(), button, modifier, place)

    def press(self, text: str, widget: Any = None) -> None:
        """Press a key where the focus is."""
        key = getattr(Qt.Key, f"Key_{text}")
        for kind in (QEvent.Type.KeyPress, QEvent.Type.KeyRelease):
            event = QKeyEvent(
                kind, key, Qt.KeyboardModifier.NoModifier, text if len(text) == 1 else ""
            )
            QgsApplication.sendEvent(widget or self.canvas, event)

    def draw(self, places: list[list[float]], key: str) -> None:
        self.press(key)
        for column, row in places:
            self.click(column, row)

    def rest(self) -> None:
        """Wait until the preview has followed."""
        wait_until(lambda: not self.dock.session.is_busy)

    def shares(self) -> dict[str, list[str]]:
        table = self.dock.table.table
        return {
            table.item(row, 1).text(): [table.item(row, column).text() for column in (0, 2, 3)]
            for row in range(table.rowCount())
        }

    def wrong(self) -> list[str]:
        found = self.dock.preview_panel.wrong
        return [found.item(index).text() for index in range(found.count())]

    def notice(self) -> str:
        notice = self.dock.notice
        return f"{notice.kind}: {notice.text.text()}" if notice.kind else ""

    def shot(self, column: float, row: float) -> Any:
        """The id of the point at a pixel."""
        here = QgsGeometry.fromPointXY(self.place(column, row))
        layer = self.dock.shots.points()
        side = layer.crs() and self.scene.rasterUnitsPerPixelX()
        (found,) = [f.id() for f in layer.getFeatures() if f.geometry().distance(here) < side]
        return found

    def shoot(self, path: str | None) -> None:
        if path:
            QgsApplication.processEvents()
            self.iface.window.grab().save(path)


def wait_until(done: Callable[[], bool], seconds: float = 120) -> None:
    end = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < end, "waited too long"
        QgsApplication.processEvents()
        time.sleep(0.01)


def pause(seconds: float) -> None:
    end = time.monotonic() + seconds
    wait_until(lambda: time.monotonic() > end)


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
