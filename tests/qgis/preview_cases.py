"""Cases of `cases.py` about the preview of the dock *hsi-geo live*, and about the places that it suggests."""

from __future__ import annotations

import time
from pathlib import Path

from live_person import Job, Person, pause, wait_until
from qgis.core import QgsApplication


def live_updates(job: Job) -> Job:
    """Changes while a preview is computed, the slider, trust, and a view of a larger scene."""
    from hsi_geo_qgis.live import requests as live_requests

    person = Person(job)
    dock, home = person.dock, Path(job["engine"])
    found: Job = {}
    person.begin(list(job["classes"]))
    (home / "delay").write_text("3")
    longest, last = 0.0, time.monotonic()
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
    wait_until(lambda: dock.session._updating > 0)
    wait_until(lambda: dock.work.text.text() == "Learning from the shots …")
    found["percent"] = dock.work.bar.value()
    started = last = time.monotonic()
    while time.monotonic() - started < 1.0:
        QgsApplication.processEvents()
        longest, last = max(longest, time.monotonic() - last), time.monotonic()
    found["longest_block"] = longest
    (home / "delay").unlink()
    person.draw([[6, 8]], "1")
    person.rest()
    found["took"], found["previews"] = time.monotonic() - started, len(person.previews)
    found["shots"] = sum(one["shots"] for one in person.previews[-1]["classes"])

    first = dock.preview.layer().id()
    dock.preview_panel.slider.setValue(60)
    wait_until(lambda: len(person.previews) > found["previews"])
    layer = dock.preview.layer()
    found["same_layer"] = layer.id() == first
    point = person.place(52, 0)
    found["alpha"] = layer.dataProvider().sample(point, 4)[0]
    found["alpha_at_shot"] = layer.dataProvider().sample(person.place(6, 8), 4)[0]
    found["percent_text"] = dock.preview_panel.percent.text()
    found["previews_with_slider"] = len(person.previews)

    dock.scene.trust.setChecked(True)
    person.rest()
    count = len(person.previews)
    person.canvas.zoomByFactor(0.5)
    pause(0.8)
    found["small_scene_follows_view"] = len(person.previews) - count
    person.canvas.setExtent(person.scene.extent())
    live_requests.WHOLE_PIXELS = 100
    (home / "coarse").touch()
    person.draw([[7, 9]], "1")
    person.rest()
    found["coarse"], count = dock.preview_panel.about.text(), len(person.previews)
    person.canvas.zoomByFactor(0.5)
    wait_until(lambda: len(person.previews) > count)
    found["bounds"] = person.previews[-1]["bounds"]
    found["about"] = dock.preview_panel.about.text()
    count = len(person.previews)
    person.canvas.zoomByFactor(0.5)  # the preview has it already
    pause(0.8)
    found["zoomed_in"] = len(person.previews) - count
    person.canvas.setExtent(person.scene.extent())
    wait_until(lambda: len(person.previews) > count)
    found["zoomed_out"] = person.previews[-1]["bounds"]

    (home / "warn").touch()
    person.draw([[6, 9]], "1")
    person.rest()
    found["warning"] = person.notice()
    (home / "refuse").touch()
    person.draw([[8, 9]], "1")
    person.rest()
    found["refused"], found["still_there"] = person.notice(), dock.preview.layer() is not None
    (home / "refuse").unlink()
    (home / "warn").unlink()
    person.draw([[9, 9]], "1")
    person.rest()
    found["after"] = person.notice()
    return found


def live_suggestions(job: Job) -> Job:
    """Suggested places: answered, skipped, stopped; and a map that is cancelled."""
    from hsi_geo_qgis.live.finish import Choice

    person = Person(job)
    dock, home = person.dock, Path(job["engine"])
    found: Job = {}
    person.begin(list(job["classes"]))
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
    person.rest()
    dock.suggest_button.click()
    wait_until(lambda: dock.suggestions.is_active)
    found["texts"], before = [dock.suggestions.text.text()], dock.shots.counts()
    person.press("2")
    found["texts"].append(dock.suggestions.text.text())
    person.press("0")
    found["texts"].append(dock.suggestions.text.text())
    found["view"] = person.canvas.extent().width() < person.scene.extent().width()
    dock.suggestions.stop_button.click()
    found["hidden"] = not dock.suggestions.isVisible()
    found["added"] = [dock.shots.counts()[name] - before[name] for name in job["classes"]]
    places = [f.geometry().asPoint() for f in dock.shots.points().getFeatures()]
    found["place"] = [places[-1].x(), places[-1].y()]
    box = person.scene.extent()
    found["wanted"] = [box.xMinimum() + box.width() / 5, box.yMinimum() + box.height() / 3]
    person.rest()

    dock.finish_button.click()
    dialog = dock.steps.finish_dialog
    found["dialog"] = (dialog.isVisible(), Path(dialog.map.filePath()).name)
    dialog.map.setFilePath(job["folder"] + "/karte")
    found["choice"] = dialog.choice().params()
    dialog.reject()
    (home / "finish_delay").write_text("20")
    dock.steps.write_map(Choice(job["out"]))
    wait_until(lambda: dock.session.is_finishing)
    started = time.monotonic()
    dock.work.button.click()
    wait_until(lambda: not dock.session.is_finishing)
    found["cancelled"], found["took"] = person.notice(), time.monotonic() - started
    found["written"] = Path(job["out"]).exists()
    found["can_finish"] = dock.finish_button.isEnabled()
    return found
