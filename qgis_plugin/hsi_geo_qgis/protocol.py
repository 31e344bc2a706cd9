"""Protocol of hsi-geo's ``--progress jsonl``: one JSON object a line on stderr, results on stdout.

Version 1: progress {stage, done, total, eta_s}, log {message}, warning {message}, result
{outputs, ...}, error {message, hint, code}.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from .interpreter import SET_UP
from .wording import Titles, advice, in_dialog

VERSION = 1

#: Names of stages, as in hsi_geo/stages.py.
LEARNING = "Learning from the shots"
TRAINING = "Training the network"
MAPPING = "Mapping"
COPYING = "Copying the scene"
ACCURACY = "Estimating accuracy"
REPORT = "Writing the report"
CHECKING_TILES = "Checking the tiles"
COMPARING_MAPS = "Comparing the maps"
POLYGONS = "Drawing polygons"
ADDING_AREAS = "Adding up the areas"

#: Share of the progress bar that each stage of a command takes, in their order.
Stages = Mapping[str, float]

#: Seconds of a stage before its remaining time is shown, and between two such texts.
FIRST_ESTIMATE_S, TEXT_INTERVAL_S = 5.0, 30.0

#: Shorter remaining times are not shown.
SHORT_S = 10.0

USAGE, INTERRUPTED = 2, 130


class LineBuffer:
    """Joins the pieces of a process's output to lines."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[str]:
        """Add a piece.

        Args:
            piece: Bytes of the output.

        Returns:
            Lines that are complete now.
        """
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [_decode(line) for line in lines]

    def flush(self) -> list[str]:
        """Text after the last line break, as a list of at most one line."""
        rest, self._rest = self._rest, b""
        return [_decode(rest)] if rest else []


def parse_event(line: str) -> dict[str, Any] | None:
    """Parse an event.

    Args:
        line: A line of the output.

    Returns:
        The event; None if the line is none.

    >>> parse_event('{"v": 1, "type": "log", "message": "done"}')["message"]
    'done'
    """
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "type" in event else None


class ProgressBar:
    """Per cent of a whole job from the steps of its stages. It never decreases.

    Args:
        stages: Share of each stage; they add up to 1. Other stages are ignored.
        start: Per cent at the begin of the job.
        end: Per cent at its end.
        rounds: How often a stage is run through, by its name; others once.
    """

    def __init__(
        self,
        stages: Stages,
        start: float = 0.0,
        end: float = 100.0,
        rounds: Mapping[str, int] | None = None,
    ) -> None:
        self._stages, self._start, self._end = stages, start, end
        self._reached = start
        self._rounds = rounds or {}
        self._last: dict[
            str, tuple[int, float]
        ] = {}  # rounds that are over, and the share of this one

    def percent(self, event: Mapping[str, Any]) -> float:
        """Per cent after a progress event.

        Args:
            event: The event.
        """
        stage, total = str(event.get("stage")), event.get("total") or 0
        if stage in self._stages and total > 0:
            before = 0.0
            for name, share in self._stages.items():
                if name == stage:
                    break
                before += share
            part = before + self._stages[stage] * self._share(stage, event.get("done", 0) / total)
            reached = self._start + part * (self._end - self._start)
            self._reached = max(self._reached, reached)
        return self._reached

    def _share(self, stage: str, done: float) -> float:
        """Share of a stage that is done, over all of its rounds."""
        over, last = self._last.get(stage, (0, 0.0))
        if done < last:
            over += 1
        self._last[stage] = over, done
        return min(1.0, (over + min(1.0, done)) / self._rounds.get(stage, 1))


class StageText:
    """Text on the stage and its remaining time. Each text is a line in QGIS's log, so texts are few.

    Args:
        clock: Function that returns the time in seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._stage, self._shown = "", 0.0

    def update(self, event: Mapping[str, Any]) -> str:
        """Text to show after a progress event; empty if the last text stays.

        Args:
            event: The event.
        """
        stage, left, now = str(event.get("stage", "")), event.get("eta_s"), self._clock()
        if stage != self._stage:
            self._stage, self._shown = stage, now - TEXT_INTERVAL_S + FIRST_ESTIMATE_S
            return stage
        if left is None or left < SHORT_S or now - self._shown < TEXT_INTERVAL_S:
            return ""
        self._shown = now
        return f"{stage}: {int(100 * event['done'] / event['total'])} %, {duration(left)} left"


def duration(seconds: float) -> str:
    """A duration in words, to about ten per cent.

    Args:
        seconds: The duration in seconds.

    >>> duration(34), duration(250), duration(7500)
    ('about 35 s', 'about 4 min', 'about 2 h 5 min')
    """
    if seconds < 60:
        return f"about {5 * max(1, round(seconds / 5))} s"
    minutes = round(seconds / 60)
    return f"about {minutes} min" if minutes < 60 else f"about {minutes // 60} h {minutes % 60} min"


def failure(
    code: int,
    error: Mapping[str, Any] | None,
    plain: Sequence[str],
    program: str,
    titles: Titles | None = None,
    names: Mapping[str, str] | None = None,
) -> str:
    """One sentence on why hsi-geo failed.

    Args:
        code: Exit code, negative or 137 if the process was killed.
        error: The error event; None if there was none.
        plain: Lines on stderr that were no events.
        program: Path of the program that was started.
        titles: Title of each parameter of the dialog by its option; None without a dialog.
        names: What users call a file by its path.
    """
    if error is not None:
        parts = [str(error.get("message", "")), str(error.get("hint", ""))]
        if titles is not None:
            parts = [in_dialog(parts[0], titles, names), advice(parts[1], titles, names)]
        return "; ".join(part for part in parts if part)
    lines = [line.strip() for line in plain if line.strip()]
    last = lines[-1] if lines else ""
    if "No module named" in last and "hsi_geo" in last:
        return f"'{program}' has no hsi-geo ({last}); {SET_UP}"
    if code == USAGE:
        return (
            f"this hsi-geo does not know an option of the plugin ({last}); update the older of the two: "
            f"{SET_UP}, which installs the plugin's version"
        )
    if code < 0 or code == 137:
        return (
            "hsi-geo was ended by the system, most likely because of too little memory; give a smaller "
            "'Memory' or a smaller scene"
        )
    detail = f" ({last})" if last else ""
    return f"'{program}' failed with exit code {code}{detail}; run 'Check environment'"


def _decode(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r")
