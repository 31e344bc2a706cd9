"""Summaries of results that fit on one screen: as text, and as HTML for notebooks."""

from __future__ import annotations

import html
import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hsi_geo.arrays import UInt8Array
from hsi_geo.display.images import png_uri, shrink
from hsi_geo.text import plain

if TYPE_CHECKING:
    from pyproj import CRS

#: Longest side of a picture in a summary: in pixels of the picture, and of the screen. A picture of noise is
#: hardly compressed, and a summary must stay below 200 kB: notebooks keep it.
SIDE_PX, SHOWN_PX = 200, 280

#: Most rows of a table that are shown.
MOST_ROWS = 24

#: Longest name, and longest fact, that is shown whole.
MOST_LETTERS, LONGEST_FACT = 40, 300

#: Width of a text in characters, and the most lines of the list of rows in it.
WIDTH, MOST_LINES = 96, 3


@dataclass(frozen=True, slots=True)
class Summary:
    """What a notebook shows of an object.

    Attributes:
        title: What it is.
        facts: Facts, each one line.
        header: Names of the columns of a table.
        rows: Cells of each row of the table, as many as columns. The first cell is a name, the second the
            number that is shown beside the name in plain text.
        listed: What the rows are, in the plural, such as "classes".
        colors: "#rrggbb" of each row, shown before its name; empty for no colours.
        picture: (H, W, 3) colours, or None. It is made smaller, to `SIDE_PX`.
        caption: What the picture shows.
    """

    title: str
    facts: Sequence[str] = ()
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    listed: str = "classes"
    colors: Sequence[str] = ()
    picture: UInt8Array | None = field(default=None, compare=False)
    caption: str = ""

    @property
    def shown(self) -> Sequence[Sequence[str]]:
        """The rows that fit on a screen."""
        return self.rows[:MOST_ROWS]

    @property
    def more(self) -> str:
        """How many rows are left out; empty if none is."""
        left_out = len(self.rows) - len(self.shown)
        return f"and {left_out} more" if left_out else ""


def as_text(summary: Summary) -> str:
    """A summary as a few lines of plain text. Rows of the table are one list.

    Args:
        summary: Content.

    Examples:
        >>> rows = [("oats", "9"), ("rye", "12")]
        >>> print(as_text(Summary("Shots", ["EPSG:32633"], ("class", "shots"), rows)))
        Shots
          EPSG:32633
          classes: oats 9, rye 12
    """
    lines = [_cut(summary.title, LONGEST_FACT)]
    lines += [f"  {_cut(fact, LONGEST_FACT)}" for fact in summary.facts]
    if summary.rows:
        lines += _list(summary)
    return "\n".join(lines)


def _list(summary: Summary) -> list[str]:
    """The rows in at most `MOST_LINES` lines."""
    # A name and its number stay on one line: their blanks are NUL until the lines are made. Names have no NUL.
    items = ["\0".join(map(_cut, row[:2])).replace(" ", "\0") for row in summary.rows]
    for count in range(len(items), 0, -1):
        more = [f"and {len(items) - count} more"] if count < len(items) else []
        lines = textwrap.wrap(
            f"{summary.listed}: {', '.join([*items[:count], *more])}",
            WIDTH,
            initial_indent="  ",
            subsequent_indent="    ",
            break_long_words=False,
            break_on_hyphens=False,
        )
        if len(lines) <= MOST_LINES:
            break
    return [line.replace("\0", " ") for line in lines]


def as_html(summary: Summary) -> str:
    """A summary as HTML that loads nothing; every text is escaped.

    Args:
        summary: Content.

    Examples:
        >>> "&lt;rye&gt;" in as_html(Summary("Shots", rows=[("<rye>",)], header=("class",)))
        True
    """
    parts = [f"<div><strong>{_escaped(summary.title, LONGEST_FACT)}</strong></div>"]
    parts += [f"<div>{_escaped(fact, LONGEST_FACT)}</div>" for fact in summary.facts]
    side_by_side = []
    if summary.picture is not None and summary.picture.size:
        side_by_side.append(_picture(summary.picture, summary.caption))
    if summary.rows:
        side_by_side.append(_table(summary))
    if side_by_side:
        parts.append(
            '<div style="display:flex;flex-wrap:wrap;gap:1em;align-items:flex-start;margin-top:.5em">'
            f"{''.join(side_by_side)}</div>"
        )
    return f'<div class="hsi-geo">{"".join(parts)}</div>'


def crs_text(crs: CRS | None) -> str:
    """A short name of a CRS: its EPSG code where it has one.

    Args:
        crs: Coordinate reference system; None for none.

    Examples:
        >>> crs_text(None)
        'no coordinate reference system'
    """
    if crs is None:
        return "no coordinate reference system"
    code = crs.to_epsg()
    return str(crs.name) if code is None else f"{crs.name} (EPSG:{code})"


def picture_or_none(make: Callable[[], UInt8Array]) -> UInt8Array | None:
    """A picture for a summary; None if it cannot be made, since a summary never fails.

    Args:
        make: Makes the picture. Its file may be gone or damaged.

    Examples:
        >>> picture_or_none(lambda: 1 / 0) is None
        True
    """
    try:
        return make()
    except Exception:  # noqa: BLE001 - whatever is wrong with the file, the facts are shown
        return None


def _picture(image: UInt8Array, caption: str) -> str:
    small = shrink(image, SIDE_PX)
    width = round(SHOWN_PX * small.shape[1] / max(small.shape[:2]))
    return (
        f'<figure style="margin:0"><img src="{png_uri(small)}" alt="{_escaped(caption, LONGEST_FACT)}" '
        f'style="width:{max(1, width)}px;image-rendering:pixelated;border:1px solid #888">'
        f"<figcaption>{_escaped(caption, LONGEST_FACT)}</figcaption></figure>"
    )


def _table(summary: Summary) -> str:
    head = "".join(f'<th style="text-align:left">{_escaped(name)}</th>' for name in summary.header)
    body = []
    for number, (name, *others) in enumerate(summary.shown):
        mark = ""
        if summary.colors:
            color = _escaped(summary.colors[number])
            mark = (
                f'<span style="display:inline-block;width:.9em;height:.9em;background:{color};'
                'border:1px solid #888;margin-right:.5em"></span>'
            )
        cells = "".join(
            f'<td style="text-align:right;padding-left:1em">{_escaped(cell)}</td>'
            for cell in others
        )
        body.append(f'<tr><td style="text-align:left">{mark}{_escaped(name)}</td>{cells}</tr>')
    more = f"<div>{summary.more}</div>" if summary.more else ""
    return f"<div><table><thead><tr>{head}</tr></thead><tbody>{''.join(body)}</tbody></table>{more}</div>"


def _cut(text: str, longest: int = MOST_LETTERS) -> str:
    shown = plain(text)
    return shown if len(shown) <= longest else shown[: longest - 1] + "…"


def _escaped(text: str, longest: int = MOST_LETTERS) -> str:
    return html.escape(_cut(text, longest), quote=True)
