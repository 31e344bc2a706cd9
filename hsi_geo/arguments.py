"""Checks of what Python programs give to functions: values that would fail later, or be taken for others."""

from __future__ import annotations

import numbers
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hsi_geo.errors import OptionError


def require_whole(option: str, value: object, least: int, most: int | None = None) -> None:
    """Refuse numbers that would fail later, or be taken for others.

    Args:
        option: Option of the command line, or the name of an argument.
        value: What was given. A caller for which None means something checks that first.
        least: Smallest number that can be used.
        most: Largest number that can be used; None for no limit.

    Raises:
        OptionError: If it is no whole number (None is none), or a smaller or larger one.

    Examples:
        >>> require_whole("--workers", 2, 1)
        >>> require_whole("--workers", 0, 1)
        Traceback (most recent call last):
        hsi_geo.errors.OptionError: workers= is a whole number of 1 or more, and 0 was given; give such a number
    """
    is_whole = isinstance(value, numbers.Integral) and not isinstance(value, bool)
    if not is_whole or int(value) < least:  # type: ignore[call-overload]
        raise OptionError(
            f"{option} is a whole number of {least} or more, and {value!r} was given",
            hint="give such a number",
        )
    if most is not None and int(value) > most:  # type: ignore[call-overload]
        raise OptionError(
            f"{option} is a whole number of {most} or less, and {value!r} was given",
            hint="give such a number",
        )


def require_word(what: str, value: object, words: Sequence[str]) -> None:
    """Refuse a word that is none of those that a function knows.

    Args:
        what: What the word names, such as "device".
        value: What was given.
        words: Words that can be used.

    Raises:
        OptionError: If it is another word, also one in other letters.

    Examples:
        >>> require_word("design", "simple", ("simple", "stratified"))
        >>> require_word("design", "Simple", ("simple", "stratified"))
        Traceback (most recent call last):
        hsi_geo.errors.OptionError: there is no design 'Simple'; choose one of: simple, stratified
    """
    if not (isinstance(value, str) and value in words):
        raise OptionError(
            f"there is no {what} {value!r}", hint=f"choose one of: {', '.join(words)}"
        )


def require_flags(**flags: object) -> None:
    """Refuse other values where True or False is wanted, as a text of a file of options: "no" counts as true in Python.

    Args:
        **flags: Values by the names of their arguments.

    Raises:
        OptionError: If one is neither True nor False.

    Examples:
        >>> require_flags(overwrite=False, report=True)
        >>> require_flags(overwrite="no")
        Traceback (most recent call last):
        hsi_geo.errors.OptionError: overwrite is True or False, and 'no' was given; give one of them
    """
    for name, value in flags.items():
        if not isinstance(value, bool | np.bool_):
            raise OptionError(
                f"{name} is True or False, and {value!r} was given", hint="give one of them"
            )


def is_number(value: object) -> bool:
    """Whether a value is a real number, and no truth value.

    Args:
        value: Any value.

    Examples:
        >>> [is_number(value) for value in (2, 0.5, True, "2", None)]
        [True, True, False, False, False]
    """
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def require_text(option: str, value: object, hint: str) -> str:
    """The text of an option, or the path of a file as text.

    Args:
        option: Option of the command line.
        value: What was given.
        hint: What to give instead of another value.

    Raises:
        OptionError: If it is neither a text nor a path.

    Examples:
        >>> require_text("--mask", "auto", hint="")
        'auto'
    """
    if not isinstance(value, str | os.PathLike):
        raise OptionError(
            f"{option} is a text or a path, and {_in_words(value)} was given", hint=hint
        )
    return os.fspath(value)


def require_path(what: str, value: object, hint: str) -> str:
    """The path of a file or folder as text.

    Args:
        what: Option of the command line, or what the path leads to.
        value: What was given.
        hint: What to give instead of another value.

    Raises:
        OptionError: If it is no path.

    Examples:
        >>> require_path("a class map", "map.tif", hint="")
        'map.tif'
        >>> require_path("a class map", 5, hint="give the path of one")
        Traceback (most recent call last):
        hsi_geo.errors.OptionError: a class map is given as a path, and a value of the type int was given; give the path of one
    """
    if not isinstance(value, str | os.PathLike):
        raise OptionError(f"{what} is given as a path, and {_in_words(value)} was given", hint=hint)
    return os.fspath(value)


def require_output(value: object) -> Path:
    """The path of a file or folder to write.

    Args:
        value: What was given.

    Raises:
        OptionError: If it is no path.

    Examples:
        >>> require_output("map.tif").name
        'map.tif'
    """
    return Path(require_path("an output", value, "give the path to write to"))


def _in_words(value: object) -> str:
    return "None" if value is None else f"a value of the type {type(value).__name__}"
