"""Messages of the library in the words of requests: parameters instead of options of the command line."""

from __future__ import annotations

import json
import re

from hsi_geo.option_words import is_own_option, replace_options
from hsi_geo.tasks.serving.parameters import METHODS, TRUE_OR_FALSE

_PARAMETERS = {one.name: one for parameters in METHODS.values() for one in parameters}

#: Parameters that are called otherwise than the option, as members of a request.
_OTHER = {"-o": '"out"', "--no-straighten": '"straighten": false'}

#: Values that stand for others.
_PLACEHOLDERS = ("FILE", "START:STOP", "FACTOR")

_NUMBER = re.compile(r"\d+(\.\d+)?(e[+-]?\d+)?")


def request_words(text: str) -> str:
    """A message with the options of the command line as members of a request.

    Args:
        text: Message. Names in it are in single quotes and stay as they are. An option that no request has loses
            its hyphens.

    Examples:
        >>> request_words("give --overwrite, or another file with -o")
        'give "overwrite": true, or another file with "out"'
        >>> request_words("--min-area '5 acres' is no area, and --rescale is none")
        '"min_area": "5 acres" is no area, and rescale is none'
    """
    return replace_options(text, _member)


def request_hint(hint: str) -> str:
    """A hint with members of a request, without ways that need an option that no request has.

    Args:
        hint: The hint; ways are separated by ", or ".

    Examples:
        >>> request_hint("choose one with --class-field, or give --rescale 10")
        'choose one with "class_field"'
    """
    return ", or ".join(request_words(way) for way in hint.split(", or ") if _is_open(way))


def _is_open(way: str) -> bool:
    """Whether all options of a way are parameters of requests."""
    foreign = []

    def note(option: str, value: str) -> None:
        if is_own_option(option) and option not in _OTHER and _name(option) not in _PARAMETERS:
            foreign.append(option)

    replace_options(way, note)
    return not foreign


def _name(option: str) -> str:
    return option.removeprefix("--").replace("-", "_")


def _member(option: str, value: str) -> str | None:
    if not is_own_option(option):
        return None
    after = f" {value}" if value else ""
    if option in _OTHER:
        return _OTHER[option] + after
    name = _name(option)
    if name not in _PARAMETERS:
        return name.replace("_", " ") + after
    if _PARAMETERS[name].wanted == TRUE_OR_FALSE:
        return f'"{name}": true{after}'
    if not value:
        return f'"{name}"'
    text = value.strip("'")
    is_number = _NUMBER.fullmatch(value) and "number" in _PARAMETERS[name].wanted
    is_plain = value in _PLACEHOLDERS or is_number
    return f'"{name}": ' + (text if is_plain else json.dumps(text, ensure_ascii=False))
