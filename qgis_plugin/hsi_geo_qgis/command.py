"""Argument lists of hsi-geo commands."""

from __future__ import annotations

from typing import Union

Value = Union[str, int, float, bool, None, list[str]]


def arguments(command: str, *positional: str, **options: Value) -> list[str]:
    """Arguments of a command.

    Args:
        command: Name of the command.
        *positional: Paths.
        **options: Value of each option by its name, with underscores for hyphens. True gives a flag;
            False, None and an empty text give nothing. A list repeats the option.

    >>> arguments("info", "scene.tif", json=True, class_field="")
    ['info', '--json', '--', 'scene.tif']
    >>> arguments("info", "scene.tif", shots=["a.gpkg", "b.gpkg"])
    ['info', '--shots', 'a.gpkg', '--shots', 'b.gpkg', '--', 'scene.tif']
    """
    found = [command]
    for name, value in options.items():
        option = "--" + name.replace("_", "-")
        if value is True:
            found.append(option)
        elif isinstance(value, list):
            found += [part for one in value for part in (option, one)]
        elif value is not None and value is not False and value != "":
            found += [option, str(value)]
    # After --, a path may begin with a hyphen.
    return [*found, "--", *positional] if positional else found
