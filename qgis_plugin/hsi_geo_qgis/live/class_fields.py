"""Which field of each layer of shots holds the class, and layers that have lost theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from qgis.core import QgsVectorLayer

from ..class_field import default_class_field
from .new_layers import class_field
from .shot_edits import CHOOSE_AGAIN


def chosen_fields(
    layers: Sequence[QgsVectorLayer], known: Mapping[str, str]
) -> tuple[dict[str, str], str]:
    """The fields with the class of the layers that are chosen.

    Args:
        layers: Vector layers.
        known: Fields by the id of a layer that was chosen before. Such a field stays, also one that the layer has no
            more: another one holds no classes, and shots would be written into it.

    Returns:
        Field by the id of a layer, and one sentence if a layer has none; empty if all have one.
    """
    found = {one.id(): known.get(one.id()) or class_field(one) for one in layers}
    unfit = [one for one in layers if not found[one.id()]]
    problem = _why_unfit(unfit[0]) if unfit else ""
    return {layer_id: field for layer_id, field in found.items() if field}, problem


def why_lost(layers: Sequence[QgsVectorLayer], fields: Mapping[str, str]) -> str:
    """Which layer no longer has its field with the class, maybe since its file is gone.

    Args:
        layers: The layers of shots.
        fields: Their fields, by the id of the layer.

    Returns:
        One sentence; empty if all layers have theirs.
    """
    for layer in layers:
        field = fields.get(layer.id(), "")
        if field and not layer.isValid():
            return _unreadable(layer)
        if field and field not in layer.fields().names():
            return f"Layer '{layer.name()}' no longer has the field '{field}' with the class. {CHOOSE_AGAIN}"
    return ""


def _why_unfit(layer: QgsVectorLayer) -> str:
    if not layer.isValid():  # whether it has fields is not known
        return _unreadable(layer)
    styled = default_class_field(layer)
    if styled:
        return (
            f"Field '{styled}' of layer '{layer.name()}' holds decimals, which are no classes. Style the layer by a field "
            "of text or whole numbers, choose no layer, and choose it again."
        )
    return f"Layer '{layer.name()}' has no field of text or whole numbers. Add one that holds the class."


def _unreadable(layer: QgsVectorLayer) -> str:
    return f"Layer '{layer.name()}' cannot be read: its file is missing or damaged. Correct it with 'Repair Data Source'."
