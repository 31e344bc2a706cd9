"""Two batches into one folder: one of them ends at its start, and a dead one locks nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from batch_cases import Run
from builders import run, snapshot

from hsi_geo.errors import OutputError
from hsi_geo.io.outputs.folder_lock import LOCK_NAME, locked

HOLDER = """
import sys, time
from pathlib import Path
from hsi_geo.io.outputs.folder_lock import locked
with locked(Path(sys.argv[1]), print):
    print("held", flush=True)
    time.sleep(600)
"""


@contextmanager
def holding(folder: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == "held\n"
            yield process
        finally:
            process.kill()


def test_folder_lock_is_exclusive(tmp_path: Path) -> None:
    with locked(tmp_path, pytest.fail):
        other = tmp_path.parent / "link"
        other.symlink_to(tmp_path)
        for spelling in (tmp_path, tmp_path / ".." / tmp_path.name, other):
            with (
                pytest.raises(OutputError, match=f"another batch .*process {os.getpid()} on "),
                locked(spelling, pytest.fail),
            ):
                pytest.fail("held twice")
    assert not list(tmp_path.iterdir())
    with locked(tmp_path, pytest.fail):
        pass


def test_lock_of_a_killed_batch_is_released(tmp_path: Path) -> None:
    with holding(tmp_path) as process:
        with (
            pytest.raises(OutputError, match=f"process {process.pid} on "),
            locked(tmp_path, pytest.fail),
        ):
            pytest.fail("held twice")
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert (tmp_path / LOCK_NAME).exists()
        with locked(tmp_path, pytest.fail):
            pass
    assert not list(tmp_path.iterdir())


def test_lock_file_removed_while_waiting_is_ignored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A holder removes its file before it lets go: who opened it meanwhile takes a new one."""
    real = fcntl.flock
    calls: list[int] = []

    def flock(handle: int, how: int) -> None:
        if not calls:
            (tmp_path / LOCK_NAME).unlink()
        calls.append(handle)
        real(handle, how)

    monkeypatch.setattr(fcntl, "flock", flock)
    with locked(tmp_path, pytest.fail):
        assert len(calls) == 2
        with pytest.raises(OutputError), locked(tmp_path, pytest.fail):
            pytest.fail("held twice")


def test_disk_without_file_locks_gives_a_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def flock(handle: int, how: int) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    messages: list[str] = []
    with locked(tmp_path, messages.append):
        pass
    assert "has no file locks" in messages[0]


def test_folder_in_place_of_the_lock_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / LOCK_NAME).mkdir()
    with pytest.raises(OutputError, match="cannot be locked"), locked(tmp_path, pytest.fail):
        pytest.fail("held")


def test_second_batch_changes_no_file(
    tiles: list[Path], map_tiles: Run, model: Path, scheduler: str, tmp_path: Path
) -> None:
    map_tiles(tiles[:2])
    maps = tmp_path / "maps"
    with locked(maps, pytest.fail):
        before = snapshot(maps)
        result: Any = run(
            "batch", *tiles, "--model", model, "-o", maps, "--scheduler", scheduler, "--overwrite"
        )
        assert result.exit_code == 1
        assert f"Error: another batch writes into '{maps}'" in result.stderr
        assert snapshot(maps) == before
    assert map_tiles(tiles).count("mapped") == 6
