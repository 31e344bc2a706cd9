"""The layers of shots: made, drawn into, and read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import Any

from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsDefaultValue,
    QgsExpression,
    QgsFeature,
    QgsGeometry,
    QgsVectorLayer,
)
from qgis.PyQt import sip
from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ..class_names import class_name
from .chosen_layers import ChosenLayers
from .classes import (
    Classes,
    ShotClass,
    is_class,
    is_styled,
    layer_values,
    new_class,
    read_categories,
    read_classes,
    style_layer,
)
from .merging import grown, has_codes, merged, renamed, restyled, values_in
from .new_layers import is_made
from .renames import Rename, Renames, Shots, followed, with_rename, without_names
from .shot_edits import Chosen, add, delete, why_no_class, write_class
from .shot_features import FIELD, Collected, collected, transformed


class ShotLayers(ChosenLayers):
    """The layers of shots, with the same classes.

    Attributes:
        classes_changed: Signal when the classes, their colours or the current one differ.
        classes: The classes, in the order of their keys.
        current: Index of the class that is drawn.
    """

    classes_changed = pyqtSignal()

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.classes: Classes = ()
        self.current = 0
        self._renames: Renames = ()
        self._coded: set[str] = (
            set()
        )  # ids of layers whose texts are codes, also where all names are these now
        self._styling = self._is_style_due = self._renaming = False
        self._is_due = self._is_own_edit = False
        self._later = QTimer(self, singleShot=True, interval=0)
        self._later.timeout.connect(self._on_edited)

    def _on_layers(self) -> None:
        """Read the classes. A layer that is not drawn by them gets such a style."""
        self._renames = ()  # those of other layers
        self._read_classes()
        self._style()
        self.choose(min(self.current, max(0, len(self.classes) - 1)))

    # Classes --------------------------------------------------------------------------------------

    def choose(self, index: int) -> None:
        """Make a class the one that is drawn.

        Args:
            index: Index of the class.
        """
        self.current = index
        if 0 <= index < len(self.classes):
            for layer in self.alive():
                if is_made(layer):  # so QGIS's own tools draw it as well
                    text = QgsExpression.quotedValue(self._values(layer)[index][0])
                    field = layer.fields().lookupField(FIELD)
                    layer.setDefaultValueDefinition(field, QgsDefaultValue(text))
        self.classes_changed.emit()

    def add_class(self) -> None:
        """Add a class, and make it the current one."""
        numeric = any(self._is_numeric(layer) for layer in self.alive())
        one = new_class(self.classes, is_numeric=numeric)
        self._renames = without_names(self._renames, {one.name})
        self._set_classes((*self.classes, one))
        self.choose(len(self.classes) - 1)

    def rename(self, index: int, name: str) -> str:
        """Give a class another name; its shots follow where the field holds the names, and keep codes.

        Args:
            index: Index of the class.
            name: The name.

        Returns:
            Why the class keeps its name, as one sentence; empty if it has the new one.
        """
        name, one = class_name(name), self.classes[index]
        self._coded.update(each.id() for each in self.alive() if has_codes(self.classes, each.id()))
        texts = [layer for layer in self.alive() if self._holds_name(layer, index)]
        taken = {other.name for other in self.classes if other is not one}
        for layer in texts:  # a text would be that of another class
            taken.update(key for key, other in self._names(layer).items() if other != one.name)
        if not name:
            return "A class needs a name."
        if name in taken:
            return f"Another class is {name}. To make both one, select the shots of one, and press the key of the other."
        if name == one.name:
            return ""
        self._renaming = True  # half of the features have the old value for a moment
        chosen = self._of_class(one, texts)
        problem = write_class(chosen, [name] * len(chosen), "Rename class")
        self._renaming = False
        if problem:
            return f"Class {one.name} keeps its name. {problem}"
        shots = frozenset((layer.id(), shot) for layer, _, ids in chosen for shot in ids)
        ids = frozenset(layer.id() for layer in texts)
        self._renames = with_rename(self._renames, Rename(one.name, name, shots, ids))
        self._replace(index, renamed(one, name, ids))
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
        found: dict[str, int] = {}
        for _, _, name in self._features():
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
        for layer in self.alive():
            if self.field(layer):
                found = merged(found, read_classes(layer, self.field(layer)), layer.id())
        self.classes = found

    def _is_numeric(self, layer: QgsVectorLayer) -> bool:
        index = self._index(layer)
        return index >= 0 and bool(layer.fields().at(index).isNumeric())

    def _values(self, layer: QgsVectorLayer) -> list[list[Any]]:
        """The values of each class in a layer."""
        return values_in(self.classes, layer.id(), is_numeric=self._is_numeric(layer))

    def _holds_name(self, layer: QgsVectorLayer, index: int) -> bool:
        """Whether the name of a class is its value in a layer, and no code of the user that is the same."""
        names = {class_name(value) for value in self._values(layer)[index]}
        is_coded = self._is_numeric(layer) or layer.id() in self._coded
        return names == {self.classes[index].name} and not is_coded

    def _names(self, layer: QgsVectorLayer) -> dict[str, str]:
        """Names of classes by the text of their value in a layer."""
        values = zip(self.classes, self._values(layer))
        return {class_name(value): one.name for one, each in values for value in each}

    def _style(self) -> None:
        """Draw every layer by the classes."""
        self._styling = True
        for layer in self.alive():
            field = self.field(layer)
            values = zip(self.classes, self._values(layer))
            wanted = [replace(one, value=value) for one, each in values for value in each]
            shown = [(one.value, one.name, one.color) for one in wanted]
            if field and (not is_styled(layer, field) or read_categories(layer, field) != shown):
                style_layer(layer, field, tuple(wanted))
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
        for layer in self.alive():
            field = self.field(layer)
            if field and is_styled(layer, field):
                styled, values = read_classes(layer, field), self._values(layer)
                found = restyled(self.classes, values, styled, layer.id())
                if found != self.classes:  # the layer whose style was changed
                    names = {one.name for one in found} - {one.name for one in self.classes}
                    self._renames = without_names(self._renames, names)
                    self._set_classes(found)
                    return

    def _on_feature(self, *_: Any) -> None:
        if not self._renaming:
            self._is_due = True
            self._is_own_edit |= any(layer.isEditCommandActive() for layer in self.alive())
            self._later.start()  # if nothing tells the end of the edit

    def _on_edited(self, *_: Any) -> None:
        if self._is_due:
            self._on_change()

    def _on_change(self, *_: Any) -> None:
        if self._renaming:
            return
        self._is_due, classes = False, self.classes
        for layer in self.alive():
            numeric = self._is_numeric(layer)
            classes = grown(classes, layer, self.field(layer), is_numeric=numeric)
        self._tell_lost()
        if self._renames:
            classes = self._followed(classes)
        self._is_own_edit = False
        if classes == self.classes:
            self.changed.emit()
            return
        before = [one.name for one in self.classes[self.current : self.current + 1]]
        self._set_classes(classes)
        if [one.name for one in classes[self.current : self.current + 1]] != before:
            here = [index for index, one in enumerate(classes) if one.name in before]
            self.choose(here[0] if here else min(self.current, len(classes) - 1))

    def _followed(self, classes: Classes) -> Classes:
        """The classes after an undo or a redo; a person's own edit, which is an edit command, is none."""
        present = self._present(classes)
        found = followed(classes, self._renames, present, partial(self._shots_of, classes))
        if found != classes and self._is_own_edit:
            self._renames = ()
            return classes
        return found

    def _shots_of(self, classes: Classes, name: str) -> Shots:
        """The shots of a class."""
        found = set()
        for layer in self.alive():
            values = values_in(classes, layer.id(), is_numeric=self._is_numeric(layer))
            keys = {
                class_name(value)
                for one, each in zip(classes, values)
                for value in each
                if one.name == name
            }
            index = self._index(layer)
            for feature in layer.getFeatures() if index >= 0 else ():
                value = feature.attribute(index)
                if is_class(value) and class_name(value) in keys:
                    found.add((layer.id(), feature.id()))
        return frozenset(found)

    def _present(self, classes: Classes) -> set[str]:
        """Names of the classes that have shots."""
        found = set()
        for layer in self.alive():
            present = layer_values(layer, self.field(layer))
            values = values_in(classes, layer.id(), is_numeric=self._is_numeric(layer))
            for one, each in zip(classes, values):
                if any(class_name(value) in present for value in each):
                    found.add(one.name)
        return found

    # Shots ----------------------------------------------------------------------------------------

    def add(self, geometry: QgsGeometry, crs: QgsCoordinateReferenceSystem) -> str:
        """Add a shot of the current class.

        Args:
            geometry: A point or a polygon.
            crs: Its CRS.

        Returns:
            What is wrong, as one sentence; empty if nothing is.
        """
        is_point = str(geometry.constGet().geometryType()).endswith("Point")
        layer = self.points() if is_point else self.polygons()
        if layer is None:
            kind = "points" if is_point else "polygons"
            return f"There is no layer of {kind}. Choose one, or make new shots."
        if not self.classes:
            return "There is no class. Add one first."
        one, field = self.classes[self.current], self._index(layer)
        value = self._values(layer)[self.current][0]
        problem = why_no_class(layer, field, value)
        if problem:
            return problem
        placed = transformed(geometry, crs, layer.crs())
        if placed.isNull():
            return f"This place has no coordinates in the CRS of layer '{layer.name()}'."
        if layer.wkbType() != placed.wkbType():
            placed = next(iter(placed.coerceToType(layer.wkbType())), placed)
        return add(layer, placed, {field: value}, f"Add shot of {one.name}")

    def selected(self) -> int:
        """Number of selected shots."""
        return sum(int(layer.selectedFeatureCount()) for layer in self.alive())

    def reclass_selected(self, index: int) -> tuple[int, str]:
        """Give the selected shots another class. They are selected no more.

        Args:
            index: Index of the class.

        Returns:
            Number of shots, and what is wrong as one sentence: then no shot has changed.
        """
        one, chosen = self.classes[index], self._selected()
        values = [self._values(layer)[index][0] for layer, *_ in chosen]
        problem = write_class(chosen, values, f"Shots are {one.name}")
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
        for layer in self.alive():
            layer.removeSelection()

    def collect(self) -> Collected:
        """The shots as QGIS shows them, with unsaved edits."""
        alive = self.alive()
        crs = alive[0].crs() if alive else QgsCoordinateReferenceSystem()
        return collected(self._features(), crs)

    def _features(self) -> Iterator[tuple[QgsVectorLayer, QgsFeature, str]]:
        """Features and the names of their classes; the name is empty if it is no class."""
        for layer in self.alive():
            names, index = self._names(layer), self._index(layer)
            for feature in layer.getFeatures():
                value = feature.attribute(index) if index >= 0 else None
                yield layer, feature, names.get(class_name(value), "") if is_class(value) else ""

    def _index(self, layer: QgsVectorLayer) -> int:
        """Index of the field with the class."""
        return int(layer.fields().indexFromName(self.field(layer)))

    def _selected(self) -> list[Chosen]:
        found = [(one, self._index(one), list(one.selectedFeatureIds())) for one in self.alive()]
        return [one for one in found if one[2]]

    def _of_class(self, wanted: ShotClass, layers: list[QgsVectorLayer]) -> list[Chosen]:
        """The features of a class, in those of the layers that have some."""
        ids: dict[str, list[int]] = {}
        for layer, feature, name in self._features():
            if name == wanted.name:
                ids.setdefault(layer.id(), []).append(feature.id())
        return [(one, self._index(one), ids[one.id()]) for one in layers if one.id() in ids]
