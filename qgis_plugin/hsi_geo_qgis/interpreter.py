"""Find the Python that starts hsi-geo."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass

#: Key of the provider's setting in QGIS's settings, and the variable that comes next.
SETTING = "hsi_geo/python"
VARIABLE = "HSI_GEO_PYTHON"

#: Where a Python lies in an environment's folder: venv and conda, on every system.
_PYTHONS = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")

INSTALL = (
    "make an environment (python3.12 -m venv hsi-geo-env; on Windows: py -3.12 -m venv hsi-geo-env), "
    "install hsi-geo into it (hsi-geo-env/bin/python -m pip install hsi-geo; on Windows: "
    "hsi-geo-env\\Scripts\\python -m pip install hsi-geo), and run 'Check environment' with its Python"
)


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
            f"and there is no hsi-geo on the PATH; {INSTALL}"
        )
    return Launcher(_beside(found), "the PATH")


def _command(path: str, origin: str) -> tuple[str, ...]:
    if os.path.isdir(path):
        pythons = [os.path.join(path, *name.split("/")) for name in _PYTHONS]
        inside = [python for python in pythons if os.path.isfile(python)]
        if inside:
            return _isolated(inside[0])
        raise LauncherError(f"folder '{path}' of {origin} holds no Python; {INSTALL}")
    if not os.path.isfile(path):
        raise LauncherError(f"Python '{path}' of {origin} does not exist; {INSTALL}")
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
