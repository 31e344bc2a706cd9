"""Results as text on stdout."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hsi_geo.text import plain

from . import reporting
from .terminal import print_line

if TYPE_CHECKING:
    from hsi_geo.tasks.predict import MapResult


def table(rows: Sequence[Sequence[str]]) -> str:
    """Align the cells of rows in columns.

    Args:
        rows: Rows of as many cells each. The first column is left-aligned, the others right-aligned.

    >>> from hsi_geo.cli.printing import table
    >>> print(table([("class", "id"), ("rye", "1")]))
    class  id
    rye     1
    """
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
    """A line for each name and its value.

    Args:
        named: Names and values; values are printed without control characters.
    """
    width = max(len(name) for name, _ in named)
    return "\n".join(f"{name.ljust(width)}  {plain(value)}" for name, value in named)


#: What files are called on the screen, where their key in outputs for programs does not say it.
FILES = {"names": "class names", "style": "QGIS style", "table": "table of results"}


def files(outputs: Mapping[str, object]) -> str:
    """A line for each file that was written.

    Args:
        outputs: Path of each file by its kind, as programs get them.

    >>> from hsi_geo.cli.printing import files
    >>> print(files({"map": "map.tif", "style": "map.qml"}))
    map         map.tif
    QGIS style  map.qml
    """
    return pairs([(FILES.get(kind, kind), path) for kind, path in outputs.items()])


def _columns(text: str) -> int:
    """Width of a text in columns of a terminal; a Chinese character or an emoji takes two."""
    wide = sum(unicodedata.east_asian_width(char) in "WF" for char in text)
    return len(text) + wide - sum(unicodedata.combining(char) > 0 for char in text)


def _gap(text: str, width: int) -> str:
    return " " * (width - _columns(text))


def print_maps(results: Sequence[MapResult], progress: str, model: Path | None = None) -> None:
    """Print files, classes and accuracy of maps, and write them as an event for programs.

    Args:
        results: Maps that were written.
        progress: Value of --progress.
        model: Path of the model that was saved; None if none was.
    """
    from hsi_geo.io.labels.rejected_classes import legend_entries

    saved = {} if model is None else {"model": model}
    for result in results:
        outputs = {**result.paths.as_dict(), **saved}
        click.echo(files(outputs))
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
                    for entry in legend_entries(result.record)
                ]
            )
        )
        click.echo()
        for line in pairs(_accuracy_lines(result)).splitlines():
            print_line(line)
        reporting.write_result(progress, **result.for_programs(model))


def _accuracy_lines(result: MapResult) -> list[tuple[str, str]]:
    """Names and values of the lines about accuracy: the estimate, and of which scene it is."""
    adapted = result.adapted_accuracy
    if adapted is None:
        scenes = len(result.record["adaptation"]["hashes"].get("scenes", ()))
        together = f" (of the {scenes} scenes together)" if scenes > 1 else ""
        lines = [("accuracy", f"{result.accuracy}{together}")]
        upper = result.parents_accuracy
        return lines if upper is None else [*lines, ("of the parents", f"{upper}{together}")]
    lines = [
        ("accuracy", str(result.accuracy)),
        ("in the model's scene", str(adapted)),
    ]
    if result.unlike is not None:
        lines.append(("unlike the shots", f"{100 * result.unlike:.0f} % of the pixels"))
    if result.record["drifts"]:
        lines.append(
            (
                "caution",
                "this scene looks unlike the model's scene: the estimate does not hold here",
            )
        )
    return lines
