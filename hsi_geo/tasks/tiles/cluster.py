"""Dask workers that map the tiles of a batch, on this machine or on the user's own cluster."""

from __future__ import annotations

import importlib
import logging
import os
import signal
import traceback
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Thread
from typing import Any

import dask
from dask.system import CPU_COUNT
from distributed import Client, LocalCluster, WorkerPlugin
from distributed.security import Security
from distributed.system import MEMORY_LIMIT

from hsi_geo.errors import ClusterError
from hsi_geo.interrupts import finished_first, uninterrupted
from hsi_geo.io.files.scratch import scratch_folder
from hsi_geo.progress import Reporter
from hsi_geo.tasks.tiles.worker_processes import (
    JOB_IMPORTS,
    TRIM_VARIABLE,
    start_server,
    worker_variables,
)

#: Memory of a worker in bytes, without the blocks of a scene: Python, torch and GDAL.
PROGRAM_BYTES = 1 << 30

#: Seconds that an interrupt waits for workers that are starting. It takes two or three.
LONGEST_START_S = 15

#: Seconds after which workers that do not end are left to the end of the program.
LONGEST_END_S = 15

#: Seconds to wait for the answer of a scheduler.
CONNECT_TIMEOUT_S = 15

#: Address that no other machine can reach. Dask takes any free port.
HOST = "127.0.0.1"

#: Keys of Dask's configuration for pages of its web servers, which need no password.
WEB_PAGES = ("distributed.scheduler.http.routes", "distributed.worker.http.routes")


