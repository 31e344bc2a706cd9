"""Programs that a set-up starts, and the Pythons that it finds."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from qgis.PyQt.QtCore import QProcess, QProcessEnvironment

from .pythons import PROBE, Python, best_first, candidates, parse_probe, where_to_get
from .set_up_plan import Options, variables

#: Makes a command the first of a group of processes, so that cancelling ends what it has started, too.
_GROUP = "import os, sys; os.setsid(); os.execv(sys.argv[1], sys.argv[1:])"


class SetUpError(Exception):
    """The set-up failed; the message is one sentence on why, and what to do."""


class SetUpCancelled(SetUpError):
    """The user cancelled."""


def probe(path: str) -> Python | None:
    """Start a program and ask for its version.

    Args:
        path: Path of the program.

    Returns:
        The Python; None if it is none.
    """
    process = QProcess()
    process.setProcessEnvironment(process_environment(variables(os.environ, Options(path), "", "")))
    process.start(path, ["-I", "-c", PROBE])
    process.closeWriteChannel()
    if not process.waitForStarted(10_000) or not process.waitForFinished(20_000):
        process.kill()
        process.waitForFinished(2_000)
        return None
    return parse_probe(path, process.readAllStandardOutput().data().decode("utf-8", "replace"))


def find_pythons(is_cancelled: Callable[[], bool] = lambda: False) -> list[Python]:
    """Pythons of this computer that an environment can be made with, best first.

    Args:
        is_cancelled: Whether to stop.
    """
    # QGIS for Windows and macOS brings its own Python, which an update of QGIS replaces.
    own_root = "" if sys.platform.startswith("linux") else sys.prefix
    found = []
    for path in candidates(os.environ, own_root):
        if is_cancelled():
            break
        python = probe(path)
        if python is not None:
            found.append(python)
    return best_first(found)


def choose_python(path: str = "") -> Python:
    """The Python for the environment: the given one, else the best of the computer.

    Args:
        path: Path of a Python; may be empty.

    Raises:
        SetUpError: If there is none, or no environment can be made with it.
    """
    if not path:
        pythons = find_pythons()
        if not pythons:
            raise SetUpError(f"no Python 3.12 or newer was found; {where_to_get()}")
        return pythons[0]
    python = probe(path)
    if python is None:
        raise SetUpError(f"'{path}' is no Python that can be started; choose another one")
    if python.obstacle():
        raise SetUpError(
            f"'{path}' cannot be used: {python.obstacle()}; choose another one, or none to let one be found"
        )
    return python


def process_environment(given: Mapping[str, str]) -> QProcessEnvironment:
    """Environment variables for a process.

    Args:
        given: Value by name; there are no others.
    """
    found = QProcessEnvironment()
    for name, value in given.items():
        found.insert(name, value)
    return found


def grouped(command: Sequence[str]) -> list[str]:
    """A command whose processes `end` can end together.

    Args:
        command: Program, which is a Python, and arguments.
    """
    if sys.platform.startswith("win"):
        return list(command)
    return [command[0], "-I", "-c", _GROUP, *command]


def end(process: QProcess) -> None:
    """End a process and what it has started.

    Args:
        process: A process of a `grouped` command.
    """
    number = int(process.processId())
    if sys.platform.startswith("win"):
        QProcess.execute("taskkill", ["/T", "/F", "/PID", str(number)])
    else:
        with suppress(ProcessLookupError, PermissionError):  # it has ended, or is not yet a group
            os.killpg(number, signal.SIGKILL)
    process.kill()
    process.waitForFinished(5_000)
