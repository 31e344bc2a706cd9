"""The option --timings: a table of how long each stage took, printed when the command ends."""

from __future__ import annotations

import click

from hsi_geo import timings

from . import reporting
from .printing import table


def record_timings(ctx: click.Context, param: click.Parameter, value: bool) -> None:
    """Callback of --timings: record the times of stages, and print them when the command ends."""
    if value and not ctx.resilient_parsing:
        # Resources are closed last to first, so that this prints before the recording ends.
        times = ctx.with_resource(timings.recording())
        times.add_program_start()
        ctx.call_on_close(lambda: _print(ctx, times))


def _print(ctx: click.Context, times: timings.Timings) -> None:
    """Print a table of stages, or write one event for programs."""
    stages = times.as_dict()
    if reporting.for_programs(ctx):
        reporting.write_event("timings", stages=stages)
        return
    rows = [("stage", "wall s", "CPU s")]
    for name, spent in stages.items():
        shown = f"{name} (beside others)" if spent["beside"] else name
        rows.append((shown, f"{spent['wall_s']:.2f}", f"{spent['cpu_s']:.2f}"))
    click.echo(table(rows), err=True)


option = click.option(
    "--timings",
    is_flag=True,
    envvar="HSI_GEO_PROFILE",
    expose_value=False,
    callback=record_timings,
    help="Print how long each stage took, and keep it in the record of a map. HSI_GEO_PROFILE=1 does the same.",
)
