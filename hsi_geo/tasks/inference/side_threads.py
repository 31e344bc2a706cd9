"""Threads beside the one that maps: reading ahead, computing side by side, writing behind."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from hsi_geo.tasks.runtime import torch_threads

#: Most calls at the same time, since each needs memory of its own. With more cores each call has several.
MOST_CALLS = 8

#: From a function and its arguments to an iterator over the results, in the order of the arguments.
type RunEach = Callable[[Callable[[Any], Any], list[Any]], Iterator[Any]]


@contextmanager
def prefetch[T](jobs: list[Callable[[], T]]) -> Iterator[Iterator[T]]:
    """Run jobs one after another in another thread, one job ahead of the consumer.

    Args:
        jobs: Functions without arguments.

    Yields:
        Iterator over the results, in the order of the jobs.

    Examples:
        >>> with prefetch([lambda: 1, lambda: 2]) as results:
        ...     list(results)
        [1, 2]
    """
    pool = ThreadPoolExecutor(1, "prefetch")

    def results() -> Iterator[T]:
        pending = pool.submit(jobs[0]) if jobs else None
        for job in [*jobs[1:], None]:
            assert pending is not None  # there was a job before
            result = pending.result()
            pending = None if job is None else pool.submit(job)
            yield result

    try:
        yield results() if jobs else iter(())
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def run_in_order[T](jobs: list[Callable[[], T]]) -> Iterator[Iterator[T]]:
    """The same as `prefetch` without another thread."""
    yield (job() for job in jobs)


@contextmanager
def side_by_side(threads: int) -> Iterator[RunEach]:
    """Run a function for many arguments at the same time, on all cores.

    Passes over pixels that torch or NumPy would make on one thread then keep all cores busy.

    Args:
        threads: Number of threads; with one the calls are made in the calling thread.

    Yields:
        Function that runs another one for each item of a list. Of several exceptions the first is raised.

    Examples:
        >>> with side_by_side(2) as run_each:
        ...     list(run_each(abs, [-1, 2]))
        [1, 2]
    """
    if threads == 1:
        yield lambda function, items: map(function, items)
        return
    calls = min(threads, MOST_CALLS)
    with torch_threads(threads // calls), ThreadPoolExecutor(calls, "mapping") as pool:
        yield lambda function, items: pool.map(function, items)


@contextmanager
def write_behind[*Ts](job: Callable[[*Ts], None]) -> Iterator[Callable[[*Ts], None]]:
    """Run calls of a function one after another in another thread.

    A call returns at once, after it has waited for the call before. An exception of a call is raised by the
    next call, or at the end.

    Args:
        job: Function to call.

    Yields:
        Function with the same arguments that starts a call.

    Examples:
        >>> written = []
        >>> with write_behind(written.append) as write:
        ...     write(1)
        ...     write(2)
        >>> written
        [1, 2]
    """
    pool = ThreadPoolExecutor(1, "write-behind")
    pending: list[Any] = []

    def call(*arguments: *Ts) -> None:
        for future in pending:
            future.result()
        pending[:] = [pool.submit(job, *arguments)]

    try:
        yield call
        for future in pending:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)
