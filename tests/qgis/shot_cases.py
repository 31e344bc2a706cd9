"""Cases of `cases.py` about the layers of shots in the dock *hsi-geo live*, without an engine in the way."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

from live_person import Job, Person, pause
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDefaultValue,
    QgsFeature,
    QgsField,
    QgsGeometry,
    QgsProject,
    QgsVectorLayer,
    QgsVectorLayerJoinInfo,
)
from qgis.PyQt.QtCore import QVariant
from qgis.PyQt.QtWidgets import QMessageBox

NAMES = ("meadow", "asphalt", "water")


def points(person: Person, field: str, values: list[Any], *, name: str = "Meine ä") -> Any:
    """A scratch layer with a point for each value, from the left to the right."""
    layer = QgsVectorLayer(f"Point?field={field}", name, "memory")
    layer.setCrs(person.scene.crs())
    found = []
    for column, value in enumerate(values):
        feature = QgsFeature(layer.fields())
        feature.setGeometry(QgsGeometry.fromPointXY(person.place(3 + 2 * column, 5)))
        feature.setAttributes([value])
        found.append(feature)
    layer.dataProvider().addFeatures(found)
    return layer


def read_only(person: Person) -> Any:
    layer = points(person, "class:string", [*NAMES, *NAMES])
    layer.setReadOnly(True)
    return layer


def virtual(person: Person) -> Any:
    layer = points(person, "code:integer", [0, 1, 2, 0, 1, 2])
    text = "array_get(array('meadow','asphalt','water'), \"code\")"
    layer.addExpressionField(text, QgsField("class", QVariant.String))
    return layer


def joined(person: Person) -> Any:
    layer = points(person, "code:integer", [0, 1, 2, 0, 1, 2])
    table = QgsVectorLayer("None?field=key:integer&field=class:string", "names", "memory")
    rows = []
    for key, name in enumerate(NAMES):
        feature = QgsFeature(table.fields())
        feature.setAttributes([key, name])
        rows.append(feature)
    table.dataProvider().addFeatures(rows)
    QgsProject.instance().addMapLayer(table)
    join = QgsVectorLayerJoinInfo()
    join.setJoinLayer(table)
    join.setJoinFieldName("key")
    join.setTargetFieldName("code")
    join.setUsingMemoryCache(True)
    join.setPrefix("")
    layer.addJoin(join)
    return layer


def short(person: Person) -> Any:
    return points(person, "class:string(7)", [*NAMES, *NAMES])


def editable(person: Person) -> Any:
    return points(person, "class:string", [*NAMES, *NAMES])


LAYERS: dict[str, Callable[[Person], Any]] = {
    one.__name__: one for one in (read_only, virtual, joined, short, editable)
}


def use(person: Person, *layers: Any) -> None:
    """Choose layers of points and of polygons."""
    panel = person.dock.shots_panel
    for combo, layer in zip((panel.points, panel.polygons), layers, strict=False):
        QgsProject.instance().addMapLayer(layer)
        combo.setLayer(layer)
    pause(0.1)


def state(person: Person, layer: Any) -> Job:
    shots = person.dock.shots
    sent = [one.name for one in shots.collect().shots]
    return {
        "counts": shots.counts(),
        "sent": {name: sent.count(name) for name in sent},
        "features": layer.featureCount(),
        "text": person.dock.work.text.text(),
        "edits": layer.undoStack().count(),
    }


def live_fixed_layers(job: Job) -> Job:
    """Rename a class, give a shot another class, draw and delete, in a layer that may not take it."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    layer = LAYERS[job["layer"]](person)
    use(person, layer)
    found: Job = {"before": state(person, layer)}
    names = [one.name for one in dock.shots.classes]
    found["classes"] = names
    dock.table.table.item(names.index("water"), 1).setText("deep blue")
    found["renamed"] = {
        **state(person, layer), "classes": [one.name for one in dock.shots.classes]
    }  # fmt: skip
    ids = sorted(layer.allFeatureIds())
    layer.selectByIds(ids[:1])
    person.press(str(names.index("asphalt") + 1))
    found["reclassed"] = state(person, layer)
    layer.removeSelection()
    dock.link.use_point_tool()
    person.press("1")
    person.click(30, 30)
    found["drawn"] = {**state(person, layer), "notice": person.notice()}
    layer.selectByIds(ids[-1:])
    dock.delete_button.click()
    found["deleted"] = state(person, layer)
    return found


def live_one_of_two_fixed(job: Job) -> Job:
    """Rename a class of two layers, one of which cannot be edited; and features without a class."""
    person = Person(job)
    person.open_scene()
    dock = person.dock
    own = points(person, "class:string", [*NAMES, *NAMES, None, ""])
    fields = QgsVectorLayer("Polygon?field=class:string", "fields", "memory")
    fields.setCrs(person.scene.crs())
    feature = QgsFeature(fields.fields())
    feature.setGeometry(QgsGeometry.fromPointXY(person.place(30, 20)).buffer(60, 4))
    feature.setAttributes(["water"])
    fields.dataProvider().addFeatures([feature])
    fields.setReadOnly(True)
    use(person, own, fields)
    found: Job = {"before": dock.shots.counts()}
    names = [one.name for one in dock.shots.classes]
    for name in ("water", "meadow"):
        dock.table.table.item(names.index(name), 1).setText(f"new {name}")
        found[name] = (dock.shots.counts(), dock.work.text.text())
    own.selectByIds(sorted(own.allFeatureIds())[:1])
    fields.selectAll()
    person.press(str(names.index("asphalt") + 1))
    found["both"] = (dock.shots.counts(), dock.work.text.text())
    person.rest()
    found["warning"] = person.notice()
    return found


