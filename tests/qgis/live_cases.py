"""Cases of `cases.py` about the dock *hsi-geo live*: what a person does at it, and what it shows then."""

from __future__ import annotations

from pathlib import Path

from live_person import Job, Person, is_running, pause, wait_until
from qgis.core import QgsApplication, QgsProject, QgsRasterLayer
from qgis.PyQt.QtCore import QEvent, Qt
from qgis.PyQt.QtGui import QKeyEvent
from qgis.PyQt.QtTest import QTest
from qgis.PyQt.QtWidgets import QLineEdit


def live_session(job: Job) -> Job:
    """The session of the issue: draw, add a wrong shot, delete it, change a class, finish."""
    from hsi_geo_qgis.live.finish import Choice

    person = Person(job)
    dock = person.dock
    found: Job = {}
    found["first_text"] = dock.work.text.text()
    person.begin(list(job["classes"]))
    found["few"] = ""
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
        if number == 1:
            pause(0.6)
            found["few"], found["previews_of_one"] = dock.work.text.text(), len(person.previews)
    found["undo_text"] = dock.shots.points().undoStack().undoText()
    person.rest()
    layer = dock.preview.layer()
    found["chip"] = dock.preview_panel.chip.isVisible() and dock.preview_panel.chip.text()
    found["layer"], found["about"] = layer.name(), dock.preview_panel.about.text()
    found["legend"] = [(t, c.name()) for t, c in layer.legendSymbologyItems()]
    found["order"] = [one.name() for one in QgsProject.instance().layerTreeRoot().layerOrder()]
    found["shares"], found["accuracy"] = person.shares(), dock.preview_panel.accuracy.text()
    found["wrong_at_first"] = person.wrong()
    person.canvas.setLayers([dock.shots.points(), layer, person.scene])
    person.canvas.waitWhileRendering()
    middle = person.on_canvas(person.place(*job["cursor"]))
    QTest.mouseMove(person.canvas.viewport(), middle)
    dock.link.on_cursor(person.place(*job["cursor"]))
    wait_until(lambda: bool(dock.plot.lines))
    found["spectrum"] = [name for name, _, _ in dock.plot.lines]
    person.shoot(job.get("picture"))

    # A wrong shot: class 1 where class 2 is.
    person.draw([job["wrong"]], "1")
    person.rest()
    found["wrong"] = person.wrong()
    before = person.canvas.extent()
    if person.wrong():
        dock.preview_panel.wrong.itemClicked.emit(
            dock.preview_panel.wrong.item(len(person.wrong()) - 1)
        )
    wrong_id = person.shot(*job["wrong"])
    found["selected"] = list(dock.shots.points().selectedFeatureIds()) == [wrong_id]
    found["zoomed"] = person.canvas.extent().width() < before.width()
    found["in_view"] = person.canvas.extent().contains(person.place(*job["wrong"]))
    person.shoot(job.get("wrong_picture"))
    dock.shots.points().selectByIds([wrong_id])
    dock.delete_button.click()
    person.rest()
    found["wrong_after_delete"] = person.wrong()

    # The class of a selected shot, by a key; QGIS's undo takes it back.
    counts = [dock.shots.counts()]
    first = person.shot(*next(iter(job["classes"].values()))[0])
    dock.shots.points().selectByIds([first])
    person.press("2")
    counts.append(dock.shots.counts())
    dock.shots.points().undoStack().undo()
    counts.append(dock.shots.counts())
    found["counts"] = counts
    person.rest()

    dock.steps.write_map(Choice(job["out"]))
    wait_until(lambda: dock.notice.kind in ("success", "problem"))
    found["finished"], found["button"] = person.notice(), dock.notice.button.text()
    found["bar"] = [item.text() for item in person.iface.bar.items()]
    root = QgsProject.instance().layerTreeRoot()
    found["groups"] = [
        (group.name(), [node.layer().name() for node in group.findLayers()])
        for group in root.findGroups()
    ]
    found["preview_drawn"] = root.findLayer(dock.preview.layer()).itemVisibilityChecked()
    found["previews"] = len(person.previews)
    pid = dock.session.engine.process_id
    dock.close()
    wait_until(lambda: not is_running(pid))
    found["preview_after"] = dock.preview.layer() is not None
    return found


