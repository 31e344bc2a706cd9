"""``hsi-geo adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting, values
from .help import GroupedCommand
from .printing import pairs, table
from .terminal import print_line


@click.command(name="adapt", cls=GroupedCommand)
@options.scenes
@options.shots(required=True)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Model file to write (.safetensors).",
)
@options.weights
@options.trust_shots
@options.cache
@click.option(
    "--cross-validation",
    is_flag=True,
    help="Estimate the accuracy by adapting the whole model once more without each fifth of the shots. The model is the "
    "same. This takes up to six times as long.  [default: only the teacher is fitted again]",
)
@click.option(
    "--stac",
    is_flag=True,
    help="Also write a STAC item, MODEL.json, with the bands and classes of the model, by which catalogues find it.",
)
@options.seed("model")
@options.common()
def command(
    scenes: tuple[str, ...],
    shots: tuple[str, ...],
    out: Path,
    progress: str,
    **given: Any,
) -> None:
    """Learn the classes of SCENE from a few labelled examples, and keep the model for hsi-geo predict.

    SCENE may be several scenes of one sensor; each shot goes to the scene it lies in.

    For example:

        hsi-geo adapt scene.tif --shots labels.gpkg -o model.safetensors

        hsi-geo predict other.tif --model model.safetensors
    """
    from hsi_geo.tasks.adapt import adapt
    from hsi_geo.tasks.validation.accuracy import Accuracy

    opened = values.open_scenes(scenes, given)
    model = adapt(
        opened,
        values.read_labels(shots, given, near=[one.hsi.grid for one in opened]),
        out=out,
        compute=values.compute(given),
        reporter=reporting.reporter(progress),
        **given,
    )
    counts = model.record["shots"]
    outputs = {"model": out, **({"item": out.with_suffix(".json")} if given["stac"] else {})}
    click.echo(pairs(list(outputs.items())))
    click.echo()
    rows = [(c.name, str(c.id), str(counts[c.name])) for c in model.classes]
    click.echo(table([("class", "id", "shots"), *rows]))
    click.echo()
    print_line(f"accuracy  {Accuracy.from_dict(model.record['accuracy'])}")
    reporting.write_result(progress, outputs, accuracy=model.record["accuracy"])
