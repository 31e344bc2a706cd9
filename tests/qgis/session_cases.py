"""Cases of `cases.py` about the dock *hsi-geo live*: begun again, cancelled, and as QGIS shows scene, canvas and shots."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Any

from follow_cases import asked
from live_person import Job, Person, pause, wait_until
from merge_cases import style
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDataProvider,
    QgsField,
    QgsPointClusterRenderer,
    QgsPointDisplacementRenderer,
    QgsProject,
    QgsRasterLayer,
    QgsSingleSymbolRenderer,
    QgsSymbol,
    QgsVectorFileWriter,
    QgsVectorLayer,
)
from qgis.PyQt.QtCore import QVariant
from shot_cases import points, use


def live_begun_again(job: Job) -> Job:
    """A dock that is made anew: the plugin was loaded again, or the project was opened in another QGIS."""
    from hsi_geo_qgis.live.entry import LiveEntry

    person, project = Person(job), QgsProject.instance()
    person.open_scene()
    person.dock.shot_chooser.make_layers(job["folder"] + "/shots ü.gpkg")
    person.draw([[5, 5], [8, 20]], "1")
    person.draw([[30, 10]], "2")
    person.rest()
    assert person.dock.shots.points().commitChanges()
    saved = job["folder"] + "/Projekt ö.qgz"
    assert project.write(saved)
    person.entry.unload()
    if job["act"] == "project":
        project.clear()
    person.entry = LiveEntry(person.iface, "hsi-geo")
    if job["act"] == "project":
        project.read(saved)
    else:
        person.entry.open()
    dock = person.entry.dock
    wait_until(lambda: dock.session.is_open)
    counts = {one.name: dock.shots.counts().get(one.name) for one in dock.shots.classes}
    return {"scene": dock.scene_path, "counts": counts, "current": dock.shots.current}


def live_missing_shots(job: Job) -> Job:
    """A layer of shots whose file is elsewhere, and then found."""
    person = Person(job)
    person.open_scene()
    first, second = (Path(job["folder"], name) for name in ("one.gpkg", "two.gpkg"))
    person.dock.shot_chooser.make_layers(str(first))
    person.draw([[5, 5], [8, 20]], "1")
    person.draw([[30, 10]], "2")
    layer = person.dock.shots.points()
    assert layer.commitChanges()
    with contextlib.closing(
        sqlite3.connect(first)
    ) as file:  # a copy would lack what is in the log beside it
        file.execute("VACUUM INTO ?", [str(second)])
    told = []
    for path in (str(second) + "x", str(second)):
        source = f"{path}|layername=points"
        layer.setDataSource(source, "Orte", "ogr", QgsDataProvider.ProviderOptions())
        person.rest()
        told.append(person.notice())
    return {"told": told, "counts": person.dock.shots.counts()}


def live_refused_shots(job: Job) -> Job:
    """Layers that the dock has not used before: one without its file, and one without a field for the class."""
    person, project = Person(job), QgsProject.instance()
    dock, told = person.dock, []

    def note(step: str) -> None:
        pause(0.2)
        told.append([step, person.notice(), [one.name() for one in dock.shots.layers]])

    path = job["folder"] + "/mine.gpkg"
    _write(path, "mine", points(person, "kind:string", ["wood", "lake"]))
    project.addMapLayer(QgsVectorLayer(f"{path}|layername=mine", "mylabels"))
    assert project.write(job["folder"] + "/project.qgs")
    project.clear()
    Path(path).rename(path + "x")
    project.read(job["folder"] + "/project.qgs")
    (person.scene,), (layer,) = map(project.mapLayersByName, ("Szene", "mylabels"))
    options = QgsDataProvider.ProviderOptions()
    person.open_scene()
    dock.shots_panel.points.setLayer(layer)
    note("missing")
    dock.memory.restore()
    wait_until(lambda: dock.session.is_open)
    note("restored")
    layer.setDataSource(f"{path}x|layername=mine", "mylabels", "ogr", options)
    note("repaired")
    counts = dock.shots.counts()
    other = points(person, "height:double", [1.5], name="heights")
    use(person, other)
    note("no field")
    other.startEditing()
    other.beginEditCommand("Field calculator")
    other.addAttribute(QgsField("kind", QVariant.String))
    for feature in other.getFeatures():
        other.changeAttributeValue(feature.id(), 1, "wood")
    other.endEditCommand()
    note("field")
    third = points(person, "height:double", [1.5], name="more heights")
    use(person, third)
    note("no field again")
    project.removeMapLayer(third.id())
    note("removed")
    return {"told": told, "counts": counts}


def live_same_file(job: Job) -> Job:
    """Two layers of a file without a CRS, which have different ones in QGIS."""
    person = Person({**job, "scene": job["bare"]})
    person.scene.setCrs(QgsCoordinateReferenceSystem("EPSG:32633"))
    other = QgsRasterLayer(job["bare"], "other", "gdal")
    other.setCrs(QgsCoordinateReferenceSystem("EPSG:32632"))
    QgsProject.instance().addMapLayer(other)
    found = []
    for layer in (person.scene, other, person.scene):
        person.dock.scene.layers.setLayer(layer)
        wait_until(lambda: person.dock.session.is_open)
        pause(0.3)
        dock = person.dock
        found.append([dock.view.crs.authid(), dock.scene_name, len(asked(job, "open"))])
    return {"found": found}


def live_opened_with(job: Job) -> Job:
    """The scene of a layer that *Open scene* put onto a grid."""
    from hsi_geo_qgis.products import ShownProduct, remember_product

    person = Person(job)
    remember_product(person.scene, job["scene"], ShownProduct(job["scene"], job["options"]))
    person.open_scene()
    return {"opened": asked(job, "open")}


def live_cancelled(job: Job) -> Job:
    """Cancel while a scene is opened, and while places are looked for."""
    from hsi_geo_qgis.live.rpc import CANCELLED

    person = Person(job)
    dock = person.dock
    dock.scene.layers.setLayer(person.scene)
    wait_until(lambda: dock.session.is_busy)
    opening = dock.session._opening
    dock.work.cancelled.emit()
    told = []

    def answer(_: Any = None) -> None:
        told.append([person.notice(), dock.notice.button.text(), dock.work.text.text()])

    def refuse() -> None:
        _, refused = dock.session.engine._waiting.pop(dock.session._opening)
        refused({"code": CANCELLED, "message": "cancelled"})
        answer()

    refuse()
    dock.notice.button.click()
    wait_until(lambda: dock.session.is_open)
    answer()
    for act in (_choose_nothing, _choose_same_file):  # after another one that is cancelled
        dock.scene.layers.setLayer(None)
        pause(0.1)
        dock.scene.layers.setLayer(person.scene)
        wait_until(lambda: bool(dock.session._opening))
        refuse()
        act(person)
        pause(0.1)
        wait_until(lambda: not dock.session._opening)
        answer()
    dock.session.suggest(3, answer)
    looking = dock.session._suggesting
    dock.work.cancelled.emit()
    wait_until(lambda: len(asked(job, "cancel")) == 2)
    ids = [one["id"] for one in asked(job, "cancel")]
    return {
        "told": told,
        "right": ids[0] == opening and ids[-1] == looking,
        "opened": dock.scene_name,
    }


def _choose_nothing(person: Person) -> None:
    person.dock.scene.layers.setLayer(None)


def _choose_same_file(person: Person) -> None:
    layer = QgsRasterLayer(person.scene.source(), "copy", "gdal")
    QgsProject.instance().addMapLayer(layer)
    person.dock.scene.layers.setLayer(layer)


def live_other_canvas(job: Job) -> Job:
    """The canvas gets another CRS while a polygon is half drawn, and while a place waits for its class."""
    person = Person(job)
    person.begin(["A", "B"])
    person.draw([[5, 5], [8, 20]], "1")
    person.draw([[30, 10], [33, 22]], "2")
    person.rest()
    dock = person.dock
    dock.steps.suggest()
    wait_until(lambda: dock.suggestions.is_active)
    dock.link.use_polygon_tool()
    person.click(20, 20)
    person.click(25, 20)
    corners = [len(dock.link.polygon_tool.corners)]
    person.canvas.setExtent(person.scene.extent())  # the person looks around
    middle = person.canvas.extent().center()
    person.canvas.setDestinationCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    seen = dock.view.on_canvas(middle.x(), middle.y())
    moved = seen.distance(person.canvas.extent().center()) / person.canvas.extent().width()
    corners.append(len(dock.link.polygon_tool.corners))
    place = dock.suggestions.places[0]
    wanted = dock.view.on_canvas(place["x"], place["y"])
    off = dock.suggestions.marker.center().distance(wanted)
    return {"corners": corners, "off": off, "moved": moved}


def live_kept_tables(job: Job) -> Job:
    """New shots in a GeoPackage: of older shots, of older shots and another layer, of another layer."""
    person = Person(job)
    person.open_scene()
    found = {}
    for name, tables in (
        ("shots", ["points", "polygons"]), ("both", ["points", "polygons", "roads"]), ("polygons", ["polygons", "roads"]),
        ("roads", ["roads"]),
    ):  # fmt: skip
        path = job["folder"] + f"/{name}.gpkg"
        for table in tables:
            _write(path, table)
        person.dock.notice.clear()
        person.dock.shot_chooser.make_layers(path)
        found[name] = [person.notice(), _tables(path)]
    return found


def live_locked_file(job: Job) -> Job:
    """New shots in a GeoPackage that another program writes."""
    person = Person(job)
    person.open_scene()
    path = job["folder"] + "/roads.gpkg"
    _write(path, "roads")
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as file:
        file.execute("PRAGMA journal_mode = DELETE")
        file.execute("BEGIN EXCLUSIVE")
        began = time.monotonic()
        person.dock.shot_chooser.make_layers(path)
        seconds = time.monotonic() - began
    return {"told": person.notice(), "seconds": seconds, "tables": _tables(path)}


def _write(path: str, table: str, layer: Any = None) -> None:
    if layer is None:
        layer = QgsVectorLayer("Point?crs=EPSG:32633&field=kind:string", table, "memory")
    options = QgsVectorFileWriter.SaveVectorOptions()
    options.driverName, options.layerName = "GPKG", table
    if Path(path).exists():
        options.actionOnExistingFile = (
            QgsVectorFileWriter.ActionOnExistingFile.CreateOrOverwriteLayer
        )
    context = QgsProject.instance().transformContext()
    QgsVectorFileWriter.writeAsVectorFormatV3(layer, path, context, options)


def _tables(path: str) -> list[str]:
    layer = QgsVectorLayer(path, "all", "ogr")
    return sorted(one.split("!!::!!")[1] for one in layer.dataProvider().subLayers()) or ["one"]


def live_displaced(job: Job) -> Job:
    """Points with codes that are drawn displaced, or in clusters, by categories with names."""
    from hsi_geo_qgis.class_field import default_class_field
    from hsi_geo_qgis.class_styles import class_styles

    person, found = Person(job), {}
    person.open_scene()
    for kind in (QgsPointDisplacementRenderer, QgsPointClusterRenderer):
        layer = points(person, "code:integer", [1, 2, 1, 2])
        style(layer, "code", {"1": "wood", "2": "lake"}, ["#112233", "#445566"])
        around = kind()
        around.setEmbeddedRenderer(layer.renderer().clone())
        layer.setRenderer(around)
        named = {value: one["name"] for value, one in class_styles(layer, "code").items()}
        use(person, layer)
        shown = [[one.name, one.color] for one in person.dock.shots.classes]
        person.dock.table.table.item(0, 1).setText("grass")
        renderer = layer.renderer()
        labels = {one.value(): one.label() for one in renderer.embeddedRenderer().categories()}
        found[kind.__name__] = {
            "field": default_class_field(layer), "named": named, "shown": shown, "labels": labels,
            "kept": type(renderer) is kind,
        }  # fmt: skip
    return found


def live_displaced_alike(job: Job) -> Job:
    """Points that are drawn displaced, or in clusters, all with one symbol, or by one symbol alone."""
    person, found = Person(job), {}
    person.open_scene()
    for kind in (QgsPointDisplacementRenderer, QgsPointClusterRenderer, QgsSingleSymbolRenderer):
        layer = points(person, "kind:string", ["wood", "lake", "wood"])
        one = QgsSingleSymbolRenderer(QgsSymbol.defaultSymbol(layer.geometryType()))
        if kind is not QgsSingleSymbolRenderer:
            around = kind()
            around.setEmbeddedRenderer(one)
            one = around
        layer.setRenderer(one)
        use(person, layer)
        renderer = layer.renderer()
        drawn = renderer.embeddedRenderer() or renderer
        labels = [each.label() for each in drawn.categories()]
        found[kind.__name__] = [type(renderer).__name__, labels]
    return found


CASES = (
    live_begun_again, live_missing_shots, live_refused_shots, live_same_file, live_opened_with, live_cancelled, live_other_canvas, live_kept_tables,
    live_locked_file, live_displaced, live_displaced_alike,
)  # fmt: skip
