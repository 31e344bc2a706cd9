"""The layers of shots that are chosen, and their fields with the class."""

from __future__ import annotations

from typing import Any

from qgis.core import QgsCoordinateReferenceSystem, QgsVectorLayer
from qgis.PyQt.QtCore import QObject, pyqtSignal

from .class_fields import chosen_fields, why_lost
from .enums import is_in_project, is_point_layer, is_polygon_layer

#: Signals of a layer after which its shots may differ, or lie elsewhere.
_SIGNALS = (
    *("afterRollBack", "afterCommitChanges", "dataChanged", "subsetStringChanged", "updatedFields"),
    *("crsChanged", "dataSourceChanged"),
)

#: Signals of each feature of an edit. They are followed once, at the end of the edit: thousands take minutes otherwise.
_FEATURE_SIGNALS = ("featureAdded", "featureDeleted", "geometryChanged", "attributeValueChanged")

#: Signals of a layer after which it may have a field for the class: once for all features of an edit.
_REPAIRS = ("dataSourceChanged", "updatedFields", "editCommandEnded", "afterCommitChanges")


class ChosenLayers(QObject):
    """One layer of points, one of polygons, or both.

    Attributes:
        changed: Signal when the shots differ.
        field_lost: Signal with one sentence: a layer has no field with the class. It is empty once all have theirs.
        repaired: Signal when a layer that was refused may have a field with the class now.
        layers: The layers.
        refused: Layers that were chosen, too, and have no field for the class, such as those whose file is missing.
        fields: Field with the class by the id of a layer. It stays, whatever the layer is styled by later, and also if
            the layer loses it: an undo brings it back.
    """

    changed = pyqtSignal()
    field_lost = pyqtSignal(str)
    repaired = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layers: list[QgsVectorLayer] = []
        self.refused: list[QgsVectorLayer] = []
        self.fields: dict[str, str] = {}
        self._problem = self._told = ""

    def use(self, layers: list[QgsVectorLayer]) -> str:
        """Take layers as the shots.

        Args:
            layers: Vector layers.

        Returns:
            What is wrong with one of them, as one sentence; empty if nothing is.
        """
        fields, problem = chosen_fields(layers, self.fields)
        self._problem = problem
        self._refuse([one for one in layers if one.id() not in fields])
        layers = [one for one in layers if one.id() in fields]
        alive = [one.id() for one in self.alive()]
        is_same = len(alive) == len(self.layers) and [one.id() for one in layers] == alive
        before, self.fields = self.fields, fields
        if is_same and before == fields:
            self._tell_lost()
            return problem
        for layer in self.alive():
            for signal, slot in self._slots(layer):
                signal.disconnect(slot)
        self.layers = list(layers)
        for layer in self.layers:
            for signal, slot in self._slots(layer):
                signal.connect(slot)
        self._on_layers()
        self._tell_lost(again=True)
        self.changed.emit()
        return problem

    def _slots(self, layer: QgsVectorLayer) -> list[tuple[Any, Any]]:
        """Signals of a layer, and what follows each."""
        return [
            *((getattr(layer, name), self._on_change) for name in _SIGNALS),
            *((getattr(layer, name), self._on_feature) for name in _FEATURE_SIGNALS),
            (layer.editCommandEnded, self._on_edited),
            (layer.undoStack().indexChanged, self._on_edited),
            (layer.styleChanged, self._on_style),
        ]

    def _refuse(self, layers: list[QgsVectorLayer]) -> None:
        """Hear of repairs of layers that cannot be used yet."""
        for layer in filter(is_in_project, self.refused):
            for name in _REPAIRS:
                getattr(layer, name).disconnect(self._on_repair)
        self.refused = layers
        for layer in layers:
            for name in _REPAIRS:
                getattr(layer, name).connect(self._on_repair)

    def _on_repair(self) -> None:
        self.repaired.emit()

    def field(self, layer: QgsVectorLayer) -> str:
        """Field with the class of a layer of shots; empty if the layer has it no more.

        Args:
            layer: The layer.
        """
        field = self.fields.get(layer.id(), "")
        return field if field in layer.fields().names() else ""

    def why_lost(self) -> str:
        """Which layer has no field with the class, or no longer, as one sentence; empty if all have theirs."""
        return why_lost(self.alive(), self.fields) or self._problem

    def why_no_place(self, crs: QgsCoordinateReferenceSystem) -> str:
        """Which layer has no coordinate reference system, as one sentence; empty if its shots have a place in the scene.

        Args:
            crs: CRS of the scene. If it is not valid, coordinates are those of the scene.
        """
        without = [one.name() for one in self.alive() if not one.crs().isValid()]
        if not without or not crs.isValid():
            return ""
        return f"Layer '{without[0]}' has no coordinate reference system, and the scene has one. Set it (Set Layer CRS)."

    def points(self) -> QgsVectorLayer | None:
        """The layer of points; None if there is none."""
        return next((one for one in self.alive() if is_point_layer(one)), None)

    def polygons(self) -> QgsVectorLayer | None:
        """The layer of polygons; None if there is none."""
        return next((one for one in self.alive() if is_polygon_layer(one)), None)

    def are_all_alive(self) -> bool:
        """Whether no layer was removed from the project."""
        return all(map(is_in_project, (*self.layers, *self.refused)))

    def alive(self) -> list[QgsVectorLayer]:
        """The layers that are still in the project."""
        return [one for one in self.layers if is_in_project(one)]

    def _tell_lost(self, *, again: bool = False) -> None:
        text = self.why_lost()
        if text != self._told or (again and text):
            self._told = text
            self.field_lost.emit(text)

    # What layers do; subclasses follow it ---------------------------------------------------------

    def _on_layers(self) -> None:
        """Follow other layers."""

    def _on_change(self, *_: Any) -> None:
        """Follow a change of the shots."""

    def _on_feature(self, *_: Any) -> None:
        """Hear of a change of one feature."""

    def _on_edited(self, *_: Any) -> None:
        """Follow the changes of features, since the edit is complete."""

    def _on_style(self) -> None:
        """Follow a style that was changed."""
