"""Make, update and remove the environment of hsi-geo in QGIS's profile. Nothing enters QGIS's Python."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Sequence
from datetime import datetime

from qgis.core import QgsApplication, QgsSettings
from qgis.PyQt.QtCore import QLockFile, QProcess

from . import set_up_plan as plan
from .about import VERSION
from .interpreter import SETTING
from .protocol import LineBuffer
from .set_up_failures import explain_failure
from .set_up_processes import (
    SetUpCancelled,
    SetUpError,
    choose_python,
    end,
    grouped,
    process_environment,
)

#: Seconds between two looks at the size of what was installed.
MEASURE_S = 2.0

#: Lines of a command's output that are kept for the message of a failure.
KEPT_LINES = 200


def profile_folder() -> str:
    """Folder of hsi-geo in QGIS's profile."""
    return os.path.join(os.path.normpath(QgsApplication.qgisSettingsDirPath()), "hsi_geo")


def environment_folder() -> str:
    """Folder of the environment; it may not exist."""
    return os.path.join(profile_folder(), plan.ENVIRONMENT)


def update_available() -> bool:
    """Whether there is an environment that another wheel than the plugin's was installed into."""
    installed, wheel = plan.read_state(environment_folder()), plan.carried_wheel()
    return bool(installed and wheel) and plan.state_of_wheel(wheel) != installed


class SetUp:
    """One set-up, update or removal. It may run in any thread.

    Args:
        on_line: Receives each line of the log.
        on_progress: Receives per cent of the whole, and what is being done.
        is_cancelled: Whether to stop.
        folder: Folder of hsi-geo in the profile.
    """

    def __init__(
        self,
        on_line: Callable[[str], None],
        on_progress: Callable[[float, str], None],
        is_cancelled: Callable[[], bool],
        folder: str = "",
    ) -> None:
        self.folder = folder or profile_folder()
        self.environment = os.path.join(self.folder, plan.ENVIRONMENT)
        self._on_line, self._on_progress, self._is_cancelled = on_line, on_progress, is_cancelled
        self._temporary = os.path.join(self.folder, plan.TEMPORARY)
        self._cache = os.path.join(self.folder, plan.DOWNLOADS)
        self._log = os.path.join(self.folder, plan.LOG)
        self._reached = 0.0

    def install(self, options: plan.Options, wheel: str = "") -> str:
        """Make the environment, or update the one that is there.

        Args:
            options: Choices of the user.
            wheel: Path of the wheel; the plugin's if empty.

        Returns:
            Path of the environment's Python.

        Raises:
            SetUpError: If it failed or was cancelled. A half-made environment is removed.
        """
        wheel = wheel or plan.carried_wheel()
        if not wheel:
            raise SetUpError(
                "this plugin carries no wheel of hsi-geo; install the plugin from its ZIP file "
                "(make plugin builds it in a checkout)"
            )
        lock = self._lock()
        try:
            with open(self._log, "w", encoding="utf-8") as log:
                self._write = log
                return self._install(options, wheel)
        finally:
            lock.unlock()

    def remove(self) -> None:
        """Delete the environment, and what was downloaded for it.

        Raises:
            SetUpError: If files are in use.
        """
        lock = self._lock()
        try:
            for folder in (self.environment, self._temporary, self._cache):
                _delete(folder)
        finally:
            lock.unlock()

    def _lock(self) -> QLockFile:
        os.makedirs(self.folder, exist_ok=True)
        lock = QLockFile(os.path.join(self.folder, plan.LOCK))
        lock.setStaleLockTime(0)
        if not lock.tryLock(0):
            raise SetUpError(
                "another QGIS window is setting hsi-geo up in this profile; wait until it is done"
            )
        return lock

    def _install(self, options: plan.Options, wheel: str) -> str:
        wanted, installed = plan.state_of_wheel(wheel), plan.read_state(self.environment)
        self._line(f"{datetime.now():%Y-%m-%d %H:%M}, plugin {VERSION}, {os.path.basename(wheel)}")
        python = plan.python_of(self.environment)
        works = installed is not None and self._works()
        if works and installed == wanted:
            self._line(f"hsi-geo {wanted.version} is set up already in {self.environment}")
            self._on_progress(100.0, "hsi-geo is set up already")
            return python
        if not works:
            self._check_before(options)
        try:
            os.makedirs(self._temporary, exist_ok=True)
            for step in plan.steps(options, self.environment, wheel, update=works):
                self._run(step, options)
        except SetUpError as error:
            raise self._undo(error, works) from error
        except OSError as error:
            raise self._undo(SetUpError(f"{error}; read the log"), works) from error
        plan.write_state(self.environment, wanted)
        _delete(self._temporary)
        _delete(self._cache)
        self._line(f"hsi-geo {wanted.version} is ready in {self.environment}")
        return python

    def _check_before(self, options: plan.Options) -> None:
        python = choose_python(options.python)
        self._line(f"Python {python.version_text}: {python.path}")
        if options.wheels:
            if not os.path.isdir(options.wheels):
                raise SetUpError(
                    f"folder of wheels '{options.wheels}' does not exist; choose another one"
                )
            return
        needed, free = plan.size_of(options.torch).needed, shutil.disk_usage(self.folder).free
        if free < needed:
            raise SetUpError(
                f"{plan.bytes_text(needed)} must be free on the disk of '{self.folder}', and "
                f"{plan.bytes_text(free)} are; free some space, then set up again"
            )

    def _undo(self, error: SetUpError, update: bool) -> SetUpError:
        """Remove what is half made; the error with what is left."""
        _delete(self._temporary)
        kept = update and self._works()
        if not kept:
            _delete(self.environment)
        left = "the environment is as before" if kept else "the half-made environment was removed"
        self._line(f"{error}; {left}")
        return type(error)(f"{error}; {left}")

    def _works(self) -> bool:
        step = plan.steps(plan.Options(""), self.environment, "")[-1]
        process = QProcess()
        process.setProcessEnvironment(
            process_environment(plan.variables(os.environ, plan.Options(""), "", ""))
        )
        process.start(step.command[0], list(step.command[1:]))
        process.closeWriteChannel()
        finished = process.waitForFinished(120_000)
        process.kill()
        return bool(finished) and process.exitCode() == 0

    def _run(self, step: plan.Step, options: plan.Options) -> None:
        """Run a command to its end, and show how far it is."""
        self._refuse_if_cancelled()
        begin = self._reached
        self._show(begin, step.title)
        self._line(f"> {' '.join(step.command)}")
        given = plan.variables(os.environ, options, self._temporary, self._cache)
        process = QProcess()
        process.setProcessChannelMode(QProcess.ProcessChannelMode.MergedChannels)
        process.setProcessEnvironment(process_environment(given))
        command = grouped(step.command)
        process.start(command[0], command[1:])
        process.closeWriteChannel()
        if not process.waitForStarted(30_000):
            raise SetUpError(f"'{step.command[0]}' cannot be started; choose another Python")
        buffer, lines = LineBuffer(), [""]
        meter = _Meter(self._temporary, self.environment, options, begin, step.end)
        while process.state() != QProcess.ProcessState.NotRunning:
            if self._is_cancelled():
                end(process)
                raise SetUpCancelled("cancelled")
            process.waitForReadyRead(200)
            lines = self._take(process, buffer, lines)
            if len(step.command) > 4 and step.command[3] == "pip":
                self._show(*meter.look(step.title))
        lines = self._take(process, buffer, lines)
        for line in buffer.flush():
            self._line(line)
            lines.append(line)
        if process.exitStatus() == QProcess.ExitStatus.CrashExit:
            raise SetUpError(f"{step.title}: the system ended the command; read the log")
        if process.exitCode():
            raise SetUpError(explain_failure(lines, process.exitCode(), step.elsewhere))
        self._show(step.end, step.title)

    def _take(self, process: QProcess, buffer: LineBuffer, lines: Sequence[str]) -> list[str]:
        new = buffer.feed(process.readAll().data())
        for line in new:
            self._line(line)
        return [*lines, *new][-KEPT_LINES:]

    def _line(self, line: str) -> None:
        line = plan.without_passwords(line)
        self._write.write(line + "\n")
        self._write.flush()
        self._on_line(line)

    def _show(self, percent: float, text: str) -> None:
        self._reached = max(self._reached, percent)
        self._on_progress(self._reached, text)

    def _refuse_if_cancelled(self) -> None:
        if self._is_cancelled():
            raise SetUpCancelled("cancelled")


