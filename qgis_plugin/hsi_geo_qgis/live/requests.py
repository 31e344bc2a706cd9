"""What the engine is asked: options of the scene, the shots, and the part in view."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from qgis.core import QgsCoordinateReferenceSystem

from .shot_features import ENGINE_NAME, FIELD, feature_collection, moved, shots_key
from .update_request import UpdateRequest

if TYPE_CHECKING:
    from .dock import LiveDock
    from .view import Bounds

#: Scenes of so many pixels are previewed as a whole; of larger ones the part in view is.
WHOLE_PIXELS = 300_000

NO_LAYERS = "Choose New shots, or layers of shots."
FEW_CLASSES = "Draw shots of two classes or more. The preview follows."


class RequestMaker:
    """Reads the dock.

    Args:
        dock: The dock.
    """

    def __init__(self, dock: LiveDock) -> None:
        self.dock = dock

    def scene_options(self) -> dict[str, Any]:
        """Options that the scene is opened with."""
        wavelengths = self.dock.scene.wavelengths.text().strip()
        given = {"wavelengths": wavelengths} if wavelengths else {}
        return {**self.dock.chooser.options, **given}

    def collect(self) -> UpdateRequest:
        """The next request for a preview."""
        dock = self.dock
        if not dock.shots.layers:
            return UpdateRequest(problem=NO_LAYERS)
        problem = "" if dock.view is None else dock.shots.why_no_place(dock.view.crs)
        if problem:
            return UpdateRequest(problem=problem)
        collected = dock.shots.collect()
        shots, crs, sent_crs = collected.shots, collected.crs, collected.crs
        if dock.view is not None and not dock.view.has_crs:  # only QGIS knows where the scene lies
            shots, crs = moved(shots, crs, dock.view.crs), dock.view.crs
            sent_crs = QgsCoordinateReferenceSystem()
        if len({shot.name for shot in shots}) < 2:
            return UpdateRequest(problem=FEW_CLASSES)
        bounds, trust = self.bounds(), dock.scene.trust.isChecked()
        colors = {one.name: one.color for one in dock.shots.classes}
        params = {
            "shots": feature_collection(shots, sent_crs, colors),
            "class_field": FIELD,
            "bounds": bounds,
            "trust_shots": trust,
        }
        session = dock.session.info.get("session")
        key = shots_key(shots, crs, bounds, trust, session, sorted(colors.items()))
        return UpdateRequest(
            params, key, self.names(), shots=shots, crs=crs, warnings=collected.warnings()
        )

    def names(self) -> dict[str, str]:
        """What users call what the engine names."""
        layers = ", ".join(layer.name() for layer in self.dock.shots.layers)
        return {ENGINE_NAME: layers, self.dock.scene_path: self.dock.scene_name}

    def bounds(self) -> Bounds | None:
        """The part of the scene that is to be previewed; None for all of it."""
        view = self.dock.view
        return None if view is None or not self._is_large() else view.seen()

    def is_part(self, preview: Mapping[str, Any]) -> bool:
        """Whether a preview covers a part of the scene only.

        Args:
            preview: Answer of the engine.
        """
        view = self.dock.view
        return view is not None and not view.is_whole(preview.get("bounds"))

    def is_view_missing(self) -> bool:
        """Whether the canvas shows a part of the scene that the preview does not, or not as fine."""
        view, preview = self.dock.view, self.dock.session.preview
        if view is None or not preview or not self._is_large():
            return False
        is_fine = int(preview.get("step_px") or 1) == 1
        return not (is_fine and view.covers(preview.get("bounds")))

    def _is_large(self) -> bool:
        info = self.dock.session.info
        return int(info.get("width") or 0) * int(info.get("height") or 0) > WHOLE_PIXELS
