"""Names that people give to files, classes and bands, made safe to show."""

from __future__ import annotations

import re
from collections.abc import Sequence

#: Control characters (a terminal obeys ESC), separators of lines, characters that turn the direction of
#: what follows, and halves of surrogate pairs, which stand for bytes of file names that are no UTF-8.
_NOT_SHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: object) -> str:
    r"""A text on one line, with what is not to be shown as escapes such as ``\x1b``."""
    return _NOT_SHOWN.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def plain_json(text: str) -> str:
    r"""A JSON text, with what is not to be shown as JSON's own escapes such as ``\u009b``.

    Line breaks and blanks between its parts stay.
    """
    return _NOT_SHOWN.sub(lambda c: c[0] if c[0] in "\n\r\t" else f"\\u{ord(c[0]):04x}", text)


def quoted(names: Sequence[str]) -> str:
    """A list of names for a message, cut short after a dozen.

    Args:
        names: Of files, fields, layers or classes.

    >>> quoted(["rye", "oats"])
    "'rye', 'oats'"
    >>> quoted([])
    'none'
    """
    listed = ", ".join(f"'{name}'" for name in names[:12])
    return listed + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "none"
