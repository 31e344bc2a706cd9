"""A reporter that sends progress and messages of a job to the client, and ends the job if it was cancelled."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from hsi_geo.progress import Clock
from hsi_geo.tasks.serving.jobs import Job
from hsi_geo.tasks.serving.request_words import request_words

#: Seconds between two notifications of progress, at least.
INTERVAL_S = 0.1


class JobReporter:
    """Sends notifications about one job.

    Args:
        job: The job.
        notify: Receives the name of each notification, and its content.
    """

    def __init__(self, job: Job, notify: Callable[[str, dict[str, Any]], None]) -> None:
        self._job, self._notify = job, notify
        self._clock = Clock()
        self._sent = float("-inf")

    def progress(self, stage: str, done: int, total: int) -> None:
        """Send progress, at most ten times a second.

        Raises:
            Cancelled: If the job was cancelled; log and warning raise it, too.
        """
        self._job.check()
        left_s = self._clock.eta_s(stage, done, total)
        now = time.monotonic()
        if now - self._sent < INTERVAL_S:
            return
        self._sent = now
        eta_s = None if left_s is None else round(left_s, 1)
        self._notify("progress", {"stage": stage, "done": done, "total": total, "eta_s": eta_s})

    def log(self, message: str) -> None:
        """Send a message."""
        self._job.check()
        self._notify("log", {"message": request_words(message)})

    def warning(self, message: str) -> None:
        """Send a warning."""
        self._job.check()
        self._notify("warning", {"message": request_words(message)})
