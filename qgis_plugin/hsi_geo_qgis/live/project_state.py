"""What a project remembers of a session."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields

from qgis.core import QgsProject

#: Scope and first part of the entries in a project.
SCOPE, PREFIX = "hsi_geo", "live"


@dataclass(frozen=True)
class LiveState:
    """A session, without its shots and classes: layers and their styles hold these.

    Attributes:
        is_open: Whether the dock is open.
        scene_layer: Id of the layer of the scene; empty if there is none.
        product: Path of the product, if the scene is no layer.
        points: Id of the layer of points.
        polygons: Id of the layer of polygons.
        points_field: Field with the class in the layer of points; empty for the likeliest one.
        polygons_field: The same in the layer of polygons.
        wavelengths: Wavelengths for scenes that have none.
        trust_shots: Whether shots that look wrong weigh as much as others.
        min_confidence: Pixels of less confidence are transparent, in per cent.
        current: Index of the class that is drawn.
    """

    is_open: bool = False
    scene_layer: str = ""
    product: str = ""
    points: str = ""
    polygons: str = ""
    points_field: str = ""
    polygons_field: str = ""
    wavelengths: str = ""
    trust_shots: bool = False
    min_confidence: int = 0
    current: int = 0


def read_state() -> LiveState:
    """The state that the project holds."""
    project, found = QgsProject.instance(), {}
    defaults = LiveState()
    for one in fields(LiveState):
        default = getattr(defaults, one.name)
        text, known = project.readEntry(SCOPE, f"{PREFIX}/{one.name}", "")
        if not known:
            found[one.name] = default
        elif isinstance(default, bool):
            found[one.name] = text == "1"
        elif isinstance(default, int):
            found[one.name] = int(text) if text.removeprefix("-").isdecimal() else default
        else:
            found[one.name] = text
    return LiveState(**found)


def write_state(state: LiveState) -> None:
    """Keep a state in the project, to be saved with it.

    Args:
        state: The state.
    """
    project, before = QgsProject.instance(), asdict(read_state())
    for name, value in asdict(state).items():
        if value != before[name]:  # an entry that is written makes the project a changed one
            text = str(int(value)) if isinstance(value, (bool, int)) else str(value)
            project.writeEntry(SCOPE, f"{PREFIX}/{name}", text)
