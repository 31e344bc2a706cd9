"""Names that users give, drawn in figures as they are, in fonts that have their letters."""

from __future__ import annotations

import unicodedata
from functools import cache
from pathlib import Path

import matplotlib as mpl
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

from hsi_geo.text import plain

#: Longer names are cut, since they would leave no room for the figure.
LONGEST = 40

#: Most characters of a title above a whole figure.
LONGEST_TITLE = 120

#: Replaces a letter that no font has.
_BOX = "\N{WHITE SQUARE}"


def set_text_safely(
    text: Text, words: str, number: int | None = None, *, longest: int = LONGEST
) -> None:
    """Set a text of a figure, without reading it as a formula.

    Args:
        text: Text object of the figure.
        words: Name as the user gave it.
        number: Number that precedes the name if the fonts of this machine lack some of its letters;
            None for no number.
        longest: Number of characters that a longer name is cut to.

    Examples:
        >>> from matplotlib.figure import Figure
        >>> text = Figure().text(0, 0, "")
        >>> set_text_safely(text, "5 $ a $ day")
        >>> text.get_text(), text.get_parse_math()
        ('5 $ a $ day', False)
    """
    shown, families = _fitted(words, longest)
    if number is not None and not has_glyphs(words):
        shown = f"{number}: {shown}"
    text.set_parse_math(False)
    text.set_text(shown)
    text.set_fontfamily([*mpl.rcParams["font.family"], *families])


def has_glyphs(words: str) -> bool:
    """Whether the fonts of this machine have all letters of a name.

    Args:
        words: Name as the user gave it.

    Examples:
        >>> has_glyphs("water")
        True
    """
    letters = _letters(words, LONGEST)
    return all(_has(_default_font(), char) or _family_with(char) for char in letters)


def _letters(words: str, longest: int) -> str:
    """Visible characters: without joiners, variation selectors and marks of direction."""
    visible = "".join(
        char
        for char in plain(words)
        if unicodedata.category(char) != "Cf" and not "\ufe00" <= char <= "\ufe0f"
    )
    return visible if len(visible) <= longest else visible[: longest - 1] + "…"


def _fitted(words: str, longest: int) -> tuple[str, list[str]]:
    """A name with `_BOX` for letters that no font has, and the other font families that it needs."""
    shown, families = "", []
    for char in _letters(words, longest):
        family = None if _has(_default_font(), char) else _family_with(char)
        known = family is not None or _has(_default_font(), char)
        shown += char if known else _BOX
        if family is not None and family not in families:
            families.append(family)
    return shown, families


def _default_font() -> str:
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
    """Families of text fonts: without matplotlib's own of mathematical signs and of boxes."""
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
    """Code points of a font's letters; none for bitmap fonts, such as those of colour emoji."""
    opened = get_font(font)
    return frozenset(opened.get_charmap()) if opened.scalable else frozenset()
