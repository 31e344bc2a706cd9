"""What hsi-geo says while it runs: one JSON object a line on stderr, results on stdout.

Version 1: progress {stage, done, total, eta_s}, log {message}, warning {message}, result
{outputs, ...}, error {message, hint, code}.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

VERSION = 1

#: Share of the progress bar that each stage of a command takes, in their order.
Stages = Mapping[str, float]

USAGE, INTERRUPTED = 2, 130


class LineBuffer:
    """Puts lines together from the pieces in which a process hands over its output."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, piece: bytes) -> list[str]:
        """The lines that are complete now."""
        *lines, self._rest = (self._rest + piece).split(b"\n")
        return [_decode(line) for line in lines]

    def flush(self) -> list[str]:
        """What came after the last line break."""
        rest, self._rest = self._rest, b""
        return [_decode(rest)] if rest else []


def parse_event(line: str) -> dict[str, Any] | None:
    """The event on a line, None if it is not one."""
    try:
        event = json.loads(line)
    except ValueError:
        return None
    return event if isinstance(event, dict) and "type" in event else None


class ProgressBar:
    """Per cent of a whole job from the steps of its stages; never goes back.

    Args:
        stages: Share of each stage, adding up to 1; a stage that is not named moves nothing.
        start: Per cent at which the job begins.
        end: Per cent at which it ends.
    """

    def __init__(self, stages: Stages, start: float = 0.0, end: float = 100.0) -> None:
        self._stages, self._start, self._end = stages, start, end
        self._reached = start

    def percent(self, event: Mapping[str, Any]) -> float:
        """After a progress event."""
        stage, total = str(event.get("stage")), event.get("total") or 0
        if stage in self._stages and total > 0:
            before = 0.0
            for name, share in self._stages.items():
                if name == stage:
                    break
                before += share
            part = before + self._stages[stage] * min(1.0, event.get("done", 0) / total)
            reached = self._start + part * (self._end - self._start)
            self._reached = max(self._reached, reached)
        return self._reached


def failure(code: int, error: Mapping[str, Any] | None, plain: Sequence[str], program: str) -> str:
    """One sentence on why hsi-geo failed.

    Args:
        code: Exit code, negative or 137 if it was killed.
        error: The error event, if there was one.
        plain: Lines on stderr that were no events.
        program: What was started.
    """
    if error is not None:
        parts = (str(error.get("message", "")), str(error.get("hint", "")))
        return "; ".join(part for part in parts if part)
    said = [line.strip() for line in plain if line.strip()]
    last = said[-1] if said else ""
    if "No module named" in last and "hsi_geo" in last:
        return (
            f"'{program}' has no hsi-geo ({last}); install it there: "
            f'"{program}" -m pip install hsi-geo'
        )
    if code == USAGE:
        return (
            f"this hsi-geo does not know what the plugin asks for ({last}); update the older of "
            f'the two: "{program}" -m pip install --upgrade hsi-geo'
        )
    if code < 0 or code == 137:
        return (
            "hsi-geo was ended by the system, most likely for want of memory; give a smaller "
            "'Memory' or a smaller scene"
        )
    told = f" ({last})" if last else ""
    return f"'{program}' failed with exit code {code}{told}; run 'Check environment'"


def _decode(line: bytes) -> str:
    return line.decode("utf-8", errors="replace").rstrip("\r")
