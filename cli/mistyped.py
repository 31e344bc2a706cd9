"""Mistakes in the words of a command that click would take for something else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

#: Dashes that word processors and web pages put in the place of one or two hyphens.
_DASHES = "\u2010\u2011\u2012\u2013\u2014\u2015\u2212"

#: Most words that are joined to find a path with blanks that was given without quotes.
_MOST_WORDS = 8


def require_well_typed(words: Sequence[str], ctx: click.Context) -> None:
    """Refuse options with a wrong dash, options without their value, and paths with blanks without quotes.

    click takes ``-overwrite`` for ``-o verwrite``, a dash of a word processor for a path, and an option for the value of
    the one before it: files would be written to other places, or messages would name what nobody mistyped.

    Args:
        words: What was typed after the name of the command.
        ctx: Context of the command.

    Raises:
        click.UsageError: If there is such a word; the message says what to write.
    """
    options = [param for param in ctx.command.get_params(ctx) if isinstance(param, click.Option)]
    names = {name for option in options for name in (*option.opts, *option.secondary_opts)}
    with_value = {name for one in options if not (one.is_flag or one.count) for name in one.opts}
    before_end = list(words[: words.index("--")]) if "--" in words else list(words)
    for place, word in enumerate(before_end):
        if (meant := _meant_option(word, names)) is not None:
            ctx.fail(f"'{word}' is no option; write {meant}, with two hyphens")
        if word in with_value and place + 1 < len(before_end) and before_end[place + 1] in names:
            ctx.fail(f"option '{word}' has no value: '{before_end[place + 1]}' follows it")
    for place, word in enumerate(before_end):
        # Of --mask=my and of name=my the part behind the sign may be the beginning of a path, too.
        for first in dict.fromkeys((word, word.partition("=")[2])):
            rest = [first, *before_end[place + 1 :]]
            if (path := _path_with_blanks(rest, names)) is not None:
                ctx.fail(
                    f"'{first}' does not exist, but '{path}' does; put paths with blanks in quotes"
                )


def _meant_option(word: str, names: set[str]) -> str | None:
    """The long option that a word with one hyphen, or with other dashes, stands for."""
    if word.startswith("--") or not word.startswith(("-", *_DASHES)):
        return None
    meant = "--" + word.lstrip("-" + _DASHES).partition("=")[0]
    return meant if meant in names else None


def _path_with_blanks(words: Sequence[str], names: set[str]) -> str | None:
    """A path that exists and is made of the first words, if the first is no path by itself.

    A word with a blank was in quotes: it ends the search if it is a path by itself.
    """
    for count in range(1, min(len(words), _MOST_WORDS) + 1):
        last = words[count - 1]
        if last in names or not last:
            return None
        is_path = _exists(last)
        if is_path and (count == 1 or " " in last):
            return None
        if count > 1 and _exists(path := " ".join(words[:count])):
            return path
        if is_path:
            return None
    return None


def _exists(path: str) -> bool:
    try:
        return Path(path).exists()
    except (OSError, ValueError):  # too long, or a zero byte
        return False
