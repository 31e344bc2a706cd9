"""Pythons on this computer that an environment for hsi-geo can be made with."""

from __future__ import annotations

import glob
import json
import ntpath
import os
import posixpath
import re
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

#: The lowest version that hsi-geo runs on, and the newest that it is tested on.
LOWEST = (3, 12)
NEWEST_TESTED = (3, 14)

#: Where a Python lies in an environment's folder: venv and conda, on every system.
IN_ENVIRONMENT = ("bin/python", "bin/python3", "Scripts/python.exe", "python.exe")

#: Prints what `Python` holds, as JSON. It runs on every version of Python.
PROBE = """
import json, os, struct, sys
try:
    import ensurepip, venv
    complete = True
except ImportError:
    complete = False
print(json.dumps({
    "version": list(sys.version_info[:3]),
    "bits": 8 * struct.calcsize("P"),
    "complete": complete,
    "own": sys.prefix != getattr(sys, "base_prefix", sys.prefix)
    or os.path.isdir(os.path.join(sys.prefix, "conda-meta")),
}))
"""

#: How to get a Python, by the begin of `sys.platform`.
SOURCES = {
    "win": "install Python 3.13 (64-bit) from https://www.python.org/downloads/windows/, or with "
    "'winget install Python.Python.3.13'; no administrator's rights are needed",
    "darwin": "install Python 3.13 from https://www.python.org/downloads/macos/, or with "
    "'brew install python@3.13'",
    "linux": "install it with the package manager: 'sudo apt install python3.12-venv' (Ubuntu 24.04), "
    "'sudo apt install python3-venv' (Debian 13), 'sudo dnf install python3.12' (Fedora), "
    "'sudo zypper install python312' (openSUSE); without administrator's rights, install uv "
    "(https://docs.astral.sh/uv/) and run 'uv python install 3.13', or install Miniforge "
    "(https://conda-forge.org/download/)",
}

#: Folders of Pythons, as patterns below the home folder, for Linux and macOS.
_BELOW_HOME = (
    ".pyenv/versions/*/bin/python3",
    ".local/share/uv/python/*/bin/python3",
    ".local/share/mise/installs/python/*/bin/python3",
    ".asdf/installs/python/*/bin/python3",
    ".local/bin/python3.*",
    *(
        pattern
        for name in ("miniconda3", "miniforge3", "mambaforge", "anaconda3", "micromamba")
        for pattern in (f"{name}/bin/python3", f"{name}/envs/*/bin/python3")
    ),
)

#: The same for all users.
_FOR_ALL = (
    "/usr/bin/python3.*",
    "/usr/bin/python3",
    "/usr/local/bin/python3.*",
    "/usr/local/bin/python3",
    "/opt/homebrew/bin/python3.*",
    "/opt/homebrew/opt/python@3.*/bin/python3.*",
    "/home/linuxbrew/.linuxbrew/bin/python3.*",
    "/Library/Frameworks/Python.framework/Versions/3.*/bin/python3",
    "/opt/local/bin/python3.*",
    "/opt/*/bin/python3",
    "/opt/python/*/bin/python3",
)

#: The same on Windows, below the folder in a variable.
_WINDOWS = (
    ("LOCALAPPDATA", "Programs/Python/Python3*/python.exe"),
    ("LOCALAPPDATA", "Python/pythoncore-3*/python.exe"),
    ("LOCALAPPDATA", "miniconda3/python.exe"),
    ("LOCALAPPDATA", "miniforge3/python.exe"),
    ("APPDATA", "uv/python/*/python.exe"),
    ("ProgramFiles", "Python3*/python.exe"),
    ("ProgramData", "miniconda3/python.exe"),
    ("ProgramData", "miniforge3/python.exe"),
    ("ProgramData", "anaconda3/python.exe"),
    ("SystemDrive", "/Python3*/python.exe"),
    ("USERPROFILE", ".pyenv/pyenv-win/versions/*/python.exe"),
    ("USERPROFILE", "miniconda3/python.exe"),
    ("USERPROFILE", "miniforge3/python.exe"),
    ("USERPROFILE", "anaconda3/python.exe"),
)

#: A program that may be a Python: no python3-config and the like.
_PROGRAM = re.compile(r"python(3(\.\d+)?)?(\.exe)?$", re.IGNORECASE)


