"""Whether the page of a scheduler is announced: only one that it serves."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import Any

import pytest

pytest.importorskip("distributed", reason="needs the extra batch")

from distributed import Client, LocalCluster
from distributed.protocol.pickle import dumps

from hsi_geo.tasks.tiles.cluster import remote_cluster

pytestmark = pytest.mark.timeout(60)

ANNOUNCED = ", watch them at "


def link_of(recorder: Any) -> str | None:
    """Address of the page in the first message."""
    _, found, link = recorder.logs[0].partition(ANNOUNCED)
    return link if found else None


@pytest.mark.parametrize("served", [False, True])
def test_the_page_of_a_scheduler_is_announced_if_it_is_served(recorder: Any, served: bool) -> None:
    if served:
        pytest.importorskip("bokeh", reason="draws the page")
    with (
        LocalCluster(
            n_workers=0,
            processes=False,
            protocol="tcp",
            dashboard_address="127.0.0.1:0",
            scheduler_kwargs={"dashboard": served},
        ) as cluster,
        remote_cluster(cluster.scheduler_address, recorder),
    ):
        link = link_of(recorder)
        assert (link is not None) == served
        page = link or cluster.dashboard_link
        assert (_status(page) == 200) == served


def _status(page: str) -> int:
    try:
        with urllib.request.urlopen(page, timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def test_a_scheduler_that_runs_no_functions_is_announced_without_a_page(
    scheduler: str, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(client: Client, function: Any) -> Any:
        raise ValueError("Cannot run function as the scheduler has been explicitly disallowed")

    monkeypatch.setattr(Client, "run_on_scheduler", refuse)
    with remote_cluster(scheduler, recorder):
        assert link_of(recorder) is None


def test_the_scheduler_needs_no_package_for_the_answer(
    scheduler: str, recorder: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[bytes] = []
    real = Client.run_on_scheduler

    def spy(self: Client, function: Any) -> Any:
        sent.append(dumps(function))
        return real(self, function)

    monkeypatch.setattr(Client, "run_on_scheduler", spy)
    with remote_cluster(scheduler, recorder):
        (function,) = sent
    assert b"cloudpickle" in function  # by value
