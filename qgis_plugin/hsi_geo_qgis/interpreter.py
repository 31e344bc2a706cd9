"""Find the Python that starts hsi-geo."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

from .pythons import python_in

#: Key of the provider's setting in QGIS's settings, and the variable that comes next.
SETTING = "hsi_geo/python"
VARIABLE = "HSI_GEO_PYTHON"

SET_UP = "choose 'Plugins > hsi-geo > Set up hsi-geo...' in QGIS (without a window: qgis_process run hsi_geo:setup)"


@dataclass(frozen=True)
class Launcher:
    """Command that starts hsi-geo.

    Attributes:
        command: Program and first arguments.
        origin: Setting or variable that names it, for messages.
    """

    command: tuple[str, ...]
    origin: str

    @property
    def program(self) -> str:
        """The file that is run."""
        return self.command[0]


class LauncherError(Exception):
    """hsi-geo cannot be found; the message shows what to do."""


def find_launcher(setting: str, environ: Mapping[str, str]) -> Launcher:
    """Find hsi-geo: the setting first, then the variable, then the PATH.

    Args:
        setting: Path of a Python, of the folder of an environment, or of hsi-geo; may be empty.
        environ: Environment variables.

    Returns:
        The command. Whether the package works is not checked.

    Raises:
        LauncherError: If the named file does not exist, or there is no name and no hsi-geo on the PATH.
    """
    named = ((setting, "the provider's setting"), (environ.get(VARIABLE, ""), f"${VARIABLE}"))
    for given, origin in named:
        path = given.strip().strip('"')
        if path:
            return Launcher(_command(path, origin), origin)
    found = shutil.which("hsi-geo", path=environ.get("PATH"))
    if found is None:
        raise LauncherError(
            f"hsi-geo is not set up: no Python is named in the provider's setting or ${VARIABLE}, "
            f"and there is no hsi-geo on the PATH; {SET_UP}"
        )
    return Launcher(_beside(found), "the PATH")


def _command(path: str, origin: str) -> tuple[str, ...]:
    if os.path.isdir(path):
        inside = python_in(path)
        if inside:
            return _isolated(inside)
        raise LauncherError(
            f"folder '{path}' of {origin} holds no Python; choose the folder of an environment that hsi-geo is "
            f"installed in, or {SET_UP}"
        )
    if not os.path.isfile(path):
        raise LauncherError(f"Python '{path}' of {origin} does not exist; {SET_UP}")
    name = os.path.basename(path).lower()
    return _beside(path) if name.startswith("hsi-geo") else _isolated(path)


def _isolated(python: str) -> tuple[str, ...]:
    """-I: QGIS sets PYTHONHOME and PYTHONPATH for its own Python."""
    return (python, "-I", "-m", "hsi_geo")


def _beside(script: str) -> tuple[str, ...]:
    """The Python of the environment that an installed hsi-geo belongs to, or the script itself."""
    folder = os.path.dirname(os.path.realpath(script))
    for name in ("python", "python3", "python.exe", os.path.join("..", "python.exe")):
        python = os.path.normpath(os.path.join(folder, name))
        if os.path.isfile(python):
            return _isolated(python)
    return (script,)