def live_drawing(job: Job) -> Job:
    """Polygons, classes, keys and layers, without an engine in the way."""
    person = Person(job)
    dock = person.dock
    found: Job = {}
    found["tools_before"] = [dock.point_button.isEnabled(), dock.table.isEnabled()]
    person.begin(["rye"])
    found["classes"] = list(person.shares())
    table = dock.table

    dock.polygon_button.click()
    found["active"] = person.iface.activeLayer().name()
    for column, row in ([2, 2], [2, 8], [9, 8], [9, 2]):
        person.click(column, row)
    person.press("Backspace")
    person.click(9, 1)
    person.click(9, 1, Qt.MouseButton.RightButton)
    (polygon,) = dock.shots.polygons().getFeatures()
    corners = polygon.geometry().asPolygon()[0]
    side_x, side_y = person.scene.rasterUnitsPerPixelX(), person.scene.rasterUnitsPerPixelY()
    box = person.scene.extent()
    found["polygon"] = [
        [
            round((p.x() - box.xMinimum()) / side_x - 0.5),
            round((box.yMaximum() - p.y()) / side_y - 0.5),
        ]
        for p in corners
    ]
    person.click(20, 20)
    person.press("Escape")
    person.click(20, 20, Qt.MouseButton.RightButton)
    found["polygons"] = dock.shots.polygons().featureCount()

    # Names, colours, and classes that go.
    found["renamed"] = dock.shots.rename(0, "oats")
    found["value"] = next(dock.shots.polygons().getFeatures())["class"]
    table.table.item(1, 1).setText("oats")
    found["two_of_a_name"] = (list(person.shares()), dock.work.text.text())
    dock.shots.recolor(0, "#123456")
    found["colors"] = [
        category.symbol().color().name()
        for layer in dock.shots.layers
        for category in layer.renderer().categories()[:1]
    ]
    table.table.setCurrentCell(0, 1)
    table.remove_button.click()
    found["kept"] = (len(person.shares()), dock.work.text.text())
    table.table.setCurrentCell(1, 1)
    table.remove_button.click()
    found["removed"] = list(person.shares())
    table.add_button.click()
    found["edits"] = table.table.state() == table.table.State.EditingState
    editor = table.table.findChild(QLineEdit)
    editor.setText("")
    for digit in "12":
        person.press(digit, editor)
    found["typed"], found["chosen_while_typing"] = editor.text(), dock.shots.current
    person.press("Return", editor)
    QgsApplication.processEvents()
    found["named"] = list(person.shares())

    # A digit that another widget of QGIS gets is that widget's.
    outside = QLineEdit(person.iface.window)
    person.press("1", outside)
    found["outside"] = (outside.text(), dock.shots.current)
    person.press("1")
    found["on_canvas"] = dock.shots.current
    person.press("2", dock)
    found["on_dock"] = dock.shots.current
    wavelengths = dock.scene.wavelengths
    person.press("1", wavelengths)
    found["in_dock"] = (wavelengths.text(), dock.shots.current)
    with_ctrl = QKeyEvent(
        QEvent.Type.KeyPress, Qt.Key.Key_1, Qt.KeyboardModifier.ControlModifier, "1"
    )
    QgsApplication.sendEvent(person.canvas, with_ctrl)
    found["with_ctrl"] = dock.shots.current
    found["unused_key"] = dock.link.on_key(7)

    # QGIS's own tools draw the current class, and ask nothing.
    layer = dock.shots.points()
    index = layer.fields().lookupField("class")
    found["default"] = layer.defaultValueDefinition(index).expression()
    # The style that was changed in QGIS's own panel.
    renderer = layer.renderer().clone()
    renderer.updateCategoryLabel(0, "Hafer")
    layer.setRenderer(renderer)
    layer.emitStyleChanged()
    pause(0.1)
    found["label"] = list(person.shares())
    (other, *_) = dock.shots.polygons().renderer().categories()
    found["label_of_other"] = (other.value(), other.label())

    dock.close()
    person.press("1")
    found["closed"] = dock.shots.current
    return found


