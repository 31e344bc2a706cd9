"""``hsi-geo export``."""

from __future__ import annotations

from pathlib import Path

import click

from . import options, reporting
from .help import GroupedCommand
from .printing import pairs, table


@click.command(name="export", cls=GroupedCommand)
@click.argument("model", metavar="MODEL", type=click.Path(path_type=str))
@click.option(
    "--onnx",
    required=True,
    type=click.Path(path_type=Path),
    metavar="FILE.onnx",
    help="ONNX file to write.",
)
@options.overwrite
@options.progress
def command(model: str, onnx: Path, overwrite: bool, progress: str) -> None:
    """Write MODEL of hsi-geo adapt as an ONNX file, for programs without hsi-geo.

    The file takes windows of a scene and gives class probabilities. Its metadata say which bands, windows and classes
    it has, and how windows make a map.

    For example:

        hsi-geo export model.safetensors --onnx model.onnx
    """
    from hsi_geo.tasks.export import export

    found = export(model, onnx, overwrite=overwrite, reporter=reporting.reporter(progress))
    outputs = {"onnx": onnx}
    bands = found.wavelengths_nm
    click.echo(
        pairs(
            [
                *outputs.items(),
                ("bands", f"{len(bands)}, {min(bands):.0f}-{max(bands):.0f} nm"),
                ("windows", f"{found.window_px} pixels, every {found.stride_px} pixels"),
            ]
        )
    )
    click.echo()
    click.echo(table([("class", "id"), *((c.name, str(c.id)) for c in found.classes)]))
    reporting.write_result(progress, outputs, classes=[c.as_dict() for c in found.classes])
