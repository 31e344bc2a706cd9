"""``hsi-geo doctor``."""

from __future__ import annotations

import dataclasses

import click

from .help import GroupedCommand
from .printing import pairs
from .terminal import print_json


@click.command(name="doctor", cls=GroupedCommand)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object to stdout.")
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Check packages, device and drivers, and print how to repair what is missing.

    The exit code is 1 if something is missing.

    For example:

        hsi-geo doctor
    """
    from hsi_geo.environment import checks

    found = checks()
    ok = all(check.ok for check in found)
    if as_json:
        listed = [dataclasses.asdict(check) for check in found]
        print_json({"ok": ok, "checks": listed}, indent=2)
    else:
        click.echo(
            pairs(
                [
                    (check.name, check.found if check.ok else f"{check.found}  ->  {check.fix}")
                    for check in found
                ]
            )
        )
        click.echo()
        click.echo(
            "all is well" if ok else "something is missing: run the commands after the arrows"
        )
    ctx.exit(0 if ok else 1)
