"""Jobs of the engine: each is a request that computes. A thread runs them one after the other."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

#: Order of waiting jobs: a small one runs first.
SOON, USUAL, WHEN_IDLE = 0, 1, 2

_numbers = itertools.count()


class Cancelled(BaseException):
    """Ends a job that was cancelled. It is no `Exception`, so that no library takes it for a failure of its own."""


@dataclass(eq=False)
class Job:
    """A request that computes.

    Attributes:
        work: Computes the result; it is given the job.
        on_result: Receives the result.
        on_error: Receives the error that ended the work.
        session: Number of the session that it uses; 0 for none.
        kind: Name of the method.
        priority: `SOON`, `USUAL` or `WHEN_IDLE`.
    """

    work: Callable[[Job], Any]
    on_result: Callable[[Any], None]
    on_error: Callable[[BaseException], None]
    session: int
    kind: str
    priority: int = USUAL
    _number: int = field(default_factory=lambda: next(_numbers))
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _is_cancelled: bool = False
    _is_committed: bool = False

    @property
    def order(self) -> tuple[int, int]:
        """Its place among waiting jobs."""
        return self.priority, self._number

    @property
    def is_committed(self) -> bool:
        """Whether it can no longer be cancelled, as its files get their names now."""
        return self._is_committed

    def check(self) -> None:
        """End the work if it was cancelled; called often while it computes.

        Raises:
            Cancelled: If it was.
        """
        if self._is_cancelled:
            raise Cancelled

    def commit(self) -> None:
        """From now on it can no longer be cancelled.

        Raises:
            Cancelled: If it was cancelled before.
        """
        with self._lock:
            self.check()
            self._is_committed = True

    def cancel(self) -> bool:
        """Let the next `check` end the work; False if it is too late."""
        with self._lock:
            self._is_cancelled = self._is_cancelled or not self._is_committed
            return self._is_cancelled

    def again(self) -> Job:
        """The same job, to be run once more, before others of its priority that came later."""
        return Job(
            self.work,
            self.on_result,
            self.on_error,
            self.session,
            self.kind,
            self.priority,
            self._number,
        )


class Worker:
    """A thread that runs jobs one after the other.

    Args:
        name: Name of the thread.
    """

    def __init__(self, name: str) -> None:
        self._changed = threading.Condition()
        self._waiting: list[Job] = []
        self._running: Job | None = None
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def running(self) -> Job | None:
        """The job that runs."""
        return self._running

    def submit(self, job: Job) -> None:
        """Run a job after those that wait.

        A running job of the priority `WHEN_IDLE` makes way for a job of another session, and is run again later.

        Args:
            job: The job.
        """
        with self._changed:
            self._waiting.append(job)
            running = self._running
            if (
                running is not None
                and running.priority == WHEN_IDLE
                and job.priority < WHEN_IDLE
                and running.session != job.session
                and not running._is_cancelled
                and running.cancel()
            ):
                self._waiting.append(running.again())
            self._changed.notify_all()

    def cancel(self, wanted: Callable[[Job], bool]) -> list[Job]:
        """Cancel jobs. Those that wait never run; the one that runs ends at its next `Job.check`.

        Args:
            wanted: Which jobs.

        Returns:
            The jobs that were cancelled.
        """
        with self._changed:
            found = [job for job in self._waiting if wanted(job)]
            self._waiting = [job for job in self._waiting if job not in found]
            if self._running is not None and wanted(self._running) and self._running.cancel():
                found.append(self._running)
            self._changed.notify_all()
        return found

    def is_busy_with(self, session: int, *, also_waiting: bool = True) -> bool:
        """Whether a job of a session runs, or waits for more than that nothing else does.

        Args:
            session: Number of the session.
            also_waiting: Whether waiting jobs count.
        """
        with self._changed:
            running = [] if self._running is None else [self._running]
            waiting = [job for job in self._waiting if job.priority < WHEN_IDLE]
            return any(job.session == session for job in (*running, *also_waiting * waiting))

    def wait(self, seconds: float, committed_seconds: float) -> bool:
        """Wait until no job runs.

        Args:
            seconds: How long to wait.
            committed_seconds: How long to wait for a job that can no longer be cancelled.

        Returns:
            Whether none runs.
        """
        begin = time.monotonic()
        with self._changed:
            while self._running is not None:
                limit = committed_seconds if self._running.is_committed else seconds
                left = begin + limit - time.monotonic()
                if left <= 0:
                    return False
                self._changed.wait(min(left, 0.05))
        return True

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._waiting:
                    self._changed.wait()
                job = min(self._waiting, key=lambda one: one.order)
                self._waiting.remove(job)
                self._running = job
            try:
                job.check()
                job.on_result(job.work(job))
            except Cancelled:
                pass
            except BaseException as error:  # noqa: BLE001  # the thread runs the next job
                job.on_error(error)
            finally:
                del job
                with self._changed:
                    self._running = None
                    self._changed.notify_all()
