"""``hsi-geo pretrain``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import pairs


@click.command(name="pretrain", cls=GroupedCommand)
@options.scenes
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="File of network weights to write (.safetensors).",
)
@click.option("--steps", type=click.IntRange(1), help="Number of training steps.  [default: 400]")
@click.option(
    "--batch",
    type=click.IntRange(1),
    help="Windows in a training step, for each process.  [default: 32]",
)
@click.option(
    "--learning-rate",
    type=click.FloatRange(0, min_open=True),
    help="Greatest learning rate.  [default: 0.002]",
)
@click.option(
    "--mask-ratio",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Share of the pixels that are hidden from the network, 0 to 1.  [default: 0.5]",
)
@click.option(
    "--fdc",
    type=click.Choice(["none", "spatial", "spectral", "both"]),
    help="Axes of the Frequency Domain Constraint.  [default: spatial]",
)
@click.option(
    "--fdc-consistency",
    type=click.FloatRange(0),
    help="Weight of all frequencies in that constraint.  [default: 0.1]",
)
@click.option(
    "--fdc-high", type=click.FloatRange(0), help="Weight of high frequencies in it.  [default: 0.1]"
)
@click.option(
    "--checkpoint-every",
    type=click.IntRange(1),
    help="Training steps between checkpoints.  [default: 100]",
)
@click.option(
    "--init",
    type=click.Path(path_type=Path),
    help="File of network weights to start from.  [default: random numbers]",
)
@click.option(
    "--resume", is_flag=True, help="Continue from the last checkpoint of an interrupted run."
)
@click.option(
    "--accelerator", default="auto", show_default=True, help="Accelerator of Lightning: cpu, gpu."
)
@click.option(
    "--devices",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of processes on a machine.",
)
@click.option(
    "--num-nodes",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="Number of machines.",
)
@click.option(
    "--strategy", default="auto", show_default=True, help="Strategy of Lightning: ddp, ..."
)
@click.option(
    "--precision",
    type=click.Choice(["auto", "32", "bf16"]),
    default="auto",
    show_default=True,
    help="auto takes bf16 on a GPU that has it.",
)
@click.option(
    "--workers",
    type=click.IntRange(0),
    default=0,
    show_default=True,
    help="Number of processes that read scenes.",
)
@options.seed("weights")
@options.wavelengths
@options.mask
@options.asset
@options.follow_links
@options.placement
@options.overwrite
@options.progress
def command(
    scenes: tuple[str, ...],
    out: Path,
    learning_rate: float | None,
    mask_ratio: float | None,
    fdc: str | None,
    fdc_consistency: float | None,
    fdc_high: float | None,
    checkpoint_every: int | None,
    progress: str,
    **given: Any,
) -> None:
    """Pre-train the network on SCENES of any sensors, without labels.

    Writes the weights, and beside them a log (.csv) and a plot (.png) of the losses. The last
    checkpoint of an interrupted run stays in OUT.run: continue with --resume.

    For example:

        hsi-geo pretrain scenes/*.tif -o w.safetensors

        hsi-geo classify scene.tif --shots labels.gpkg --weights w.safetensors
    """
    from hsi_geo.tasks.pretrain import pretrain
    from hsi_geo.tasks.pretraining.recipe import PretrainRecipe

    default = PretrainRecipe()
    objective = _replaced(
        default.objective,
        mask_ratio=mask_ratio,
        fdc=fdc,
        consistency=fdc_consistency,
        high=fdc_high,
    )
    recipe = _replaced(
        default,
        objective=objective,
        learning_rate=learning_rate,
        checkpoint_every=checkpoint_every,
    )
    result = pretrain(
        values.open_scenes(scenes, given),
        out,
        recipe=recipe,
        reporter=reporting.reporter(progress),
        **given,
    )
    if result.is_main:
        outputs = {"weights": result.weights, "log": result.log, "plot": result.plot}
        click.echo(pairs([*outputs.items(), ("last loss", f"{result.last_loss:.4f}")]))
        reporting.write_result(progress, outputs, last_loss=result.last_loss)


def _replaced[T](settings: T, **given: object) -> T:
    """A frozen dataclass with the values that are not None."""
    changes = {name: value for name, value in given.items() if value is not None}
    return dataclasses.replace(settings, **changes)  # type: ignore[type-var]  # T is a dataclass
