"""Where the tiles of a batch are worked on: Dask's workers, on this machine or on the user's own."""

from __future__ import annotations

import importlib
import importlib.util
import logging
import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import (
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    WorkerPlugin,
    as_completed,
    get_worker,
)
from distributed.core import Status
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from hsi_geo.errors import ClusterError
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.progress import Reporter, SilentReporter

#: Memory of a worker beside the blocks of a scene: Python, torch and GDAL.
PROGRAM_BYTES = 1 << 30

#: How often a job is tried again that raised what is no fault of its tile; and seconds to wait for
#: an answer of a scheduler.
RETRIES, PATIENCE_S = 1, 15

#: Jobs that are handed to the scheduler at a time; seconds between looks at what has come back, and
#: between a worker's news of one job.
SUBMITTED, LOOK_S, NEWS_S = 1000, 0.02, 1.0

#: With this variable, which Dask sets, torch hands its memory back to the system after each product
#: and gets it again page by page: maps take more than twice as long.
TRIMMING = "MALLOC_TRIM_THRESHOLD_"

#: What makes glibc keep the memory that a worker's threads give back, and hand it out again: two
#: workers then map a tenth faster side by side. Other C libraries do not know these.
KEEPING = {
    "MALLOC_ARENA_MAX": 1,
    "MALLOC_MMAP_THRESHOLD_": 1 << 30,
    "MALLOC_TOP_PAD_": 64 << 20,
}

#: No other machine reaches what listens here; Dask takes any free port.
HOST = "127.0.0.1"

#: What Dask's web servers show that ask nobody for a name or a key, as its configuration calls it.
WEB_PAGES = ("distributed.scheduler.http.routes", "distributed.worker.http.routes")