@dataclass(frozen=True)
class Python:
    """A Python, as it describes itself.

    Attributes:
        path: Path of the program.
        version: Its version, such as (3, 12, 1).
        bits: 64 or 32.
        complete: Whether it can make environments with pip. Debian's needs the package python3-venv.
        own: Whether it belongs to an environment, not to the system.
    """

    path: str
    version: tuple[int, ...]
    bits: int = 64
    complete: bool = True
    own: bool = False

    @property
    def version_text(self) -> str:
        """The version as text.

        >>> Python("/usr/bin/python3", (3, 12, 1)).version_text
        '3.12.1'
        """
        return ".".join(map(str, self.version))

    def obstacle(self) -> str:
        """Why no environment can be made with it; empty if one can.

        >>> Python("/usr/bin/python3", (3, 11, 2)).obstacle()
        'it is Python 3.11.2, and hsi-geo needs 3.12 or newer'
        """
        if self.version[:2] < LOWEST:
            lowest = ".".join(map(str, LOWEST))
            return f"it is Python {self.version_text}, and hsi-geo needs {lowest} or newer"
        if self.bits != 64:
            return f"it is a {self.bits}-bit Python, and hsi-geo needs a 64-bit one"
        if not self.complete:
            name = ".".join(map(str, self.version[:2]))
            return (
                "it lacks the modules venv and ensurepip (on Debian and Ubuntu they are installed with "
                f"'sudo apt install python{name}-venv')"
            )
        return ""


def parse_probe(path: str, output: str) -> Python | None:
    """What a program answered to `PROBE`.

    Args:
        path: Path of the program.
        output: What it printed.

    Returns:
        The Python; None if the answer is none of a Python.

    >>> parse_probe("python", '{"version": [3, 13, 0], "bits": 64, "complete": true, "own": false}').version
    (3, 13, 0)
    """
    try:
        found = json.loads(output.strip().splitlines()[-1])
        version = tuple(int(part) for part in found["version"])
        return Python(
            path, version, int(found["bits"]), bool(found["complete"]), bool(found["own"])
        )
    except (ValueError, KeyError, TypeError, IndexError):
        return None


def best_first(pythons: Iterable[Python]) -> list[Python]:
    """Those that an environment can be made with: tested versions first, each from the lowest.

    The lowest version has the most wheels; an environment is the last choice, since it may be deleted.

    Args:
        pythons: The Pythons.
    """
    fit = [python for python in pythons if not python.obstacle()]
    return sorted(fit, key=lambda p: (p.version[:2] > NEWEST_TESTED, p.own, p.version[:2]))


def candidates(environ: Mapping[str, str], own_root: str = "", system: str = "") -> list[str]:
    """Paths of programs that may be a Python 3.12 or newer; none is started here.

    Args:
        environ: Environment variables.
        own_root: Folder of QGIS where QGIS brings its own Python, which is left out; may be empty.
        system: Begin of `sys.platform`; this system if empty.

    Returns:
        Paths, each file once.
    """
    system = system or sys.platform
    windows = system.startswith("win")
    found = list(_on_path(environ, windows))
    if windows:
        found += _registered()
        for variable, pattern in _WINDOWS:
            if environ.get(variable):
                found += _newest_first(ntpath.join(environ[variable], *pattern.split("/")))
    else:
        home = environ.get("HOME") or os.path.expanduser("~")
        uv = environ.get("UV_PYTHON_INSTALL_DIR")
        pyenv = environ.get("PYENV_ROOT")
        patterns = [
            *([posixpath.join(uv, "*/bin/python3")] if uv else []),
            *([posixpath.join(pyenv, "versions/*/bin/python3")] if pyenv else []),
            *(posixpath.join(home, pattern) for pattern in _BELOW_HOME),
            *_FOR_ALL,
        ]
        for pattern in patterns:
            found += _newest_first(pattern)
    found += _conda_environments(environ)
    unique: dict[str, str] = {}
    for path in found:
        real = os.path.realpath(path)
        if os.path.isfile(path) and not _too_old(path) and not _below(real, own_root):
            # A venv's program is a link to that of its base: they differ by their folders.
            unique.setdefault(_key(path, real), path)
    return list(unique.values())


