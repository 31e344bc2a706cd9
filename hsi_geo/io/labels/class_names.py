"""Class names: one normal form that every file can hold, and names that may be one class."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from hsi_geo.text import quoted

#: Line breaks and tabs, with the blanks around them: Excel and Access put such into texts.
_BREAKS = re.compile("\\s*[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+\\s*")

#: Characters that XML forbids, other control characters, and the byte order mark.
_FORBIDDEN = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")

#: Blanks, underscores and hyphens, but for those between digits, which separate numbers.
_BLANKS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")

#: A class that is a number.
_NUMBER = re.compile(r"-?\s*(\d+([.,]\d+)?|[.,]\d+)")


def clean_name(text: object) -> str:
    r"""Normalise a class name.

    Letters are composed (Unicode NFC): "ü" may be one character or two. Line breaks become a blank.
    Control characters, and those that XML forbids, are removed.

    Args:
        text: A name or a number, as a file holds it.

    Examples:
        >>> clean_name(" bare\tsoil ")
        'bare soil'
    """
    composed = unicodedata.normalize("NFC", _FORBIDDEN.sub("", _BREAKS.sub(" ", str(text))))
    return composed.strip()


def find_name(wanted: str, names: Iterable[str]) -> str | None:
    """Find the name that a user means: the same letters may be composed in one text and not in another.

    Args:
        wanted: A name as the user typed it.
        names: Names of fields or layers, as a file spells them.

    Returns:
        The name as the file spells it, the very same text if there is one; None if there is none.

    Examples:
        >>> find_name("Wa\u0308lder", ["Äcker", "Wälder"])
        'Wälder'
    """
    same = [name for name in names if clean_name(name) == clean_name(wanted)]
    return wanted if wanted in same else next(iter(same), None)


def similar_name_warnings(names: Iterable[str]) -> list[str]:
    """Warn of names that differ only by case, blanks or invisible characters.

    Args:
        names: Class names, repeats included.

    Returns:
        One sentence for each group of such names.

    Examples:
        >>> similar_name_warnings(["Water", "soil", "water"])[0][:46]
        "classes 'Water', 'water' differ only by case o"
    """
    groups = defaultdict(list)
    for name in dict.fromkeys(names):
        groups[_folded(name)].append(name)
    return [
        f"classes {quoted(group)} differ only by case or blanks, and are different classes: if they are one, "
        "give them one name"
        for group in groups.values()
        if len(group) > 1
    ]


def _folded(name: str) -> str:
    """A name in compatible form (NFKC), without case, blanks and invisible characters."""
    folded = unicodedata.normalize("NFKC", name).casefold().replace("\u2212", "-")  # the minus sign
    visible = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc"))
    if _NUMBER.fullmatch(visible):  # its sign is no blank
        return re.sub(r"\s", "", visible)
    return re.sub(r"[\s_-]+", " ", _BLANKS.sub("", visible))
