"""``hsi-geo benchmark``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import files, table


class CommaList(click.ParamType[tuple[str, ...]]):
    """Names or numbers, separated by commas."""

    name = "list"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[str, ...]:
        """Split the text at its commas."""
        return tuple(part.strip() for part in str(value).split(",") if part.strip())


@click.command(name="benchmark", cls=GroupedCommand)
@click.option(
    "--scenes",
    type=CommaList(),
    default="indian_pines",
    show_default=True,
    help="Scenes: indian_pines, simulated_fields, enmap_berlin, jasper_ridge, samson.",
)
@click.option(
    "--data", type=click.Path(path_type=Path), help="Folder of the scenes; Indian Pines needs none."
)
@click.option(
    "--shots",
    type=CommaList(),
    default="5",
    show_default=True,
    help="Shots for each class: 5, or 1,2,3,5,10,20.",
)
@click.option(
    "--seeds",
    type=click.IntRange(1, 10),
    default=10,
    show_default=True,
    help="Number of times that shots are drawn.",
)
@click.option(
    "--methods",
    type=CommaList(),
    help="By default hsi-geo, svm, random-forest, logistic-regression, pca, noise and auto. Also "
    "ablations of our method: linear-head, fine-tuning, ema, noise-only, teacher-only, no-features, "
    "no-weights.",
)
@click.option(
    "--split",
    type=click.Choice(["random", "blocked", "both"]),
    default="random",
    show_default=True,
    help="blocked: shots and test pixels are in different blocks of the scene.",
)
@click.option(
    "--drawing",
    "drawings",
    type=CommaList(),
    default="points",
    show_default=True,
    help="How shots are drawn: points; squares (3 x 3 pixels); square (one of 5 x 5 for each class); wrong (points, "
    "one in five with a wrong label); stretch (one polygon of 20 to 60 pixels for each class). Several are separated by "
    "commas.",
)
@click.option(
    "--bands",
    type=CommaList(),
    default="all",
    show_default=True,
    help="Bands: all, vnir (400 to 1000 nm), swir (more than 1000 nm), eighth (every eighth band). Several are separated "
    "by commas.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    default="benchmark",
    show_default=True,
    help="Folder for results.json, table.md and plot.png.",
)
@options.device
@options.threads
@options.overwrite
@options.progress
def command(
    scenes: tuple[str, ...],
    data: Path | None,
    shots: tuple[str, ...],
    seeds: int,
    methods: tuple[str, ...] | None,
    split: str,
    drawings: tuple[str, ...],
    bands: tuple[str, ...],
    out: Path,
    overwrite: bool,
    progress: str,
    **given: Any,
) -> None:
    """Compare our method with classical methods on labelled scenes, with the same shots.

    A run that was stopped continues: results in results.json of the output folder are kept.

    For example:

        hsi-geo benchmark --seeds 3 --methods hsi-geo,svm -o results
    """
    from hsi_geo.tasks.benchmark import benchmark

    if not all(number.isdecimal() and int(number) > 0 for number in shots):
        raise click.BadParameter("give numbers such as 5 or 1,2,5", param_hint="--shots")
    result = benchmark(
        out,
        scenes=scenes,
        data=data,
        shots=[int(number) for number in shots],
        seeds=seeds,
        methods=methods,
        splits=("random", "blocked") if split == "both" else (split,),  # type: ignore[arg-type]
        drawings=drawings,
        bands=bands,
        compute=values.compute(given),
        overwrite=overwrite,
        reporter=reporting.reporter(progress),
    )
    click.echo(table(result.table))
    click.echo()
    if result.totals:
        click.echo(table(result.totals))
        click.echo()
    outputs = {"results": result.results, "table": result.markdown, "plot": result.plot}
    click.echo(files(outputs))
    reporting.write_result(progress, outputs)