def default_workers(threads: int, max_memory: int) -> int:
    """Number of workers for the cores and the memory of this machine.

    Args:
        threads: Threads of each worker.
        max_memory: Bytes that the blocks of a scene may take in each worker.

    >>> default_workers(threads=1, max_memory=1 << 60)
    1
    """
    by_memory = int(MEMORY_LIMIT) // (max_memory + PROGRAM_BYTES)
    return max(1, min(CPU_COUNT // threads, by_memory))


@contextmanager
def local_cluster(
    workers: int, threads: int, reporter: Reporter, *, dashboard: bool = False
) -> Iterator[Client]:
    """Start workers on this machine, each a process that does one job at a time.

    Anyone who can connect to a scheduler, a worker or its nanny can run code as the user who started
    it, and every user of a machine can connect to its loopback address. So all of them use TLS in both
    directions, with a key that is made here and kept in memory.

    Args:
        workers: Number of workers.
        threads: Threads of each worker.
        reporter: Receives a message on the workers.
        dashboard: Whether to serve Dask's pages, which any user of this machine can read.

    Yields:
        Client of the cluster.

    Raises:
        ClusterError: If they cannot be started.
    """
    environment = dask.config.get("distributed.nanny.pre-spawn-environ", {})
    chosen = dask.config.get("temporary-directory", None)
    method = dask.config.get("distributed.worker.multiprocessing-method")
    if method == "spawn" and start_server(threads):  # another method is the user's choice
        method = "forkserver"
    settings = {
        # A worker receives only jobs that it can begin: no other job is lost with it.
        "distributed.scheduler.worker-saturation": 1.0,
        # Dask removes a worker that is down this long after its first death, even if it died again since.
        "distributed.deploy.lost-worker-timeout": "1 day",
        "distributed.nanny.pre-spawn-environ": {**environment, **worker_variables(threads)},
        "distributed.worker.multiprocessing-method": method,
        **{key: [] for key in WEB_PAGES if not dashboard},
        # Only the dashboard shows what it finds, and it looks at each worker a hundred times a second.
        "distributed.worker.profile.enabled": dashboard,
    }
    with ExitStack() as stack:
        try:
            # Removed by the next job if this one is killed; other users cannot read it.
            scratch = stack.enter_context(scratch_folder(Path(chosen) if chosen else None))
            stack.enter_context(dask.config.set({**settings, "temporary-directory": str(scratch)}))
            stack.enter_context(_dask_logs_off())
            logging.getLogger("asyncio").addFilter(_is_not_of_nanny)
            cluster = stack.enter_context(
                _started(
                    lambda: LocalCluster(
                        n_workers=workers,
                        threads_per_worker=1,
                        processes=True,
                        memory_limit=int(MEMORY_LIMIT) // workers,
                        host=HOST,
                        security=Security.temporary(),
                        dashboard_address=f"{HOST}:0",  # Dask leaves a socket open if a port is taken
                        scheduler_kwargs={"dashboard": dashboard},
                        silence_logs=logging.CRITICAL,
                    )
                )
            )
            client = stack.enter_context(Client(cluster))
            client.register_plugin(_WorkerSetup())
        except (OSError, RuntimeError) as error:
            raise ClusterError(
                f"workers on this machine could not be started ({' '.join(str(error).split())})",
                hint="see that memory is free, and room in the folder for temporary files (TMPDIR)",
            ) from error
        shown = _dashboard(client) if dashboard else ""
        reporter.log(f"{_counted(workers)} on this machine{shown}")
        yield client


@contextmanager
def _started(start: Callable[[], LocalCluster]) -> Iterator[LocalCluster]:
    """Start a cluster and close it; an interrupt waits for its start, `LONGEST_START_S` at most, and for its end.

    Dask does not close a cluster whose start is interrupted: its processes go on starting, and print tracebacks.

    Args:
        start: Function that starts the cluster.
    """
    made: Future[LocalCluster] = Future()

    def run() -> None:
        try:
            made.set_result(start())
        except BaseException as error:  # noqa: BLE001  # raised where the result is taken
            made.set_exception(error)

    with ExitStack() as stack:
        with uninterrupted():
            Thread(target=run, daemon=True).start()  # the program may end while it hangs
            stack.callback(_close, made)
        yield made.result()


@finished_first
def _close(made: Future[LocalCluster]) -> None:
    """Close a cluster, at the latest when its start has ended."""
    with uninterrupted():
        wait([made], LONGEST_START_S)
        made.add_done_callback(_close_now)


def _close_now(made: Future[LocalCluster]) -> None:
    with suppress(Exception):  # it is at its end; Dask tries again when the program ends
        made.result().close(timeout=LONGEST_END_S)


@contextmanager
def remote_cluster(address: str, reporter: Reporter) -> Iterator[Client]:
    """Connect to the user's own cluster.

    Args:
        address: Address of the scheduler, such as tcp://host:8786.
        reporter: Receives messages on the workers, and a warning if there are none.

    Yields:
        Client of the cluster.

    Raises:
        ClusterError: If no scheduler answers.
    """
    with _dask_logs_off():
        try:
            client = Client(address, timeout=CONNECT_TIMEOUT_S)
        except (OSError, ValueError, TypeError) as error:
            raise ClusterError(
                f"no Dask scheduler answers at '{address}'",
                hint="start one with: dask scheduler, and give its address such as tcp://host:8786; a "
                "scheduler with TLS needs its certificates in Dask's configuration (docs/batch.md)",
            ) from error
        with client:
            workers = list(client.scheduler_info(n_workers=-1)["workers"])
            reporter.log(f"{_counted(len(workers))} of {address}{_dashboard(client)}")
            if not client.scheduler.address.startswith("tls://"):
                reporter.log(
                    "the scheduler is open: anyone who can connect to it can run code as its user; "
                    "docs/batch.md shows how to use TLS"
                )
            if not workers:
                reporter.warning("the scheduler has no workers yet: tiles wait for the first one")
            elif any(client.run(os.getenv, TRIM_VARIABLE, workers=workers[:1]).values()):
                reporter.warning(
                    f"the workers have {TRIM_VARIABLE} set, which makes maps take twice as long; "
                    "docs/batch.md shows how to unset it"
                )
            yield client


class _WorkerSetup(WorkerPlugin):
    """Prepares a worker of this machine.

    A terminal sends Ctrl-C to all processes, and each worker would print a traceback; the client ends them
    instead. Modules that jobs need, such as torch, are imported before the first job, so that the time
    for it does not slow down jobs of other workers.
    """

    def setup(self, worker: Any) -> None:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for name in JOB_IMPORTS:
            importlib.import_module(name)


@contextmanager
def _dask_logs_off() -> Iterator[None]:
    """Switch off the logs of Dask and its event loop: errors are raised with sentences."""
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


def _is_not_of_nanny(record: logging.LogRecord) -> bool:
    """Whether a message is not on an exception that a nanny of Dask raised.

    A nanny that does not start says so twice: the cluster raises it, and the event loop tells it when the nanny is collected,
    which may be long after the cluster.
    """
    error = record.exc_info[1] if record.exc_info else None
    frames = traceback.walk_tb(error.__traceback__ if error else None)
    return all(frame.f_globals.get("__name__") != "distributed.nanny" for frame, _ in frames)


def _counted(workers: int) -> str:
    return f"{workers} worker{'' if workers == 1 else 's'}"


def _dashboard(client: Client) -> str:
    """Where to watch the workers; empty if the scheduler serves no such page.

    A scheduler tells an address in any case: it is that of its web server, which may have other pages only.
    """

    def is_served(dask_scheduler: Any) -> bool:
        """Is sent as a whole, being no function of a module: the scheduler may not have this package."""
        served = dask_scheduler.http_application.applications
        return any(hasattr(one, "app_paths") for one in served)

    try:
        link = client.dashboard_link if client.run_on_scheduler(is_served) else None
    except Exception:  # noqa: BLE001  (it may forbid such questions, or be of a version that does not know them)
        link = None
    return f", watch them at {link}" if link else ""
