"""Reporters: receivers of a job's progress, messages and warnings."""

from __future__ import annotations

import html
import logging
import sys
import time
from collections.abc import Sequence
from typing import Any, Protocol

from hsi_geo.option_words import python_words

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


def _in_utf8(message: str) -> str:
    """A message in which bytes of file names that are no text are escaped: a log cannot hold them."""
    return message.encode("utf-8", "backslashreplace").decode()


class LoggingReporter:
    """Sends messages to Python's logging and ignores progress; the default of the library."""

    def progress(self, stage: str, done: int, total: int) -> None:
        """Ignore it."""

    def log(self, message: str) -> None:
        """Send a message to the logger ``hsi_geo``, level INFO."""
        _logger.info(_in_utf8(python_words(message)))

    def warning(self, message: str) -> None:
        """Send a warning to the logger ``hsi_geo``, level WARNING."""
        _logger.warning(_in_utf8(python_words(message)))


class NotebookReporter(LoggingReporter):
    """Shows a bar for each stage below the cell of a notebook; messages go to Python's logging."""

    #: Seconds between two updates of a bar.
    INTERVAL_S = 0.2

    def __init__(self) -> None:
        self._clock = Clock()
        self._stage = ""
        self._shown: Any = None
        self._updated = 0.0

    def progress(self, stage: str, done: int, total: int) -> None:
        """Draw the bar of the stage."""
        from IPython.display import display  # every kernel of IPython has it

        left_s = self._clock.eta_s(stage, done, total)
        bundle = {
            "text/plain": progress_text(stage, done, total, left_s),
            "text/html": _progress_html(stage, done, total, left_s),
        }
        now = time.monotonic()
        if stage != self._stage or self._shown is None:
            self._stage, self._updated = stage, now
            self._shown = display(bundle, raw=True, display_id=True)
        elif done >= total or now - self._updated >= self.INTERVAL_S:
            self._updated = now
            self._shown.update(bundle, raw=True)


def default_reporter() -> Reporter:
    """The reporter of a job that was given none: a bar in a notebook, Python's logging elsewhere."""
    return NotebookReporter() if in_notebook() else LoggingReporter()


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    # A terminal's shell has no kernel. It prints nothing unasked, like a script.
    return getattr(shell, "kernel", None) is not None


class Clock:
    """Estimates the remaining time of a stage from its rate so far."""

    def __init__(self) -> None:
        self.stage = ""
        self.started = 0.0
        self.first = self.last = 0

    def rate(self, stage: str, done: int) -> float | None:
        """Steps a second since the first reported step; None if it is not known yet."""
        passed = done - self.first
        seconds = time.monotonic() - self.started
        return passed / seconds if stage == self.stage and passed > 0 and seconds > 0 else None

    def eta_s(self, stage: str, done: int, total: int) -> float | None:
        """Seconds to the end of a stage; None at its start."""
        now = time.monotonic()
        if stage != self.stage or done < self.last:  # a stage begins, or begins again
            # The time that the first step took is not known.
            self.stage, self.started, self.first, self.last = stage, now, done, done
            return None
        self.last = done
        passed = done - self.first
        return (now - self.started) / passed * (total - done) if passed > 0 else None


def duration_text(seconds: float) -> str:
    """A duration in words.

    Args:
        seconds: The duration in seconds.

    Examples:
        >>> duration_text(9.6), duration_text(200), duration_text(3700)
        ('10 s', '3 min 20 s', '1 h 1 min')
    """
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def progress_text(stage: str, done: int, total: int, left_s: float | None, rate: str = "") -> str:
    """Per cent and remaining time of a stage in one line.

    Args:
        stage: Name of the stage.
        done: Number of steps of the stage that are done.
        total: Number of all steps of the stage.
        left_s: Seconds to its end; None if they are not known.
        rate: Rate with its unit; empty for none.

    Examples:
        >>> progress_text("Mapping", 1, 4, 75.0)
        'Mapping: 25 %, 1 min 15 s left'
    """
    parts = [f"{stage}: {100 * done // max(1, total)} %"]
    if rate:
        parts.append(rate)
    if left_s is not None and done < total:
        parts.append(f"{duration_text(left_s)} left")
    return ", ".join(parts)


def _progress_html(stage: str, done: int, total: int, left_s: float | None) -> str:
    name, text = html.escape(stage), html.escape(progress_text(stage, done, total, left_s))
    return (
        f'<progress aria-label="{name}" value="{done}" max="{max(1, total)}" '
        f'style="width: 20em"></progress> {text}'
    )


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
        before: Warnings of earlier steps of the job, which are recorded and not forwarded.

    Attributes:
        reporter: The reporter that receives everything.
        warnings: Warnings in the order of their first occurrence, each once.

    Example:
        >>> recorder = WarningRecorder(SilentReporter())
        >>> recorder.warning("bands are missing")
        >>> recorder.warnings
        ['bands are missing']
    """

    def __init__(self, reporter: Reporter, before: Sequence[str] = ()) -> None:
        self.reporter = reporter
        self.warnings: list[str] = list(before)
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
