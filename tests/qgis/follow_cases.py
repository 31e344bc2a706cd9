"""Cases of `cases.py` about what the dock *hsi-geo live* follows: layers that change in QGIS, the slider, and undo."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

from hsi_geo_qgis.live.finish import Choice
from live_person import Job, Person, pause, wait_until
from qgis.core import (
    QgsCategorizedSymbolRenderer,
    QgsCoordinateReferenceSystem,
    QgsDataProvider,
    QgsProject,
    QgsRasterLayer,
    QgsRendererCategory,
    QgsSymbol,
    QgsVectorLayer,
    QgsVectorLayerUtils,
)
from qgis.PyQt.QtCore import Qt

#: A moment in which the dock would ask the engine.
MOMENT = 0.7


def asked(job: Job, method: str) -> list[Any]:
    """Parameters of the requests that the engine has had."""
    noted = Path(job["engine"]) / "requests.jsonl"
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.exists() else []
    return [one["params"] for one in map(json.loads, lines) if one["method"] == method]


def drawn(job: Job) -> Person:
    """A person who has drawn points of two classes, and sees a preview."""
    person = Person(job)
    person.begin(["A", "B"])
    person.draw([[5, 5], [8, 20]], "1")
    person.draw([[30, 10], [33, 22]], "2")
    person.rest()
    return person


def live_follows(job: Job) -> Job:
    """The slider during a preview; the CRS of shots; the file of the scene."""
    person, found = drawn(job), Job()
    dock, delay = person.dock, Path(job["engine"]) / "delay"
    points = dock.shots.points()

    delay.write_text("1")
    person.draw([[40, 30]], "1")
    wait_until(lambda: len(asked(job, "update")) == 2)
    dock.preview_panel.slider.setValue(70)
    person.rest()
    delay.unlink()
    pause(MOMENT)
    found["slider"] = [
        one["min_confidence"] for one in (*asked(job, "update"), *asked(job, "preview"))
    ]

    before = len(asked(job, "update"))
    points.setCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    pause(MOMENT)
    person.rest()
    found["moved"] = [one["shots"]["crs"] for one in asked(job, "update")[before:]]
    points.setCrs(QgsCoordinateReferenceSystem())
    pause(MOMENT)
    found["nowhere"] = [len(asked(job, "update")) - before, dock.work.text.text()]
    points.setCrs(person.scene.crs())

    other = Path(job["folder"]) / "other.tif"
    shutil.copy(job["scene"], other)
    options = QgsDataProvider.ProviderOptions()
    person.scene.setDataSource(str(other), "Szene", "gdal", options)
    wait_until(lambda: len(asked(job, "open")) == 2)
    person.rest()
    found["opened"] = [Path(one["scene"]).name for one in asked(job, "open")]
    found["preview"] = dock.preview.layer() is not None
    return found


def live_failed_update(job: Job) -> Job:
    """The slider after an update that failed: the preview that is shown is not that of the shots."""
    person, found = drawn(job), Job()
    dock, fail = person.dock, Path(job["engine"]) / "refuse"
    fail.touch()
    person.draw([[40, 30]], "1")
    wait_until(lambda: dock.notice.kind == "problem")
    found["failed"] = person.notice()
    before = len(asked(job, "preview"))
    dock.preview_panel.slider.setValue(70)
    wait_until(lambda: len(asked(job, "preview")) > before)
    pause(MOMENT)
    found["after the slider"] = person.notice()
    fail.unlink()
    person.draw([[41, 31]], "1")
    person.rest()
    found["after an update"] = dock.notice.kind
    return found


def live_after_finish(job: Job) -> Job:
    """The preview covers the map that was written, and is shown again when it follows new shots."""
    person = drawn(job)
    dock = person.dock
    node = QgsProject.instance().layerTreeRoot().findLayer(dock.preview.layer())
    drawn_at = [node.itemVisibilityChecked()]

    def draw_one(row: int) -> None:
        before = len(person.previews)
        person.draw([[40, row]], "1")
        wait_until(lambda: len(person.previews) > before)
        drawn_at.append(node.itemVisibilityChecked())

    dock.steps.write_map(Choice(str(Path(job["folder"]) / "map.tif")))
    wait_until(lambda: dock.notice.kind in ("success", "problem"))
    drawn_at.append(node.itemVisibilityChecked())
    draw_one(30)
    node.setItemVisibilityChecked(False)  # by the person
    draw_one(31)
    return {"drawn": drawn_at, "notice": dock.notice.kind}


def live_wavelengths(job: Job) -> Job:
    """Wavelengths that were typed for one scene, and another scene after it."""
    person = Person(job)
    dock = person.dock
    other = Path(job["folder"]) / "other.tif"
    shutil.copy(job["scene"], other)
    second = QgsRasterLayer(str(other), "second")
    QgsProject.instance().addMapLayer(second)
    field = dock.scene.wavelengths

    def opened(count: int) -> bool:
        return len(asked(job, "open")) == count and bool(dock.session.is_open)

    field.setText("400:2500")  # before a scene is chosen: they are for the next one
    for number, layer in enumerate((person.scene, second, person.scene), start=1):
        dock.scene.layers.setLayer(layer)
        wait_until(partial(opened, number))
    field.setText("index")
    dock.scene.options_changed.emit()
    wait_until(partial(opened, 4))
    dock.scene.layers.setLayer(None)
    wait_until(lambda: not dock.session.is_open)
    dock.scene.layers.setLayer(second)
    wait_until(lambda: dock.session.is_open)
    return {"opened": [one.get("wavelengths", "") for one in asked(job, "open")]}


def live_restored_wavelengths(job: Job) -> Job:
    """Wavelengths in a project whose scene is there, is gone, or has lost its file, and another scene after it."""
    from hsi_geo_qgis.live.project_state import LiveState, write_state

    person, found = Person(job), []
    dock, project = person.dock, QgsProject.instance()
    second, broken = (Path(job["folder"]) / name for name in ("second.tif", "broken.tif"))
    for path in (second, broken):
        shutil.copy(job["scene"], path)
    layers = [QgsRasterLayer(str(path), path.stem) for path in (second, broken)]
    project.addMapLayers(layers)
    options = QgsDataProvider.ProviderOptions()
    layers[1].setDataSource(str(broken) + ".gone", "broken", "gdal", options)
    for number, scene in enumerate((person.scene.id(), "gone", layers[1].id(), "")):
        write_state(LiveState(is_open=True, scene_layer=scene, wavelengths="400:2500"))
        dock.memory.restore()
        if number == 0:
            wait_until(lambda: dock.session.is_open)
        dock.scene.layers.setLayer(layers[0])
        wait_until(lambda: dock.session.is_open and dock.scene_path == str(second))
        found.append([one.get("wavelengths", "") for one in asked(job, "open")])
        dock.scene.layers.setLayer(None)
        wait_until(lambda: not dock.session.is_open)
    return {"opened": found[-1]}


def live_undone_names(job: Job) -> Job:
    """Rename a class of points and polygons, and undo and redo that in each layer."""
    person, found = drawn(job), []
    dock = person.dock
    dock.polygon_button.click()
    dock.shots.choose(0)
    for column, row in ([50, 30], [50, 36], [56, 36], [56, 30]):
        person.click(column, row)
    person.click(56, 30, Qt.MouseButton.RightButton)
    points, polygons = dock.shots.points().undoStack(), dock.shots.polygons().undoStack()

    def note(step: str) -> None:
        shots = dock.shots
        classes = [[one.name, one.color] for one in shots.classes]
        found.append([step, classes, shots.counts(), shots.current])

    note("before")
    dock.shots.rename(0, "C")
    note("C")
    dock.shots.rename(0, "D")
    note("D")
    for step in job["turns"]:
        for stack in (points, polygons):
            getattr(stack, step)()
        note(step)
    dock.shots.add_class()
    dock.shots.rename(2, "C")  # a name that is free again is that of another class now
    dock.shots.choose(0)
    note("another C")
    return {"found": found}


def live_kept_classes(job: Job) -> Job:
    """Rename classes, and let shots have the old names again, or lose the new ones, without an undo."""
    person = drawn(job)
    shots, found = person.dock.shots, Job()
    layer = shots.points()
    field = layer.fields().lookupField("class")

    def names() -> list[str]:
        return [one.name for one in shots.classes]

    def ids(name: str) -> list[int]:
        return [one.id() for one in layer.getFeatures() if one["class"] == name]

    def relabel(before: str, after: str) -> None:
        layer.beginEditCommand("Attributes changed")
        for one in ids(before):
            layer.changeAttributeValue(one, field, after)
        layer.endEditCommand()

    shots.rename(0, "forest")
    relabel("forest", "A")
    found["relabelled"] = names()
    layer.undoStack().undo()
    found["relabelled, undone"] = names()

    shots.rename(names().index("B"), "Class 4")
    shots.rename(names().index("Class 4"), "water")
    shots.add_class()
    person.draw([[50, 30]], str(len(names())))
    layer.deleteFeatures(ids("water"))
    found["new class of an old name"] = [names(), shots.counts()]

    shots.rename(names().index("forest"), "wood")
    other = QgsVectorLayer(f"Point?crs={layer.crs().authid()}&field=class:string", "b", "memory")
    QgsProject.instance().addMapLayer(other)
    values = ("forest", "wood", "sand")
    other.setRenderer(
        QgsCategorizedSymbolRenderer(
            "class",
            [
                QgsRendererCategory(one, QgsSymbol.defaultSymbol(other.geometryType()), one)
                for one in values
            ],
        )
    )
    shots.use([other])
    other.startEditing()
    for value in ("forest", "sand"):
        feature = QgsVectorLayerUtils.createFeature(
            other, layer.getFeature(ids("wood")[0]).geometry()
        )
        feature["class"] = value
        other.addFeature(feature)
    found["another layer"] = names()
    return found


def live_typed_name(job: Job) -> Job:
    """A name of a map that is typed without its folder."""
    from hsi_geo_qgis.live.finish import FinishDialog

    QgsProject.instance().setPresetHomePath(job["folder"])
    dialog = FinishDialog("Szene")
    found = {}
    for typed in job["names"]:
        dialog.map.setFilePath(typed)
        found[typed] = dialog.choice().out
    return found
