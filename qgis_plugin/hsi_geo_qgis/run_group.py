"""What a run leaves in a project: one dated group of layers, with accuracy and metadata."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from qgis.core import (
    QgsLayerMetadata,
    QgsLayerTreeGroup,
    QgsLayerTreeLayer,
    QgsMapLayer,
    QgsProcessingContext,
    QgsProcessingFeedback,
    QgsProcessingLayerPostProcessorInterface,
    QgsProject,
)
from qgis.PyQt.QtCore import QTimer

from .styling import show_as_written

try:  # QGIS 3.34 renamed the class
    from qgis.core import QgsBox3D as Box3D
except ImportError:
    from qgis.core import QgsBox3d as Box3D

#: Custom property of a group: the run that it belongs to.
RUN_PROPERTY = "hsi_geo/run"

#: Order of a run's layers in its group, from the top.
ORDER = ("OUTPUT", "PARENTS", "CONFIDENCE", "PROBABILITIES")

#: QGIS 3.32 and newer add layers to the tree after post-processing: look again, every so many milliseconds.
_RETRY_MS, _RETRIES = 50, 200


@dataclass(frozen=True)
class RunSummary:
    """One run, as its layers tell about it.

    Attributes:
        algorithm: Title of the algorithm.
        version: Version of the plugin.
        scene: Name of the scene.
        labels: Names of the layers of labels.
        label_ids: Ids of these layers, which stay above the maps.
        field: Field with the class; empty without labels.
        started: Local time of the start.
        accuracy: The ``accuracy`` of hsi-geo's result; empty if there is none.
        adapted_accuracy: The accuracy in the scene that a model was adapted to; empty if there is none.
        group: Name of all scenes of the run, such as "3 scenes"; empty for a run with one scene.
    """

    algorithm: str
    version: str
    scene: str
    labels: tuple[str, ...]
    label_ids: tuple[str, ...]
    field: str
    started: datetime
    accuracy: Mapping[str, Any]
    adapted_accuracy: Mapping[str, Any]
    group: str = ""

    @property
    def key(self) -> str:
        """A name of the run that no other run has."""
        return f"{self.started.isoformat()} {self.group or self.scene}"

    @property
    def group_name(self) -> str:
        """Name of the group: when, of which scene, and how accurate."""
        name = f"hsi-geo {self.started:%Y-%m-%d %H:%M} \N{EM DASH} {self.group or self.scene}"
        estimate = accuracy_text(self.accuracy)
        return f"{name}, accuracy {estimate}" if estimate else name

    @property
    def message(self) -> str:
        """One sentence for the message bar."""
        estimate, other = accuracy_text(self.accuracy), accuracy_text(self.adapted_accuracy)
        mapped = f"{self.scene} {'are' if self.group == self.scene else 'is'} mapped"
        if estimate:
            return f"{mapped}; estimated accuracy {estimate}."
        if other:
            return f"{mapped}; the accuracy was {other} in the scene that the model was adapted to."
        reason = self.accuracy.get("method", "no estimate")
        return f"{mapped}; the accuracy is not known: {reason}."

    def layer_name(self, title: str, output: str) -> str:
        """Name of a layer; that of the class map has the accuracy.

        Args:
            title: Title of the output.
            output: Name of the output.
        """
        percent = accuracy_text(self.accuracy, interval=False)
        return f"{title}, accuracy {percent}" if output == "OUTPUT" and percent else title

    def metadata(self, layer: QgsMapLayer, title: str) -> QgsLayerMetadata:
        """Metadata of a layer of the run: title, abstract, history and extent.

        Args:
            layer: The layer.
            title: Title of the output.
        """
        found = QgsLayerMetadata()
        found.setType("dataset")
        found.setTitle(title if self.group else f"{title} of {self.scene}")
        found.setAbstract(self.message)
        found.setHistory(self._history())
        found.setCrs(layer.crs())
        spatial = QgsLayerMetadata.SpatialExtent()
        box = layer.extent()
        spatial.extentCrs = layer.crs()
        spatial.bounds = Box3D(
            box.xMinimum(), box.yMinimum(), 0.0, box.xMaximum(), box.yMaximum(), 0.0
        )
        extent = QgsLayerMetadata.Extent()
        extent.setSpatialExtents([spatial])
        found.setExtent(extent)
        return found

    def _history(self) -> list[str]:
        when = self.started.isoformat(sep=" ", timespec="seconds")
        lines = [f"{when}: {self.algorithm}, plugin hsi-geo {self.version}", f"Scene: {self.scene}"]
        if self.labels:
            lines.append(f"Labels: {', '.join(self.labels)}; field with the class: {self.field}")
        return lines


def accuracy_text(accuracy: Mapping[str, Any], *, interval: bool = True) -> str:
    """An accuracy in per cent, with its 95 % interval.

    Args:
        accuracy: ``oa`` and ``interval95`` as fractions, or None where there is no estimate.
        interval: Whether to add the interval.

    Returns:
        The text; empty without an estimate.
    """
    value, ends = accuracy.get("oa"), accuracy.get("interval95")
    if value is None or ends is None:
        return ""
    text = f"{100 * value:.0f} %"
    low, high = (100 * end for end in ends)
    return f"{text} (95 % interval {low:.0f}-{high:.0f} %)" if interval else text


class ArrangeLayer(QgsProcessingLayerPostProcessorInterface):
    """Styles, names and describes a layer of a run, and puts it into the run's group.

    Args:
        summary: The run.
        output: Name of the output.
        title: Title of the output.
    """

    def __init__(self, summary: RunSummary, output: str, title: str) -> None:
        super().__init__()
        self.summary, self.output, self.title = summary, output, title

    def postProcessLayer(
        self, layer: QgsMapLayer, context: QgsProcessingContext, feedback: QgsProcessingFeedback
    ) -> None:
        """QGIS calls this on the main thread.

        Args:
            layer: The loaded layer.
            context: As given to the algorithm.
            feedback: As given to the algorithm.
        """
        show_as_written(layer)
        layer.setName(self.summary.layer_name(self.title, self.output))
        layer.setMetadata(self.summary.metadata(layer, self.title))
        project = context.project()
        if project is not None:
            _when_in_tree(project, layer.id(), lambda: self._arrange(project, layer.id()))

    def _arrange(self, project: QgsProject, layer_id: str) -> None:
        root = project.layerTreeRoot()
        node = root.findLayer(layer_id)
        group = run_group(root, self.summary)
        moved = node.clone()
        moved.setCustomProperty(RUN_PROPERTY, self.output)
        moved.setItemVisibilityChecked(self.output == "OUTPUT")
        before = [
            one
            for one in group.children()
            if ORDER.index(str(one.customProperty(RUN_PROPERTY) or ORDER[0]))
            < ORDER.index(self.output)
        ]
        group.insertChildNode(len(before), moved)
        leave_group(node)  # the layer stays, since the tree has its copy
        for one in (group, moved):
            one.setExpanded(False)  # a view of the tree hears of changes only
            one.setExpanded(one is group or self.output == "OUTPUT")


def leave_group(node: QgsLayerTreeLayer) -> None:
    """Take a layer out of the tree, and the group of a run with it whose maps were all replaced by another run.

    Args:
        node: Node of the layer.
    """
    group = node.parent()
    group.removeChildNode(node)
    if group.customProperty(RUN_PROPERTY) and not group.children():
        group.parent().removeChildNode(group)


def run_group(root: QgsLayerTreeGroup, summary: RunSummary) -> QgsLayerTreeGroup:
    """The group of a run; it is made if there is none.

    It comes right below the lowest layer of labels, so that labels are drawn above the map, else to the top.

    Args:
        root: Root of the project's layer tree.
        summary: The run.
    """
    for group in root.findGroups(True):
        if group.customProperty(RUN_PROPERTY) == summary.key:
            return group
    parent, position = root, 0
    drawn = [node.layerId() for node in root.findLayers()]
    below = [one for one in drawn if one in summary.label_ids]
    if below:
        node = root.findLayer(below[-1])
        parent = node.parent()
        position = parent.children().index(node) + 1
    group = parent.insertGroup(position, summary.group_name)
    group.setCustomProperty(RUN_PROPERTY, summary.key)
    return group


def _when_in_tree(
    project: QgsProject, layer_id: str, act: Callable[[], None], left: int = _RETRIES
) -> None:
    """Act as soon as a layer is in the project's tree, after the caller has returned."""

    def look() -> None:
        node = project.layerTreeRoot().findLayer(layer_id)
        if isinstance(node, QgsLayerTreeLayer):
            act()
        elif left > 0:
            _when_in_tree(project, layer_id, act, left - 1)

    QTimer.singleShot(0 if left == _RETRIES else _RETRY_MS, look)


_processors: list[ArrangeLayer] = []


def arrange(
    paths: Mapping[str, str],
    titles: Mapping[str, str],
    summary: RunSummary,
    context: QgsProcessingContext,
) -> None:
    """Register what is done with the layers of a run when QGIS loads them.

    Args:
        paths: Path of each output by its name.
        titles: Title of each output by its name.
        summary: The run.
        context: As given to the algorithm.
    """
    for output in ORDER:
        path = paths.get(output)
        if path and context.willLoadLayerOnCompletion(path):
            # One for each layer, because the context deletes it. The list keeps it alive in Python until then.
            _processors.append(ArrangeLayer(summary, output, titles[output]))
            context.layerToLoadOnCompletionDetails(path).setPostProcessor(_processors[-1])
