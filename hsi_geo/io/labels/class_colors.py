"""Colours of classes: those given with the shots, else a palette for colour-blind readers."""

from __future__ import annotations

import colorsys
import re
from collections.abc import Sequence

from hsi_geo.io.labels.land_cover_colors import land_cover_colors

#: Defaults that differ less from a colour of land cover are not used beside it; see `_difference`.
LEAST_DIFFERENCE = 90.0

#: Colours for classes that have none. First the set of Okabe and Ito for colour-blind readers
#: (https://jfly.uni-koeln.de/color/) without black. Then, one by one, the colour that is farthest
#: in CIELAB from all before it, with full colour vision, without red cones and without green ones.
PALETTE = (
    "#e69f00", "#56b4e9", "#009e73", "#f0e442", "#0072b2", "#d55e00", "#cc79a7",
    "#0000ff", "#443311", "#ddddcc", "#bb44ff", "#aaee88", "#770066", "#ee1155",
    "#44eeff", "#884400", "#1100bb", "#553344", "#dd9955", "#aa88ff", "#114499",
    "#ff8899", "#556677", "#557744", "#8844cc", "#ddbbcc", "#ffccaa", "#112299",
)  # fmt: skip


def default_color(class_id: int) -> str:
    """A colour for a class: that of the palette, then hues in steps of the golden ratio.

    Args:
        class_id: 1 for the first class.

    Returns:
        "#rrggbb".

    Examples:
        >>> default_color(1), default_color(2)
        ('#e69f00', '#56b4e9')
    """
    if class_id <= len(PALETTE):
        return PALETTE[class_id - 1]
    step = class_id - len(PALETTE)
    rgb = colorsys.hsv_to_rgb(step * 0.618034 % 1.0, 0.45 + 0.35 * (step % 2), 0.85)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in rgb)


def complete_colors(colors: Sequence[str | None], names: Sequence[str] = ()) -> list[str]:
    """Give each class without a colour one that no other class has.

    That is the usual colour of the land cover that its name says, else the first default that does not look like
    one of those.

    Args:
        colors: "#rrggbb" of each class, None where it has none.
        names: Name of each class; none gives defaults only.

    Examples:
        >>> complete_colors([None, "#e69f00"])
        ['#56b4e9', '#e69f00']
        >>> complete_colors([None, None], ["Wasser", "kaolinite"])
        ['#2171b5', '#e69f00']
    """
    taken = {color for color in colors if color}
    missing = [index for index, color in enumerate(colors) if not color] if names else []
    usual = land_cover_colors([names[index] for index in missing])
    by_name = {
        index: color
        for index, color in zip(missing, usual, strict=True)
        if color not in (None, *taken)
    }
    named = {color for color in by_name.values() if color}
    taken |= named
    free = (
        color
        for i in range(1, 10_000)
        if (color := default_color(i)) not in taken
        and (
            i > len(PALETTE) or all(_difference(color, other) > LEAST_DIFFERENCE for other in named)
        )
    )
    return [color or by_name.get(index) or next(free) for index, color in enumerate(colors)]


def _difference(one: str, other: str) -> float:
    """Difference of two colours as eyes see it, about: weighted by channel ("redmean"), 0 to 765."""
    first, second = (bytes.fromhex(color[1:]) for color in (one, other))
    red = (first[0] + second[0]) / 2
    squares = [(a - b) ** 2 for a, b in zip(first, second, strict=True)]
    weights = (2 + red / 256, 4.0, 2 + (255 - red) / 256)
    return float(
        sum(weight * square for weight, square in zip(weights, squares, strict=True)) ** 0.5
    )


def parse_color(text: str) -> str | None:
    """Read a colour in the notation of HTML or of QGIS.

    Args:
        text: ``#rgb``, ``#rrggbb[aa]``, or ``r,g,b[,a]`` with numbers from 0 to 255.

    Returns:
        "#rrggbb"; None for any other text.

    Examples:
        >>> parse_color("#F00"), parse_color("230,0,0,255"), parse_color("red")
        ('#ff0000', '#e60000', None)
    """
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
