"""``hsi-geo adapt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from . import options, reporting
from .printing import pairs, table
from .terminal import print_line


@click.command(name="adapt")
@options.scenes
@options.shots(required=True)
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The model (.safetensors)."
)
@options.weights
@options.seed
@options.common()
def command(
    scenes: tuple[str, ...],
    shots: str,
    out: Path,
    progress: str,
    **given: Any,
) -> None:
    """Adapt a model to SCENE from a few shots, for hsi-geo predict.

    SCENE may be several scenes of one sensor; each shot goes to the scene it lies in.
    """
    from hsi_geo.tasks.adapt import adapt
    from hsi_geo.tasks.validation.accuracy import Accuracy

    model = adapt(
        options.open_scenes(scenes, given),
        options.read_labels(shots, given),
        out=out,
        compute=options.compute(given),
        reporter=reporting.reporter(progress),
        **given,
    )
    counts = model.record["shots"]
    click.echo(pairs([("model", out)]))
    click.echo()
    rows = [(c.name, str(c.id), str(counts[c.name])) for c in model.classes]
    click.echo(table([("class", "id", "shots"), *rows]))
    click.echo()
    print_line(f"accuracy  {Accuracy.from_dict(model.record['accuracy'])}")
    reporting.write_result(progress, {"model": out}, accuracy=model.record["accuracy"])
