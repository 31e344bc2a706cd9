"""QGIS desktop with a fresh profile on a virtual screen, and tours of it: `qgis_screenshots` and `stranger`.

It needs QGIS and Xvfb (Debian: ``apt-get install qgis python3-qgis qgis-providers xvfb``). A tour is a module with a
function ``tour(desk, job)``, which runs inside QGIS. It yields seconds to wait, or a function to wait for. QGIS's Python
reads this module, too, so it uses only the standard library outside of `Desk`.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

WIDTH, HEIGHT = 1360, 800
TOUR, JOB, SCREEN = "HSI_GEO_TOUR", "HSI_GEO_TOUR_JOB", "HSI_GEO_TOUR_SCREEN"

Job = dict[str, Any]
Wait = float | Callable[[], bool]

#: What a person has not changed, but for news and tips from the network.
SETTINGS = """[app]
projections\\unknownCrsBehavior=NoAction

[qgis]
checkVersion=false
showTips=false
newsFeed\\httpfeedqgisorg\\disabled=true

[core]
NewsFeed\\httpfeedqgisorg\\disabled=true
"""

#: The same, and a plugin that QGIS finds on its plugin path.
WITH_PLUGIN = f"[PythonPlugins]\nhsi_geo_qgis=true\nprocessing=true\n\n{SETTINGS}"


def start(
    tour: str,
    job: Job,
    home: Path,
    *,
    variables: dict[str, str],
    settings: str = SETTINGS,
    size_px: tuple[int, int] = (WIDTH, HEIGHT),
    timeout_s: float = 600,
) -> None:
    """Start QGIS in a home of its own, and end with the tour.

    Args:
        tour: Name of a module beside this one.
        job: What the tour is given; JSON can hold it.
        home: Folder of the home. The profile is made in it unless an earlier tour made one.
        variables: Environment variables beside those of this process.
        settings: Content of a new profile's settings.
        size_px: Width and height of the screen.
        timeout_s: Seconds after which QGIS is ended.

    Raises:
        RuntimeError: If the tour failed or took too long.
    """
    home.chmod(0o700)
    profile = home / "profiles" / "default" / "QGIS"
    if not profile.exists():
        profile.mkdir(parents=True)
        (profile / "QGIS3.ini").write_text(settings, encoding="utf-8")
    code = home / "tour.py"
    code.write_text("import qgis_desktop\nqgis_desktop.begin()\n", encoding="utf-8")
    log = home / "qgis.log"
    command = ["xvfb-run", "--auto-servernum", f"--server-args=-screen 0 {size_px[0]}x{size_px[1]}x24",
               "qgis", "--nologo", "--noversioncheck", "--profiles-path", str(home),
               "--code", str(code)]  # fmt: skip
    environ = {
        **{name: value for name, value in os.environ.items() if name != "HSI_GEO_PYTHON"},
        "HOME": str(home),
        "XDG_RUNTIME_DIR": str(home),
        "LC_ALL": "C.UTF-8",
        "PYTHONPATH": str(Path(__file__).resolve().parent),
        TOUR: tour,
        JOB: json.dumps(job),
        SCREEN: json.dumps(size_px),
        **variables,
    }
    with log.open("w", encoding="utf-8") as file:
        shown = subprocess.Popen(
            command, env=environ, stdout=file, stderr=file, start_new_session=True
        )
        try:
            ended = shown.wait(timeout_s)
        except subprocess.TimeoutExpired:
            raise RuntimeError(f"QGIS took more than {timeout_s:.0f} s: {tail(log)}") from None
        finally:
            if shown.poll() is None:
                os.killpg(shown.pid, signal.SIGTERM)  # the screen and QGIS, too
                shown.wait()
    if ended:
        raise RuntimeError(f"QGIS ended with {ended}: {tail(log)}")


def tail(log: Path, lines: int = 30) -> str:
    """The last lines of a log."""
    return "\n".join(log.read_text(encoding="utf-8", errors="replace").splitlines()[-lines:])


def begin() -> None:
    """Begin the tour; QGIS runs this."""
    desk = Desk()

    def steps() -> Iterator[Wait]:
        yield from import_module(os.environ[TOUR]).tour(desk, json.loads(os.environ[JOB]))

    desk.follow(steps())


class Desk:
    """QGIS's window, and what a person does at it."""

    def __init__(self) -> None:
        from qgis.utils import iface

        self.iface = iface
        self.window = iface.mainWindow()
        self.window.setGeometry(0, 0, *json.loads(os.environ[SCREEN]))

    # The tour -------------------------------------------------------------------------------------

    def follow(self, steps: Iterator[Wait]) -> None:
        """Run the next step; QGIS goes on while it waits. An error ends QGIS with its message."""
        try:
            wait = next(steps)
        except StopIteration:
            os._exit(0)  # QGIS would ask about the unsaved project
        except Exception:  # noqa: BLE001  # Qt drops it, and QGIS would not end
            traceback.print_exc()
            sys.stderr.flush()
            os._exit(1)
        self._look(steps, wait, time.monotonic())

    def _look(self, steps: Iterator[Wait], wait: Wait, since: float) -> None:
        from qgis.PyQt.QtCore import QTimer

        waited = time.monotonic() - since
        if wait() if callable(wait) else waited >= wait:
            self.follow(steps)
        else:
            QTimer.singleShot(100, lambda: self._look(steps, wait, since))

    # Layers and panels ----------------------------------------------------------------------------

    def show_toolbox(self, words: str) -> None:
        """Show the Processing toolbox with a search, and no panel that nobody needs."""
        from qgis.PyQt.QtWidgets import QDockWidget, QLineEdit

        for dock in self.window.findChildren(QDockWidget):
            if dock.objectName() in ("Browser", "LayerStyling"):
                dock.hide()
        self.toolbox().show()
        self.toolbox().findChildren(QLineEdit)[0].setText(words)

    def toolbox(self) -> Any:
        """The panel of the Processing toolbox."""
        return self.panel("ProcessingToolbox")

    def panel(self, name: str) -> Any:
        """The panel of an object name."""
        from qgis.PyQt.QtWidgets import QDockWidget

        return self.window.findChild(QDockWidget, name)

    def menu_entry(self, text: str) -> Any:
        """The entry of a plugin's menu."""
        found = [
            action
            for menu in self.iface.pluginMenu().actions()
            if menu.menu() is not None
            for action in menu.menu().actions()
            if action.text() == text
        ]
        if not found:
            raise RuntimeError(f"no entry '{text}' in the menu of plugins")
        return found[0]

    def widen_layers(self, pixels: int) -> None:
        """Make the panel of layers as wide as their names."""
        from qgis.PyQt.QtCore import Qt

        self.window.resizeDocks([self.panel("Layers")], [pixels], Qt.Orientation.Horizontal)

    def node(self, layer: Any) -> Any:
        """The row of a layer in the panel of layers."""
        from qgis.core import QgsProject

        return QgsProject.instance().layerTreeRoot().findLayer(layer.id())

    def look_left_of(self, layer: Any, share: float) -> None:
        """Show a layer in the left of the canvas, since a dialog covers the rest.

        Args:
            layer: The layer.
            share: Width of the rest, as a share of the layer's.
        """
        seen = layer.extent()
        seen.setXMaximum(seen.xMaximum() + share * seen.width())
        self.iface.mapCanvas().setExtent(seen)
        self.iface.mapCanvas().refresh()

    def layers(self) -> list[Any]:
        """Layers of the project, those of the top first."""
        from qgis.core import QgsProject

        return list(QgsProject.instance().layerTreeRoot().layerOrder())

    def layer(self, name: str) -> Any:
        """The layer of the project whose name begins so; the topmost of several."""
        found = [layer for layer in self.layers() if layer.name().startswith(name)]
        if not found:
            raise RuntimeError(f"no '{name}' among {[layer.name() for layer in self.layers()]}")
        return found[0]

    def messages(self) -> list[str]:
        """Texts in the message bar."""
        return [item.text() for item in self.iface.messageBar().items()]

    # Dialogs --------------------------------------------------------------------------------------

    def open_dialog(self, algorithm: str, parameters: Job, place: tuple[int, int, int, int]) -> Any:
        """Open the dialog of an algorithm with some parameters filled in.

        Args:
            algorithm: Name in the toolbox.
            parameters: Values of parameters; the dialog suggests the others.
            place: Left, top, width and height on the screen.
        """
        from processing.gui.AlgorithmDialog import AlgorithmDialog
        from qgis.core import QgsApplication

        found = QgsApplication.processingRegistry().createAlgorithmById(f"hsi_geo:{algorithm}")
        dialog = AlgorithmDialog(found, parent=self.window)
        if parameters:
            dialog.setParameters(parameters)
        dialog.show()
        dialog.setGeometry(*place)
        return dialog

    def run(self, dialog: Any) -> Callable[[], bool]:
        """Press Run; a function that tells whether the run has ended."""
        ended: list[bool] = []
        dialog.algorithmFinished.connect(lambda ok, _: ended.append(ok))
        dialog.runButton().click()
        return lambda: bool(ended)

    def log(self, dialog: Any) -> str:
        """The log of a dialog."""
        from qgis.PyQt.QtWidgets import QTextEdit

        return str(dialog.findChild(QTextEdit, "txtLog").toPlainText())

    def end_of_log(self, dialog: Any) -> None:
        """Show the last lines of a dialog's log and not its help."""
        from qgis.PyQt.QtWidgets import QSplitter, QTextEdit

        dialog.findChildren(QSplitter)[0].setSizes([1, 0])
        for text in dialog.findChildren(QTextEdit):
            text.verticalScrollBar().setValue(text.verticalScrollBar().maximum())

    # The canvas -----------------------------------------------------------------------------------

    def is_drawn(self) -> bool:
        """Whether the canvas has no layer left to draw."""
        return not self.iface.mapCanvas().isDrawing()

    def zoom_to(self, layer: Any) -> Iterator[Wait]:
        """Make a layer the active one, and zoom to it until all of it is seen.

        QGIS hands a new layer, and with the first one its CRS, to the canvas some time after the
        layer was added. What was zoomed to before is then lost.
        """
        canvas = self.iface.mapCanvas()
        yield lambda: layer in canvas.layers()
        self.iface.setActiveLayer(layer)
        self.iface.zoomToActiveLayer()
        yield self.is_drawn
        while not canvas.extent().contains(canvas.mapSettings().layerExtentToOutputExtent(
            layer, layer.extent()
        )):  # fmt: skip
            self.iface.zoomToActiveLayer()
            yield 0.5
            yield self.is_drawn

    def share_of_colours(self, names: set[str]) -> float:
        """Share of the canvas's pixels that have one of some colours, such as ``#e60000``."""
        picture = self.iface.mapCanvas().grab().toImage()
        places = [
            (x, y) for x in range(0, picture.width(), 4) for y in range(0, picture.height(), 4)
        ]
        return sum(picture.pixelColor(x, y).name() in names for x, y in places) / len(places)

    # Pictures -------------------------------------------------------------------------------------

    def shoot(self, path: str | Path, widget: Any = None) -> None:
        """Save a widget as a picture, or the whole screen."""
        if widget is None:
            self.window.repaint()
            picture = self.window.windowHandle().screen().grabWindow(0)
        else:
            picture = widget.grab()
        if not picture.save(str(path)):
            raise RuntimeError(f"cannot write {path}")
