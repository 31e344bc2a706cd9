"""Cases of `cases.py` about the dock *hsi-geo live*: many features, layers that do not fit, and what it says and keeps."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any
from unittest import mock

from live_person import Job, Person, pause, wait_until
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsMarkerSymbol,
    QgsProject,
    QgsRectangle,
    QgsRendererCategory,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QProcess, Qt
from shot_cases import NAMES, points, use


def live_saved(job: Job) -> Job:
    """Save the project, and make another one before QGIS has drawn: with the preview in a group that goes."""
    person = _with_preview(job)
    project, root = QgsProject.instance(), QgsProject.instance().layerTreeRoot()
    if job["is_grouped"]:
        group = root.addGroup("Gruppe")
        node = root.findLayer(person.dock.preview.layer())
        group.addChildNode(node.clone())
        node.parent().removeChildNode(node)
    assert project.write(str(Path(job["folder"]) / "project.qgz"))
    project.clear()
    pause(0.2)
    return {"layers": [one.name() for one in project.mapLayers().values()]}


def live_many_features(job: Job) -> Job:
    """How often the dock looks at all shots in an edit of many of them, and what it counts then."""
    person = Person(job)
    person.open_scene()
    layer = points(person, "class:string", [*NAMES[:2]] * 50)
    use(person, layer)
    shots, told = person.dock.shots, list[int]()
    shots.changed.connect(lambda: told.append(1))
    layer.startEditing()
    found: Job = {}

    def note(step: str) -> None:
        found[step] = [len(told), shots.counts()]
        told.clear()

    layer.selectByIds([one.id() for one in layer.getFeatures()][:40])
    shots.reclass_selected(0)
    note("class")
    layer.undoStack().undo()
    note("undo")
    layer.selectByIds([one.id() for one in layer.getFeatures()][:40])
    shots.delete_selected()
    note("delete")
    layer.rollBack()
    note("discard")
    layer.startEditing()
    copies = list(layer.getFeatures())
    layer.beginEditCommand("Paste")
    layer.addFeatures(copies)
    layer.endEditCommand()
    note("paste")
    layer.commitChanges()
    note("save")
    return found


def live_kept_notice(job: Job) -> Job:
    """The engine is killed; other notices come and go before the person restarts it."""
    person = _with_preview(job)
    dock, layer = person.dock, person.dock.shots.points()
    os.kill(dock.session.engine.process_id, signal.SIGKILL)
    wait_until(lambda: bool(dock.notice.kind))
    found: Job = {"killed": _told(person)}
    use(person, points(person, "size:double", [1.0], name="Maße"))
    found["unfit"] = _told(person)
    use(person, layer)
    found["fit"] = _told(person)
    dock.notice.close_button.click()
    found["closed"] = _told(person)
    use(person, points(person, "size:double", [1.0], name="Maße"))
    dock.notice.close_button.click()
    found["again"] = _told(person)
    use(person, layer)
    dock.notice.button.click()
    person.rest()
    found["restarted"] = _told(person)
    return found


def live_not_started(job: Job) -> Job:
    """A program that QProcess cannot start, where it tells so at once, as on Windows."""

    class Refusing(QProcess):  # type: ignore[misc]
        def start(self, *_: Any) -> None:
            self.errorOccurred.emit(QProcess.ProcessError.FailedToStart)

    person = Person(job)
    with mock.patch("hsi_geo_qgis.live.engine.QProcess", Refusing):
        person.open_scene()
    dock = person.dock
    return {"told": _told(person), "work": dock.work.text.text(), "bar": dock.work.bar.isEnabled()}


def live_hint_over(job: Job) -> Job:
    """Delete the shots of one of two classes, and undo that."""
    person = _with_preview(job)
    dock, layer = person.dock, person.dock.shots.points()
    layer.selectByExpression(f"\"class\" = '{NAMES[0]}'")
    dock.link.delete_selected()
    person.rest()
    found = {"deleted": dock.work.text.text()}
    layer.undoStack().undo()
    person.rest()
    return {**found, "undone": dock.work.text.text()}


def live_moved_view(job: Job) -> Job:
    """Move the canvas over a large scene while the first preview is computed."""
    from hsi_geo_qgis.live import requests as live_requests

    live_requests.WHOLE_PIXELS = 100
    person = Person(job)
    box = person.scene.extent()
    width = box.width() / 8
    left = QgsRectangle(box.xMinimum(), box.yMinimum(), box.xMinimum() + width, box.yMaximum())
    right = QgsRectangle(box.xMaximum() - width, box.yMinimum(), box.xMaximum(), box.yMaximum())
    person.canvas.resize(100, 800)
    person.canvas.setExtent(left)
    use(person, points(person, "class:string", [*NAMES]))
    (Path(job["engine"]) / "delay").write_text("1")
    person.open_scene()
    wait_until(lambda: person.dock.session._updating > 0)
    person.canvas.setExtent(right)
    person.rest()
    return {
        "previews": len(person.previews), "is_missing": person.dock.requests.is_view_missing()
    }  # fmt: skip


def live_decimals(job: Job) -> Job:
    """A layer that is styled by a field of numbers with a decimal point."""
    person = Person(job)
    person.open_scene()
    layer = points(person, "size:double", job["values"], name="Maße")
    categories = [
        QgsRendererCategory(value, QgsMarkerSymbol.createSimple({}), f"Maß {value}")
        for value in sorted(set(job["values"]))
    ]
    layer.setRenderer(QgsCategorizedSymbolRenderer("size", categories))
    use(person, layer)
    return {
        "told": _told(person)[0],
        "styled": [one.value() for one in layer.renderer().categories()],
        "counts": person.dock.shots.counts(),
    }


def live_letters(job: Job) -> Job:
    """Draw a class in a Shapefile of some encoding, and save it."""
    person = Person(job)
    person.open_scene()
    path, options = str(Path(job["folder"]) / "old.shp"), QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.fileEncoding = "ESRI Shapefile", job["encoding"]
    memory = points(person, "class:string(20)", ["meadow"])
    context = QgsProject.instance().transformContext()
    QgsVectorFileWriter.writeAsVectorFormatV3(memory, path, context, options)
    layer = QgsVectorLayer(path, "old")
    use(person, layer)
    shots = person.dock.shots
    shots.add_class()
    shots.rename(1, job["drawn"])
    person.dock.link.use_point_tool()
    person.click(5, 5)
    told = _told(person)[0]
    layer.commitChanges()
    return {"told": told, "saved": sorted(str(one["class"]) for one in layer.getFeatures())}


def live_kept_polygon(job: Job) -> Job:
    """A polygon that cannot be added is not lost."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    dock.shot_chooser.make_layers()
    dock.polygon_button.click()
    for place in ((5, 5), (15, 5), (15, 15)):
        person.click(*place)
    with mock.patch.object(dock.shots, "classes", ()):
        person.click(20, 20, Qt.MouseButton.RightButton)
    found = {"told": _told(person)[0], "corners": len(dock.link.polygon_tool.corners)}
    person.click(20, 20, Qt.MouseButton.RightButton)
    left = len(dock.link.polygon_tool.corners)
    return {**found, "left": left, "drawn": dock.shots.polygons().featureCount()}


def _with_preview(job: Job) -> Person:
    person = Person(job)
    use(person, points(person, "class:string", [*NAMES[:2], *NAMES[:2]]))
    person.open_scene()
    person.rest()
    assert person.dock.preview.layer() is not None
    return person


def _told(person: Person) -> list[str]:
    pause(0.1)
    return [person.notice(), person.dock.notice.button.text() if person.notice() else ""]


CASES = (
    live_saved, live_many_features, live_kept_notice, live_not_started, live_hint_over, live_moved_view, live_decimals, live_letters,
    live_kept_polygon,
)  # fmt: skip
