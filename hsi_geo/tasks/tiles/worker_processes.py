"""How the worker processes of this machine start.

Each worker needs torch and Dask, whose import takes seconds. On Linux the workers of the command line are forks of a server process
(Python's forkserver) that imports both once, while the batch itself starts. Elsewhere each worker imports them.
"""

from __future__ import annotations

import atexit
import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

#: Whether processes that have imported libraries are forked. Apple's libraries do not allow it, Windows has no forks.
HAS_FORK_SERVER = sys.platform == "linux"

#: Modules of the jobs; the second one imports torch.
JOB_IMPORTS = ("hsi_geo.tasks.tiles.jobs", "hsi_geo.tasks.inference.mapping")

#: Modules that the server imports.
SERVER_IMPORTS = ("distributed", *JOB_IMPORTS)

#: With this variable, which Dask sets, glibc returns torch's memory to the system after each product, and
#: gets it again page by page: maps take more than twice as long.
TRIM_VARIABLE = "MALLOC_TRIM_THRESHOLD_"

#: Variables that make glibc keep memory that a worker's threads free, and use it again: two workers then
#: map a tenth faster at the same time. Other C libraries ignore them.
MALLOC_VARIABLES = {
    "MALLOC_ARENA_MAX": 1,
    "MALLOC_MMAP_THRESHOLD_": 1 << 30,
    "MALLOC_TOP_PAD_": 64 << 20,
}


def worker_variables(threads: int) -> dict[str, int | None]:
    """Environment variables of a worker process; None for those that it must not have.

    Args:
        threads: Threads of each worker.
    """
    return {
        TRIM_VARIABLE: None,
        **MALLOC_VARIABLES,
        "OMP_NUM_THREADS": threads,
        "GDAL_NUM_THREADS": threads,
        "MKL_NUM_THREADS": 1,  # as Dask sets them; torch sets its own number
        "OPENBLAS_NUM_THREADS": 1,
    }


#: Whether this process may start a server. A program that uses `hsi_geo.batch` may use multiprocessing itself, and
#: would get processes of the same server, with its environment.
_allowed = False


def allow_server() -> None:
    """Allow this process to start a server, as the command line does."""
    global _allowed
    _allowed = HAS_FORK_SERVER


def start_server(threads: int) -> bool:
    """Start the process that workers are forked from; it imports what they need while this one goes on.

    A server that runs already is used as it is. It is ended when this process exits.

    Args:
        threads: Threads of each worker.

    Returns:
        Whether it runs. It does not without `allow_server`, where processes may not be forked, or where the path of the
        folder for temporary files (TMPDIR) is too long for a socket.
    """
    if not _allowed:
        return False
    from multiprocessing import forkserver, resource_tracker

    multiprocessing.set_forkserver_preload(list(SERVER_IMPORTS))
    resource_tracker.ensure_running()  # the server's start would do it, and unblock Ctrl-C before the server is there
    try:
        # Libraries read the environment when they are loaded.
        with _environment(worker_variables(threads)), _interrupts_blocked():
            forkserver.ensure_running()
    except OSError:
        return False
    atexit.unregister(_end_server)
    atexit.register(_end_server, os.getpid())
    return True


def _end_server(owner: int) -> None:
    """End the server. By itself it would end only when its imports are done, seconds after an interrupted batch."""
    from multiprocessing.forkserver import _forkserver

    pid: int | None = getattr(_forkserver, "_forkserver_pid", None)
    if pid is None or os.getpid() != owner:  # a fork has the variables of its parent
        return
    with suppress(OSError):  # it has ended
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@contextmanager
def _interrupts_blocked() -> Iterator[None]:
    """Block Ctrl-C inside a ``with`` block, in this thread and for good in processes that it starts.

    A terminal sends Ctrl-C to all processes. The server and the workers would print tracebacks; the batch ends them instead.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)  # one that came meanwhile arrives now


@contextmanager
def _environment(variables: Mapping[str, int | None]) -> Iterator[None]:
    """Set environment variables inside a ``with`` block."""
    before = {name: os.environ.get(name) for name in variables}

    def change(values: Mapping[str, int | str | None]) -> None:
        for name, value in values.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = str(value)

    change(variables)
    try:
        yield
    finally:
        change(before)
