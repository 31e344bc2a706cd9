"""Names of files, classes and bands, escaped for display."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence

#: Control characters (such as ESC, which starts commands to a terminal), line separators, characters that
#: change the direction of text, and lone surrogates, which represent bytes of file names that are not UTF-8.
_UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ud800-\udfff]")


def plain(text: object) -> str:
    r"""Escape a text for display on one line, unsafe characters as ``\x1b``.

    Args:
        text: Any object; its ``str`` is shown.

    Examples:
        >>> print(plain("two\nlines"))
        two\nlines
    """
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), str(text))


def plain_json(text: str) -> str:
    r"""Escape a JSON text for display, unsafe characters as ``\u009b``.

    Args:
        text: JSON. Line breaks and tabs between its parts stay.

    Returns:
        JSON of the same value.
    """
    return _UNSAFE.sub(lambda c: c[0] if c[0] in "\n\r\t" else f"\\u{ord(c[0]):04x}", text)


def quoted(names: Sequence[str]) -> str:
    """A list of names for a message, cut short after a dozen.

    Args:
        names: Of files, fields, layers or classes.

    Examples:
        >>> quoted(["rye", "oats"])
        "'rye', 'oats'"
        >>> quoted([])
        'none'
    """
    listed = ", ".join(f"'{name}'" for name in names[:12])
    return listed + (f" and {len(names) - 12} more" if len(names) > 12 else "") or "none"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question that ends a message about a name that is not known; empty if no known name is like it.

    Args:
        name: The name that was given.
        known: Names that would do.

    Examples:
        >>> did_you_mean("clasify", ["classify", "info"])
        ". Did you mean 'classify'?"
        >>> did_you_mean("x", ["classify", "info"])
        ''
    """
    from difflib import get_close_matches  # seldom needed

    by_lower_case = {one.lower(): one for one in known}
    close = get_close_matches(name.lower(), by_lower_case, n=1, cutoff=0.6)
    return f". Did you mean '{by_lower_case[close[0]]}'?" if close else ""


def number_text(value: float, digits: int) -> str:
    """An area or a share as text; a small one has more digits, so that it is not shown as 0.

    Args:
        value: The number, such as hectares.
        digits: Number of decimals. A number below 1 has at least three digits that count.

    Examples:
        >>> [number_text(value, 1) for value in (1234.56, 0.09, 0.00007052, 0.5, 0.0)]
        ['1,234.6', '0.09', '0.0000705', '0.5', '0.0']
    """
    fixed = f"{value:,.{digits}f}"
    if not 0 < abs(value) < 1:
        return fixed
    decimals = 2 - math.floor(math.log10(abs(value)))
    return max(fixed, f"{value:.{decimals}f}".rstrip("0").rstrip("."), key=len)


def spreadsheet_text(text: str) -> str:
    """A text for a CSV file, in a form that spreadsheets do not take for a formula.

    Spreadsheets compute a cell that begins with ``=``, ``+``, ``-``, ``@``, a tab or a carriage return. Such a text gets an
    apostrophe before it, as OWASP advises. Numbers such as -3 stay.

    Args:
        text: Text of a cell.

    Examples:
        >>> [spreadsheet_text(text) for text in ("=1+1", "@home", "-3", "+4.5e3", "roof", "")]
        ["'=1+1", "'@home", '-3', '+4.5e3', 'roof', '']
    """
    is_number = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", text) is not None
    return (
        f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) and not is_number else text
    )
