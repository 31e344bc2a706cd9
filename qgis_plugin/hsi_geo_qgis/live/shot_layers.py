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
from .shot_features import FIELD, Shot, transformed

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

    def rename(self, index: int, name: str) -> bool:
        """Give a class another name; its shots follow.

        Args:
            index: Index of the class.
            name: The name.

        Returns:
            False if the name is empty, or that of another class.
        """
        name, one = name.strip(), self.classes[index]
        if not name or name in [other.name for other in self.classes if other is not one]:
            return False
        if name == one.name:
            return True
        renamed = replace(one, name=name)
        if isinstance(one.value, str):
            renamed = replace(renamed, value=name)
            self._renaming = True  # half of the features have the old value for a moment
            for layer in self._alive():
                found = [f.id() for f in layer.getFeatures() if self._key(layer, f) == one.key]
                self._write(layer, found, name, "Rename class")
            self._renaming = False
        self._replace(index, renamed)
        return True

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
        if not (layer.isEditable() or layer.startEditing()):
            return f"Layer '{layer.name()}' cannot be edited."
        feature = QgsFeature(layer.fields())
        placed = transformed(geometry, crs, layer.crs())
        if layer.wkbType() != placed.wkbType():
            placed = next(iter(placed.coerceToType(layer.wkbType())), placed)
        feature.setGeometry(placed)
        one = self.classes[self.current]
        feature.setAttribute(layer.fields().lookupField(self.field(layer)), one.value)
        layer.beginEditCommand(f"Add shot of {one.name}")
        layer.addFeature(feature)
        layer.endEditCommand()
        layer.triggerRepaint()
        return ""

    def selected(self) -> int:
        """Number of selected shots."""
        return sum(int(layer.selectedFeatureCount()) for layer in self._alive())

    def reclass_selected(self, index: int) -> int:
        """Give the selected shots another class. They are selected no more.

        Args:
            index: Index of the class.

        Returns:
            Number of shots.
        """
        count, one = 0, self.classes[index]
        for layer in self._alive():
            chosen = list(layer.selectedFeatureIds())
            if chosen and (layer.isEditable() or layer.startEditing()):
                self._write(layer, chosen, one.value, f"Shots are {one.name}")
                layer.removeSelection()
                count += len(chosen)
        return count

    def delete_selected(self) -> int:
        """Delete the selected shots.

        Returns:
            Number of shots.
        """
        count = 0
        for layer in self._alive():
            chosen = list(layer.selectedFeatureIds())
            if chosen and (layer.isEditable() or layer.startEditing()):
                layer.beginEditCommand("Delete shots")
                layer.deleteFeatures(chosen)
                layer.endEditCommand()
                layer.triggerRepaint()
                count += len(chosen)
        return count

    def unselect(self) -> None:
        """Select no shot."""
        for layer in self._alive():
            layer.removeSelection()

    def collect(self) -> tuple[list[Shot], QgsCoordinateReferenceSystem]:
        """The shots as QGIS shows them, with unsaved edits, and their CRS."""
        names = {one.key: one.name for one in self.classes}
        alive = self._alive()
        crs = alive[0].crs() if alive else QgsCoordinateReferenceSystem()
        found = []
        for layer, feature in self._features():
            name = names.get(self._key(layer, feature), "")
            geometry = feature.geometry()
            if not name or geometry.isNull() or geometry.isEmpty():
                continue
            placed = transformed(geometry, layer.crs(), crs)
            if not placed.isNull():
                found.append(Shot(layer.id(), feature.id(), name, placed))
        return found, crs

    def _features(self) -> Iterator[tuple[QgsVectorLayer, QgsFeature]]:
        for layer in self._alive():
            for feature in layer.getFeatures():
                yield layer, feature

    def _key(self, layer: QgsVectorLayer, feature: QgsFeature) -> str:
        value = feature.attribute(self.field(layer))
        return class_name(value) if is_class(value) else ""

    def _write(self, layer: QgsVectorLayer, features: list[int], value: Any, text: str) -> None:
        if not features or not (layer.isEditable() or layer.startEditing()):
            return
        index = layer.fields().lookupField(self.field(layer))
        layer.beginEditCommand(text)
        for feature in features:
            layer.changeAttributeValue(feature, index, value)
        layer.endEditCommand()
        layer.triggerRepaint()


def _is_point(geometry: QgsGeometry) -> bool:
    return str(geometry.constGet().geometryType()).endswith("Point")


def _in_project(layer: Any) -> bool:
    try:
        return QgsProject.instance().mapLayer(layer.id()) is not None
    except RuntimeError:  # QGIS has deleted it
        return False
