"""Argument lists of hsi-geo commands."""

from __future__ import annotations

from typing import Union

Value = Union[str, int, bool, None]


def arguments(command: str, *positional: str, **options: Value) -> list[str]:
    """Arguments of a command.

    Args:
        command: Name of the command.
        *positional: Paths.
        **options: Value of each option by its name, with underscores for hyphens. True gives a flag;
            False, None and an empty text give nothing.

    >>> arguments("info", "scene.tif", json=True, class_field="")
    ['info', '--json', '--', 'scene.tif']
    """
    found = [command]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            found.append(option)
        elif value is not None and value is not False and value != "":
            found += [option, str(value)]
    # After --, a path may begin with a hyphen.
    return [*found, "--", *positional] if positional else found
