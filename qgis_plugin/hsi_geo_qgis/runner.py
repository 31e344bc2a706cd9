"""Run hsi-geo in a process, and pass its events on to QGIS's feedback."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from typing import Any

from qgis.core import (
    Qgis,
    QgsBlockingProcess,
    QgsMessageLog,
    QgsProcessingException,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsSettings,
)
from qgis.PyQt.QtCore import QByteArray, QProcess

from .interpreter import SETTING, Launcher, LauncherError, find_launcher
from .protocol import (
    VERSION,
    LineBuffer,
    ProgressBar,
    StageText,
    failure,
    parse_event,
)
from .wording import Titles, in_dialog, without_folder

#: What a cancelled run has left, unless its algorithm says something else.
NOTHING_KEPT = "nothing was written"

#: Lines of plain output that are kept for the message of a failure.
KEPT_LINES = 20

#: Tab of QGIS's log messages.
LOG_TAB = "hsi-geo"

#: Setting of `shows_commands`.
SHOW_COMMANDS = "hsi_geo/show_commands"

#: The log is HTML, which shows several blanks as one.
_COLUMN_GAP = re.compile(" {2,}")


def launcher(python: str = "") -> Launcher:
    """Find the command that starts hsi-geo.

    Args:
        python: Path of a Python, used instead of the provider's setting if it is not empty.

    Raises:
        LauncherError: If it cannot be found.
    """
    setting = python or str(QgsSettings().value(SETTING, "") or "")
    return find_launcher(setting, os.environ)


class Run:
    """One run of a command.

    Args:
        found: Command that starts hsi-geo.
        feedback: Receives progress and messages; its cancelling ends the run.
        bar: Converts progress events to per cent.
        titles: Title of each parameter by its option, for messages that name an option.
        known: Names of files; a warning that holds all names of one entry was shown before.
        names: What users call a file by its path, for messages that name the file.
        kept: What the run leaves if it is cancelled, for the message.

    Attributes:
        result: The last result event.
        results: All of them: a run that writes several maps gives one for each.
        output: Lines on stdout.
        exit_code: Exit code of the process; -1 if it crashed.
        has_failed: Whether it failed after it gave a result, such as for some of many tiles.
    """

    def __init__(
        self,
        found: Launcher,
        feedback: QgsProcessingFeedback,
        bar: ProgressBar | None = None,
        titles: Titles | None = None,
        known: Sequence[tuple[str, ...]] = (),
        names: Mapping[str, str] | None = None,
        kept: str = NOTHING_KEPT,
    ) -> None:
        self.found, self.feedback, self.titles, self.known = found, feedback, titles, known
        self.kept = kept
        self.names = names or {}
        self.bar = bar or ProgressBar({})
        self.result: dict[str, Any] = {}
        self.results: list[dict[str, Any]] = []
        self.output: list[str] = []
        self.exit_code = 0
        self.has_failed = False
        self._error: dict[str, Any] | None = None
        self._plain: list[str] = []
        self._text = StageText()
        self._stdout, self._stderr = LineBuffer(), LineBuffer()

    def start(
        self, arguments: list[str], exit_codes: tuple[int, ...] = (0,), *, partial: bool = False
    ) -> Run:
        """Run to the end.

        Args:
            arguments: Arguments of hsi-geo.
            exit_codes: Exit codes that are no failures.
            partial: Whether a failure after a result is left to the caller; see `has_failed`.

        Raises:
            QgsProcessingException: If it failed or was cancelled; the message is one sentence.
        """
        command = [*self.found.command, *arguments]
        if shows_commands():
            self.feedback.pushCommandInfo(" ".join(_quoted(part) for part in command))
        if self.feedback.isCanceled():  # a process would run to its end
            raise QgsProcessingException(f"cancelled; {NOTHING_KEPT}")
        process = QgsBlockingProcess(command[0], command[1:])
        # QGIS 3.22 keeps no reference: a bound method made for the call would be gone by its use.
        on_stdout, on_stderr = self._on_stdout, self._on_stderr
        process.setStdOutHandler(on_stdout)
        process.setStdErrHandler(on_stderr)
        self.exit_code = process.run(self.feedback)
        self.output += self._stdout.flush()
        for line in self._stderr.flush():
            self._handle(line)
        self._refuse_if_cancelled(process, exit_codes)
        if process.processError() == QProcess.ProcessError.FailedToStart:
            raise QgsProcessingException(
                f"'{self.found.program}' ({self.found.origin}) cannot be started; "
                "run 'Check environment' with the Python that hsi-geo is installed in"
            )
        if process.exitStatus() == QProcess.ExitStatus.CrashExit:
            self.exit_code = -1
        self.has_failed = self.exit_code not in exit_codes or self._error is not None
        if self.has_failed and not (partial and self.result and self._error is not None):
            raise QgsProcessingException(self.failure())
        return self

    def show_output(self, after: int = 0) -> None:
        """Show the output on stdout, in columns, in the log.

        Args:
            after: Number of paragraphs that are left out at the begin.
        """
        paragraphs = "\n".join(self.output).split("\n\n")[after:]
        for line in "\n\n".join(paragraphs).split("\n"):
            self.feedback.pushConsoleInfo(_COLUMN_GAP.sub(_unbroken, line))

    def failure(self) -> str:
        """One sentence on why it failed."""
        text = failure(
            self.exit_code, self._error, self._plain, self.found.program, self.titles, self.names
        )
        return without_folder(text, QgsProcessingUtils.tempFolder())

    def _refuse_if_cancelled(
        self, process: QgsBlockingProcess, exit_codes: tuple[int, ...]
    ) -> None:
        """Say what a cancelled run has left. One that was over by then is none."""
        if not self.feedback.isCanceled():
            return
        is_over = process.exitStatus() == QProcess.ExitStatus.NormalExit
        if self.result and is_over and self.exit_code in exit_codes:
            self.feedback.pushWarning("Cancelled when the run was over; its files stay.")
            return
        kept = self.kept
        if self.result and kept == NOTHING_KEPT:
            kept = "the files of the run were written already, and stay"
        raise QgsProcessingException(f"cancelled; {kept}")

    def _on_stdout(self, piece: QByteArray) -> None:
        self.output += self._stdout.feed(piece.data())

    def _on_stderr(self, piece: QByteArray) -> None:
        for line in self._stderr.feed(piece.data()):
            self._handle(line)

    def _handle(self, line: str) -> None:
        event = parse_event(line)
        if event is None:
            self._plain = [*self._plain, line][-KEPT_LINES:]
            self.feedback.pushConsoleInfo(line)
            return
        kind = event["type"]
        if event.get("v") != VERSION:
            self._error = {
                "message": f"this hsi-geo uses version {event.get('v')} of its protocol, the "
                f"plugin version {VERSION}",
                "hint": "update the older of the two",
            }
        elif kind == "progress":
            self._show(event)
        elif kind == "log":
            self.feedback.pushInfo(self._message(event))
        elif kind == "warning":
            message = self._message(event)
            if not any(all(name in message for name in names) for names in self.known):
                self.feedback.pushWarning(message)
        elif kind == "result":
            self.result = event
            self.results.append(event)
        elif kind == "error":
            self._error = event

    def _message(self, event: dict[str, Any]) -> str:
        text = in_dialog(str(event.get("message", "")), self.titles or {}, self.names)
        return without_folder(text, QgsProcessingUtils.tempFolder())

    def _show(self, event: dict[str, Any]) -> None:
        self.feedback.setProgress(self.bar.percent(event))
        text = self._text.update(event)
        if text:
            self.feedback.setProgressText(text)


def run_command(
    arguments: list[str],
    feedback: QgsProcessingFeedback,
    bar: ProgressBar,
    titles: Titles | None = None,
    known: Sequence[tuple[str, ...]] = (),
    names: Mapping[str, str] | None = None,
    *,
    partial: bool = False,
    kept: str = NOTHING_KEPT,
) -> Run:
    """Run a command with ``--progress jsonl``.

    Args:
        arguments: Arguments of hsi-geo, without ``--progress``.
        feedback: Receives progress and messages.
        bar: Converts progress events to per cent.
        titles: Title of each parameter by its option.
        known: Names of files in warnings that were shown before; see `Run`.
        names: What users call a file by its path; see `Run`.
        partial: Whether a failure after a result is left to the caller; see `Run.start`.
        kept: What the run leaves if it is cancelled; see `Run`.

    Raises:
        QgsProcessingException: If hsi-geo is not found, failed or was cancelled.
    """
    try:
        found = launcher()
    except LauncherError as error:
        raise QgsProcessingException(str(error)) from error
    name, *rest = arguments
    run = Run(found, feedback, bar, titles, known, names, kept)
    return run.start([name, "--progress", "jsonl", *rest], partial=partial)


def shows_commands() -> bool:
    """Whether the log shows the commands that are run: only where the user has chosen so, to look for a fault."""
    return bool(QgsSettings().value(SHOW_COMMANDS, False, type=bool))


def warn(message: str, feedback: QgsProcessingFeedback) -> None:
    """Show a warning in the log of the algorithm and in QGIS's own, which outlives the dialog."""
    feedback.pushWarning(message)
    QgsMessageLog.logMessage(message, LOG_TAB, Qgis.MessageLevel.Warning)


def _unbroken(gap: re.Match[str]) -> str:
    return "\N{NO-BREAK SPACE}" * len(gap[0])


def _quoted(part: str) -> str:
    return f'"{part}"' if " " in part else part
