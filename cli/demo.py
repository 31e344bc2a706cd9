"""``hsi-geo demo``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import files, table


@click.command(name="demo", cls=GroupedCommand)
@click.argument("folder", default="demo", metavar="[DIR]", type=click.Path(path_type=Path))
@click.option(
    "--seed",
    type=click.IntRange(0),
    default=1330,
    show_default=True,
    help="Start of the random numbers that draw the shots.",
)
@options.device
@options.threads
@options.progress
def command(folder: Path, progress: str, **given: Any) -> None:
    """Map Indian Pines from five shots a class, and compare with an SVM and a random forest.

    Scene, shots, map and picture are written to DIR (by default: demo). A second run replaces
    them.

    For example:

        hsi-geo demo
    """
    from hsi_geo.tasks.demo import SHOTS_PER_CLASS, demo

    compute = values.compute(given)
    result = demo(folder, compute=compute, reporter=reporting.reporter(progress))
    outputs = {**result.map.paths.as_dict(), "picture": result.picture}
    click.echo(files(outputs))
    click.echo()
    rows = [
        (name, f"{100 * s.oa:.1f}", f"{100 * s.aa:.1f}", f"{100 * s.kappa:.1f}")
        for name, s in result.scores.items()
    ]
    click.echo(table([("per cent", "OA", "AA", "kappa"), *rows]))
    click.echo()
    click.echo(
        f"on the {result.test_pixels} labelled pixels that were no shots; {SHOTS_PER_CLASS} shots "
        f"a class; classify took {result.seconds:.0f} s"
    )
    reporting.write_result(progress, outputs, seconds=round(result.seconds, 1))
