"""Who can reach the workers of a batch: nobody but the process that started them."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
import warnings
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import dask
import psutil
import pytest
from distributed import Client, SpecCluster
from distributed.core import Status, connect
from distributed.security import Security

from hsi_geo.errors import ClusterError
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.tiles import cluster
from hsi_geo.tasks.tiles.cluster import local_cluster

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Tries to run code where the arguments tell, without a key and with one of its own.
INTRUDER = """
import asyncio, os, sys
from distributed.core import connect
from distributed.security import Security

async def intrude(address, security):
    comm = await connect(address, timeout=2, **security.get_connection_args("client"))
    try:
        await comm.write({"op": "identity", "reply": True})
        return await asyncio.wait_for(comm.read(), 2)
    finally:
        comm.abort()

keys = ("tcp", Security()), ("tls", Security.temporary())
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)  # nobody; who may not read where Python lies, so after all imports
for port in sys.argv[1:]:
    for scheme, security in keys:
        try:
            print("in", port, asyncio.run(intrude(f"{scheme}://127.0.0.1:{port}", security)))
        except (OSError, asyncio.TimeoutError) as error:
            print("out", port, type(error).__name__)
"""


@pytest.fixture(scope="module")
def client() -> Iterator[Client]:
    """A cluster as batches start it, while the ports that Dask likes are taken."""
    with ExitStack() as stack, warnings.catch_warnings():
        warnings.simplefilter("error")
        for port in (8786, 8787):
            taken = stack.enter_context(socket.socket())
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                taken.bind(("127.0.0.1", port))
            except OSError:
                continue  # so somebody else has it
            taken.listen()
        before = {one.laddr.port for one in listening()}
        with local_cluster(1, 1, SilentReporter()) as client:
            client.before = before
            yield client


def test_error_of_workers_that_cannot_start_is_raised(
    tmp_path: Path,
) -> None:
    nowhere = tmp_path / "nowhere"
    with (
        dask.config.set({"temporary-directory": str(nowhere)}),
        pytest.raises(ClusterError, match=f"could not be started .*{nowhere}"),
        local_cluster(1, 1, SilentReporter()),
    ):
        pytest.fail("started")


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signal to a thread")
@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.5])
def test_interrupt_while_workers_start_ends_them(
    seconds: float, capfd: pytest.CaptureFixture[str]
) -> None:
    """Dask alone leaves nannies that go on starting, and complain later."""
    earlier = set(SpecCluster._instances)
    before = set(psutil.Process().children(recursive=True))

    def new() -> set[SpecCluster]:
        return set(SpecCluster._instances) - earlier

    def interrupt() -> None:
        while not new():
            time.sleep(0.01)
        time.sleep(seconds)
        _interrupt_main()

    with pytest.raises(KeyboardInterrupt):
        threading.Thread(target=interrupt).start()
        with local_cluster(2, 1, SilentReporter()):
            pytest.fail("started")
    assert all(one.status == Status.closed for one in new())
    processes = set(psutil.Process().children(recursive=True)) - before
    assert not [one for one in processes if "spawn_main" in " ".join(one.cmdline())]
    gc.collect()
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.skipif(sys.platform == "win32", reason="Windows sends no such signal to a thread")
def test_interrupt_of_workers_that_do_not_start_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    """A cluster that comes after that is closed."""
    monkeypatch.setattr(cluster, "LONGEST_START_S", 0.2)
    comes, closed = threading.Event(), threading.Event()

    class Late:
        def __init__(self, **_: object) -> None:
            _interrupt_main()
            comes.wait(20)

        def close(self, **_: object) -> None:
            closed.set()

    monkeypatch.setattr(cluster, "LocalCluster", Late)
    with pytest.raises(KeyboardInterrupt), local_cluster(1, 1, SilentReporter()):
        pytest.fail("started")
    assert not closed.is_set()
    comes.set()
    assert closed.wait(20)


def _interrupt_main() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


def listening() -> list[Any]:
    """Sockets of this process and its children that wait for somebody."""
    me = psutil.Process()
    return [
        one
        for process in (me, *me.children(recursive=True))
        for one in process.net_connections("inet")
        if one.status == psutil.CONN_LISTEN
    ]


def ports(client: Client) -> set[int]:
    before: set[int] = client.before
    return {int(one.laddr.port) for one in listening()} - before


def programs(client: Client) -> list[int]:
    """Ports of the scheduler, the worker and its nanny; the others are web servers'."""
    info = client.scheduler_info(n_workers=-1)
    ((address, worker),) = info["workers"].items()
    addresses = [info["address"], address, worker["nanny"]]
    assert all(address.startswith("tls://127.0.0.1:") for address in addresses)
    return [int(address.rpartition(":")[2]) for address in addresses]


def test_all_listen_on_loopback_only(client: Client) -> None:
    assert {one.laddr.ip for one in listening()} == {"127.0.0.1"}
    assert set(programs(client)) < ports(client)
    assert not {8786, 8787} & ports(client)


def test_other_users_cannot_connect_to_the_cluster(client: Client) -> None:
    """Neither at the scheduler, nor at a worker or its nanny."""
    tried = programs(client)
    done = subprocess.run(
        [sys.executable, "-c", INTRUDER, *map(str, tried)],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 2 * len(tried)
    assert all(line.startswith("out ") for line in lines), done.stdout


def test_client_with_the_key_can_connect(client: Client) -> None:
    """So that the test before this one tells something."""

    async def identify() -> Any:
        how = client.security.get_connection_args("client")
        comm = await connect(client.scheduler.address, timeout=5, **how)
        try:
            await comm.write({"op": "identity", "reply": True})
            return await comm.read()
        finally:
            await comm.close()

    assert asyncio.run(identify())["type"] == "Scheduler"
    assert isinstance(client.security, Security)


@pytest.mark.parametrize(
    "page",
    [
        "",
        "status",
        "info/main/workers.html",
        "json/counts.json",
        "metrics",
        "health",
        "proxy/1/127.0.0.1/status",
    ],
)
def test_web_servers_show_nothing(client: Client, page: str) -> None:
    answers = []
    for port in ports(client) - set(programs(client)):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/{page}", timeout=3) as answer:
                answers.append((port, answer.status))
        except (urllib.error.URLError, OSError):  # no such page; or no web server
            continue
    assert not answers
