"""Options in the words of Python. Messages are written in those of the command line."""

from __future__ import annotations

import re
from collections.abc import Callable

#: Options that are switched on.
_SWITCHES = (
    "overwrite",
    "restat",
    "resume",
    "report",
    "all-touched",
    "trust-shots",
    "polygons",
    "resample",
    "with-rejected",
    "stac",
    "parents",
    "follow-links",
)

#: Options whose value is one of a few words or a text, which Python writes in quotes.
_WORDS = (
    "wavelengths",
    "design",
    "device",
    "class-field",
    "old-field",
    "new-field",
    "layer",
    "rescale",
    "asset",
    "mask",
    "grid",
    "min-area",
)

#: Options that Python calls otherwise, and those of the same name.
_OTHER = {"-o": "out=", "--swath": 'grid="swath"', "--no-straighten": "straighten=False"}
_SAME = (
    "aoi",
    "max-memory",
    "workers",
    "threads",
    "seed",
    "library-weight",
    "pixel-size",
    "dem",
    "weights",
    "smooth",
    "target-se",
    "expected",
    "count",
    "least",
    "strata",
    "reference",
    "classes",
    "reject",
    "min-confidence",
    "onnx",
    "zones",
    "zone-field",
    "steps",
    "batch",
    "checkpoint-every",
    "devices",
    "num-nodes",
    "data",
)

_NUMBER = r"\d+(?:\.\d+)?(?:e[+-]?\d+)?"

#: A value after an option: numbers, a word that only options have, or what a user gave, in quotes.
_VALUE = (
    r"auto|none|index|UTM|native|EPSG:\d+|cuda|cpu|simple|stratified|FILE|START:STOP|FACTOR"
    rf"|{_NUMBER}(?::{_NUMBER})*|'[^']*'"
)

_FOUND = re.compile(
    rf"(?<![\w-])(?P<option>--[a-z][a-z-]*[a-z]|-o)(?![\w-])(?: (?P<value>{_VALUE})(?!\w))?"
    r"|(?<!\w)'.*?'(?!\w)"  # names of files and classes stay as they are
)


def python_words(text: str) -> str:
    """A message with the options of the command line as arguments of Python.

    Args:
        text: Message. Names in it are in single quotes and stay as they are.

    Examples:
        >>> python_words("output 'a --overwrite.tif' is already there; give --overwrite")
        "output 'a --overwrite.tif' is already there; give overwrite=True"
        >>> python_words("give --rescale 10000 or --rescale auto")
        'give rescale=10000 or rescale="auto"'
    """
    return replace_options(text, _argument)


def replace_options(text: str, worded: Callable[[str, str], str | None]) -> str:
    """A message with other words for the options of the command line.

    Args:
        text: Message. Names in it are in single quotes and stay as they are.
        worded: Gives the words for an option and the value after it, which is empty without one. None keeps both,
            for options of other programs.

    Examples:
        >>> replace_options("give --min-area 9, or --mask", lambda option, value: f"<{option} {value}>")
        'give <--min-area 9>, or <--mask >'
    """

    def one(found: re.Match[str]) -> str:
        if found["option"] is None:
            return found[0]
        words = worded(found["option"], found["value"] or "")
        return found[0] if words is None else words

    return _FOUND.sub(one, text)


def is_own_option(option: str) -> bool:
    """Whether an option is one of hsi-geo, and not of another program that a message names.

    Args:
        option: The option with its hyphens.
    """
    return option in _OTHER or option.removeprefix("--") in (*_SWITCHES, *_WORDS, *_SAME)


def _argument(option: str, value: str) -> str | None:
    if not is_own_option(option):
        return None
    name = option.removeprefix("--")
    if option in _OTHER:
        return _OTHER[option] + (f" {value}" if value else "")
    if name in _SWITCHES:
        return f"{name.replace('-', '_')}=True" + (f" {value}" if value else "")
    argument = f"{name.replace('-', '_')}="
    if not value:
        return argument
    is_number = name == "rescale" and value not in ("auto",)
    return argument + (value if is_number or value.startswith("'") else f'"{value}"')