def live_defaults(job: Job) -> Job:
    """Draw into a layer of the user's own with default values."""
    person = Person(job)
    person.open_scene()
    layer = QgsVectorLayer("Point?field=class:string&field=author:string", "own", "memory")
    layer.setCrs(person.scene.crs())
    layer.setDefaultValueDefinition(1, QgsDefaultValue("'Ann'"))
    use(person, layer)
    person.dock.shots.add_class()
    person.dock.link.use_point_tool()
    person.click(5, 5)
    return {"rows": [feature.attributes() for feature in layer.getFeatures()]}


def live_overwrite(job: Job) -> Job:
    """New shots in a GeoPackage that exists, with and without its ending."""
    from hsi_geo_qgis.live import shot_chooser

    person = Person(job)
    person.open_scene()
    folder = Path(job["folder"])
    yes, no = QMessageBox.StandardButton.Yes, QMessageBox.StandardButton.No
    found: Job = {}
    for name, typed, answer in (
        ("no", "data", no), ("yes", "data", yes), ("new", "other", None), ("typed", "own.gpkg", None),
    ):  # fmt: skip
        path = folder / (typed if typed.endswith(".gpkg") else f"{typed}.gpkg")
        if name != "new":
            path.write_bytes(b"precious")
        given = (str(folder / typed), "GeoPackage (*.gpkg)")
        with (
            mock.patch.object(shot_chooser, "QFileDialog") as files,
            mock.patch.object(shot_chooser, "QMessageBox") as box,
        ):
            files.getSaveFileName.return_value = given
            box.StandardButton, box.question.return_value = QMessageBox.StandardButton, answer
            person.dock.shot_chooser.new(True)
        found[name] = (path.read_bytes() == b"precious", box.question.call_count)
    return found


def live_saved_shots(job: Job) -> Job:
    """Go to a shot that looks wrong after its edits were saved, and after it was deleted."""
    person = Person(job)
    dock = person.dock
    person.open_scene()
    dock.shot_chooser.make_layers(job["folder"] + "/saved.gpkg")
    for number, places in enumerate(job["classes"].values(), start=1):
        if number > len(dock.shots.classes):
            dock.shots.add_class()
        person.draw(places, str(number))
    person.draw([job["wrong"]], "1")
    person.rest()
    layer = dock.shots.points()
    dock.preview_panel.shot_chosen.emit(0)
    before = list(layer.selectedFeatureIds())
    assert layer.commitChanges()
    dock.preview_panel.shot_chosen.emit(0)
    after = list(layer.selectedFeatureIds())
    found: Job = {"wanted": [person.shot(*job["wrong"])], "before": before, "after": after}
    found["text"] = dock.work.text.text()
    layer.startEditing()
    layer.deleteFeature(after[0])
    dock.preview_panel.shot_chosen.emit(0)
    found["gone"] = (list(layer.selectedFeatureIds()), dock.work.text.text())
    return found


#: A transverse Mercator projection that no authority has a code for.
OWN_CRS = "+proj=tmerc +lat_0=0 +lon_0=15.01 +k=0.9996 +x_0=500000 +ellps=WGS84 +units=m"


def live_crs(job: Job) -> Job:
    """Shots on a scene without a CRS, also if its layer has one, and in a CRS of the user's own."""
    person = Person(job)
    dock = person.dock
    crs = QgsCoordinateReferenceSystem(job["layer_crs"])
    if crs.isValid():
        person.scene.setCrs(crs)
        person.canvas.setDestinationCrs(crs)
    person.open_scene()
    own = points(person, "class:string", [*NAMES, *NAMES])
    if job["own_crs"]:
        target = QgsCoordinateReferenceSystem.fromProj(OWN_CRS)
        target = QgsCoordinateReferenceSystem(f"USER:{target.saveAsUserCrs('mine')}")
        transform = QgsCoordinateTransform(own.crs(), target, QgsProject.instance())
        moved = {}
        for feature in own.getFeatures():
            geometry = feature.geometry()
            geometry.transform(transform)
            moved[feature.id()] = geometry
        own.dataProvider().changeGeometryValues(moved)
        own.setCrs(target)
    use(person, own)
    person.rest()
    first = person.place(3, 5)
    return {
        "crs": dock.view.crs.authid(),
        "own": own.crs().authid(),
        "place": [first.x(), first.y()],
        "notice": person.notice(),
        "has_preview": bool(dock.session.preview),
    }


def live_mixed_fields(job: Job) -> Job:
    """Points with texts and polygons with a whole number: draw classes of the points as polygons, and add one."""
    person = Person(job)
    person.open_scene()
    shots = person.dock.shots
    own = points(person, "class:string", [*NAMES, *NAMES, "\u00b2"])  # a digit, no number
    fields = QgsVectorLayer("Polygon?field=code:integer", "fields", "memory")
    fields.setCrs(person.scene.crs())
    square = QgsGeometry.fromPointXY(person.place(30, 20)).buffer(60, 4)
    feature = QgsFeature(fields.fields())
    feature.setGeometry(square)
    feature.setAttributes([7])
    fields.dataProvider().addFeatures([feature])
    use(person, own, fields)
    found: Job = {"problems": []}
    for name in ("7", "asphalt"):
        shots.choose([one.name for one in shots.classes].index(name))
        found["problems"].append(shots.add(square, person.scene.crs()))
    shots.add_class()
    found["problems"].append(shots.add(square, person.scene.crs()))
    found["codes"] = sorted({one["code"] for one in fields.getFeatures()})
    found["drawn"] = shots.counts()
    found["styled"] = {one.value(): one.label() for one in fields.renderer().categories()}
    return found
