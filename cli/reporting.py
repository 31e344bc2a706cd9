"""News of a job on the terminal, or as one JSON object a line for programs.

The protocol of ``--progress jsonl``: each line on stderr is an object with ``"v": 1`` and a
``"type"``: progress {stage, done, total, eta_s}, log {message}, warning {message},
result {outputs: {name: path}, ...}, error {message, hint, code}.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import click

from hsi_geo.progress import Reporter, SilentReporter

from .terminal import say, say_json

PROTOCOL_VERSION = 1

#: Where the choice of --progress is kept, so that errors know it too.
_META = "hsi_geo.progress"


#: Stages that count pixels: their rate is worth telling.
_PIXEL_STAGES = ("map",)


class _Clock:
    """Estimates the rest of a stage from the time its part so far took."""

    def __init__(self) -> None:
        self.stage = ""
        self.started = 0.0
        self.first = 0

    def rate(self, stage: str, done: int) -> float | None:
        """Steps a second since the first that was told of."""
        passed = done - self.first
        seconds = time.monotonic() - self.started
        return passed / seconds if stage == self.stage and passed > 0 and seconds > 0 else None

    def eta_s(self, stage: str, done: int, total: int) -> float | None:
        """Seconds to the end of a stage, None at its start."""
        now = time.monotonic()
        if stage != self.stage:
            # The first step has no start to be measured from.
            self.stage, self.started, self.first = stage, now, done
            return None
        passed = done - self.first
        return (now - self.started) / passed * (total - done) if passed > 0 else None


class JsonReporter:
    """One JSON object a line on stderr."""

    def __init__(self) -> None:
        self._clock = _Clock()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far a stage is."""
        eta = self._clock.eta_s(stage, done, total)
        rounded = None if eta is None else round(eta, 1)
        _emit("progress", stage=stage, done=done, total=total, eta_s=rounded)

    def log(self, message: str) -> None:
        """Tell something worth knowing."""
        _emit("log", message=message)

    def warning(self, message: str) -> None:
        """Tell what may make the result worse than it looks."""
        _emit("warning", message=message)


class TerminalReporter:
    """One line a stage, counting on a terminal, quiet in a log file."""

    def __init__(self) -> None:
        self._clock = _Clock()
        self._tty = sys.stderr.isatty()
        self._open_line = False

    def progress(self, stage: str, done: int, total: int) -> None:
        """Tell how far a stage is."""
        eta = self._clock.eta_s(stage, done, total)
        rate = self._clock.rate(stage, done) if stage in _PIXEL_STAGES else None
        fast = "" if rate is None else f", {rate / 1e3:.3g} kpx/s"
        if self._tty:
            rest = "" if eta is None or done >= total else f", {eta:.0f} s left"
            text = f"{stage}: {100 * done // total} %{fast}{rest}"
            click.echo(f"\r\x1b[K{text}", err=True, nl=done >= total)
            self._open_line = done < total
        elif done >= total:
            click.echo(f"{stage}: done{fast}", err=True)

    def log(self, message: str) -> None:
        """Tell something worth knowing."""
        self._say(message)

    def warning(self, message: str) -> None:
        """Tell what may make the result worse than it looks."""
        self._say(f"Warning: {message}")

    def _say(self, message: str) -> None:
        if self._open_line:
            click.echo(err=True)
            self._open_line = False
        say(message, err=True)


class QuietReporter(SilentReporter):
    """Warnings only."""

    def warning(self, message: str) -> None:
        """Tell what may make the result worse than it looks."""
        say(f"Warning: {message}", err=True)


REPORTERS: dict[str, Callable[[], Reporter]] = {
    "auto": TerminalReporter,
    "jsonl": JsonReporter,
    "none": QuietReporter,
}


def remember(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Option callback: keep the choice of --progress for `tell_error`."""
    ctx.meta[_META] = value
    return value


def reporter(progress: str) -> Reporter:
    """The reporter for a value of --progress."""
    return REPORTERS[progress]()


def tell_result(progress: str, outputs: Mapping[str, Path], **more: Any) -> None:
    """Send the result event, in the JSON protocol only."""
    if progress == "jsonl":
        named = {name: str(path) for name, path in outputs.items()}
        _emit("result", outputs=named, **more)


def tell_error(ctx: click.Context, message: str, hint: str, code: str) -> None:
    """Tell why a job failed: one sentence, or one event."""
    if ctx.meta.get(_META) == "jsonl":
        _emit("error", message=message, hint=hint, code=code)
    else:
        say(f"Error: {message}{'; ' + hint if hint else ''}", err=True)


def _emit(kind: str, **content: Any) -> None:
    event = {"v": PROTOCOL_VERSION, "type": kind, **content}
    say_json(event, err=True)
