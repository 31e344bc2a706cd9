"""The session of the dock and the project: what a saved project remembers of it, and how it comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qgis.core import QgsProject

from .panels import set_layer
from .project_state import LiveState, read_state, write_state
from .scene_chooser import CHOOSE

if TYPE_CHECKING:
    from .dock import LiveDock


class ProjectMemory:
    """Restores the dock from the project, and keeps what it shows in the project.

    Args:
        dock: The dock.

    Attributes:
        is_restoring: Whether the dock is being restored, so that what its widgets say is no choice of a person.
        has_restored: Whether it was. Before that it is empty, and the project may remember a session.
    """

    def __init__(self, dock: LiveDock) -> None:
        self.dock = dock
        self.is_restoring = self.has_restored = False

    def restore(self) -> None:
        """Take the scene and the shots that the project names."""
        dock, project, state = self.dock, QgsProject.instance(), read_state()
        layer = project.mapLayer(state.scene_layer)
        self.is_restoring = True
        dock.chooser.forget()
        dock.session.close()
        dock.notice.release()
        dock.notice.clear()
        dock.clear_preview()
        dock.scene_path = dock.scene_name = ""
        dock.product = state.product
        self._show_options(state)
        set_layer(dock.shots_panel.points, project.mapLayer(state.points))
        set_layer(dock.shots_panel.polygons, project.mapLayer(state.polygons))
        dock.shots.current = state.current
        dock.shots.fields = {
            state.points: state.points_field, state.polygons: state.polygons_field
        }  # fmt: skip
        dock.shot_chooser.choose()
        set_layer(dock.scene.layers, layer)
        self.is_restoring, self.has_restored = False, True
        if dock.is_active:
            if layer is not None:
                dock.chooser.choose_layer(layer)
            elif state.product:
                dock.chooser.open(state.product, state.product)
            else:
                dock.work.tell(CHOOSE)
        dock.show_classes()
        dock.enable()

    def _show_options(self, state: LiveState) -> None:
        dock = self.dock
        has_scene = QgsProject.instance().mapLayer(state.scene_layer) is not None or state.product
        # Those of a scene that is gone are not for the next one.
        dock.scene.wavelengths.setText(state.wavelengths if has_scene else "")
        dock.scene.trust.setChecked(state.trust_shots)
        dock.preview_panel.slider.setValue(state.min_confidence)
        dock.session.min_confidence = state.min_confidence

    def save(self) -> None:
        """Keep the session in the project."""
        if self.is_restoring or not self.has_restored:
            return
        dock = self.dock
        ids = [
            "" if combo.currentLayer() is None else combo.currentLayer().id()
            for combo in (dock.scene.layers, dock.shots_panel.points, dock.shots_panel.polygons)
        ]
        write_state(
            LiveState(
                is_open=dock.is_active and any([*ids, dock.product]),
                scene_layer=ids[0],
                product=dock.product,
                points=ids[1],
                polygons=ids[2],
                points_field=dock.shots.fields.get(ids[1], ""),
                polygons_field=dock.shots.fields.get(ids[2], ""),
                wavelengths=dock.scene.wavelengths.text().strip(),
                trust_shots=dock.scene.trust.isChecked(),
                min_confidence=dock.session.min_confidence,
                current=dock.shots.current,
            )
        )
