"""``hsi-geo serve``."""

from __future__ import annotations

import click

from .help import GroupedCommand


@click.command(name="serve", cls=GroupedCommand)
def command() -> None:
    """Draw, see, refine: answer other programs while a user draws shots. The live window of QGIS uses it.

    The program reads requests from stdin and writes answers to stdout: JSON-RPC 2.0, one message a line. It opens
    no network port. It ends when stdin is closed, and leaves no file. The page on outputs describes the methods:
    initialize, open, update, preview, suggest, spectrum, finish, cancel, close, shutdown.

    For example:

        hsi-geo serve
    """
    from hsi_geo.tasks.serve import serve

    serve()
