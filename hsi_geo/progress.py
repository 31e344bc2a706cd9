"""Reporters: receivers of a job's progress, messages and warnings."""

from __future__ import annotations

import logging
from typing import Protocol

_logger = logging.getLogger("hsi_geo")


class Reporter(Protocol):
    """Receives progress, messages and warnings of a job.

    The command line shows them. QGIS and scripts read them as JSON.
    """

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report progress; called often.

        Args:
            stage: Name of the stage, such as "Mapping"; see `hsi_geo.stages`.
            done: Number of steps of the stage that are done.
            total: Number of all steps of the stage.
        """

    def log(self, message: str) -> None:
        """Report a fact worth knowing.

        Args:
            message: A sentence without a full stop.
        """

    def warning(self, message: str) -> None:
        """Report a fact that may make the result worse than it looks.

        Args:
            message: A sentence without a full stop.
        """


class LoggingReporter:
    """Sends messages to Python's logging and ignores progress; the default of the library."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignore it."""

    def log(self, message: str) -> None:
        """Send a message to the logger ``hsi_geo``, level INFO."""
        _logger.info(message)

    def warning(self, message: str) -> None:
        """Send a warning to the logger ``hsi_geo``, level WARNING."""
        _logger.warning(message)


class SilentReporter:
    """Ignores everything: for jobs inside other jobs, and for all processes but the first."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignore it."""

    def log(self, message: str) -> None:
        """Ignore it."""

    def warning(self, message: str) -> None:
        """Ignore it."""


class WarningRecorder:
    """Forwards everything to another reporter and records the warnings.

    Repeated messages are forwarded once: several steps of a job may send the same message.

    Args:
        reporter: Receives everything.

    Attributes:
        reporter: The reporter that receives everything.
        warnings: Warnings in the order of their first occurrence, each once.

    Example:
        >>> recorder = WarningRecorder(SilentReporter())
        >>> recorder.warning("bands are missing")
        >>> recorder.warnings
        ['bands are missing']
    """

    def __init__(self, reporter: Reporter) -> None:
        self.reporter = reporter
        self.warnings: list[str] = []
        self._messages: set[str] = set()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Forward it."""
        self.reporter.progress(stage, done, total)

    def log(self, message: str) -> None:
        """Forward a message, unless the same one was forwarded before."""
        if message not in self._messages:
            self._messages.add(message)
            self.reporter.log(message)

    def warning(self, message: str) -> None:
        """Forward and record it."""
        self.reporter.warning(message)
        if message not in self.warnings:
            self.warnings.append(message)
