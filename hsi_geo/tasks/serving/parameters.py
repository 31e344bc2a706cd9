"""Parameters of the engine's methods: their names and types."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hsi_geo.tasks.serving.messages import WRONG_PARAMETERS, RpcError
from hsi_geo.text import did_you_mean, plain

#: What is wanted for a parameter that is switched on or off.
TRUE_OR_FALSE = "true or false"

#: Longest part of a wrong value that a message shows.
SHOWN = 60


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a method.

    Attributes:
        name: Its name.
        is_valid: Whether a value has the right type and range.
        wanted: What is wanted, as part of a sentence.
        required: Whether the method needs it.
    """

    name: str
    is_valid: Callable[[Any], bool]
    wanted: str
    required: bool = False


def _is_number(value: Any) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer that is too large for a float
        return False


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_whole(low: int, high: int) -> Callable[[Any], bool]:
    return lambda value: (
        isinstance(value, int) and not isinstance(value, bool) and low <= value <= high
    )


def _is_text_or_number(value: Any) -> bool:
    return _is_text(value) or _is_number(value)


def _is_texts(value: Any) -> bool:
    return _is_text(value) or (
        isinstance(value, list) and bool(value) and all(map(_is_text, value))
    )


def _is_bounds(value: Any) -> bool:
    return (
        isinstance(value, list)
        and len(value) == 4
        and all(map(_is_number, value))
        and value[0] < value[2]
        and value[1] < value[3]
    )


def _is_shots(value: Any) -> bool:
    if not isinstance(value, dict):
        return _is_texts(value)
    features = value.get("features")
    return (
        value.get("type") == "FeatureCollection"
        and isinstance(features, list)
        and all(isinstance(one, dict) for one in features)
    )


def _text(name: str, *, required: bool = False) -> Parameter:
    return Parameter(name, _is_text, "a text", required)


def _flag(name: str) -> Parameter:
    return Parameter(name, lambda value: isinstance(value, bool), TRUE_OR_FALSE)


def _whole(name: str, low: int, high: int, *, required: bool = False) -> Parameter:
    return Parameter(
        name, _is_whole(low, high), f"a whole number from {low} to {high}", required=required
    )


def _number(name: str) -> Parameter:
    return Parameter(name, _is_number, "a number", required=True)


def _mixed(name: str) -> Parameter:
    return Parameter(name, _is_text_or_number, "a number or a text")


_SESSION = _whole("session", 1, 2**53, required=True)
_PER_CENT = Parameter(
    "min_confidence",
    lambda value: _is_number(value) and 0 <= value <= 100,
    "per cent from 0 to 100",
)

#: Parameters of each method. Those of reading, adapting and mapping have the names of the command line's options.
METHODS: Mapping[str, tuple[Parameter, ...]] = {
    "initialize": (),
    "open": (
        _text("scene", required=True),
        _text("weights"),
        _text("cache"),
        _text("device"),
        _whole("threads", 1, 4096),
        _whole("seed", 0, 2**63 - 1),
        _text("wavelengths"),
        _text("mask"),
        _text("grid"),
        _flag("swath"),
        _flag("straighten"),
        Parameter("pixel_size", lambda value: _is_number(value) and value > 0, "a number above 0"),
        _text("dem"),
        _text("asset"),
        _flag("follow_links"),
    ),
    "update": (
        _SESSION,
        Parameter(
            "shots", _is_shots, "a path, a list of paths, or a GeoJSON FeatureCollection", True
        ),
        Parameter("class_field", _is_texts, "a text, or a list of texts"),
        Parameter("layer", _is_texts, "a text, or a list of texts"),
        Parameter("classes", _is_texts, "a path, or a list of paths"),
        _flag("all_touched"),
        Parameter(
            "library_weight",
            lambda value: _is_number(value) and 0 < value <= 1,
            "a number above 0, up to 1",
        ),
        Parameter("bounds", _is_bounds, "four numbers [left, bottom, right, top]"),
        _flag("trust_shots"),
        _PER_CENT,
    ),
    "preview": (_SESSION, _PER_CENT),
    "suggest": (_SESSION, _whole("count", 1, 10_000)),
    "spectrum": (_SESSION, _number("x"), _number("y")),
    "finish": (
        _SESSION,
        _text("out"),
        _flag("overwrite"),
        _text("save_model"),
        _text("aoi"),
        _flag("confidence"),
        _flag("probabilities"),
        _flag("parents"),
        _flag("polygons"),
        _whole("smooth", 0, 20),
        _flag("report"),
        _mixed("reject"),
        _mixed("min_confidence"),
        _mixed("min_area"),
        _whole("max_memory", 1, 2**63 - 1),
        _flag("stac"),
        _text("zones"),
        _text("zone_field"),
    ),
    "cancel": (
        Parameter(
            "id",
            lambda value: isinstance(value, str) or _is_number(value),
            "the id of a request",
            True,
        ),
    ),
    "close": (_SESSION,),
    "shutdown": (),
}


def read_parameters(method: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Check the parameters of a request.

    Args:
        method: Name of the method, one of `METHODS`.
        given: Its parameters by name. A parameter that is null counts as not given.

    Returns:
        The parameters that were given.

    Raises:
        RpcError: If a name is not known, a value is wrong, or a parameter is missing.

    Examples:
        >>> read_parameters("spectrum", {"session": 1, "x": 2, "y": 3.5})
        {'session': 1, 'x': 2, 'y': 3.5}
    """
    known = {parameter.name: parameter for parameter in METHODS[method]}
    found = {name: value for name, value in given.items() if value is not None}
    for name, value in found.items():
        if name not in known:
            raise _wrong(
                method, f"there is no parameter '{plain(name)}'{did_you_mean(name, known)}"
            )
        if not known[name].is_valid(value):
            raise _wrong(method, f"'{name}' is {_shown(value)}, and {known[name].wanted} is wanted")
    for name, parameter in known.items():
        if parameter.required and name not in found:
            raise _wrong(method, f"the parameter '{name}' is missing: {parameter.wanted}")
    return found


def _wrong(method: str, why: str) -> RpcError:
    return RpcError(WRONG_PARAMETERS, f"{method}: {why}")


def _shown(value: Any) -> str:
    """A value for a message; a large one is not shown."""
    if isinstance(value, dict):
        return "an object of another form"
    if isinstance(value, bool):
        return str(value).lower()
    text = plain(repr(value) if isinstance(value, str) else value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}..."
