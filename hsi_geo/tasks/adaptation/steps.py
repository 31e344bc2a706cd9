"""Steps of a stage of an adaptation, for its progress, and waiting for the threads of a step."""

from __future__ import annotations

from collections.abc import Callable, Collection
from concurrent.futures import Future, wait
from dataclasses import dataclass
from typing import Any

from hsi_geo.progress import Reporter, SilentReporter

#: Seconds between two checks while other threads are waited for.
WAIT_S = 0.1


@dataclass(slots=True)
class Steps:
    """Reports the steps of a stage.

    Attributes:
        reporter: Receives the progress.
        stage: Name of the stage.
        total: Number of steps.
        done: Number of steps that are done.
    """

    reporter: Reporter
    stage: str
    total: int
    done: int = 0

    def __call__(self) -> None:
        """Report one more step."""
        self.done += 1
        self.reporter.progress(self.stage, self.done, self.total)

    def finish(self, steps: int) -> None:
        """Report the steps that are left until a number of steps.

        Args:
            steps: That number; nothing is reported if so many are done.
        """
        while self.done < steps:
            self()

    def check(self) -> None:
        """Report the same step again, inside a long one: a reporter may end the job by an exception."""
        self.reporter.progress(self.stage, self.done, self.total)


def no_steps() -> Steps:
    """Steps that nobody is told of."""
    return Steps(SilentReporter(), "", 0)


def wait_for(pending: Collection[Future[Any]], check: Callable[[], None]) -> None:
    """Wait for other threads.

    Args:
        pending: What they compute.
        check: Called now and then; an exception of it ends the job.
    """
    while wait(pending, WAIT_S).not_done:
        check()
