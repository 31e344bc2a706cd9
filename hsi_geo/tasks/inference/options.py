"""Options of mapping, as plain values: importing them imports no torch."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass
from typing import Literal

from hsi_geo.errors import OptionError

#: Default memory budget of the strips of a scene, in bytes.
DEFAULT_MEMORY = 512 << 20

#: Most passes in which the outlines of polygons are smoothed.
MOST_PASSES = 20

#: Factor on a scene's values, "auto" for the power of ten that brings them to a model's scale, or None to refuse
#: a scene on another scale.
Rescale = float | Literal["auto"] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class MapOptions:
    """Area to map, files to write beside the map, and memory to use.

    Attributes:
        aoi: Path of a vector file in any CRS; only pixels whose centre lies in its polygons are
            mapped. None maps the whole scene.
        confidence: Whether to write ``MAP_confidence.tif``: 0 to 100 per cent, uint8.
        probabilities: Whether to write ``MAP_probabilities.tif``: one band for each class.
        polygons: Whether to write ``MAP_polygons.gpkg``: each connected patch of a class as a polygon, with name,
            hectares and mean confidence.
        smooth: Number of passes in which the outlines of polygons are smoothed, 0 to 20; 0 follows the pixels.
        report: Whether to write ``MAP_report.html``, a page with map, legend, accuracy, and shots
            that look wrong. Only `classify` can.
        command: Command line that makes the map again; the report shows it.
        max_memory: Bytes that strips of the scene may take together while it is mapped.
    """

    aoi: str | os.PathLike[str] | None = None
    confidence: bool = False
    probabilities: bool = False
    polygons: bool = False
    smooth: int = 0
    report: bool = False
    command: str = ""
    max_memory: int = DEFAULT_MEMORY

    def __post_init__(self) -> None:
        """Check the passes of smoothing.

        Raises:
            OptionError: If there are fewer than 0 or more than `MOST_PASSES`.
        """
        require_passes(self.smooth)


def require_passes(smooth: int) -> None:
    """Check the number of passes in which outlines are smoothed.

    Args:
        smooth: Number of passes.

    Raises:
        OptionError: If there are fewer than 0 or more than `MOST_PASSES`.
    """
    if not 0 <= smooth <= MOST_PASSES:
        raise OptionError(
            f"--smooth {smooth} is out of range", hint=f"give a number from 0 to {MOST_PASSES}"
        )


def parse_rescale(rescale: object) -> Rescale:
    """Check the value of the option --rescale.

    Args:
        rescale: A number or its text, "auto" or None.

    Raises:
        OptionError: If it is neither "auto" nor a finite number above 0.

    Examples:
        >>> parse_rescale("1e4"), parse_rescale("auto"), parse_rescale(None)
        (10000.0, 'auto', None)
    """
    if rescale is None or rescale == "auto":
        return None if rescale is None else "auto"
    try:
        factor = float(rescale)  # type: ignore[arg-type]  # users may give anything
    except (TypeError, ValueError):
        factor = math.nan
    if not (math.isfinite(factor) and factor > 0):
        raise OptionError(
            f"--rescale {rescale} is no factor", hint="give a number above 0 such as 10000, or auto"
        )
    return factor
