"""Jobs of a batch on Dask workers: runs of jobs, what comes of each, lost workers."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import dask
from distributed import Client, Future, KilledWorker, as_completed, get_worker
from distributed.core import Status

from hsi_geo import stages
from hsi_geo.errors import ClusterError
from hsi_geo.progress import SilentReporter

#: Number of times that a job is tried again after an unexpected exception.
RETRIES = 1

#: Jobs that are sent to the scheduler at a time.
SUBMIT_BATCH = 1000

#: Dask warns of jobs with much data, and advises to load them on the workers. Some products keep the places of all pixels in memory.
NO_SIZE_WARNING = {"distributed.admin.large-graph-warning-threshold": 1 << 62}

#: Seconds between checks for results, and between two events of one job.
POLL_S, EVENT_INTERVAL_S = 0.05, 1.0


def run_jobs[J, R](
    client: Client,
    function: Callable[..., R],
    jobs: Sequence[J],
    *same: Any,
    runs: Sequence[range] | None = None,
    on_event: Callable[[Any], None] = lambda event: None,
) -> Iterator[tuple[int, R | BaseException]]:
    """Run jobs on the workers. Dask orders them, tries them again and replaces lost workers.

    A job that still fails gives its exception. A job of a run that fails is tried again by itself, and so is a whole run
    whose workers died: another job may have killed them. If the workers of one job died again and again, it is tried once
    more when nothing else runs.

    Args:
        client: Client of the cluster.
        function: Function of a job and the further arguments; picklable.
        jobs: Jobs; picklable.
        *same: Further arguments, the same for all jobs.
        runs: Places of jobs that one worker does one after the other; together all jobs. None for each job by itself.
        on_event: Receives (path, done) of a job that runs; see `WorkerReporter`.

    Yields:
        Index of a job and its result, or its exception, in the order in which they finish. Results of a run come together.

    Raises:
        ClusterError: If the scheduler is lost, or all workers of this machine.
    """
    topic = f"hsi-geo-{uuid.uuid4().hex}"
    client.subscribe_topic(topic, lambda event: on_event(event[1]))
    job = _Run(function, topic, same)
    waiting = [_alone(index) for index in range(len(jobs))] if runs is None else list(runs)
    suspects: list[int] = []
    try:
        while waiting:
            again: list[range] = []
            for index, result, is_alone in _round(client, job, jobs, waiting):
                if not isinstance(result, BaseException):
                    yield index, result
                elif not is_alone:
                    again.append(_alone(index))
                elif isinstance(result, KilledWorker):
                    suspects.append(index)
                else:
                    yield index, result
            waiting = again
        for index in suspects:
            for _, result, _ in _round(client, job, jobs, [_alone(index)]):
                yield index, result
    finally:
        if client.status == "running":
            client.unsubscribe_topic(topic)


def _alone(index: int) -> range:
    """The run of one job."""
    return range(index, index + 1)


def _round(
    client: Client, function: _Run, jobs: Sequence[Any], runs: Sequence[range]
) -> Iterator[tuple[int, Any, bool]]:
    """Index of a job, its result or exception, and whether it ran by itself."""
    with dask.config.set(NO_SIZE_WARNING):
        futures = client.map(
            function,
            [[jobs[index] for index in run] for run in runs],
            key=f"{function.name}-{uuid.uuid4().hex}",
            pure=False,
            retries=RETRIES,
            batch_size=max(1, SUBMIT_BATCH // max(map(len, runs), default=1)),
        )
    run_of = dict(zip((future.key for future in futures), runs, strict=True))
    completed = as_completed(futures, loop=client.loop)
    try:
        del futures  # Dask runs a finished job again if a future of it is kept and its worker dies
        while not completed.is_empty():
            ready = completed.next_batch(block=False)
            if not ready:
                _require_scheduler(client)
                _require_workers(client)
                time.sleep(POLL_S)
                continue
            found = _gathered(client, ready)
            for future in ready:
                run = run_of[future.key]
                results = _outcome(client, future, found[future.key], run)
                yield from ((*pair, len(run) == 1) for pair in zip(run, results, strict=True))
    finally:
        if client.status == "running":
            client.cancel(list(completed.futures), force=True)


def _gathered(client: Client, ready: list[Future]) -> dict[str, list[Any] | None]:
    """What `_Run` returned by key; None for a run that failed.

    If a worker dies before its results are fetched, Dask does the run again, and this waits for it.
    """
    try:
        return dict(client.gather({future.key: future for future in ready}, errors="skip"))
    except OSError as error:  # the client may not know yet that the scheduler is gone
        raise _scheduler_is_gone() from error


def _outcome(client: Client, future: Future, returned: list[Any] | None, run: range) -> list[Any]:
    """Results or exceptions of the jobs of a run."""
    # The status alone is not enough: a run whose worker has died since is done again, though its results are here.
    if returned is not None:
        return returned
    if future.status == "error":
        return [future.exception()] * len(run)
    _require_scheduler(client)
    raise ClusterError("a tile's job was cancelled by another program", hint="run it again")


def _require_scheduler(client: Client) -> None:
    if client.status != "running":
        raise _scheduler_is_gone()


def _scheduler_is_gone() -> ClusterError:
    return ClusterError(
        "the Dask scheduler is gone",
        hint="what is mapped stays: start it again and give the same command, without --overwrite",
    )


def _require_workers(client: Client) -> None:
    """Refuse to wait if all workers of this machine are gone; a user's own cluster may grow later."""
    if client.cluster is None:
        return
    nannies = client.cluster.workers.values()
    if all(nanny.status in (Status.closed, Status.failed) for nanny in nannies):
        raise ClusterError(
            "the workers on this machine died and could not be started again",
            hint="what is mapped stays: see that memory is free, and give the same command, without "
            "--overwrite",
        )


