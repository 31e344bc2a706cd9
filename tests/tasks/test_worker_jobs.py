"""Runs of jobs on Dask workers: each job has its result, and an error is that of one job."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, ClassVar

import pytest

distributed = pytest.importorskip("distributed", reason="needs the extra batch")
from hsi_geo import stages
from hsi_geo.tasks.tiles.order import in_runs
from hsi_geo.tasks.tiles.worker_jobs import run_jobs, workers_of


@pytest.fixture
def client(scheduler: str) -> Iterator[Any]:
    with distributed.Client(scheduler) as client:
        yield client


class Flaky:
    """Squares numbers. Some fail at first, others always; the workers are threads of this process."""

    __name__ = "flaky"
    calls: ClassVar[Counter[int]] = Counter()

    def __init__(self, at_first: set[int], always: set[int]) -> None:
        self.at_first, self.always = at_first, always
        self.calls.clear()

    def __call__(self, job: int, more: int, reporter: Any) -> int | None:
        self.calls[job] += 1
        if job in self.always or (job in self.at_first and self.calls[job] == 1):
            raise ValueError(f"{job} failed")
        reporter.progress(stages.MAPPING, 10, 10)
        return None if job == 4 else job * job + more


@pytest.mark.parametrize("runs", [None, [range(5), range(5, 6), range(6, 9)], in_runs([1] * 9, 1)])
def test_jobs_of_runs_have_the_results_of_single_jobs(
    client: Any, runs: list[range] | None
) -> None:
    flaky = Flaky({1, 5}, {3, 8})
    found = dict(run_jobs(client, flaky, range(9), 7, runs=runs))
    assert {index: str(found.pop(index)) for index in (3, 8)} == {3: "3 failed", 8: "8 failed"}
    assert found.pop(4) is None
    assert found == {index: index * index + 7 for index in (0, 1, 2, 5, 6, 7)}
    assert all(Flaky.calls[index] == 1 for index in (0, 2, 4, 6, 7))


def test_each_job_of_a_run_tells_that_it_is_done(client: Any) -> None:
    class Job:
        def __init__(self, path: str) -> None:
            self.path = path

    def work(job: Job, reporter: Any) -> str:
        reporter.progress(stages.MAPPING, 1, 2)
        reporter.progress(stages.MAPPING, 2, 2)
        return job.path

    events: list[Any] = []
    jobs = [Job(name) for name in "abc"]
    found = dict(run_jobs(client, work, jobs, runs=[range(3)], on_event=events.append))
    assert found == {0: "a", 1: "b", 2: "c"}
    assert set(events) <= {("a", 2), ("b", 2), ("c", 2)}
    assert events


def test_jobs_with_much_data_are_no_warning(client: Any) -> None:
    """Warnings are errors in tests, and each user would see this one."""

    def size(job: bytes, reporter: Any) -> int:
        return len(job)

    assert dict(run_jobs(client, size, [bytes(12 << 20)])) == {0: 12 << 20}


def test_the_number_of_workers_is_known(client: Any) -> None:
    assert workers_of(client) == 1
