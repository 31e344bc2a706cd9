"""Which scene is open: that of a layer, or a product that is then shown as one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from qgis.core import (
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingException,
    QgsProject,
    QgsSettings,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QTimer
from qgis.PyQt.QtWidgets import QFileDialog

from ..command import Value
from ..layers import layer_path, product_warnings, shown_product
from .finish import may_stop
from .panels import set_layer
from .product import show_product
from .project_state import read_state
from .texts import sentence
from .view import SceneView

if TYPE_CHECKING:
    from .dock import LiveDock

#: Setting of the folder in which QGIS's dialogs begin.
_LAST_FOLDER = "/Processing/LastInputPath"

CHOOSE = "Choose a scene."

#: Options of *Open scene* that the engine opens a scene with, too.
_OPENING = ("wavelengths", "mask", "grid", "pixel_size", "dem", "asset", "follow_links")


class SceneChooser:
    """Opens scenes for the dock.

    Args:
        dock: The dock.

    Attributes:
        options: Options that the layer of the scene was opened with.
    """

    def __init__(self, dock: LiveDock) -> None:
        self.dock = dock
        self.options: dict[str, Value] = {}
        self._is_due = self._is_asking = False
        self._layer_id = ""  # of the scene that is open
        self._heard: QgsMapLayer | None = None  # whose CRS and file are followed
        self._described = ""  # the scene that the wavelengths of the dock belong to

    def follow(self, *_: Any) -> None:
        """Open the scene that was chosen, a moment later: while QGIS removes layers, no other one may be removed."""
        if not self.dock.memory.is_restoring and not self._is_due:
            self._is_due = True
            QTimer.singleShot(0, self._open_chosen)

    def forget(self) -> None:
        """Forget what was chosen, such as in another project."""
        self._is_due, self._layer_id, self._described, self.options = False, "", "", {}
        self._hear(None)

    def on_removed(self, *_: Any) -> None:
        """Close the scene if its layer was removed: QGIS's list shows another layer then, which nobody has chosen."""
        QTimer.singleShot(0, self._close_removed)

    def _close_removed(self) -> None:
        if sip.isdeleted(self.dock) or not self._layer_id:
            return
        if QgsProject.instance().mapLayer(self._layer_id) is None:
            set_layer(self.dock.scene.layers, None)
            self.no_scene()

    def _open_chosen(self) -> None:
        if self._is_due and not sip.isdeleted(self.dock):
            self._is_due = False
            chosen = self.dock.scene.layers.currentLayer()
            layer = QgsProject.instance().mapLayer(self._layer_id)
            is_gone = bool(self._layer_id) and layer is None  # nothing to go back to
            if is_gone or chosen is layer or self.may_leave():
                self.choose_layer(chosen)
            else:
                set_layer(self.dock.scene.layers, layer)
                self.dock.memory.save()

    def choose_layer(self, layer: QgsMapLayer | None) -> None:
        """Open the scene of a layer.

        Args:
            layer: The layer; None closes the scene.
        """
        if layer is None:
            self.no_scene()
            return
        path, problem = _path_of(layer)
        if problem:
            self.no_scene()
            if self.dock.scene.wavelengths.text().strip() and not self._described:
                self._described = str(layer.source())
            self.dock.notice.say("problem", problem)
            self._hear(layer)  # it may be corrected
            return
        before = self.dock.scene_path, self.options
        is_other = layer.id() != self._layer_id
        self._layer_id, self.options = layer.id(), _options_of(layer)
        self._hear(layer)
        is_here = self.dock.session.is_open or self.dock.session.is_busy  # or it is being opened
        if is_here and (path, self.options) == before:
            if is_other:
                self._look_again(layer)
            self.dock.memory.save()
            return
        self.dock.product = ""
        self.open(path, layer.name())
        for warning in product_warnings(layer):
            self.dock.notice.say("warning", sentence(warning))

    def _hear(self, layer: QgsMapLayer | None) -> None:
        """Follow the CRS and the file of a layer, and no longer those of the one before."""
        if layer is self._heard:
            return
        if self._heard is not None and not sip.isdeleted(self._heard):
            self._heard.crsChanged.disconnect(self.on_layer)
            self._heard.dataSourceChanged.disconnect(self.on_layer)
        self._heard = layer
        if layer is not None:
            layer.crsChanged.connect(self.on_layer)
            layer.dataSourceChanged.connect(self.on_layer)

    def on_layer(self) -> None:
        """Follow a change of the CRS or the file of the scene's layer, a moment later: QGIS may change more of it."""
        QTimer.singleShot(0, self._follow_layer)

    def _follow_layer(self) -> None:
        dock = self.dock
        if sip.isdeleted(dock) or not dock.is_active or dock.memory.is_restoring:
            return
        layer = self._heard
        if layer is None or layer is not dock.scene.layers.currentLayer():
            return
        path, problem = _path_of(layer)
        is_other = not problem and (path, _options_of(layer)) != (dock.scene_path, self.options)
        if problem and dock.session.is_finishing:  # what is being written is of the file's CRS
            dock.notice.say("problem", problem)
        elif is_other and not self.may_leave():
            dock.notice.say(
                "warning", f"Layer '{layer.name()}' shows another file now. Choose it again."
            )
        elif problem or is_other or layer.id() != self._layer_id:
            dock.notice.clear()
            self.choose_layer(layer)
        else:
            self._look_again(layer)

    def _look_again(self, layer: QgsMapLayer) -> None:
        """See the open scene as its layer shows it, such as in the CRS that only the layer has."""
        dock = self.dock
        dock.scene_name = _short_name(layer.name())
        if dock.session.is_open:  # else it is seen so when it is
            dock.tell_problem(dock.shots.why_lost())
            dock.suggestions.stop()
            dock.view = SceneView(dock.canvas, dock.session.info, layer.crs())
            dock.session.change()

    def choose_file(self, is_folder: bool) -> None:
        """Ask for a product.

        Args:
            is_folder: Whether it is a folder.
        """
        begin = str(QgsSettings().value(_LAST_FOLDER, "") or "")
        title = "Choose the folder of a product" if is_folder else "Choose the file of a product"
        if is_folder:
            path = QFileDialog.getExistingDirectory(self.dock, title, begin)
        else:
            path, _ = QFileDialog.getOpenFileName(self.dock, title, begin)
        if path and self.may_leave():
            QgsSettings().setValue(_LAST_FOLDER, path)
            self.open_product(path)

    def open_product(self, path: str) -> None:
        """Open a product, and show it on the map.

        Args:
            path: Its file or folder.
        """
        set_layer(self.dock.scene.layers, None)
        self.dock.product, self._layer_id, self.options = path, "", {}
        self._hear(None)
        self.open(path, path)

        def show(layer: QgsMapLayer) -> None:
            if not sip.isdeleted(self.dock) and self.dock.scene_path == path:
                set_layer(self.dock.scene.layers, layer)
                self.dock.product, self._layer_id = "", layer.id()
                self.options = _options_of(layer)
                self._hear(layer)
                self.dock.memory.save()

        def tell(reason: str) -> None:
            if not sip.isdeleted(self.dock):
                self.dock.notice.say("warning", sentence(reason))

        show_product(path, self.dock.scene.wavelengths.text().strip(), show, tell)

    def open(self, path: str, name: str) -> None:
        """Open a scene in the engine.

        Args:
            path: Path of the scene.
            name: What users call it.
        """
        dock, wavelengths = self.dock, self.dock.scene.wavelengths
        dock.clear_preview()
        dock.notice.release()
        dock.notice.clear()
        dock.tell_problem(dock.shots.why_lost())
        if self._described not in ("", path):  # another scene has its own
            wavelengths.clear()
        self._described = path if wavelengths.text().strip() else ""
        dock.scene_path = path
        dock.scene_name = _short_name(name)
        dock.session.open(path, dock.requests.scene_options())
        dock.memory.save()
        dock.enable()

    def reopen(self) -> None:
        """Open the scene again, if its options are others."""
        dock, before = self.dock, read_state().wavelengths
        field = dock.scene.wavelengths
        if dock.memory.is_restoring or self._is_asking or field.text().strip() == before:
            return
        if not self.may_leave():
            field.setText(before)
            return
        self._described = dock.scene_path
        if dock.scene_path:
            self.open(dock.scene_path, dock.scene_name)

    def may_leave(self) -> bool:
        """Whether the scene may be closed. The person is asked if a map is being written."""
        if not self.dock.session.is_finishing:
            return True
        if self._is_asking:
            return False
        self._is_asking = True
        may = may_stop(self.dock)
        self._is_asking = False
        return may

    def no_scene(self) -> None:
        """Close the scene."""
        dock = self.dock
        dock.notice.release()
        dock.notice.clear("warning")  # what was said of the scene; that a map was written stays
        dock.tell_problem(dock.shots.why_lost())
        dock.session.close()
        dock.clear_preview()
        dock.scene_path = dock.scene_name = dock.product = self._layer_id = ""
        self.options = {}
        self._hear(None)
        dock.memory.save()
        dock.work.tell(CHOOSE)
        dock.enable()

    def show_info(self, info: dict[str, Any]) -> None:
        """Show what the engine says of the scene.

        Args:
            info: Its answer.
        """
        dock = self.dock
        layer = dock.scene.layers.currentLayer()
        dock.view = SceneView(dock.canvas, info, None if layer is None else layer.crs())
        bands = len(info.get("centres_nm") or [])
        size = f"{info.get('width')} \N{MULTIPLICATION SIGN} {info.get('height')} pixels"
        dock.scene.describe(f"{size}, {bands} bands")
        dock.enable()


def _short_name(name: str) -> str:
    return name.replace("\\", "/").rstrip("/").split("/")[-1]


def _context() -> QgsProcessingContext:
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return context


def _path_of(layer: QgsMapLayer) -> tuple[str, str]:
    """Path of the scene of a layer, and what is wrong with it as one sentence; one of the two is empty."""
    try:
        return layer_path(layer, _context(), may_lack_crs=True), ""
    except QgsProcessingException as error:
        return "", sentence(str(error))


def _options_of(layer: QgsMapLayer) -> dict[str, Value]:
    """Options that the product of a layer was opened with, as far as the engine has them."""
    product = shown_product(layer, _context())
    given = {} if product is None else product.options
    return {name: given[name] for name in _OPENING if name in given}