def live_layers(job: Job) -> Job:
    """GeoPackage, and layers of the user's own."""
    from qgis.core import QgsVectorLayer

    person = Person(job)
    dock = person.dock
    found: Job = {}
    person.open_scene()
    dock.shot_chooser.make_layers(job["folder"] + "/shots ä.gpkg")
    person.draw([[3, 12]], "2")
    found["source"] = [Path(layer.source().split("|")[0]).name for layer in dock.shots.layers]
    found["saved"] = dock.shots.points().commitChanges()
    again = QgsVectorLayer(job["folder"] + "/shots ä.gpkg|layername=points", "again")
    found["in_file"] = [feature["class"] for feature in again.getFeatures()]

    own = QgsVectorLayer(job["shots"], "Meine Punkte")
    QgsProject.instance().addMapLayer(own)
    dock.shots_panel.polygons.setLayer(None)
    dock.shots_panel.points.setLayer(own)
    person.rest()
    wait_until(lambda: bool(dock.preview.layer()))
    found["own"] = person.shares()
    found["styled"] = own.renderer().type()
    bare = QgsVectorLayer("Point?field=height:double", "bare", "memory")
    QgsProject.instance().addMapLayer(bare)
    dock.shots_panel.points.setLayer(bare)
    pause(0.1)
    found["bare"] = person.notice()
    return found


def live_project(job: Job) -> Job:
    """Save the project, and open it again in the same QGIS."""
    person = Person(job)
    dock, project = person.dock, QgsProject.instance()
    found: Job = {}
    person.open_scene()
    dock.shot_chooser.make_layers(job["folder"] + "/shots.gpkg")
    for index, name in enumerate(job["classes"]):
        if index >= len(dock.shots.classes):
            dock.table.add_button.click()
        dock.table.table.item(index, 1).setText(name)
    dock.shots.recolor(1, "#aa0011")
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
    person.press("2")
    dock.preview_panel.slider.setValue(20)
    person.rest()
    wait_until(lambda: bool(dock.preview.layer()))
    for layer in dock.shots.layers:
        layer.commitChanges()
    before = person.shares(), [one.color for one in dock.shots.classes]
    path = job["folder"] + "/projekt ü.qgs"
    found["wrote"] = project.write(path)
    text = Path(path).read_text(encoding="utf-8")
    found["preview_in_file"] = text.count("<maplayer ") != 3 or "hsi_geo/preview" in text
    QgsApplication.processEvents()
    order = [one.name() for one in project.layerTreeRoot().layerOrder()]
    found["order_after_saving"], found["dirty"] = order, project.isDirty()

    project.clear()
    pause(0.2)
    found["clean"] = not project.isDirty()
    found["cleared"] = (
        person.shares(), dock.session.engine.is_running, dock.shots_panel.points.currentLayer() is None
    )  # fmt: skip
    count = len(person.previews)
    found["read"] = project.read(path)
    person.scene = project.mapLayersByName("Szene")[0]
    wait_until(lambda: len(person.previews) > count)
    person.rest()
    found["same"] = before == (person.shares(), [one.color for one in dock.shots.classes])
    found["current"] = dock.shots.current
    found["slider"] = dock.preview_panel.slider.value()
    found["restored"] = [combo.currentLayer().name() for combo in (
        dock.scene.layers, dock.shots_panel.points, dock.shots_panel.polygons)]  # fmt: skip
    dock.close()
    project.write(path)
    project.clear()
    project.read(path)
    pause(0.3)
    found["closed_stays_closed"] = not dock.isVisible() and not dock.session.engine.is_running
    person.entry.unload()
    found["unloaded"] = person.iface.menu + person.iface.toolbar
    return found


def live_product(job: Job) -> Job:
    """Open a product that no layer shows; and one that does not exist."""
    person = Person(job)
    dock = person.dock
    found: Job = {}
    dock.chooser.open_product(job["scene"])
    wait_until(lambda: dock.session.is_open)
    found["scene"] = dock.scene_name
    wait_until(lambda: dock.scene.layers.currentLayer() is not None or dock.notice.kind != "")
    found["notice"] = person.notice()
    layer = dock.scene.layers.currentLayer()
    found["layer"] = "" if layer is None else layer.name()
    dock.chooser.open(job["folder"] + "/nowhere.tif", "nowhere.tif")
    wait_until(lambda: bool(dock.notice.kind))
    found["missing"] = person.notice()
    wms = QgsRasterLayer(
        "url=http://localhost/&layers=a&styles=&format=image/png&crs=EPSG:4326", "WMS", "wms"
    )
    QgsProject.instance().addMapLayer(wms)
    dock.scene.layers.setLayer(wms)
    pause(0.2)
    found["wms"], found["open"] = person.notice(), dock.session.is_open
    return found
