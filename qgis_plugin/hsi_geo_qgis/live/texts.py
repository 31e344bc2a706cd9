"""Texts of the dock."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any


def sentence(text: str) -> str:
    """A text with a capital at its begin and a full stop at its end.

    Args:
        text: The text.

    >>> sentence("draw shots of two classes")
    'Draw shots of two classes.'
    """
    text = text.strip()
    if not text:
        return ""
    return text[:1].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def dropped_map(name: str) -> str:
    """Say that a map is not written.

    Args:
        name: Name of its file.
    """
    return f"Map '{name}' was cancelled; nothing was written."


def share_text(share: float | None) -> str:
    """A share in per cent.

    Args:
        share: 0 to 1; None if it is not known.

    >>> share_text(0.123), share_text(0.0004), share_text(None)
    ('12.3', '<0.1', '')
    """
    if share is None:
        return ""
    return "<0.1" if 0 < share < 0.0005 else f"{100 * share:.1f}"


def area_text(hectares: float | None) -> str:
    """An area in hectares.

    Args:
        hectares: The area; None if it is not known.

    >>> area_text(1234.6), area_text(3.21), area_text(0.00007052), area_text(None)
    ('1,235', '3.2', '0.000071', '')
    """
    if hectares is None:
        return ""
    if 0 < hectares < 0.1:  # small pixels: two digits that count
        return f"{hectares:.{1 - math.floor(math.log10(hectares))}f}".rstrip("0")
    return f"{hectares:,.0f}" if hectares >= 100 else f"{hectares:.1f}"


def preview_text(preview: Mapping[str, Any], is_part: bool) -> str:
    """What a preview shows, in words.

    Args:
        preview: Answer of the engine.
        is_part: Whether it covers a part of the scene only.

    >>> preview_text({"step_px": 3, "seconds": 0.84}, False)
    'Not the finished map. Every 3rd pixel of the scene, in 0.8 s.'
    """
    step = int(preview.get("step_px") or 1)
    place = "the part in view" if is_part else "the scene"
    ends = {1: "st", 2: "nd", 3: "rd"}
    end = "th" if 10 < step % 100 < 20 else ends.get(step % 10, "th")
    pixels = f"Every {step}{end} pixel of {place}" if step > 1 else place[0].upper() + place[1:]
    seconds = preview.get("seconds")
    took = f", in {seconds:.1f} s" if seconds is not None else ""
    return f"Not the finished map. {pixels}{took}."
