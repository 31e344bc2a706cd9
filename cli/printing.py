"""How results look on stdout."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import click

from . import reporting

if TYPE_CHECKING:
    from hsi_geo.tasks.predict import MapResult


def table(rows: Sequence[Sequence[str]]) -> str:
    """Columns padded to their widest entry; all but the first are right-aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0])]
            + [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        ).rstrip()
        for row in rows
    )


def pairs(named: Sequence[tuple[str, object]]) -> str:
    """A name and its value a line."""
    width = max(len(name) for name, _ in named)
    return "\n".join(f"{name.ljust(width)}  {value}" for name, value in named)


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
        click.echo(f"accuracy  {result.accuracy}")
        reporting.tell_result(
            progress,
            result.paths.as_dict(),
            classes=result.record["classes"],
            accuracy=result.accuracy.as_dict(),
        )
