"""Cases of `cases.py` about the dock *hsi-geo live* between two steps: codes, files and projects that change meanwhile."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any
from unittest import mock

from dock_cases import CASES as DOCK
from live_person import Job, Person, pause, wait_until
from merge_cases import polygons, style
from qgis.core import QgsApplication, QgsCoordinateReferenceSystem, QgsProject, QgsVectorLayer
from session_cases import CASES as SESSIONS
from shot_cases import NAMES, points, use


def live_text_codes(job: Job) -> Job:
    """Rename classes whose codes are texts, beside a layer that holds their names."""
    person = Person(job)
    person.open_scene()
    shots = person.dock.shots
    codes = points(person, "code:string(2)", ["A1", "A1", "B2", "C3"])
    style(codes, "code", {"A1": "meadow", "B2": "asphalt", "C3": "water"})
    texts = polygons(person, "class:string", ["meadow"])
    use(person, codes, texts)
    found: Job = {
        "problems": [shots.rename(index, name) for index, name in enumerate(job["names"])]
    }
    found["taken"] = shots.rename(0, job["names"][1])
    found["codes"] = sorted(one.attributes()[0] for one in codes.getFeatures())
    found["texts"] = [one.attributes()[0] for one in texts.getFeatures()]
    found["counts"] = shots.counts()
    found["labels"] = {one.value(): one.label() for one in codes.renderer().categories()}
    return found


def live_names_like_codes(job: Job) -> Job:
    """Rename classes of a layer whose codes are texts, where a name is, or becomes, the same as the code."""
    person = Person(job)
    person.open_scene()
    shots = person.dock.shots
    codes = points(person, "code:string", list(job["values"]))
    style(codes, "code", job["labels"])
    texts = polygons(person, "class:string", ["A1"])
    use(person, codes, texts)
    found: Job = {
        "problems": [shots.rename(index, name) for index, name in job["renames"]],
        "edits": codes.undoStack().count(),
    }
    undo = texts.undoStack()
    for step in ("renamed", "undone", "redone"):
        if step != "renamed" and undo.count():
            (undo.undo if step == "undone" else undo.redo)()
        found[step] = {
            "codes": sorted(one.attributes()[0] for one in codes.getFeatures()),
            "texts": [one.attributes()[0] for one in texts.getFeatures()],
            "labels": {one.value(): one.label() for one in codes.renderer().categories()},
            "counts": shots.counts(),
        }
    return found


def live_scene_changed(job: Job) -> Job:
    """Write the file of the scene while it is open; draw, finish, and open it again."""
    from hsi_geo_qgis.live.finish import Choice

    person = _with_shots(job)
    dock, seen = person.dock, Job()
    path = Path(job["scene"])
    os.utime(path, ns=(1, 1))
    dock.scene.trust.setChecked(True)
    person.rest()
    seen["drawn"] = [person.notice(), dock.notice.button.text()]
    dock.steps.write_map(Choice(job["out"]))
    wait_until(lambda: not dock.session.is_finishing)
    person.rest()
    seen["finished"] = [person.notice(), dock.notice.button.text()]
    count = len(person.previews)
    dock.notice.button.click()
    seen["enabled"] = [one.isEnabled() for one in (dock.suggest_button, dock.finish_button)]
    wait_until(lambda: len(person.previews) > count)
    seen["opened"] = person.notice()
    aside = path.rename(path.with_suffix(".part"))  # as while it is written anew
    dock.session.restart()
    seen["missing"] = []
    for _ in range(2):
        wait_until(lambda: bool(dock.notice.kind))
        seen["missing"].append([person.notice(), dock.notice.button.text()])
        dock.notice.button.click()
    wait_until(lambda: bool(dock.notice.kind))
    aside.rename(path)
    count = len(person.previews)
    dock.notice.button.click()
    wait_until(lambda: len(person.previews) > count)
    seen["again"] = person.notice()
    return seen


def live_late_finish(job: Job) -> Job:
    """Choose the files of a map when the engine has ended, or another scene is open."""
    person = _with_shots(job)
    dock = person.dock
    dock.steps.finish()
    dialog = dock.steps.finish_dialog
    dialog.map.setFilePath(job["out"])
    if job["act"] == "kill":
        os.kill(dock.session.engine.process_id, signal.SIGKILL)
        wait_until(lambda: not dock.session.engine.is_running)
    else:
        dock.chooser.open(job["other"], "other")
        wait_until(lambda: dock.session.is_open)
        person.rest()
    dialog.accept()
    pause(0.3)
    return {
        "text": dock.work.text.text(), "button": dock.notice.button.text(),
        "finishing": dock.session.is_finishing, "written": Path(job["out"]).exists(),
    }  # fmt: skip


def live_closed_project(job: Job) -> Job:
    """Open a product, and another project before its layer is there."""
    from hsi_geo_qgis.live import product

    done: list[Any] = []

    class Task(mock.MagicMock):  # the conversion, which ends when the case says so
        @property
        def executed(self) -> Any:
            return mock.Mock(connect=done.append)

    person = Person(job)
    with (
        mock.patch.object(product, "QgsProcessingAlgRunnerTask", Task),
        mock.patch.object(QgsApplication, "taskManager"),
    ):
        person.dock.chooser.open_product(job["other"])
        if job["close"]:
            QgsProject.instance().clear()
        done[0](True, {"OUTPUT": job["other"]})
    return {"layers": sorted(one.name() for one in QgsProject.instance().mapLayers().values())}


def live_new_over_edited(job: Job) -> Job:
    """Make new shots in a GeoPackage whose layer holds edits that are not saved."""
    person = Person(job)
    person.open_scene()
    dock, path = person.dock, job["folder"] + "/shots ü.gpkg"
    dock.shot_chooser.make_layers(path)
    layer = dock.shots.points()
    person.draw([[5, 5], [8, 20]], "1")
    dock.shot_chooser.make_layers(path)
    same = dock.shots.points() is layer
    found = {"notice": person.notice(), "same": same, "shots": layer.featureCount()}
    layer.commitChanges()
    dock.notice.clear()
    dock.shot_chooser.make_layers(path)
    return {**found, "saved": person.notice(), "new": dock.shots.points().featureCount()}


def live_no_crs(job: Job) -> Job:
    """Draw in a project without a CRS, into a layer of another CRS than the scene's."""
    person = Person(job)
    person.open_scene()
    layer = QgsVectorLayer("Point?crs=EPSG:4326&field=class:string", "degrees", "memory")
    use(person, layer)
    person.dock.shots.add_class()
    extent = person.canvas.extent()
    person.canvas.setDestinationCrs(QgsCoordinateReferenceSystem())
    person.canvas.setExtent(extent)
    person.dock.link.use_point_tool()
    person.click(5, 5)
    (drawn,) = person.dock.shots.collect().shots
    return {"degrees": [round(drawn.geometry.asPoint().x()), round(drawn.geometry.asPoint().y())]}


def _with_shots(job: Job) -> Person:
    person = Person(job)
    use(person, points(person, "class:string", [*NAMES, *NAMES]))
    person.open_scene()
    person.rest()
    return person


CASES = (
    live_text_codes, live_names_like_codes, live_scene_changed, live_late_finish, live_closed_project, live_new_over_edited, live_no_crs,
    *SESSIONS, *DOCK,
)  # fmt: skip
