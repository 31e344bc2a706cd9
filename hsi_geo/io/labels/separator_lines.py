"""The first line of a table that tells Excel its separator (``sep=;``). It is no row."""

from __future__ import annotations

import re

_LINE = re.compile(
    r"\A\ufeff?[ \t]*\"?sep=(?P<separator>[,;|\t])\"?[,;|\t ]*(?:\r\n|\r|\n|\Z)", re.IGNORECASE
)

#: Most bytes of such a line.
MOST_BYTES = 64


def split_separator(text: str) -> tuple[str | None, str]:
    r"""Take such a line away.

    Args:
        text: A table, or its beginning.

    Returns:
        separator: None if there is no such line.
        rest: The text without it.

    Examples:
        >>> split_separator("sep=;\nx;y\n")
        (';', 'x;y\n')
        >>> split_separator("sep=1,y\n")
        (None, 'sep=1,y\n')
    """
    match = _LINE.match(text)
    return (None, text) if match is None else (match["separator"], text[match.end() :])
