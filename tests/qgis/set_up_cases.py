"""Cases of `cases.py` about the set-up: without a dialog, with it, and from the menu."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qgis.core import QgsApplication

Job = dict[str, Any]


def set_up(job: Job) -> Job:
    """Set up without a dialog, from a wheel; cancel a while after a stage has begun."""
    from hsi_geo_qgis.network import proxy_of_qgis
    from hsi_geo_qgis.set_up import SetUp
    from hsi_geo_qgis.set_up_plan import Options
    from hsi_geo_qgis.set_up_processes import SetUpError
    from qgis.core import QgsSettings

    for name, value in job.get("settings", {}).items():
        QgsSettings().setValue(name, value)
    state: Job = {"lines": [], "progress": [], "begun": 0.0, "cancelled": 0.0, "error": ""}

    def show(percent: float, text: str) -> None:
        state["progress"].append(percent)
        if job.get("cancel_at") and text.startswith(job["cancel_at"]) and not state["begun"]:
            state["begun"] = time.monotonic()

    def is_cancelled() -> bool:
        if state["begun"] and time.monotonic() - state["begun"] > job["after_s"]:
            state["cancelled"] = state["cancelled"] or time.monotonic()
        return bool(state["cancelled"])

    proxy, no_proxy = proxy_of_qgis()
    options = Options(**job["options"], proxy=proxy, no_proxy=no_proxy)
    work = SetUp(state["lines"].append, show, is_cancelled)
    try:
        state["found"] = work.install(options, job["wheel"])
    except SetUpError as error:
        state["error"] = str(error)
        state["took"] = time.monotonic() - state["cancelled"]
        time.sleep(job.get("watch_s", 0.0))  # whether a process that is left makes the folder again
    state["left"] = sorted(path.name for path in Path(work.folder).iterdir())
    return state


def set_up_dialog(job: Job) -> Job:
    """Use the dialog as a user does: look, set up and cancel, set up, remove."""
    from hsi_geo_qgis.runner import launcher
    from hsi_geo_qgis.set_up import environment_folder
    from hsi_geo_qgis.set_up_dialog import SetUpDialog

    found: Job = {}
    window = SetUpDialog()
    window.show()
    wait_until(lambda: window.search is None)
    found["pythons"] = [window.pythons.itemText(i) for i in range(window.pythons.count())]
    window.add_python(job["old"])
    found["refused"] = window.status.text()
    window.add_python(job["base"])
    found["chosen"] = window.pythons.currentText()
    found["sizes"] = window.sizes.text()
    window.wheels.setFilePath(job["wheels"])
    found["sizes_of_wheels"] = window.sizes.text()
    window.start_button.click()
    found["enabled_while_running"] = [
        window.start_button.isEnabled(),
        window.remove_button.isEnabled(),
    ]
    wait_until(lambda: window.bar.value() > 0 or window.task is None)
    window.cancel_button.click()
    wait_until(lambda: window.task is None)
    found["cancelled"] = window.status.text()
    found["left"] = Path(environment_folder()).exists()
    window.start_button.click()
    wait_until(lambda: window.task is None)
    found["ready"], found["log"] = window.status.text(), window.log.toPlainText()
    found["program"], found["origin"] = launcher().program, launcher().origin
    window.remove_button.click()
    wait_until(lambda: window.task is None)
    found["removed"], found["left_at_last"] = (
        window.status.text(),
        Path(environment_folder()).exists(),
    )
    return found


def wait_until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 200
    while not done():
        assert time.monotonic() < end
        QgsApplication.processEvents()
        time.sleep(0.02)


def menu(job: Job) -> Job:
    """Load the plugin twice in a window of its own, as two sessions of QGIS do."""
    from hsi_geo_qgis.plugin import HsiGeoPlugin
    from qgis.gui import QgsMessageBar
    from qgis.PyQt import sip
    from qgis.PyQt.QtWidgets import QMainWindow

    class Interface:
        def __init__(self) -> None:
            self.window, self.bar = QMainWindow(), QgsMessageBar()
            self.menu: dict[str, Any] = {}
            self.toolbar: list[str] = []

        def mainWindow(self) -> QMainWindow:
            return self.window

        def messageBar(self) -> QgsMessageBar:
            return self.bar

        def addPluginToMenu(self, name: str, action: Any) -> None:
            self.menu[action.text()] = action

        def removePluginMenu(self, name: str, action: Any) -> None:
            del self.menu[action.text()]

        def addToolBarIcon(self, action: Any) -> None:
            self.toolbar.append(action.text())

        def removeToolBarIcon(self, action: Any) -> None:
            self.toolbar.remove(action.text())

        def registerOptionsWidgetFactory(self, factory: Any) -> None:
            pass

        unregisterOptionsWidgetFactory = registerOptionsWidgetFactory

    sessions: list[Job] = []
    for _ in range(2):
        interface = Interface()
        plugin: Any = HsiGeoPlugin(interface)
        plugin.initProcessing = lambda: None  # `main` has registered the provider
        plugin.initGui()
        QgsApplication.processEvents()
        session: Job = {
            "menu": list(interface.menu),
            "toolbar": list(interface.toolbar),
            "dialog": plugin.dialog is not None and plugin.dialog.isVisible(),
            "messages": [item.text() for item in interface.bar.items()],
        }
        interface.menu["Set up hsi-geo..."].trigger()
        session["opened"] = plugin.dialog.isVisible()
        dialog = plugin.dialog
        if sessions:  # the window goes before the search for Pythons has ended
            dialog.look_for_pythons()
            sip.delete(dialog)
            wait_until(lambda: QgsApplication.taskManager().count() == 0)
            plugin.dialog = None
        else:
            wait_until(lambda dialog=dialog: bool(dialog.search is None))  # type: ignore[misc]
        plugin.unload()
        session["menu_after"] = list(interface.menu) + interface.toolbar
        sessions.append(session)
    return {"sessions": sessions}