class _Meter:
    """How far pip is, from the sizes of what it has downloaded and installed."""

    def __init__(
        self, temporary: str, environment: str, options: plan.Options, begin: float, end: float
    ) -> None:
        self.temporary, self.environment = temporary, environment
        self.size = plan.size_of(options.torch)
        self.local = bool(options.wheels)
        self.begin, self.end = begin, end
        self.installed_before = _folder_size(environment)
        self.downloaded, self.started, self.measured = 0.0, time.monotonic(), 0.0
        self.shown = (begin, "")

    def look(self, title: str) -> tuple[float, str]:
        """Per cent of the whole, and what is being done with the time left.

        Args:
            title: What is being done.
        """
        now = time.monotonic()
        if self.shown[1] and now - self.measured < MEASURE_S:
            return self.shown
        self.measured = now
        self.downloaded = max(self.downloaded, _folder_size(self.temporary))
        installed = max(0.0, _folder_size(self.environment) - self.installed_before)
        got = min(1.0, self.downloaded / self.size.download)
        done = min(1.0, installed / self.size.disk)
        share = done if self.local else max(0.6 * got + 0.4 * done, done)
        text = title
        if not self.local and installed < 5e6 and self.downloaded:
            text += (
                f": {plan.bytes_text(self.downloaded)} of about "
                f"{plan.bytes_text(self.size.download)} downloaded"
            )
        elapsed = now - self.started
        if elapsed > 10 and share > 0.03:
            text += f", {_minutes(elapsed * (1 - share) / share)} left"
        self.shown = (self.begin + share * (self.end - self.begin), text)
        return self.shown


def remember(python: str) -> None:
    """Let all algorithms use a Python; call on the main thread.

    Args:
        python: Its path; empty to forget the one of the environment.
    """
    settings = QgsSettings()
    if python:
        settings.setValue(SETTING, python)
    elif str(settings.value(SETTING, "") or "").startswith(environment_folder()):
        settings.remove(SETTING)


def _delete(folder: str) -> None:
    """Delete a folder whole: it is moved away first, which fails if a file of it is in use on Windows."""
    if not os.path.lexists(folder):
        return
    away = f"{folder}.deleted-{os.getpid()}"
    shutil.rmtree(away, ignore_errors=True)
    try:
        os.rename(folder, away)
    except OSError as error:
        raise SetUpError(
            f"'{folder}' cannot be deleted ({error.strerror}); end running hsi-geo jobs and other QGIS "
            "windows, then try again"
        ) from error
    shutil.rmtree(away, ignore_errors=True)


def _folder_size(folder: str) -> float:
    total = 0.0
    for path, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(path, name)).st_size
            except OSError:  # deleted meanwhile
                continue
    return total


def _minutes(seconds: float) -> str:
    return (
        f"about {seconds / 60:.0f} min"
        if seconds > 90
        else f"about {max(5, round(seconds, -1)):.0f} s"
    )