def default_workers(threads: int, max_memory: int) -> int:
    """As many as there are cores for and memory."""
    by_memory = int(MEMORY_LIMIT) // (max_memory + PROGRAM_BYTES)
    return max(1, min(CPU_COUNT // threads, by_memory))


@contextmanager
def local_cluster(
    workers: int, threads: int, reporter: Reporter, *, dashboard: bool = False
) -> Iterator[Client]:
    """Workers on this machine, each a process that does one job at a time.

    Whoever can connect to a scheduler, a worker or its nanny can run code as the user who started
    it, and every user of a machine reaches its loopback. So all of them want TLS both ways, with a
    key that is made here and never leaves the memory of these processes.

    Args:
        workers: How many.
        threads: Of each.
        reporter: Told where they are.
        dashboard: Also show Dask's pages, which anybody on this machine can read.

    Raises:
        ClusterError: If they cannot be started.
    """
    environment = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    chosen = dask.config.get("temporary-directory", None)
    settings = {
        # A worker is given what it can begin at once: no bystander falls with it.
        "distributed.scheduler.worker-saturation": 1.0,
        # Dask gives up a worker that is down so long after it died, be it from another death since.
        "distributed.deploy.lost-worker-timeout": "1 day",
        "distributed.nanny.pre-spawn-environ": {
            **environment,
            TRIMMING: None,  # leaves it unset
            **KEEPING,
            "OMP_NUM_THREADS": threads,
        },
        **{key: [] for key in WEB_PAGES if not dashboard},
    }
    with ExitStack() as stack:
        try:
            # Swept by the next job if this one is killed, and closed to other users.
            scratch = stack.enter_context(scratch_folder(Path(chosen) if chosen else None))
            stack.enter_context(dask.config.set({**settings, "temporary-directory": str(scratch)}))
            stack.enter_context(_silent())
            cluster = stack.enter_context(
                LocalCluster(
                    n_workers=workers,
                    threads_per_worker=1,
                    processes=True,
                    memory_limit=int(MEMORY_LIMIT) // workers,
                    host=HOST,
                    security=Security.temporary(),
                    dashboard_address=f"{HOST}:0",  # of one that is taken Dask leaves a socket open
                    scheduler_kwargs={"dashboard": dashboard},
                    silence_logs=logging.CRITICAL,
                )
            )
            client = stack.enter_context(Client(cluster))
            client.register_plugin(_Ready())
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"workers on this machine could not be started ({' '.join(str(error).split())})",
                hint="see that memory is free, and room in the folder for temporary files (TMPDIR)",
            ) from error
        shown = _dashboard(client) if dashboard else ""
        reporter.log(f"{_counted(workers)} on this machine{shown}")
        yield client


@contextmanager
def remote_cluster(address: str, reporter: Reporter) -> Iterator[Client]:
    """The user's own cluster.

    Raises:
        ClusterError: If no scheduler answers.
    """
    with _silent():
        try:
            client = Client(address, timeout=PATIENCE_S)
        except (OSError, ValueError, TypeError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at '{address}'",
                hint="start one with: dask scheduler, and give its address such as tcp://host:8786; one "
                "that wants TLS needs its certificates in Dask's configuration (docs/batch.md)",
            ) from error
        with client:
            workers = list(client.scheduler_info(n_workers=-1)["workers"])
            reporter.log(f"{_counted(len(workers))} of {address}{_dashboard(client)}")
            if not client.scheduler.address.startswith("tls://"):
                reporter.log(
                    "the scheduler is open: whoever can connect to it runs code as its user; "
                    "docs/batch.md tells how to close it by TLS"
                )
            if not workers:
                reporter.warning("the scheduler has no workers yet: tiles wait for the first one")
            elif any(client.run(os.getenv, TRIMMING, workers=workers[:1]).values()):
                reporter.warning(
                    f"the workers have {TRIMMING} set, which makes maps take twice as long; "
                    "docs/batch.md tells how to unset it"
                )
            yield client


def each[J, R](
    client: Client,
    function: Callable[..., R],
    jobs: Sequence[J],
    *same: Any,
    news: Callable[[Any], None] = lambda content: None,
) -> Iterator[tuple[int, R | BaseException]]:
    """Do jobs on the workers; Dask sees to their order, to retries and to workers that get lost.

    A job that still fails gives its exception. If its worker died again and again it may have been
    a bystander of the one that killed it, so it is tried once more when nothing else runs.

    Args:
        client: Of the cluster.
        function: Of a job and of what is the same for all; picklable.
        jobs: Picklable.
        same: Further arguments.
        news: Receives (path, done) of a job on its way; see `WorkerReporter`.

    Yields:
        A job's index and its result, as they come.

    Raises:
        ClusterError: If the scheduler is lost, or all workers of this machine.
    """
    topic = f"hsi-geo-{uuid.uuid4().hex}"
    client.subscribe_topic(topic, lambda event: news(event[1]))
    suspects = []
    try:
        for index, result in _round(client, function, jobs, range(len(jobs)), topic, same):
            if isinstance(result, KilledWorker):
                suspects.append(index)
            else:
                yield index, result
        for index in suspects:
            yield from _round(client, function, jobs, [index], topic, same)
    finally:
        if client.status == "running":
            client.unsubscribe_topic(topic)


def _round[J, R](
    client: Client,
    function: Callable[..., R],
    jobs: Sequence[J],
    chosen: Sequence[int],
    topic: str,
    same: tuple[Any, ...],
) -> Iterator[tuple[int, R | BaseException]]:
    futures = client.map(
        _Job(function, topic, same),
        [jobs[index] for index in chosen],
        key=f"{function.__name__}-{uuid.uuid4().hex}",
        pure=False,
        retries=RETRIES,
        batch_size=SUBMITTED,
    )
    index_of = dict(zip((future.key for future in futures), chosen, strict=True))
    completed = as_completed(futures, loop=client.loop)
    try:
        del futures  # what has come back is let go of, or Dask does it again when its worker dies
        while not completed.is_empty():
            ready = completed.next_batch(block=False)
            if not ready:
                _require_scheduler(client)
                _require_workers(client)
                time.sleep(LOOK_S)
                continue
            found = _gathered(client, ready)
            for future in ready:
                yield index_of[future.key], _outcome(client, future, found[future.key])
    finally:
        if client.status == "running":
            client.cancel(list(completed.futures), force=True)


def _gathered(client: Client, ready: list[Future]) -> dict[str, tuple[Any] | None]:
    """By key what `_Job` returned, None for a job that failed.

    A result whose worker dies before it is fetched is waited for: Dask does the job again.
    """
    try:
        return dict(client.gather({future.key: future for future in ready}, errors="skip"))
    except OSError as error:  # the client may not know yet that nobody answers
        raise _scheduler_is_gone() from error


def _outcome(client: Client, future: Future, returned: tuple[Any] | None) -> Any:
    # Not by its status alone: a job whose worker has died since is on its way again, which takes
    # nothing from what it returned.
    if returned is not None:
        return returned[0]
    if future.status == "error":
        return future.exception()
    _require_scheduler(client)
    raise ClusterError("a tile's job was cancelled by another program", hint="run it again")


def _require_scheduler(client: Client) -> None:
    if client.status != "running":
        raise _scheduler_is_gone()


def _scheduler_is_gone() -> ClusterError:
    return ClusterError(
        "the Dask scheduler is gone",
        hint="what is mapped stays: start it again and give the same command",
    )


def _require_workers(client: Client) -> None:
    """On this machine somebody has to start workers again; a user's own cluster may grow later."""
    if client.cluster is None:
        return
    nannies = client.cluster.workers.values()
    if all(nanny.status in (Status.closed, Status.failed) for nanny in nannies):
        raise ClusterError(
            "the workers on this machine died and could not be started again",
            hint="what is mapped stays: see that memory is free, and give the same command",
        )


class _Job:
    """A function with what is the same for all jobs, which knows where to send news."""

    def __init__(self, function: Callable[..., Any], topic: str, same: tuple[Any, ...]) -> None:
        self.function = function
        self.topic = topic
        self.same = same

    def __call__(self, job: Any) -> tuple[Any]:
        """In a tuple, so that whatever is returned is something."""
        return (self.function(job, *self.same, WorkerReporter(self.topic, job)),)


class WorkerReporter(SilentReporter):
    """A reporter inside a worker: progress goes to whoever started the job, not too often.

    Args:
        topic: That is listened to.
        job: Its ``path``, if it has one, is sent with each message.
    """

    def __init__(self, topic: str, job: Any) -> None:
        self.topic = topic
        self.about = getattr(job, "path", None)
        self.last = time.monotonic()

    def progress(self, stage: str, done: int, total: int) -> None:
        """Send (path, done)."""
        now = time.monotonic()
        if now - self.last >= NEWS_S:
            self.last = now
            get_worker().log_event(self.topic, (self.about, done))


class _Ready(WorkerPlugin):
    """Prepares a worker of this machine.

    A terminal sends Ctrl-C to all processes; each worker would print a traceback. Ours ends them.
    And what jobs need, torch above all, is there before the first: seconds that a worker
    spends on it are those of its neighbours' jobs otherwise.
    """

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        importlib.import_module("hsi_geo.tasks.tiles.jobs")


@contextmanager
def _silent() -> Iterator[None]:
    """Without the logs of Dask and its event loop: what goes wrong is told in sentences."""
    loggers = [
        logging.getLogger(name)
        for name in (
            "distributed",
            *logging.root.manager.loggerDict,
        )  # some have a level of their own
        if name.split(".")[0] in ("distributed", "tornado", "asyncio")
    ]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _counted(workers: int) -> str:
    return f"{workers} worker{'' if workers == 1 else 's'}"


def _dashboard(client: Client) -> str:
    link = client.dashboard_link if importlib.util.find_spec("bokeh") else None
    return f", watch them at {link}" if link else ""
