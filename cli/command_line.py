"""The running command as text, which reports show."""

from __future__ import annotations

import shlex

import click
from click.core import ParameterSource

#: Options that change what is printed, and no output.
PRINTING = ("progress", "timings")


def command_line() -> str:
    """The running command with its arguments and the options that were given, quoted for a shell."""
    ctx = click.get_current_context()
    words = ["hsi-geo", str(ctx.info_name)]
    for param in ctx.command.params:
        name = str(param.name)
        if ctx.get_parameter_source(name) is not ParameterSource.COMMANDLINE or name in PRINTING:
            continue
        value = ctx.params[name]
        option = [max(param.opts, key=len)] if isinstance(param, click.Option) else []
        if value is True:
            words += option
        elif isinstance(param, click.Option) and param.multiple:
            words += [word for one in value for word in (*option, str(one))]
        else:
            words += option + [
                str(one) for one in (value if isinstance(value, tuple) else (value,))
            ]
    return shlex.join(words)
