"""Names of classes as hsi-geo has them, and labels that only repeat a value."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

#: Separators of thousands and of decimals, in the locales of QGIS.
_GROUPS = ",.'\u2019\u066c \u00a0\u202f"
_POINTS = ".,\u066b"

#: A number with them: its sign, whole digits in groups or not, and decimals.
_NUMBERS = [
    re.compile(rf"(-?)(\d+|\d{{1,3}}(?:{group}\d{{2,3}})*{group}\d{{3}})(?:{point}(\d+))?")
    for group in map(re.escape, _GROUPS)
    for point in map(re.escape, _POINTS)
    if group != point
]

#: As in hsi_geo.io.labels.class_names.
_BREAKS = re.compile("\\s*[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+\\s*")
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")


def class_name(value: Any) -> str:
    r"""The name that hsi-geo gives a class: integers without a decimal point, letters composed, no line breaks.

    Args:
        value: Value of the class field, or a name.

    >>> class_name(3.0), class_name(" rye "), class_name("bare\tsoil")
    ('3', 'rye', 'bare soil')
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    composed = unicodedata.normalize("NFC", _FORBIDDEN.sub("", _BREAKS.sub(" ", str(value))))
    return composed.strip()


def is_only_value(label: str, value: Any) -> bool:
    """Whether a label names no class, since it is empty or the value itself.

    QGIS labels categories of numbers as its locale writes them: 1110 as 1,110, 1.110 or 1 110.

    Args:
        label: Label of a category, or of a class of a raster.
        value: Its value.

    >>> [is_only_value(label, 1110) for label in ("", "1.110", "1,110.00", "water")]
    [True, True, True, False]
    """
    text = class_name(label)
    if text in ("", class_name(value)):
        return True
    if not isinstance(value, (int, float)):
        return False
    text = text.replace("\u2212", "-")  # the minus of some locales
    return any(
        _is_number(found, value) for found in (one.fullmatch(text) for one in _NUMBERS) if found
    )


def _is_number(found: re.Match[str], value: float) -> bool:
    sign, digits, decimals = found.groups()
    whole = "".join(digit for digit in digits if digit.isdecimal())
    number = float(f"{sign}{whole}.{decimals or 0}")
    rounding = 0.5 * 10.0 ** -len(decimals) if decimals and not float(value).is_integer() else 0.0
    return abs(number - value) <= rounding * (1 + 1e-9)


def distinct_names(
    possible: Mapping[str, Sequence[str]],
) -> tuple[dict[str, str], dict[str, list[str]]]:
    """A name for each value that no other one has.

    Args:
        possible: Possible names by value, the best first. Of several values with one name, each gets its next one, and
            at last its value.

    Returns:
        Name by value; the values of each best name that several had.

    >>> distinct_names({"1": ["soil"], "3": ["forest", "oak"], "4": ["forest"]})
    ({'1': 'soil', '3': 'oak', '4': '4'}, {'forest': ['3', '4']})
    """
    best = {names[0] for names in possible.values() if names}
    left = {}
    for value, names in possible.items():
        others = [*names[:1], *(name for name in names[1:] if name not in best)]
        left[value] = [
            *(name for name in others if name != value),
            value,
        ]  # so the last ones differ
        if names[:1] == [value]:
            left[value] = [value]
    doubled: dict[str, list[str]] = {}
    while True:
        by_name: dict[str, list[str]] = {}
        for value, names in left.items():
            by_name.setdefault(names[0], []).append(value)
        shared = {name: values for name, values in by_name.items() if len(values) > 1}
        if not shared:
            return {value: names[0] for value, names in left.items()}, doubled
        doubled = doubled or shared
        for values in shared.values():
            for value in values:
                left[value] = left[value][1:] if len(left[value]) > 1 else left[value]
