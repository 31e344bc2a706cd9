"""Words of users in pictures: drawn as they are, in fonts that have their letters."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from hsi_geo.text import plain

#: Longer names are cut: they would leave no room for what they name.
LONGEST = 40

#: As much room has a title above the whole figure.
LONGEST_TITLE = 120

#: Stands for a letter that no font has.
_BOX = "\N{WHITE SQUARE}"


def set_text_safely(
    text: Text, words: str, number: int | None = None, *, longest: int = LONGEST
) -> None:
    """Have a text of a figure say some words, none of them taken for a formula.

    Args:
        text: Of the figure.
        words: A name, as a user gave it.
        number: Put before words that no font of this machine has all letters of.
        longest: Longer words are cut to as many letters.
    """
    shown, families = _fitted(words, longest)
    if number is not None and not has_glyphs(words):
        shown = f"{number}: {shown}"
    text.set_parse_math(False)
    text.set_text(shown)
    text.set_fontfamily([*mpl.rcParams["font.family"], *families])


def has_glyphs(words: str) -> bool:
    """Whether the fonts of this machine have all letters of some words."""
    letters = _letters(words, LONGEST)
    return all(_has(_usual(), char) or _family_with(char) for char in letters)


def _letters(words: str, longest: int) -> str:
    """What is seen of some words: nothing that joins or varies signs, or turns their direction."""
    seen = "".join(
        char
        for char in plain(words)
        if unicodedata.category(char) != "Cf" and not "\ufe00" <= char <= "\ufe0f"
    )
    return seen if len(seen) <= longest else seen[: longest - 1] + "…"


def _fitted(words: str, longest: int) -> tuple[str, list[str]]:
    """Words without letters that no font has, and the families besides the usual that they take."""
    shown, families = "", []
    for char in _letters(words, longest):
        family = None if _has(_usual(), char) else _family_with(char)
        known = family is not None or _has(_usual(), char)
        shown += char if known else _BOX
        if family is not None and family not in families:
            families.append(family)
    return shown, families


def _usual() -> str:
    return findfont(FontProperties())


def _has(font: str, char: str) -> bool:
    return ord(char) in _letters_of(font)


@cache
def _family_with(char: str) -> str | None:
    """The first family by name that has a letter, None if none has."""
    for family in _families():
        if _has(findfont(FontProperties(family=family)), char):
            return family
    return None


@cache
def _families() -> list[str]:
    """Of text, so without matplotlib's own fonts of mathematical signs and of boxes for all signs."""
    own = Path(mpl.get_data_path())
    return sorted(
        {
            entry.name
            for entry in fontManager.ttflist
            if not Path(entry.fname).is_relative_to(own) or entry.name.startswith("DejaVu Sans")
        }
    )


@cache
def _letters_of(font: str) -> frozenset[int]:
    """Code points of a font's letters; none of one that comes in fixed sizes, as of colour emoji."""
    opened = get_font(font)
    return frozenset(opened.get_charmap()) if opened.scalable else frozenset()
