"""The layers of shots: made, drawn into, and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDefaultValue,
    QgsExpression,
    QgsFeature,
    QgsGeometry,
    QgsProject,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ..class_field import class_name, default_class_field
from .classes import (
    Classes,
    ShotClass,
    distinct_names,
    is_class,
    is_styled,
    new_class,
    read_classes,
    style_layer,
    with_values,
)
from .enums import is_point_layer, is_polygon_layer
from .new_layers import SHOTS_PROPERTY
from .shot_edits import Chosen, add, delete, why_no_class, write_class
from .shot_features import FIELD, Collected, Shot, transformed

#: Signals of a layer after which its shots may differ.
_SIGNALS = (
    *("featureAdded", "featureDeleted", "geometryChanged", "attributeValueChanged"),
    *("afterRollBack", "afterCommitChanges", "dataChanged", "subsetStringChanged"),
)


class ShotLayers(QObject):
    """One layer of points, one of polygons, or both, with the same classes.

    Attributes:
        changed: Signal when the shots differ.
        classes_changed: Signal when the classes, their colours or the current one differ.
        layers: The layers.
        classes: The classes, in the order of their keys.
        current: Index of the class that is drawn.
    """

    changed = pyqtSignal()
    classes_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.layers: list[QgsVectorLayer] = []
        self.classes: Classes = ()
        self.current = 0
        self._styling = self._is_style_due = self._renaming = False

    # Layers ---------------------------------------------------------------------------------------

    def use(self, layers: list[QgsVectorLayer]) -> str:
        """Take layers as the shots. One that is not drawn by its classes gets such a style.

        Args:
            layers: Vector layers.

        Returns:
            What is wrong with one of them, as one sentence; empty if nothing is.
        """
        unfit = [one.name() for one in layers if not self.field(one)]
        layers = [one for one in layers if self.field(one)]
        problem = ""
        if unfit:
            problem = f"Layer '{unfit[0]}' has no field of text or whole numbers. Add one that holds the class."
        alive = self._alive()
        if len(alive) == len(self.layers) and [one.id() for one in layers] == [
            one.id() for one in alive
        ]:
            return problem
        for layer in self._alive():
            for name in _SIGNALS:
                getattr(layer, name).disconnect(self._on_change)
            layer.styleChanged.disconnect(self._on_style)
        self.layers = list(layers)
        for layer in self.layers:
            for name in _SIGNALS:
                getattr(layer, name).connect(self._on_change)
            layer.styleChanged.connect(self._on_style)
        self._read_classes()
        self._style()
        self.choose(min(self.current, max(0, len(self.classes) - 1)))
        self.changed.emit()
        return problem

    def field(self, layer: QgsVectorLayer) -> str:
        """Field of a layer that holds the class; empty if none can.

        Args:
            layer: The layer.
        """
        made = bool(layer.customProperty(SHOTS_PROPERTY))
        return FIELD if made else default_class_field(layer)

    def points(self) -> QgsVectorLayer | None:
        """The layer of points; None if there is none."""
        return next((one for one in self._alive() if is_point_layer(one)), None)

    def polygons(self) -> QgsVectorLayer | None:
        """The layer of polygons; None if there is none."""
        return next((one for one in self._alive() if is_polygon_layer(one)), None)

    def are_all_alive(self) -> bool:
        """Whether no layer was removed from the project."""
        return len(self._alive()) == len(self.layers)

    def _alive(self) -> list[QgsVectorLayer]:
        """The layers that are still in the project."""
        return [one for one in self.layers if _in_project(one)]

    # Classes --------------------------------------------------------------------------------------

    def choose(self, index: int) -> None:
        """Make a class the one that is drawn.

        Args:
            index: Index of the class.
        """
        self.current = index
        if 0 <= index < len(self.classes):
            value = QgsDefaultValue(QgsExpression.quotedValue(self.classes[index].value))
            for layer in self._alive():
                if layer.customProperty(SHOTS_PROPERTY):  # so QGIS's own tools draw it as well
                    layer.setDefaultValueDefinition(layer.fields().lookupField(FIELD), value)
        self.classes_changed.emit()

    def add_class(self) -> None:
        """Add a class, and make it the current one."""
        numeric = any(
            layer.fields().field(self.field(layer)).isNumeric() for layer in self._alive()
        )
        self._set_classes((*self.classes, new_class(self.classes, is_numeric=numeric)))
        self.choose(len(self.classes) - 1)

    def rename(self, index: int, name: str) -> str:
        """Give a class another name; its shots follow.

        Args:
            index: Index of the class.
            name: The name.

        Returns:
            Why the class keeps its name, as one sentence; empty if it has the new one.
        """
        name, one = name.strip(), self.classes[index]
        if not name or name in [other.name for other in self.classes if other is not one]:
            return "Another class has that name, or the name is empty."
        if name == one.name:
            return ""
        renamed = replace(one, name=name)
        if isinstance(one.value, str):
            renamed = replace(renamed, value=name)
            self._renaming = True  # half of the features have the old value for a moment
            problem = write_class(self._of_class(one), name, "Rename class")
            self._renaming = False
            if problem:
                return f"Class {one.name} keeps its name. {problem}"
        self._replace(index, renamed)
        return ""

    def recolor(self, index: int, color: str) -> None:
        """Give a class another colour.

        Args:
            index: Index of the class.
            color: "#rrggbb".
        """
        self._replace(index, replace(self.classes[index], color=color))

    def remove_class(self, index: int) -> bool:
        """Remove a class that has no shots.

        Args:
            index: Index of the class.

        Returns:
            False if it has shots.
        """
        if self.counts().get(self.classes[index].name):
            return False
        self._set_classes(tuple(one for i, one in enumerate(self.classes) if i != index))
        self.choose(max(0, min(self.current, len(self.classes) - 1)))
        return True

    def counts(self) -> dict[str, int]:
        """Number of shots by the name of the class."""
        names = {one.key: one.name for one in self.classes}
        found: dict[str, int] = {}
        for layer, feature in self._features():
            name = names.get(self._key(layer, feature), "")
            if name:
                found[name] = found.get(name, 0) + 1
        return found

    def _replace(self, index: int, one: ShotClass) -> None:
        changed = list(self.classes)
        changed[index] = one
        self._set_classes(tuple(changed))
        self.choose(self.current)

    def _set_classes(self, classes: Classes) -> None:
        self.classes = classes
        self._style()
        self.classes_changed.emit()
        self.changed.emit()

    def _read_classes(self) -> None:
        found: Classes = ()
        for layer in self._alive():
            for one in read_classes(layer, self.field(layer)):
                if one.key not in [other.key for other in found]:
                    found = (*found, one)
        self.classes = found

    def _style(self) -> None:
        """Draw every layer by the classes."""
        self._styling = True
        for layer in self._alive():
            field = self.field(layer)
            if not is_styled(layer, field) or read_classes(layer, field) != self.classes:
                style_layer(layer, field, self.classes)
        self._styling = False

    def _on_style(self) -> None:
        """Follow a style that was changed in QGIS's own panel, once QGIS has ended the change."""
        if not self._styling and not self._is_style_due:
            self._is_style_due = True
            QTimer.singleShot(0, self._follow_style)

    def _follow_style(self) -> None:
        if sip.isdeleted(self):
            return
        self._is_style_due = False
        found = list(self.classes)
        for layer in self._alive():
            field = self.field(layer)
            if not is_styled(layer, field):
                continue
            styled = {one.key: one for one in read_classes(layer, field)}
            for one in self.classes:
                other = styled.pop(one.key, one)
                if other != one:  # the layer whose style was changed
                    found[self.classes.index(one)] = other
            known = {one.key for one in found}
            found += [one for key, one in styled.items() if key not in known]
        if tuple(found) != self.classes:
            self._set_classes(distinct_names(found))

    def _on_change(self, *_: Any) -> None:
        if self._renaming:
            return
        grown = self.classes
        for layer in self._alive():
            grown = with_values(grown, layer, self.field(layer))
        if grown != self.classes:
            self._set_classes(grown)
        else:
            self.changed.emit()

    # Shots ----------------------------------------------------------------------------------------

    def add(self, geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> str:
        """Add a shot of the current class.

        Args:
            geometry: A point or a polygon.
            crs: Its CRS.

        Returns:
            What is wrong, as one sentence; empty if nothing is.
        """
        is_point = _is_point(geometry)
        layer = self.points() if is_point else self.polygons()
        if layer is None:
            kind = "points" if is_point else "polygons"
            return f"There is no layer of {kind}. Choose one, or make new shots."
        if not self.classes:
            return "There is no class. Add one first."
        one, field = self.classes[self.current], self._index(layer)
        problem = why_no_class(layer, field, one.value)
        if problem:
            return problem
        placed = transformed(geometry, crs, layer.crs())
        if layer.wkbType() != placed.wkbType():
            placed = next(iter(placed.coerceToType(layer.wkbType())), placed)
        return add(layer, placed, {field: one.value}, f"Add shot of {one.name}")

    def selected(self) -> int:
        """Number of selected shots."""
        return sum(int(layer.selectedFeatureCount()) for layer in self._alive())

    def reclass_selected(self, index: int) -> tuple[int, str]:
        """Give the selected shots another class. They are selected no more.

        Args:
            index: Index of the class.

        Returns:
            Number of shots, and what is wrong as one sentence: then no shot has changed.
        """
        one, chosen = self.classes[index], self._selected()
        problem = write_class(chosen, one.value, f"Shots are {one.name}")
        if problem:
            return 0, problem
        self.unselect()
        return sum(len(features) for *_, features in chosen), ""

    def delete_selected(self) -> tuple[int, str]:
        """Delete the selected shots.

        Returns:
            Number of shots, and what is wrong as one sentence: then no shot is deleted.
        """
        chosen = self._selected()
        problem = delete(chosen, "Delete shots")
        return (0, problem) if problem else (sum(len(features) for *_, features in chosen), "")

    def unselect(self) -> None:
        """Select no shot."""
        for layer in self._alive():
            layer.removeSelection()

    def collect(self) -> Collected:
        """The shots as QGIS shows them, with unsaved edits."""
        names = {one.key: one.name for one in self.classes}
        alive = self._alive()
        crs = alive[0].crs() if alive else QgsCoordinateReferenceSystem()
        found, classless = [], 0
        for layer, feature in self._features():
            name = names.get(self._key(layer, feature), "")
            geometry = feature.geometry()
            if geometry.isNull() or geometry.isEmpty():
                continue
            if not name:
                classless += 1
                continue
            placed = transformed(geometry, layer.crs(), crs)
            if not placed.isNull():
                found.append(Shot(layer.id(), feature.id(), name, placed))
        return Collected(found, crs, classless)

    def _features(self) -> Iterator[tuple[QgsVectorLayer, QgsFeature]]:
        for layer in self._alive():
            for feature in layer.getFeatures():
                yield layer, feature

    def _key(self, layer: QgsVectorLayer, feature: QgsFeature) -> str:
        value = feature.attribute(self.field(layer))
        return class_name(value) if is_class(value) else ""

    def _index(self, layer: QgsVectorLayer) -> int:
        """Index of the field with the class."""
        return int(layer.fields().lookupField(self.field(layer)))

    def _selected(self) -> list[Chosen]:
        found = [(one, self._index(one), list(one.selectedFeatureIds())) for one in self._alive()]
        return [one for one in found if one[2]]

    def _of_class(self, wanted: ShotClass) -> list[Chosen]:
        """The features of a class, in layers that have some."""
        found = []
        for layer in self._alive():
            ids = [f.id() for f in layer.getFeatures() if self._key(layer, f) == wanted.key]
            found.append((layer, self._index(layer), ids))
        return [one for one in found if one[2]]


def _is_point(geometry: QgsGeometry) -> bool:
    return str(geometry.constGet().geometryType()).endswith("Point")


def _in_project(layer: Any) -> bool:
    try:
        return QgsProject.instance().mapLayer(layer.id()) is not None
    except RuntimeError:  # QGIS has deleted it
        return False