class _Failed(Exception):
    """Stands for the exception of a job in a run, which is tried again by itself."""


class _Run:
    """Does jobs one after the other.

    Args:
        function: Function of a job.
        topic: Topic of its events.
        same: Further arguments, the same for all jobs.
    """

    def __init__(self, function: Callable[..., Any], topic: str, same: tuple[Any, ...]) -> None:
        self.function = function
        self.topic = topic
        self.same = same

    @property
    def name(self) -> str:
        """Name of the function, by which Dask's pages show it."""
        return self.function.__name__

    def __call__(self, jobs: Sequence[Any]) -> list[Any]:
        """Return the results; an exception of a single job is raised, so that Dask tries it again."""
        if len(jobs) == 1:
            return [self._result(jobs[0])]
        found: list[Any] = []
        for job in jobs:
            try:
                found.append(self._result(job))
            except Exception:  # noqa: BLE001  (whatever it is, it comes again when the job runs by itself)
                found.append(_Failed())
        return found

    def _result(self, job: Any) -> Any:
        return self.function(job, *self.same, WorkerReporter(self.topic, job))


class WorkerReporter(SilentReporter):
    """A reporter inside a worker. It sends progress to the client: at the end of a job, and not too often before.

    Args:
        topic: Topic of the events.
        job: The job; its ``path``, if it has one, is sent with each event.
    """

    def __init__(self, topic: str, job: Any) -> None:
        self.topic = topic
        self.path = getattr(job, "path", None)
        self.last = time.monotonic()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Send an event (path, done).

        Args:
            stage: Name of the stage; only the pixels of `stages.MAPPING` are sent.
            done: Number of steps that are done.
            total: Number of all steps; it is not sent.
        """
        now = time.monotonic()
        is_due = now - self.last >= EVENT_INTERVAL_S or done == total
        if stage == stages.MAPPING and is_due:
            self.last = now
            get_worker().log_event(self.topic, (self.path, done))


def workers_of(client: Client) -> int:
    """Number of workers of a cluster now.

    Args:
        client: Client of the cluster.
    """
    return len(client.scheduler_info(n_workers=-1)["workers"])
