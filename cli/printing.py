"""How results look on stdout."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from hsi_geo.text import plain

from . import reporting
from .terminal import say

if TYPE_CHECKING:
    from hsi_geo.tasks.predict import MapResult


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest entry; all but the first are right-aligned."""
    shown = [[plain(cell) for cell in row] for row in rows]
    widths = [max(_columns(row[i]) for row in shown) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0] + _gap(row[0], widths[0])]
            + [_gap(cell, width) + cell for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in shown
    )


def pairs(named: Sequence[tuple[str, object]]) -> str:
    """A name and its value a line."""
    width = max(len(name) for name, _ in named)
    return "\n".join(f"{name.ljust(width)}  {plain(value)}" for name, value in named)


def _columns(text: str) -> int:
    """How many columns of a terminal a text takes: Chinese and most emoji take two each."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def _gap(text: str, width: int) -> str:
    return " " * (width - _columns(text))


def print_maps(results: Sequence[MapResult], progress: str) -> None:
    """Files, classes and accuracy of maps: for people, and as an event for programs."""
    for result in results:
        click.echo(pairs(list(result.paths.as_dict().items())))
        click.echo()
        click.echo(
            table(
                [("class", "id", "shots", "pixels", "share")]
                + [
                    (
                        entry["name"],
                        str(entry["id"]),
                        str(entry["shots"]),
                        str(entry["pixels"]),
                        f"{100 * entry['share']:.1f} %",
                    )
                    for entry in result.record["classes"]
                ]
            )
        )
        click.echo()
        say(f"accuracy  {result.accuracy}")
        reporting.tell_result(
            progress,
            result.paths.as_dict(),
            classes=result.record["classes"],
            accuracy=result.accuracy.as_dict(),
        )