def python_in(path: str) -> str:
    """The Python that a user means: a program, or the folder of an environment.

    Args:
        path: Path of either, maybe with quotation marks.

    Returns:
        Path of the program; empty if the folder has none.
    """
    path = path.strip().strip('"')
    if not os.path.isdir(path):
        return path
    for name in IN_ENVIRONMENT:
        program = os.path.join(path, *name.split("/"))
        if os.path.isfile(program):
            return program
    return ""


def where_to_get(system: str = "") -> str:
    """How to get a Python, in one sentence.

    Args:
        system: As in `candidates`.
    """
    system = system or sys.platform
    return next((text for key, text in SOURCES.items() if system.startswith(key)), SOURCES["linux"])


def _on_path(environ: Mapping[str, str], windows: bool) -> Iterable[str]:
    for folder in environ.get("PATH", "").split(os.pathsep):
        # The programs of that folder are no Pythons, but open Microsoft's shop.
        if not folder or (windows and folder.lower().rstrip("\\/").endswith("windowsapps")):
            continue
        try:
            names = sorted(os.listdir(folder), reverse=True)
        except OSError:
            continue
        yield from (os.path.join(folder, name) for name in names if _PROGRAM.match(name))


def _newest_first(pattern: str) -> list[str]:
    return [
        p for p in sorted(glob.glob(pattern), reverse=True) if _PROGRAM.match(os.path.basename(p))
    ]


def _registered() -> list[str]:
    """Pythons in the registry of Windows (PEP 514), which the launcher `py` reads, too."""
    try:
        import winreg as registry
    except ImportError:
        return []
    return _of_registry(registry)


def _of_registry(registry: Any) -> list[str]:
    """Program of each Python of each company, of the user and of the computer."""
    found: list[str] = []
    for root in (registry.HKEY_CURRENT_USER, registry.HKEY_LOCAL_MACHINE):
        for company in _subkeys(registry, root, r"SOFTWARE\Python"):
            for tag in _subkeys(registry, root, rf"SOFTWARE\Python\{company}"):
                key = rf"SOFTWARE\Python\{company}\{tag}\InstallPath"
                program = _value(registry, root, key, "ExecutablePath")
                folder = _value(registry, root, key, "")
                if program or folder:
                    found.append(program or ntpath.join(folder, "python.exe"))
    return found


def _subkeys(registry: Any, root: Any, path: str) -> list[str]:
    names: list[str] = []
    try:
        with registry.OpenKey(root, path) as key:
            while True:
                names.append(registry.EnumKey(key, len(names)))
    except OSError:  # also at the end of the list
        return names


def _value(registry: Any, root: Any, path: str, name: str) -> str:
    try:
        with registry.OpenKey(root, path) as key:
            return str(registry.QueryValueEx(key, name)[0])
    except OSError:
        return ""


def _conda_environments(environ: Mapping[str, str]) -> list[str]:
    """Pythons of the environments that conda lists, and of the active one."""
    home = environ.get("HOME") or environ.get("USERPROFILE") or ""
    folders = [environ.get("CONDA_PREFIX", "")]
    try:
        with open(os.path.join(home, ".conda", "environments.txt"), encoding="utf-8") as file:
            folders += [line.strip() for line in file]
    except (OSError, UnicodeDecodeError):
        pass
    return [python_in(folder) for folder in folders if folder and os.path.isdir(folder)]


def _too_old(path: str) -> bool:
    """Whether the name says that it is too old; many are, and starting each takes time."""
    for text in (os.path.basename(path), os.path.basename(os.path.realpath(path))):
        named = re.match(r"python(\d)\.(\d+)", text)
        if named:
            return (int(named[1]), int(named[2])) < LOWEST
    return False


def _below(path: str, folder: str) -> bool:
    if not folder:
        return False
    folder = os.path.normcase(os.path.realpath(folder))
    return os.path.normcase(path).startswith(folder.rstrip("\\/") + os.sep)


def _key(path: str, real: str) -> str:
    beside = os.path.join(os.path.dirname(os.path.dirname(path)), "pyvenv.cfg")
    return os.path.dirname(path) if os.path.isfile(beside) else real
