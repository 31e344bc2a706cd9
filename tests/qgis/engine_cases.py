"""Cases of `cases.py` about the engine of the dock *hsi-geo live*: it is killed, or QGIS is."""

from __future__ import annotations

import os
import signal
from pathlib import Path

from live_person import Job, Person, pause, wait_until
from qgis.core import QgsProject


def live_restart(job: Job) -> Job:
    """The engine is killed; one click restores."""
    person = Person(job)
    dock = person.dock
    found: Job = {}
    person.begin(list(job["classes"]))
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
    person.rest()
    before, count = person.shares(), len(person.previews)
    pid = dock.session.engine.process_id
    os.kill(pid, signal.SIGKILL)
    wait_until(lambda: bool(dock.notice.kind))
    found["told"], found["button"] = person.notice(), dock.notice.button.text()
    person.draw([[6, 8]], "1")  # nothing breaks meanwhile
    dock.link.on_cursor(person.place(30, 10))
    dock.preview_panel.slider.setValue(30)
    pause(0.7)
    dock.notice.button.click()
    wait_until(lambda: len(person.previews) > count)
    found["notice"], found["before"], found["after"] = person.notice(), before, person.shares()
    found["new_process"] = dock.session.engine.process_id not in (0, pid)
    found["layers"] = sum(
        one.name().startswith("Preview") for one in QgsProject.instance().mapLayers().values()
    )
    (Path(job["engine"]) / "fail").touch()
    dock.session.engine.stop()
    dock.restart()
    wait_until(lambda: bool(dock.notice.kind))
    found["old_hsi_geo"] = person.notice()
    os.environ["HSI_GEO_PYTHON"] = "/nowhere/python"
    dock.restart()
    found["not_set_up"] = person.notice()
    return found


def live_orphan(job: Job) -> Job:
    """Open the scene, draw, and tell the number of the engine; the test kills QGIS then."""
    import sys

    person = Person(job)
    person.begin(list(job["classes"]))
    for number, places in enumerate(job["classes"].values(), start=1):
        person.draw(places, str(number))
    person.rest()
    (Path(job["engine"]) / "pid").write_text(str(person.dock.session.engine.process_id))
    sys.stdout.flush()
    os.kill(os.getpid(), signal.SIGKILL)
    return {}
