"""``hsi-geo batch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hsi_geo.text import number_text

from . import options, reporting, values
from .help import GroupedCommand
from .printing import files, table

if TYPE_CHECKING:
    from hsi_geo.tasks.tiles.batch_result import BatchResult

STATES = ("mapped", "unchanged", "failed")


@click.command(name="batch", cls=GroupedCommand)
@click.argument("tiles", nargs=-1, required=True, type=click.Path(path_type=str))
@click.option(
    "--model",
    required=True,
    type=click.Path(path_type=Path),
    help="Model file (.safetensors) that hsi-geo adapt wrote.",
)
@click.option(
    "-o",
    "--out",
    required=True,
    type=click.Path(path_type=Path),
    help="Folder for the maps; each keeps its tile's name.",
)
@click.option(
    "--scheduler",
    metavar="tcp://HOST:PORT",
    help="Address of a running Dask scheduler; without it, workers start on this machine.",
)
@click.option(
    "--workers",
    type=click.IntRange(1),
    help="Worker processes on this machine; by default as many as cores and memory allow.",
)
@click.option(
    "--threads",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="CPU threads of each worker.",
)
@click.option(
    "--no-halo",
    "halo",
    is_flag=True,
    default=True,
    flag_value=False,
    help="Map each tile without its neighbours: seams may be visible.",
)
@click.option(
    "--dashboard",
    is_flag=True,
    help="Serve Dask's dashboard on this machine; any user of the machine can read it.",
)
@options.rescale
@options.beside_map
@options.wavelengths
@options.mask
@options.asset
@options.follow_links
@options.placement
@options.device
@click.option(
    "--overwrite",
    is_flag=True,
    help="Map every tile again, and replace maps that no batch made.",
)
@options.progress
def command(tiles: tuple[str, ...], model: Path, out: Path, progress: str, **given: Any) -> None:
    """Map many TILES with an adapted model.

    TILES are scenes, globs, folders, text files with one path or link a line, VRT mosaics, or STAC
    items or item collections (files or links). Run the same command again after an interruption: only tiles without a map, and
    tiles that have changed, are mapped. The exit code is 1 if some tiles could not be mapped.

    For example:

        hsi-geo batch tiles/ --model model.safetensors -o maps/
    """
    from hsi_geo.errors import BatchError
    from hsi_geo.tasks.batch import batch
    from hsi_geo.tasks.tiles.worker_processes import allow_server

    values.take_grid(given)
    allow_server()
    result = batch(
        tiles,
        model,
        out,
        options=values.map_options(given),
        compute=values.compute(given),
        reporter=reporting.reporter(progress),
        **given,
    )
    print_batch(result)
    reporting.write_result(
        progress,
        result.outputs,
        tiles={
            **{state: result.count(state) for state in STATES},
            "warned": result.warned,
            "refused_for_scale": result.refused_for_scale,
            "drifting": result.drifting,
        },
    )
    failed = result.count("failed")
    if failed:
        raise BatchError(
            f"{failed} of {len(result.outcomes)} tiles were not mapped",
            hint=f"'{result.outputs['log']}' tells why",
        )


def print_batch(result: BatchResult) -> None:
    """Print the files that were written, the areas of the classes, and the numbers of tiles.

    Args:
        result: Result of the batch.
    """
    click.echo(files(result.outputs))
    click.echo()
    mapped = max(1, sum(area.pixels for area in result.areas))
    rows = [("class", "id", "pixels", "share", "area (ha)")]
    for area in result.areas:
        hectares = "" if area.hectares is None else number_text(area.hectares, 2)
        share = f"{100 * area.pixels / mapped:.1f} %"
        rows.append((area.name, str(area.id), str(area.pixels), share, hectares))
    click.echo(table(rows))
    click.echo()
    counted = [(state, str(result.count(state))) for state in STATES]
    if result.refused_for_scale:
        counted.append(("  for their scale", str(result.refused_for_scale)))
    if result.warned:
        counted.append(("with warnings", str(result.warned)))
    if result.drifting:
        counted.append(("  unlike the model's scene", str(result.drifting)))
    seconds = sum(outcome.seconds for outcome in result.outcomes.values())
    click.echo(table([("tiles", ""), *counted, ("worker seconds", f"{seconds:.1f}")]))
