"""Colours of classes: those that shots bring, else a set that colour-blind readers can tell apart."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

#: Colours for classes that bring none. First Okabe and Ito's set, told apart by colour-blind
#: readers (https://jfly.uni-koeln.de/color/), black left out; then, one by one, the colour
#: farthest from all before it in CIELAB, as seen with full colour vision, without red cones and
#: without green ones.
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#0000ff", "#443311", "#ddddcc", "#bb44ff", "#aaee88", "#770066", "#ee1155",
    "#44eeff", "#884400", "#1100bb", "#553344", "#dd9955", "#aa88ff", "#114499",
    "#ff8899", "#556677", "#557744", "#8844cc", "#ddbbcc", "#ffccaa", "#112299",
)  # fmt: skip


def default_color(class_id: int) -> str:
    """A colour for a class: the palette, then hues spread by the golden ratio."""
    if class_id <= len(PALETTE):
        return PALETTE[class_id - 1]
    step = class_id - len(PALETTE)
    rgb = colorsys.hsv_to_rgb(step * 0.618034 % 1.0, 0.45 + 0.35 * (step % 2), 0.85)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)


def complete_colors(brought: Sequence[str | None]) -> list[str]:
    """A colour for each class: what it brought, else the first default that no class has."""
    taken = {color for color in brought if color}
    free = (color for i in range(1, 10_000) if (color := default_color(i)) not in taken)
    return [color or next(free) for color in brought]


def parse_color(text: str) -> str | None:
    """``#rgb``, ``#rrggbb[aa]``, or ``r,g,b[,a]`` as QGIS writes it; None for anything else."""
    text = text.strip().lower()
    if match := re.fullmatch(r"#?([0-9a-f]{6})(?:[0-9a-f]{2})?", text):
        return f"#{match[1]}"
    if match := re.fullmatch(r"#([0-9a-f])([0-9a-f])([0-9a-f])", text):
        return "#" + "".join(2 * digit for digit in match.groups())
    match = re.match(r"(\d{1,3}),\s*(\d{1,3}),\s*(\d{1,3})(?![\d.])", text)
    channels = [int(channel) for channel in match.groups()] if match else []
    if channels and max(channels) < 256:
        return "#" + "".join(f"{channel:02x}" for channel in channels)
    return None
