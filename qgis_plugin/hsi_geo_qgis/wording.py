"""Messages of the command line in the words of a dialog: parameters for options, layers for temporary files."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Mapping

#: Title of a dialog's parameter by its option of the command line.
Titles = Mapping[str, str]

#: Algorithm of the toolbox by command.
_ALGORITHMS = {
    "doctor": "Check environment",
    "classify": "Classify with few shots",
    "adapt": "Adapt model",
    "predict": "Apply model",
    "batch": "Batch of tiles",
    "assess": "Assess map",
    "compare": "Compare maps",
    "zones": "Areas per zone",
    "sample": "Draw places to check a map",
    "suggest": "Suggest places to label",
    "polygons": "Map to polygons",
    "convert": "Open scene",
    "info": "Describe scene",
}

#: Titles of parameters that messages of other algorithms advise.
_ELSEWHERE = {"--design": "Sampling design", "--reference": "Reference"}

_OPTION = r"(?<![\w-])--[a-z][a-z-]*"
_FOUND = re.compile(_OPTION)
#: An option, and the value that may follow it: a placeholder in capitals, a quoted text, a word that options
#: take, or whatever begins as a number does, up to the next blank, with its unit and "or more"; punctuation at
#: its end is not part of it.
_END = r"(?=[.,;:)]*(?:\s|$))"
_NUMBER = (
    rf"[-+]?[.,]?\d\S*?{_END}(?: (?:ha|k?m[²2]|acres|px|pixels|[nµ]m|[KMGT]i?B?|%){_END})?"
    rf"(?: or (?:more|less|fewer){_END})?"
)
_VALUE = (
    rf"FILE|POLYGONS|FACTOR|START:STOP|'[^']*'|{_NUMBER}"
    r"|(?:auto|index|cpu|cuda|none|simple|stratified)\b"
)
_WITH_VALUE = re.compile(rf"({_OPTION})(?:[ =]({_VALUE}))?")
#: An option as the parser of the command line quotes it.
_QUOTED = re.compile(rf"'({_OPTION})'")
#: Parameters of the live engine's requests, whose messages name them as members of JSON.
PARAMETERS = frozenset(
    [
        "aoi",
        "all_touched",
        "asset",
        "bounds",
        "cache",
        "class_field",
        "classes",
        "confidence",
        "count",
        "dem",
        "device",
        "follow_links",
        "grid",
        "layer",
        "library_weight",
        "mask",
        "max_memory",
        "min_area",
        "min_confidence",
        "out",
        "overwrite",
        "parents",
        "pixel_size",
        "polygons",
        "probabilities",
        "reject",
        "report",
        "save_model",
        "scene",
        "seed",
        "shots",
        "smooth",
        "stac",
        "straighten",
        "swath",
        "threads",
        "trust_shots",
        "wavelengths",
        "weights",
        "zone_field",
        "zones",
    ]
)
_MEMBER = re.compile(
    r'"([a-z_]+)"(?:: (true|false|"(?:[^"\\]|\\.)*"|[A-Z]+(?::[A-Z]+)?|\d+(?:\.\d+)?(?:e[+-]?\d+)?))?'
)
#: What is no text of a page, and the texts between its tags.
_PAGE = re.compile(r"<(pre|style|script)\b.*?</\1>|>([^<>]+)(?=<)", re.DOTALL)
#: An argument of a command: an option, with its value, or what looks like the path of a file.
_ARGUMENT = rf" (?:{_OPTION}(?:[ =](?:{_VALUE}))?|-[a-z](?=\s)|'[^']*'|[^\s'(]*[./\\]\w\S*?{_END})"
_COMMAND = re.compile(rf"\bhsi-geo ({'|'.join(_ALGORITHMS)})\b(?:{_ARGUMENT})*")
_PLACEHOLDERS = {"FILE": "a file", "POLYGONS": "polygons", "FACTOR": "a factor"}


def in_dialog(text: str, titles: Titles, names: Mapping[str, str] | None = None) -> str:
    """A message with titles of parameters and algorithms, and names of layers.

    Args:
        text: The message.
        titles: Title of each parameter by its option. Any other option loses its hyphens.
        names: What users call a file by its path, such as a layer that was exported to it.

    >>> in_dialog("give --aoi", {"--aoi": "Area"})
    "give 'Area'"
    >>> in_dialog("give --device cpu, or see hsi-geo doctor", {"--device": "Device"})
    "give cpu in 'Device', or see 'Check environment'"
    >>> in_dialog("shots '/tmp/a/b.gpkg' are empty", {}, {"/tmp/a/b.gpkg": "Meine Flächen"})
    "shots 'Meine Flächen' are empty"
    >>> in_dialog("give --min-area 5 ha, or run hsi-geo sample map.tif -o a.gpkg", {"--min-area": "Patches"})
    "give 5 ha in 'Patches', or run 'Draw places to check a map'"
    """

    def worded(found: re.Match[str]) -> str:
        option, value = found[1], found[2]
        known = titles.get(option) or _ELSEWHERE.get(option)
        title = f"'{known or option[2:].replace('-', ' ')}'"
        return f"{_PLACEHOLDERS.get(value, value)} in {title}" if value else title

    text = _without_paths(text, names or {})
    text = _COMMAND.sub(lambda found: f"'{_ALGORITHMS[found[1]]}'", text)
    return _WITH_VALUE.sub(worded, _QUOTED.sub(r"\1", text))


def page_in_dialog(page: str, titles: Titles, names: Mapping[str, str]) -> str:
    """A report (HTML) with the words of a dialog. Its command stays one, and names layers and files of the user.

    Args:
        page: The report.
        titles: Title of each parameter by its option.
        names: What users call a file by its path.

    >>> page_in_dialog("<p>run hsi-geo assess</p><pre>hsi-geo classify --aoi /tmp/a.gpkg</pre>", {}, {"/tmp/a.gpkg": "Wald"})
    "<p>run 'Assess map'</p><pre>hsi-geo classify --aoi Wald</pre>"
    """

    def worded(found: re.Match[str]) -> str:
        if found[1]:  # a command, a style or a script
            return found[0]
        text = html.unescape(found[2])
        shown = in_dialog(text, titles, names)
        return found[0] if shown == text else f">{html.escape(shown, quote=False)}"

    page = _PAGE.sub(worded, page)
    for path in sorted(names, key=len, reverse=True):
        page = page.replace(html.escape(path), html.escape(names[path]))
    return page


def advice(hint: str, titles: Titles, names: Mapping[str, str] | None = None) -> str:
    """A hint for a dialog, without options that the dialog does not have.

    Args:
        hint: The hint; alternatives are separated by ", or ".
        titles: Title of each parameter by its option.
        names: What users call a file by its path.

    >>> advice("move it, or give --overwrite", {})
    'move it'
    """
    ways = [
        way
        for way in hint.split(", or ")
        if all(option in titles for option in _FOUND.findall(way))
    ]
    return in_dialog(", or ".join(ways), titles, names)


def as_options(text: str) -> str:
    """A message of the live engine with options of the command line for the parameters of its requests.

    Args:
        text: The message.

    >>> as_options('choose one with "class_field", or give "overwrite": true')
    'choose one with --class-field, or give --overwrite'
    >>> print(as_options('"min_area": "5 acres" is no area of {"1": {"name": "roof"}}'))
    --min-area '5 acres' is no area of {"1": {"name": "roof"}}
    """

    def option(found: re.Match[str]) -> str:
        name, value = found[1], found[2] or ""
        if name not in PARAMETERS:
            return found[0]
        named = "--" + ("no-" if value == "false" else "") + name.replace("_", "-")
        if value in ("", "true", "false"):
            return named
        return f"{named} '{json.loads(value)}'" if value.startswith('"') else f"{named} {value}"

    return _MEMBER.sub(option, text)


def without_folder(text: str, folder: str) -> str:
    """A message with the bare names of files in a folder that users do not know.

    Args:
        text: The message.
        folder: Path of the folder, such as that of QGIS's temporary files; empty changes nothing.

    >>> without_folder("model '/tmp/q/1a/Mein Modell.safetensors' is not complete", "/tmp/q")
    "model 'Mein Modell.safetensors' is not complete"
    """
    if not folder:
        return text
    inside = re.escape(folder) + r"(?:[\\/][^\\/'\n]+)*[\\/](?=[^\\/'\n]+)"
    return re.sub(inside, "", text)


def _without_paths(text: str, names: Mapping[str, str]) -> str:
    """Names for paths, and for the bare names of these files where they are quoted."""
    for path in sorted(names, key=len, reverse=True):
        text = text.replace(path, names[path])
        text = text.replace(f"'{os.path.basename(path)}'", f"'{names[path]}'")
    return text
