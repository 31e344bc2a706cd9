"""Options of mapping, as plain values: importing them imports no torch."""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from typing import Any, Literal

from hsi_geo.arguments import is_number, require_flags, require_whole
from hsi_geo.errors import OptionError

#: Default memory budget of the strips of a scene, in bytes.
DEFAULT_MEMORY = 512 << 20

#: Most passes in which the outlines of polygons are smoothed.
MOST_PASSES = 20

#: Factor on a scene's values, "auto" for the power of ten that brings them to a model's scale, or None to refuse
#: a scene on another scale.
Rescale = float | Literal["auto"] | None


#: Least familiarity of a pixel, 0 to 1, "auto" for the model's own threshold, or None to reject none.
Reject = float | Literal["auto"] | None

#: The same, as a user may write it.
SomeReject = float | str | None

_AREA = re.compile(r"(\d+(?:\.\d*)?|\.\d+)\s*(ha|hectares?|px|pixels?)?", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class MinArea:
    """Least area of a patch.

    Attributes:
        value: The area, above 0.
        unit: "ha" for hectares, "px" for pixels.
    """

    value: float
    unit: Literal["ha", "px"]

    def __str__(self) -> str:
        return f"{self.value:g}{self.unit}"


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
        parents: Whether to write ``MAP_parents.tif``: the upper level of the classes, for classes with parents. Its
            probability is the sum of those of its classes. With ``confidence`` also ``MAP_parents_confidence.tif``.
        report: Whether to write ``MAP_report.html``, a page with map, legend, accuracy, and shots
            that look wrong. Only `classify` can.
        command: Command line that makes the map again; the report shows it.
        max_memory: Bytes that strips of the scene may take together while it is mapped.
        reject: Pixels whose familiarity is below this get the class "unlike any shot". A share such as 0.5, a text such as
            "50%", or "auto" for the threshold that `adapt` found: by out-of-fold shots it rejects 5 per cent of land
            like the shots. None rejects none.
        min_confidence: Pixels whose largest class probability is below this get the class "too uncertain". A share, or a
            text such as "60%". None rejects none.
        min_area: Patches smaller than this are given to the neighbour whose class their own probabilities prefer, such
            as "0.5ha" or "10px". A whole number is a number of pixels. None leaves them.
        zones: Path of a vector file of polygons in any CRS: ``MAP_zones.csv`` gets the area of each class in each of them,
            with standard errors; see `zones`. None writes no table.
        zone_field: Field with the names of the zones; None finds one, or numbers them.
        stac: Whether to write ``MAP_stac.json``, a STAC item of the map with its classes and colours.

    Raises:
        OptionError: If a value is none of these.
    """

    aoi: str | os.PathLike[str] | None = None
    confidence: bool = False
    probabilities: bool = False
    polygons: bool = False
    smooth: int = 0
    parents: bool = False
    report: bool = False
    command: str = ""
    max_memory: int = DEFAULT_MEMORY
    reject: SomeReject = None
    min_confidence: float | str | None = None
    min_area: MinArea | str | int | None = None
    zones: str | os.PathLike[str] | None = None
    zone_field: str | None = None
    stac: bool = False

    def __post_init__(self) -> None:
        """Check the values; some may be given as texts.

        Raises:
            OptionError: If one of them is no path, no share, no area, or out of range.
        """
        require_flags(
            confidence=self.confidence,
            probabilities=self.probabilities,
            polygons=self.polygons,
            parents=self.parents,
            report=self.report,
            stac=self.stac,
        )
        require_file_name("--aoi", self.aoi)
        require_file_name("--zones", self.zones)
        if isinstance(self.max_memory, float) and self.max_memory.is_integer():  # 2e9
            object.__setattr__(self, "max_memory", int(self.max_memory))
        require_whole("--max-memory", self.max_memory, 1)
        require_passes(self.smooth)
        if self.zone_field is not None and self.zones is None:
            raise OptionError(
                "a field of zones was given, and no zones", hint="give them with --zones"
            )
        object.__setattr__(self, "reject", parse_reject(self.reject))
        confidence = self.min_confidence
        if confidence is not None:
            object.__setattr__(self, "min_confidence", _share("--min-confidence", confidence))
        object.__setattr__(self, "min_area", parse_min_area(self.min_area))

    @property
    def min_familiarity(self) -> Reject:
        """`reject` as a share, "auto" or None."""
        return parse_reject(self.reject)

    @property
    def least_confidence(self) -> float | None:
        """`min_confidence` as a share."""
        return None if self.min_confidence is None else float(self.min_confidence)

    @property
    def least_patch(self) -> MinArea | None:
        """`min_area` as an area."""
        return parse_min_area(self.min_area)

    @property
    def pixel_parameters(self) -> dict[str, Any]:
        """Those of `reject`, `min_confidence`, `min_area` and `parents` that are used, for records and hashes."""
        given = {
            "reject": self.reject,
            "min_confidence": self.min_confidence,
            "min_area": None if self.min_area is None else str(self.min_area),
            "parents": self.parents or None,
        }
        return {name: value for name, value in given.items() if value is not None}


def require_file_name(option: str, given: object) -> None:
    """Refuse geometries and tables in place of a file: the record of a map names the file.

    Args:
        option: Option of the command line.
        given: Path of a vector file, or None.

    Raises:
        OptionError: If it is neither.
    """
    if given is not None and not isinstance(given, str | os.PathLike):
        raise OptionError(
            f"{option} is the path of a vector file, and a value of the type {type(given).__name__} was given",
            hint="write it to a file, for example with GeoDataFrame.to_file, and give its path",
        )


def parse_reject(reject: object) -> Reject:
    """Check the value of the option --reject.

    Args:
        reject: A share from 0 to 1, a text such as "0.5", "50%" or "auto", or None.

    Raises:
        OptionError: If it is none of these.

    Examples:
        >>> parse_reject("50%"), parse_reject(0.5), parse_reject("auto"), parse_reject(None)
        (0.5, 0.5, 'auto', None)
    """
    if reject is None or (isinstance(reject, str) and reject.strip().lower() == "auto"):
        return None if reject is None else "auto"
    return _share("--reject", reject, ", or auto")


def _share(option: str, value: object, more: str = "") -> float:
    """A share from 0 to 1; texts that end in % are per cent.

    >>> _share("--min-confidence", "0.6"), _share("--min-confidence", " 60 %"), _share("--min-confidence", 0.6)
    (0.6, 0.6, 0.6)
    """
    text = str(value).strip()
    try:
        number = float(text.removesuffix("%"))
    except ValueError:
        number = math.nan
    share = number / 100 if text.endswith("%") else number
    if not 0 <= share <= 1 or isinstance(value, bool):
        # A 7 may mean 7 per cent, or be a mistake for 0.7.
        meant = f"{number:g}%" if 1 < number <= 100 and not text.endswith("%") else "60%"
        raise OptionError(
            f"{option} '{value}' is no share from 0 to 1",
            hint=f"give a share such as 0.6, or per cent with a percent sign such as {meant}{more}",
        )
    return share


def parse_min_area(area: object) -> MinArea | None:
    """Check the value of the option --min-area.

    Args:
        area: A text such as "0.5ha" or "10px", a whole number of pixels, a `MinArea`, or None.

    Raises:
        OptionError: If it is none of these, or not above 0.

    Examples:
        >>> print(parse_min_area("0.5 ha"), parse_min_area("10 pixels"), parse_min_area(10))
        0.5ha 10px 10px
    """
    if area is None or isinstance(area, MinArea):
        return area
    text = str(area).strip()
    match = _AREA.fullmatch(text)
    hectares = match is not None and (match[2] or "").lower().startswith("h")
    value = float(match[1]) if match is not None else 0.0
    if value <= 0 or isinstance(area, bool) or not (hectares or value.is_integer()):
        raise OptionError(
            f"--min-area '{area}' is no area",
            hint="give hectares such as 0.5ha, or a whole number of pixels such as 10px",
        )
    return MinArea(value, "ha" if hectares else "px")


def require_passes(smooth: int) -> None:
    """Check the number of passes in which outlines are smoothed.

    Args:
        smooth: Number of passes.

    Raises:
        OptionError: If it is no whole number from 0 to `MOST_PASSES`.
    """
    require_whole("--smooth", smooth, 0)
    if smooth > MOST_PASSES:
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
        shown = f"{rescale}" if is_number(rescale) else f"'{rescale}'"
        raise OptionError(
            f"--rescale {shown} is no factor", hint="give a number above 0 such as 10000, or auto"
        )
    return factor
