"""How worker processes start: their environment, the server that they are forked from, and no effect on this process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("dask", reason="needs the extra batch")

# Each starts processes that import torch.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

#: Prints the environment of two workers, the command of their parent, and the modules that they had at their first job.
ENVIRONMENT_OF_WORKERS = """
import json, os, sys
from pathlib import Path
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.tiles.cluster import local_cluster
from hsi_geo.tasks.tiles.worker_processes import allow_server

def look():
    import sys
    parent = Path(f"/proc/{os.getppid()}/cmdline")
    text = parent.read_text() if parent.exists() else ""
    kept = ("MALLOC_TRIM_THRESHOLD_", "OMP_NUM_THREADS", "MALLOC_ARENA_MAX")
    found = {name: os.environ[name] for name in kept if name in os.environ}
    return found, "server" if "forkserver" in text else "script", sorted({m for m in sys.modules if "." not in m})

if __name__ == "__main__":
    if sys.argv[1:]:
        allow_server()
    with local_cluster(2, 3, SilentReporter()) as client:
        print(json.dumps(list(client.run(look).values())))
"""


@pytest.mark.parametrize("allowed", [(), ("allowed",)])
def test_workers_keep_memory_and_use_the_given_threads(
    tmp_path: Path, allowed: tuple[str, ...]
) -> None:
    """In a process of its own, since the server that workers are forked from stays as long as a process."""
    script = tmp_path / "script.py"
    script.write_text(ENVIRONMENT_OF_WORKERS)
    environment = {name: text for name, text in os.environ.items() if name != "OMP_NUM_THREADS"}
    done = subprocess.run(
        [sys.executable, str(script), *allowed],
        env={**environment, "TMPDIR": "/tmp"},
        capture_output=True,
        text=True,
        check=True,
    )
    one, other = json.loads(done.stdout)
    assert one == other
    found, parent, modules = one
    assert "MALLOC_TRIM_THRESHOLD_" not in found
    assert found["OMP_NUM_THREADS"] == "3"
    assert found["MALLOC_ARENA_MAX"] == "1"
    assert "torch" in modules
    assert parent == ("server" if allowed and sys.platform == "linux" else "script")


@pytest.mark.skipif(sys.platform != "linux", reason="workers are forked on Linux only")
def test_no_server_where_the_path_of_its_socket_is_too_long(tmp_path: Path) -> None:
    """Workers then start as where `local_cluster` may start no server, as in other tests of this module."""
    folder = tmp_path / ("long" * 30)
    folder.mkdir()
    code = (
        "from hsi_geo.tasks.tiles.worker_processes import allow_server, start_server;"
        "allow_server(); print(start_server(1))"
    )
    for place, expected in ((folder, "False"), ("/tmp", "True")):
        done = subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "TMPDIR": str(place)},
            capture_output=True,
            text=True,
            check=True,
        )
        assert (done.stdout.strip(), done.stderr) == (expected, "")


def test_modules_leave_signal_handlers_alone() -> None:
    """A module that made workers ignore Ctrl-C would do so in any program that imports it."""
    code = """
import importlib, pkgutil, signal, sys
import hsi_geo
before = {number: signal.getsignal(number) for number in signal.valid_signals()}
for module in pkgutil.walk_packages(hsi_geo.__path__, "hsi_geo."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
print([number for number, handler in before.items() if signal.getsignal(number) != handler])
print("hsi_geo.tasks.tiles.worker_processes" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines() == ["[]", "True"]
