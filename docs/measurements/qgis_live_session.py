"""A session with the dock *hsi-geo live* in QGIS's own window: pictures, and what the dock said.

    python docs/measurements/qgis_live_session.py SCENE SHOTS CLASS_FIELD FOLDER

opens SCENE as a product, draws the points of SHOTS by mouse and keys, adds a wrong one, deletes it, gives a shot
another class, takes that back, finishes, and opens the batch. Pictures and ``session.json`` are written into FOLDER.
hsi-geo must be installed for the Python that runs this script. It needs QGIS and Xvfb, see `qgis_desktop`.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import qgis_desktop
from qgis_desktop import WITH_PLUGIN, Desk, Job, Wait

ROOT = Path(__file__).resolve().parents[2]

#: Width and height of the screen: the whole dock is seen.
SIZE_PX = (1360, 940)

#: Classes have the keys 1 to 9.
CLASSES = 9


def main(scene: str, shots: str, field: str, folder: str) -> None:
    """Run the session with shots of a file.

    Args:
        scene: Path of a scene; it is not changed.
        shots: Path of a file of points in the scene's CRS.
        field: Their field with the class.
        folder: Folder of the pictures.
    """
    import geopandas as gpd

    points = gpd.read_file(shots)
    names = list(dict.fromkeys(points[field]))[:CLASSES]
    places = {
        str(name): [[p.x, p.y] for p in points.geometry[points[field] == name]] for name in names
    }
    with tempfile.TemporaryDirectory(prefix="qgis-") as temporary:
        found = record(Path(temporary), Path(scene), places, Path(folder))
    print(json.dumps(found, indent=1, ensure_ascii=False))


def record(home: Path, scene: Path, places: dict[str, list[list[float]]], folder: Path) -> Job:
    """Run the session in a fresh profile.

    Args:
        home: Empty folder for the profile and the map.
        scene: Path of the scene.
        places: x and y of the points of each class, in the scene's CRS. The first class's first point is drawn wrongly
            once more, beside a point of the second class.
        folder: Folder of the pictures.

    Returns:
        What the dock said.
    """
    folder.mkdir(parents=True, exist_ok=True)
    environment = home / "hsi-geo-env"  # a place that tells nothing about this computer
    environment.symlink_to(sys.prefix)
    product = home / scene.name
    product.symlink_to(scene.resolve())
    job = {
        "scene": str(product), "places": places, "out": str(home / "map.tif"),
        "folder": str(folder.resolve()),
    }  # fmt: skip
    settings = f"{WITH_PLUGIN}\n[hsi_geo]\npython={environment}/bin/python\n"
    variables = {"QGIS_PLUGINPATH": str(ROOT / "qgis_plugin"), "QT_QPA_PLATFORM": "xcb"}
    qgis_desktop.start(
        "qgis_live_session", job, home, variables=variables, settings=settings, size_px=SIZE_PX,
        timeout_s=280,
    )  # fmt: skip
    found: Job = json.loads((folder / "session.json").read_text(encoding="utf-8"))
    return found


# Inside QGIS --------------------------------------------------------------------------------------


def tour(desk: Desk, job: Job) -> Iterator[Wait]:
    """Open, draw, add a wrong shot and delete it, change a class, finish, open the batch."""
    yield 3.0
    hide_panels(desk)
    person = Person(desk, Path(job["folder"]))
    names = list(job["places"])
    yield from person.open_product(job["scene"])
    yield from person.draw_all(job["places"])
    person.read_preview()
    yield from person.look_at(job["places"][names[1]][0], "qgis-live.png")
    yield from person.add_wrong(job["places"])
    yield from person.delete_wrong()
    yield from person.change_class(job["places"][names[0]][0])
    yield from person.finish(job["out"])
    yield from person.open_batch()
    text = json.dumps(person.found, ensure_ascii=False)
    (person.folder / "session.json").write_text(text, encoding="utf-8")


def hide_panels(desk: Desk) -> None:
    """Hide the panels that nobody needs beside the dock."""
    from qgis.PyQt.QtWidgets import QDockWidget

    for dock in desk.window.findChildren(QDockWidget):
        if dock.objectName() in ("Browser", "LayerStyling", "ProcessingToolbox"):
            dock.hide()


class Person:
    """Works at the dock in QGIS's window.

    Args:
        desk: QGIS's window.
        folder: Folder of the pictures.
    """

    def __init__(self, desk: Desk, folder: Path) -> None:
        self.desk, self.folder = desk, folder
        self.canvas = desk.iface.mapCanvas()
        self.found: Job = {}
        desk.menu_entry("hsi-geo live").trigger()
        self.dock = desk.panel("HsiGeoLive")
        self.previews: list[Job] = []
        self.dock.session.previewed.connect(self.previews.append)

    # Steps ----------------------------------------------------------------------------------------

    def open_product(self, path: str) -> Iterator[Wait]:
        """Open a product that no layer shows."""
        self.dock.chooser.open_product(path)
        yield lambda: self.dock.session.is_open or bool(self.dock.notice.kind)
        yield lambda: self.layer() is not None or bool(self.dock.notice.kind)
        self.found["opened"] = [self.dock.notice.kind, self.layer() and self.layer().name()]
        yield from self.desk.zoom_to(self.layer())

    def draw_all(self, places: dict[str, list[list[float]]]) -> Iterator[Wait]:
        """Make layers of shots, name their classes, and draw."""
        dock = self.dock
        dock.shots_panel.new_button.menu().actions()[0].trigger()
        for index, name in enumerate(places):
            if index >= len(dock.shots.classes):
                dock.table.add_button.click()
            dock.table.table.item(index, 1).setText(name)
        started = time.monotonic()
        for number, points in enumerate(places.values(), start=1):
            self.press(str(number))
            for point in points:
                self.click(point)
                yield 0.05
        yield self.rested
        self.found["seconds_of_drawing_and_preview"] = round(time.monotonic() - started, 1)

    def read_preview(self) -> None:
        """What the dock says with the first preview."""
        panel, table = self.dock.preview_panel, self.dock.table.table
        self.found.update(
            chip=panel.chip.isVisible() and panel.chip.text(),
            about=panel.about.text(),
            accuracy=panel.accuracy.text(),
            rows=[
                [table.item(row, column).text() for column in range(4)]
                for row in range(table.rowCount())
            ],
            layers=[layer.name() for layer in self.desk.layers()],
            colours=self.colours(),
            wrong_at_first=self.wrong(),
        )

    def look_at(self, point: list[float], picture: str) -> Iterator[Wait]:
        """Move the cursor to a place, and take a picture with its spectrum."""
        from qgis.PyQt.QtTest import QTest

        QTest.mouseMove(self.canvas.viewport(), self.on_canvas(point))
        yield lambda: bool(self.dock.plot.lines)
        self.found["spectrum"] = [name for name, _, _ in self.dock.plot.lines]
        yield self.desk.is_drawn
        self.desk.shoot(self.folder / picture)

    def add_wrong(self, places: dict[str, list[list[float]]]) -> Iterator[Wait]:
        """Draw a shot of the first class between shots of the second, and click on it in the list."""
        first, second = list(places)[:2]
        side = self.layer().rasterUnitsPerPixelX()
        x, y = places[second][0]
        beside = [x + side, y]
        self.press("1")
        yield from self.change(lambda: self.click(beside))
        listed = self.wrong()
        self.found["wrong"], self.found["wanted"] = listed, f"{first}, looks like {second}"
        self.found["layer_of_preview"] = self.dock.preview.layer().name()
        if self.found["wanted"] in listed:
            panel = self.dock.preview_panel.wrong
            panel.itemClicked.emit(panel.item(listed.index(self.found["wanted"])))
        yield 1.0
        yield self.desk.is_drawn
        self.found["selected"] = self.dock.shots.points().selectedFeatureCount()
        self.desk.shoot(self.folder / "qgis-live-wrong.png")

    def delete_wrong(self) -> Iterator[Wait]:
        """Delete the selected shot by the bin, and look at the whole scene again."""
        yield from self.change(self.dock.delete_button.click)
        self.found["wrong_after_delete"] = self.wrong()
        yield from self.desk.zoom_to(self.layer())

    def change_class(self, point: list[float]) -> Iterator[Wait]:
        """Give a shot another class by a key; QGIS's own undo takes it back."""
        from qgis.core import QgsGeometry, QgsPointXY

        points, here = self.dock.shots.points(), QgsGeometry.fromPointXY(QgsPointXY(*point))
        near = min(points.getFeatures(), key=lambda one: one.geometry().distance(here))
        points.selectByIds([near.id()])
        counts = [self.dock.shots.counts()]
        yield from self.change(lambda: self.press("2"))
        counts.append(self.dock.shots.counts())
        self.desk.iface.setActiveLayer(points)
        yield from self.change(self.desk.window.findChild(_action(), "mActionUndo").trigger)
        counts.append(self.dock.shots.counts())
        self.found["counts"] = counts

    def finish(self, path: str) -> Iterator[Wait]:
        """Fill in the dialog of *Finish*, and wait for the map."""
        dock = self.dock
        dock.finish_button.click()
        dialog = dock.steps.finish_dialog
        dialog.map.setFilePath(path)
        yield 0.5
        dialog.buttons.button(dialog.buttons.StandardButton.Ok).click()
        yield lambda: dock.notice.kind in ("success", "problem")
        self.found["finished"] = f"{dock.notice.kind}: {dock.notice.text.text()}"
        self.found["files"] = sorted(one.name for one in Path(path).parent.glob("map*"))
        self.found["bar"] = self.desk.messages()
        self.found["top_layer"] = self.desk.layer("Class map").name()
        yield 1.0
        yield self.desk.is_drawn
        self.found["map_is_drawn"] = self.desk.share_of_colours(set(self.colours())) > 0.1
        self.desk.shoot(self.folder / "qgis-live-finished.png")

    def open_batch(self) -> Iterator[Wait]:
        """Press the button that offers the batch."""
        self.dock.notice.button.click()
        yield lambda: self.dock.steps.batch_dialog is not None
        yield 1.0
        dialog = self.dock.steps.batch_dialog
        self.found["batch"] = [
            dialog.isVisible(), dialog.algorithm().id(), dialog.createProcessingParameters()["MODEL"]
        ]  # fmt: skip
        self.desk.shoot(self.folder / "qgis-live-batch.png", dialog)
        dialog.close()

    # What a person does, and sees -----------------------------------------------------------------

    def layer(self) -> Any:
        """The layer of the scene."""
        return self.dock.scene.layers.currentLayer()

    def on_canvas(self, point: list[float]) -> Any:
        """The pixel of the canvas at x and y of the scene's CRS."""
        from qgis.core import QgsPointXY
        from qgis.PyQt.QtCore import QPoint

        found = self.canvas.getCoordinateTransform().transform(QgsPointXY(*point))
        return QPoint(round(found.x()), round(found.y()))

    def click(self, point: list[float]) -> None:
        """Click on the canvas with its tool."""
        from qgis.PyQt.QtCore import Qt
        from qgis.PyQt.QtTest import QTest

        left, none = Qt.MouseButton.LeftButton, Qt.KeyboardModifier.NoModifier
        QTest.mouseClick(self.canvas.viewport(), left, none, self.on_canvas(point))

    def press(self, text: str) -> None:
        """Press a key while the map has the focus."""
        from qgis.PyQt.QtTest import QTest

        self.canvas.setFocus()
        QTest.keyClicks(self.canvas, text)

    def change(self, act: Callable[[], object]) -> Iterator[Wait]:
        """Do something that changes the shots, and wait for the preview that follows."""
        count = len(self.previews)
        act()
        yield lambda: len(self.previews) > count
        yield self.rested

    def rested(self) -> bool:
        """Whether a preview has followed the last change."""
        return bool(self.previews) and not self.dock.session.is_busy

    def wrong(self) -> list[str]:
        """Shots that look wrong."""
        found = self.dock.preview_panel.wrong
        return [found.item(index).text() for index in range(found.count())]

    def colours(self) -> list[str]:
        """Colours of the classes."""
        return [one.color for one in self.dock.shots.classes]


def _action() -> Any:
    from qgis.PyQt.QtWidgets import QAction

    return QAction


if __name__ == "__main__":
    main(*sys.argv[1:])
