"""How a long job tells what it does: three kinds of news, received by whoever runs it."""

from __future__ import annotations

import logging
from typing import Protocol

_logger = logging.getLogger("hsi_geo")


class Reporter(Protocol):
    """Receives a job's news. The command line shows them; QGIS and scripts read them as JSON."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """``done`` of ``total`` steps of a stage are through; called often."""

    def log(self, message: str) -> None:
        """Something worth knowing happened."""

    def warning(self, message: str) -> None:
        """Something happened that may make the result worse than it looks."""


class LoggingReporter:
    """The library's default: messages go to Python's logging, progress nowhere."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def log(self, message: str) -> None:
        """To the logger ``hsi_geo``, level INFO."""
        _logger.info(message)

    def warning(self, message: str) -> None:
        """To the logger ``hsi_geo``, level WARNING."""
        _logger.warning(message)


class SilentReporter:
    """Tells nobody: for jobs inside of others, and for all processes but the first."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignored."""

    def log(self, message: str) -> None:
        """Ignored."""

    def warning(self, message: str) -> None:
        """Ignored."""


class WarningRecorder:
    """A reporter that passes everything on and remembers the warnings.

    A note is passed on once: the steps of a job note the same thing, such as how threads wait.

    Attributes:
        warnings: In their order, each once.
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.warnings: list[str] = []
        self._notes: set[str] = set()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Passed on."""
        self.reporter.progress(stage, done, total)

    def log(self, message: str) -> None:
        """Passed on, unless the same message was before."""
        if message not in self._notes:
            self._notes.add(message)
            self.reporter.log(message)

    def warning(self, message: str) -> None:
        """Passed on and remembered."""
        self.reporter.warning(message)
        if message not in self.warnings:
            self.warnings.append(message)
