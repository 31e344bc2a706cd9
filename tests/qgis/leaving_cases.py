"""Cases of `cases.py` about the dock *hsi-geo live* when its scene goes while the engine works."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from unittest import mock

from live_person import Job, Person, pause, wait_until
from qgis.core import QgsProject, QgsRasterLayer
from shot_cases import NAMES, points, use


def scene_layer(path: str, name: str) -> Any:
    layer = QgsRasterLayer(path, name)
    assert layer.isValid()
    QgsProject.instance().addMapLayer(layer)
    return layer


def live_two_scenes(job: Job) -> Job:
    """Choose a scene that takes long to open, or does not exist, and another one at once."""
    person = Person(job)
    dock = person.dock
    use(person, points(person, "class:string", [*NAMES, *NAMES]))
    if job["first"] == "missing":
        dock.chooser.open(job["folder"] + "/slow and missing.tif", "missing")
    else:
        dock.scene.layers.setLayer(scene_layer(job["slow"], "slow"))
    wait_until((Path(job["engine"]) / "requests.jsonl").exists)  # it is opened from now on
    pause(0.2)
    dock.scene.layers.setLayer(person.scene)
    shown: list[str] = []
    dock.session.opened.connect(lambda info: shown.append(info["name"]))
    wait_until(lambda: bool(dock.session.preview))
    pause(0.2)
    return {
        "dock": dock.scene_name,
        "opened": shown,
        "session": dock.session.info["session"],
        "notice": person.notice(),
    }


def _finishing(job: Job) -> Person:
    """A person with a map that is being written, or with the preview before it."""
    from hsi_geo_qgis.live.finish import Choice

    person = Person(job)
    dock, home = person.dock, Path(job["engine"])
    use(person, points(person, "class:string", [*NAMES, *NAMES]))
    person.open_scene()
    person.rest()
    (home / "finish_delay").write_text("20")
    if job["before_preview"]:
        (home / "delay").write_text("20")
        dock.scene.trust.setChecked(True)  # the last preview is an old one
    dock.steps.write_map(Choice(job["out"]))
    if job["before_preview"]:
        assert dock.session._updating
        dock.link.use_point_tool()
        person.press("1")
        person.click(30, 30)  # does not end what is being written
        assert dock.session._updating
    else:
        wait_until(lambda: dock.session._finishing > 0)
    assert dock.session.is_finishing
    assert not dock.finish_button.isEnabled()
    return person


def live_leaving(job: Job) -> Job:
    """Leave the scene in some way while a map is being written."""
    from hsi_geo_qgis.live import scene_chooser

    asked: list[Any] = []

    def may_stop(parent: Any) -> bool:
        asked.append(parent)
        return bool(job["yes"])

    mock.patch.object(scene_chooser, "may_stop", may_stop).start()
    person = _finishing(job)
    dock, session = person.dock, person.dock.session
    other = scene_layer(job["slow"], "other")
    if job["act"] == "scene":
        dock.scene.layers.setLayer(other)
    elif job["act"] == "close":
        dock.close()
    elif job["act"] == "button":
        person.entry.action.trigger()
    elif job["act"] == "wavelengths":
        dock.scene.wavelengths.setText("400:2500")
        dock.scene.wavelengths.editingFinished.emit()
    elif job["act"] == "remove":
        QgsProject.instance().removeMapLayer(person.scene.id())
    elif job["act"] == "project":
        QgsProject.instance().clear()
    elif job["act"] == "unload":
        person.entry.unload()
    pause(0.5)
    return {
        "asked": len(asked),
        "finishing": session.is_finishing,
        "bar": [item.text() for item in person.iface.bar.items()],
        "written": Path(job["out"]).exists(),
        "visible": job["act"] != "unload" and dock.isVisible(),
        "pressed": person.entry.action.isChecked(),
        "scene": dock.scene_name,
        "wavelengths": dock.scene.wavelengths.text(),
    }


def live_removed(job: Job) -> Job:
    """Remove the layers that the dock works with, where there are others."""
    person = Person(job)
    dock = person.dock
    own = points(person, "class:string", [*NAMES, *NAMES])
    other = points(person, "class:string", [*NAMES], name="other")
    use(person, own)
    person.open_scene()
    QgsProject.instance().addMapLayer(other)
    scene_layer(job["slow"], "other")
    QgsProject.instance().removeMapLayer(own.id())
    pause(0.1)
    found: Job = {"points": dock.shots_panel.points.currentLayer() is None}
    found["layers"] = (len(dock.shots.layers), other.renderer().type())
    QgsProject.instance().removeMapLayer(person.scene.id())
    pause(0.1)
    found["scene"] = dock.scene.layers.currentLayer() is None
    found["open"], found["name"] = dock.session.is_open, dock.scene_name
    return found
