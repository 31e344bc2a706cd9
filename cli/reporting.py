"""Progress and messages of a job: on the terminal, or as one JSON object a line for programs.

The protocol of ``--progress jsonl``: each line on stderr is an object with ``"v": 1`` and a
``"type"``: progress {stage, done, total, eta_s}, log {message}, warning {message},
result {outputs: {name: path}, ...}, timings {stages: {name: {wall_s, cpu_s, beside}}}, error
{message, hint, code}.
"""

from __future__ import annotations

import itertools
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import click

from hsi_geo import stages
from hsi_geo.progress import Clock, Reporter, SilentReporter, progress_text

from .terminal import print_json, print_line

PROTOCOL_VERSION = 1

#: Key of click's context that holds the choice of --progress, for `write_error`.
_META = "hsi_geo.progress"


#: Stages that count pixels: their rate is printed.
_PIXEL_STAGES = (stages.MAPPING,)


class JsonReporter:
    """Writes one JSON object a line to stderr."""

    def __init__(self) -> None:
        self._clock = Clock()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` steps of a stage are complete."""
        eta = self._clock.eta_s(stage, done, total)
        rounded = None if eta is None else round(eta, 1)
        write_event("progress", stage=stage, done=done, total=total, eta_s=rounded)

    def log(self, message: str) -> None:
        """Report a message."""
        write_event("log", message=message)

    def warning(self, message: str) -> None:
        """Report a warning."""
        write_event("warning", message=message)


class TerminalReporter:
    """Prints one line for each stage: with a percentage on a terminal, at its end in a file."""

    def __init__(self) -> None:
        self._clock = Clock()
        self._tty = sys.stderr is not None and sys.stderr.isatty()  # None if it is closed
        self._open_line = False

    def progress(self, stage: str, done: int, total: int) -> None:
        """Report that ``done`` of ``total`` steps of a stage are complete."""
        eta = self._clock.eta_s(stage, done, total)
        rate = self._clock.rate(stage, done) if stage in _PIXEL_STAGES else None
        fast = "" if rate is None else f"{rate / 1e3:.3g} kpx/s"
        if self._tty:
            text = progress_text(stage, done, total, eta, fast)
            click.echo(f"\r\x1b[K{text}", err=True, nl=done >= total)
            self._open_line = done < total
        elif done >= total:
            click.echo(f"{stage}: done{', ' + fast if fast else ''}", err=True)

    def log(self, message: str) -> None:
        """Report a message."""
        self._print(message)

    def warning(self, message: str) -> None:
        """Report a warning."""
        self._print(f"Warning: {message}")

    def _print(self, message: str) -> None:
        if self._open_line:
            click.echo(err=True)
            self._open_line = False
        print_line(message, err=True)


class QuietReporter(SilentReporter):
    """Prints warnings only."""

    def warning(self, message: str) -> None:
        """Report a warning."""
        print_line(f"Warning: {message}", err=True)


REPORTERS: dict[str, Callable[[], Reporter]] = {
    "auto": TerminalReporter,
    "jsonl": JsonReporter,
    "none": QuietReporter,
}


def for_programs(ctx: click.Context) -> bool:
    """Whether stderr is for programs: one JSON object a line.

    Args:
        ctx: Context of the command, which holds the choice of --progress.
    """
    return bool(ctx.meta.get(_META) == "jsonl")


def asks_for_events(words: Sequence[str]) -> bool:
    """Whether words of a command line choose ``--progress jsonl``; for wrong use, which click does not parse to its end.

    Args:
        words: Words of the command line.

    Examples:
        >>> asks_for_events(["zones", "map.tif", "--progress", "jsonl"])
        True
        >>> asks_for_events(["zones", "--progress=none"])
        False
    """
    return "--progress=jsonl" in words or ("--progress", "jsonl") in itertools.pairwise(words)


def store_choice(ctx: click.Context, param: click.Parameter, value: str) -> str:
    """Callback of --progress: store the choice in click's context for `write_error`."""
    ctx.meta[_META] = value
    return value


def reporter(progress: str) -> Reporter:
    """Make the reporter for a value of --progress."""
    return REPORTERS[progress]()


def write_result(progress: str, outputs: Mapping[str, Path], **more: Any) -> None:
    """Write the result event; only with ``--progress jsonl``.

    Args:
        progress: Value of --progress.
        outputs: Paths of the files that were written, by name.
        more: Further values of the event.
    """
    if progress == "jsonl":
        named = {name: str(path) for name, path in outputs.items()}
        write_event("result", outputs=named, **more)


def write_error(ctx: click.Context, message: str, hint: str, code: str) -> None:
    """Print an error as one sentence, or write it as one event.

    Args:
        ctx: Context of the command, which holds the choice of --progress.
        message: What was found, and what was expected.
        hint: What to do about it; may be empty.
        code: Code of the error for programs; see `hsi_geo.errors`.
    """
    if for_programs(ctx):
        write_event("error", message=message, hint=hint, code=code)
    else:
        print_line(f"Error: {message}{'; ' + hint if hint else ''}", err=True)


def write_event(kind: str, **content: Any) -> None:
    """Write one JSON object to stderr.

    Args:
        kind: Type of the event.
        content: Further values of the event.
    """
    event = {"v": PROTOCOL_VERSION, "type": kind, **content}
    print_json(event, err=True)
