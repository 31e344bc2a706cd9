"""Names of classes as every file of names can hold them, and names that may mean the same class."""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable

from hsi_geo.text import quoted

#: What breaks a line or a cell, with the blanks around it: Excel and Access put such into texts.
_BREAKS = re.compile("\\s*[\t\n\x0b\x0c\r\x1c-\x1f\x85\u2028\u2029]+\\s*")

#: What XML cannot hold, other control characters, and the mark at the beginning of a file.
_NOT_HELD = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ufeff\ufffe\uffff\ud800-\udfff]")

#: Blanks and what stands for them; between digits they tell numbers apart.
_BLANKS = re.compile(r"(?<!\d)[\s_-]+|[\s_-]+(?!\d)")


def clean_name(text: object) -> str:
    """A class's name in one form, whatever wrote it.

    Letters are composed (NFC): "ü" may be one character or two. Breaks become a blank; control
    characters, and what XML forbids, are left out.
    """
    composed = unicodedata.normalize("NFC", _NOT_HELD.sub("", _BREAKS.sub(" ", str(text))))
    return composed.strip()


def similar_name_warnings(names: Iterable[str]) -> list[str]:
    """What to warn of: names that differ only by case, blanks or invisible characters."""
    alike = defaultdict(list)
    for name in dict.fromkeys(names):
        alike[_read_alike(name)].append(name)
    return [
        f"classes {quoted(group)} differ only by case or blanks and are told apart: if they are one, "
        "give them one name"
        for group in alike.values()
        if len(group) > 1
    ]


def _read_alike(name: str) -> str:
    """What people read in a name: compatible forms are one, and nothing invisible counts."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    seen = "".join(c for c in folded if unicodedata.category(c) not in ("Cf", "Cc"))
    return re.sub(r"[\s_-]+", " ", _BLANKS.sub("", seen))
