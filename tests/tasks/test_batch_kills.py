"""Batches that are killed: nothing is lost, nothing half made stays, the next run finishes."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import rasterio
from builders import cut_tile, model_for

from hsi_geo.errors import ClusterError
from hsi_geo.io.outputs.folder_lock import LOCK_NAME
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tiling import Window

dask = pytest.importorskip("dask", reason="needs the extra batch")
from distributed import KilledWorker

from hsi_geo.tasks.tiles.cluster import local_cluster
from hsi_geo.tasks.tiles.worker_jobs import run_jobs

# Each starts a cluster or two, whose workers take their time to start where other jobs run.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Planted]

#: Runs inside each worker: mapping takes a while, and tiles named poison kill it.
PRELOAD = """
import os, signal, time
from pathlib import Path
from hsi_geo.tasks.inference import mapping

def slow(write_map):
    def slowly(scene, model, paths, **how):
        paths.classes.write_text("half")
        if Path(scene.attrs["source"]).stem == "poison":
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.5)
        paths.classes.unlink()
        return write_map(scene, model, paths, **how)
    return slowly

if mapping.write_map.__name__ != "slowly":  # Dask runs this twice
    mapping.write_map = slow(mapping.write_map)
"""

COUNT = 6


class Scenery:
    """Tiles, a model, and the command that maps them.

    Attributes:
        maps: Folder for the maps.
        scratch: Where its processes keep temporary files.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.maps = folder / "maps"
        self.preload = folder / "preload.py"
        self.preload.write_text(PRELOAD)
        # Short, as on machines of users: otherwise no socket of the server of workers fits into its path.
        self.scratch = Path(tempfile.mkdtemp(prefix="kills-"))
        self.started: list[subprocess.Popen[str]] = []

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "TMPDIR": str(self.scratch),
            "DASK_DISTRIBUTED__WORKER__PRELOAD": str([str(self.preload)]),
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
        }

    def run_module(self, *command: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=self.environment,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def start(self, *more: str) -> subprocess.Popen[str]:
        command = ["batch", f"{self.folder}/tiles", "--model", f"{self.folder}/model.safetensors"]
        return self.run_module("hsi_geo", *command, "-o", str(self.maps), *more)

    def end(self) -> None:
        """Kill whatever a test has left running."""
        for process in self.started:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()
        shutil.rmtree(self.scratch, ignore_errors=True)

    def wait_for_a_map(self, least: int = 1) -> None:
        for _ in range(1200):
            if len(list(self.maps.glob("*.tif"))) >= least:
                return
            time.sleep(0.05)
        pytest.fail("no map in a minute")

    def require_whole_maps(self) -> int:
        """Everything under a final name can be read; how many maps there are."""
        maps = list(self.maps.glob("*.tif"))
        for path in maps:
            with rasterio.open(path) as file:
                assert file.read(1).any()
            assert json.loads(path.with_suffix(".json").read_text())["hashes"]["job"]
        return len(maps)

    def states(self) -> list[str]:
        lines = (self.maps / "batch.jsonl").read_text().splitlines()
        return [json.loads(line)["state"] for line in lines]

    def leftovers(self) -> list[Path]:
        """Temporary folders of ours and of Dask, beside the maps and where the system keeps such."""
        return [
            *self.maps.glob(".hsi-geo-*"),
            *self.scratch.glob("*hsi-geo*"),
            *self.scratch.glob("dask-*"),
        ]


@pytest.fixture
def scenery(make_scene: MakeScene, tmp_path: Path) -> Iterator[Scenery]:
    scene = make_scene(bands=6)
    save_model(model_for(scene.path), tmp_path / "model.safetensors")
    (tmp_path / "tiles").mkdir()
    for col in range(COUNT):
        cut_tile(scene.path, tmp_path / "tiles" / f"{col}.tif", Window(0, 8 * col, 37, 8))
    made = Scenery(tmp_path)
    yield made
    made.end()


def finish(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=400)
    assert "Traceback" not in err, err
    return process.returncode, out, err


def _children(process: subprocess.Popen[str]) -> list[psutil.Process]:
    return list(psutil.Process(process.pid).children(recursive=True))


def workers_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    """Worker processes of a batch: forks of a server that it has started, or processes of its own."""
    return [
        child
        for child in _children(process)
        if "spawn_main" in (command := " ".join(child.cmdline()))
        or ("forkserver" in command and child.ppid() != process.pid)
    ]


def require_gone(processes: list[psutil.Process]) -> None:
    _, alive = psutil.wait_procs(processes, timeout=30)
    assert not alive


def test_results_of_a_worker_that_died_later_are_kept() -> None:
    def worker(job: int, _: object) -> int:
        return os.getpid()

    with local_cluster(1, 1, SilentReporter()) as client:

        def wait(done: bool) -> None:
            deadline = time.monotonic() + 60
            while all(future.status == "finished" for future in client.futures.values()) != done:
                assert time.monotonic() < deadline
                time.sleep(0.001)

        results = run_jobs(client, worker, [0, 1, 2])
        first, pid = next(results)
        assert isinstance(pid, int)
        wait(done=True)
        os.kill(pid, signal.SIGKILL)
        wait(done=False)
        assert {first, *dict(results)} == {0, 1, 2}


def test_a_worker_that_dies_again_is_started_again(tmp_path: Path) -> None:
    def third_time(job: int, _: object) -> int:
        deaths = len(list(tmp_path.iterdir()))
        if deaths < 2:
            (tmp_path / str(deaths)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return job

    impatient = {"distributed.deploy.lost-worker-timeout": "0.1s"}
    with dask.config.set(impatient), local_cluster(1, 1, SilentReporter()) as client:
        assert dict(run_jobs(client, third_time, [7])) == {0: 7}


def test_a_job_that_kills_its_worker_takes_no_other_job_of_its_run_with_it() -> None:
    def job(number: int, _: object) -> int:
        if number == 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    once = {"distributed.scheduler.allowed-failures": 1}
    with dask.config.set(once), local_cluster(1, 1, SilentReporter()) as client:
        found = dict(run_jobs(client, job, range(5), runs=[range(4), range(4, 5)]))
    assert isinstance(found.pop(2), KilledWorker)
    assert found == {number: number for number in (0, 1, 3, 4)}


def test_workers_that_are_not_restarted_are_an_error() -> None:
    with local_cluster(1, 1, SilentReporter()) as client:
        (nanny,) = client.cluster.workers.values()
        client.cluster.sync(nanny.close)
        with pytest.raises(ClusterError, match="could not be started again"):
            dict(run_jobs(client, abs, [-1]))


def test_tile_that_kills_workers_fails_and_others_are_mapped(scenery: Scenery) -> None:
    poison = scenery.folder / "tiles" / "2.tif"
    poison.rename(poison.with_name("poison.tif"))
    code, _, err = finish(scenery.start("--workers", "2"))
    assert code == 1
    assert "tile 'poison.tif' was not mapped: its worker died each time" in err
    *bystanders, poisoned = scenery.states()
    # Whose map was whole when its worker died, but not yet told, is found unchanged.
    assert len(bystanders) == COUNT - 1
    assert set(bystanders) <= {"mapped", "unchanged"}
    assert poisoned == "failed"
    assert scenery.require_whole_maps() == COUNT - 1
    assert not scenery.leftovers()


def test_interrupt_ends_a_batch_cleanly_and_the_next_run_continues(scenery: Scenery) -> None:
    process = scenery.start("--workers", "1")
    scenery.wait_for_a_map()
    children = _children(process)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to all of them
    started = time.monotonic()
    code, _, err = finish(process)
    assert code == 130
    assert time.monotonic() - started < 15
    assert f"of {COUNT} tiles are mapped and stay" in err
    require_gone(children)
    mapped = scenery.require_whole_maps()
    assert 1 <= mapped < COUNT
    assert scenery.states().count("mapped") == mapped
    assert not scenery.leftovers()
    code, _, err = finish(scenery.start("--workers", "1"))
    assert (code, scenery.states().count("unchanged")) == (0, mapped)
    assert scenery.require_whole_maps() == COUNT


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
@pytest.mark.parametrize("later_s", [0.0, 1.0])
def test_interrupt_while_the_server_of_workers_starts(scenery: Scenery, later_s: float) -> None:
    """It imports torch for seconds, and a terminal sends Ctrl-C to it, too."""
    process = scenery.start("--workers", "1")
    deadline = time.monotonic() + 60
    while not any("forkserver" in " ".join(one.cmdline()) for one in _children(process)):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    time.sleep(later_s)
    children = _children(process)
    os.killpg(process.pid, signal.SIGINT)
    code, _, err = finish(process)
    assert code == 130
    assert "interrupted" in err
    require_gone(children)
    assert not list(scenery.maps.glob("*.tif"))
    assert not scenery.leftovers()


def test_killed_worker_loses_no_tile(scenery: Scenery) -> None:
    process = scenery.start("--workers", "1")
    scenery.wait_for_a_map()
    workers = workers_of(process)
    assert workers
    for worker in workers:
        worker.kill()
    code, _, err = finish(process)
    assert code == 0, err
    # Whose map was whole when its worker died, but not yet told, is found unchanged.
    assert len(scenery.states()) == COUNT
    assert set(scenery.states()) <= {"mapped", "unchanged"}
    assert scenery.require_whole_maps() == COUNT
    assert not scenery.leftovers()


def test_killed_client_leaves_no_partial_file(scenery: Scenery) -> None:
    process = scenery.start("--workers", "2")
    scenery.wait_for_a_map()
    children = _children(process)
    process.kill()
    process.communicate()
    require_gone(children)
    mapped = scenery.require_whole_maps()
    assert 1 <= mapped < COUNT
    assert scenery.leftovers()
    code, _, err = finish(scenery.start("--workers", "2"))
    assert code == 0, err
    assert scenery.states().count("unchanged") == mapped
    assert scenery.require_whole_maps() == COUNT
    assert not scenery.leftovers()


def start_cluster(scenery: Scenery) -> tuple[str, subprocess.Popen[str]]:
    """Start a scheduler and a worker as users do; its address, and its process."""
    known = scenery.folder / f"scheduler-{len(scenery.started)}.json"
    quiet = ("--no-dashboard", "--scheduler-file", str(known))
    scheduler = scenery.run_module("dask", "scheduler", "--host=127.0.0.1", "--port=0", *quiet)
    while not known.exists():
        assert scheduler.poll() is None
        time.sleep(0.05)
    scenery.run_module("dask", "worker", "--nthreads=1", *quiet)
    return str(json.loads(known.read_text())["address"]), scheduler


def test_killed_scheduler_is_an_error_and_the_next_run_continues(scenery: Scenery) -> None:
    address, scheduler = start_cluster(scenery)
    process = scenery.start("--scheduler", address)
    scenery.wait_for_a_map()
    scheduler.kill()
    code, _, err = finish(process)
    assert code == 1
    assert "Error: the Dask scheduler is gone" in err
    mapped = scenery.require_whole_maps()
    assert mapped < COUNT
    address, _ = start_cluster(scenery)
    code, _, err = finish(scenery.start("--scheduler", address))
    assert code == 0, err
    assert scenery.states().count("unchanged") >= mapped
    assert scenery.require_whole_maps() == COUNT
    # What a killed scheduler of the user's own leaves of Dask's is not ours to remove.
    assert not [path for path in scenery.leftovers() if "hsi-geo" in path.name]


def test_of_two_batches_into_one_folder_one_ends_at_once(scenery: Scenery) -> None:
    one, other = scenery.start("--workers", "1"), scenery.start("--workers", "1")
    ends = sorted(finish(process) for process in (one, other))
    assert [code for code, *_ in ends] == [0, 1]
    assert f"Error: another batch writes into '{scenery.maps}'" in ends[1][2]
    assert scenery.states() == ["mapped"] * COUNT
    assert scenery.require_whole_maps() == COUNT
    assert not scenery.leftovers()


def test_killed_batch_does_not_block_the_next_one(scenery: Scenery) -> None:
    process = scenery.start("--workers", "1")
    scenery.wait_for_a_map()
    process.kill()
    process.communicate()
    assert (scenery.maps / LOCK_NAME).exists()
    code, _, err = finish(scenery.start("--workers", "1"))
    assert code == 0, err
    assert scenery.require_whole_maps() == COUNT
    assert not scenery.leftovers()
