"""The running command as text, which reports show."""

from __future__ import annotations

import shlex

import click
from click.core import ParameterSource


def command_line() -> str:
    """The running command with its arguments and the options that were given, quoted for a shell."""
    ctx = click.get_current_context()
    words = ["hsi-geo", str(ctx.info_name)]
    for param in ctx.command.params:
        name = str(param.name)
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name == "progress":
            continue
        value = ctx.params[name]
        if isinstance(param, click.Option):
            words.append(max(param.opts, key=len))
        if value is not True:
            words += [str(one) for one in (value if isinstance(value, tuple) else (value,))]
    return shlex.join(words)
