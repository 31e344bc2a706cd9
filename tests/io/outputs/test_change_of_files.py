"""Either all outputs change or none does; of two jobs one wins; killed jobs are swept."""

from __future__ import annotations

import multiprocessing
import os
import re
import signal
import subprocess
import sys
import time
import warnings
from collections.abc import Callable, Iterator
from multiprocessing.context import ForkProcess
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest
from builders import snapshot
from class_map_cases import random_probabilities, write_map

from hsi_geo.errors import OutputError, OutputExistsError
from hsi_geo.io.files import scratch
from hsi_geo.io.maps.record import (
    find_mismatched_files,
    find_stale_files,
    is_complete,
    mixed_file_warnings,
)
from hsi_geo.io.maps.writer import MapPaths
from hsi_geo.io.outputs.atomic import atomic_outputs

needs_linux = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux for processes")


def standing_map(folder: Path) -> MapPaths:
    return write_map(MapPaths.of(folder / "m.tif", confidence=True), random_probabilities())


def replace_map(folder: Path, **more: Any) -> None:
    """By a map with probabilities instead of confidence."""
    paths = MapPaths.of(folder / "m.tif", probabilities=True)
    with atomic_outputs(paths.all, overwrite=True, stale=find_stale_files(paths), **more) as where:
        write_map(paths.moved(where), random_probabilities(seed=5))


#: Renames of `replace_map`: five files.
RENAMES = 5


@pytest.mark.parametrize("error", [OSError(5, "Input/output error"), KeyboardInterrupt()])
@pytest.mark.parametrize("nth", range(RENAMES))
def test_a_rename_that_fails_undoes_those_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int, error: BaseException
) -> None:
    standing_map(tmp_path)
    (tmp_path / "m.tif.ovr").write_text("pyramids")
    before = snapshot(tmp_path)
    original, done = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal done
        done += 1
        if done == nth + 1:
            raise error
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    wanted = KeyboardInterrupt if isinstance(error, KeyboardInterrupt) else OutputError
    with pytest.raises(wanted):
        replace_map(tmp_path)
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


@pytest.mark.parametrize("nth", range(4))
def test_new_files_appear_all_or_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int
) -> None:
    paths = MapPaths.of(tmp_path / "m.tif")
    original = os.link

    def link(source: Path, target: Path, **how: Any) -> None:
        if Path(target) == paths.all[nth]:
            Path(target).write_text("of somebody else")
        original(source, target, **how)

    monkeypatch.setattr(os, "link", link)
    with (
        pytest.raises(OutputExistsError, match="has appeared while this ran"),
        atomic_outputs(paths.all, overwrite=False) as where,
    ):
        write_map(paths.moved(where), random_probabilities())
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of somebody else"]


@pytest.mark.parametrize(
    ("name", "as_link"),
    [
        *[(name, False) for name in ("m.tif", "m.json", "m.qml", "m.tif.ovr", "m.tif.aux.xml")],
        *[(name, True) for name in ("m.tif", "m.json", "m.qml")],
    ],
)
def test_files_that_appear_during_a_run_are_kept(tmp_path: Path, name: str, as_link: bool) -> None:
    paths = MapPaths.of(tmp_path / "m.tif")
    with (
        pytest.raises(OutputExistsError, match=f"{re.escape(name)}' has appeared while this ran"),
        atomic_outputs(paths.all, overwrite=False) as where,
    ):
        write_map(paths.moved(where), random_probabilities())
        if as_link:
            (tmp_path / name).symlink_to("nowhere")
        else:
            (tmp_path / name).write_text("mine")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_broken_link_counts_as_existing(tmp_path: Path) -> None:
    (tmp_path / "m.tif").symlink_to("nowhere")
    with (
        pytest.raises(OutputExistsError, match="already there"),
        atomic_outputs([tmp_path / "m.tif"], overwrite=False),
    ):
        pytest.fail("not reached")


@pytest.fixture
def immutable(tmp_path: Path) -> Iterator[Callable[[Path], None]]:
    """Make a file unchangeable for the time of a test."""
    made = []

    def make(path: Path) -> None:
        done = subprocess.run(["chattr", "+i", path], capture_output=True, check=False)
        if done.returncode:
            pytest.skip(f"cannot make files immutable here: {done.stderr!r}")
        made.append(path)

    try:
        subprocess.run(["chattr", "-V"], capture_output=True, check=False)
    except FileNotFoundError:
        pytest.skip("needs chattr")
    yield make
    for path in made:
        subprocess.run(["chattr", "-i", path], check=True)


@pytest.mark.parametrize("name", ["m.tif", "m.json", "m.qml", "m.tif.aux.xml"])
@pytest.mark.parametrize("when", ["before", "during"])
def test_file_that_cannot_be_replaced_leaves_all_files_unchanged(
    tmp_path: Path, immutable: Callable[[Path], None], name: str, when: str
) -> None:
    standing_map(tmp_path)
    before = snapshot(tmp_path)
    paths = MapPaths.of(tmp_path / "m.tif")
    if when == "before":
        immutable(tmp_path / name)
    with (
        pytest.raises(OutputError, match=rf"{re.escape(name)}' cannot be replaced \(Operation"),
        atomic_outputs(paths.all, overwrite=True) as where,
    ):
        assert when == "during"
        immutable(tmp_path / name)
        write_map(paths.moved(where), random_probabilities(seed=5))
    assert snapshot(tmp_path) == before
    assert not list(tmp_path.glob(".*"))


def test_file_that_cannot_be_restored_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    standing_map(tmp_path)
    old = (tmp_path / "m.tif").read_bytes()
    original = os.replace

    def replace(source: Path, target: Path) -> None:
        if Path(target).name in ("m.tif", "m.json"):
            raise OSError(5, "Input/output error")
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    with pytest.raises(OutputError, match=r"failed half way .* are now in '(.*)'; move") as caught:
        replace_map(tmp_path)
    kept = re.search(r"now in '(.*?)'", str(caught.value))
    assert kept is not None
    assert (Path(kept[1]) / "m.tif").read_bytes() == old
    scratch.remove_abandoned(tmp_path)
    assert Path(kept[1]).is_dir()


# Which files belong together ------------------------------------------------------------------


def test_map_moved_with_its_record_still_matches(tmp_path: Path) -> None:
    paths = standing_map(tmp_path)
    assert is_complete(paths)
    assert find_mismatched_files(paths.classes) == []
    moved = MapPaths.of(tmp_path / "other.tif", confidence=True)
    for old, new in zip(paths.all, moved.all, strict=True):
        old.rename(new)
    assert is_complete(moved)
    assert find_mismatched_files(moved.classes) == []


def test_statistics_of_other_programs_do_not_change_the_map(tmp_path: Path) -> None:
    paths = standing_map(tmp_path)
    paths.aux.write_text(paths.aux.read_text().replace("<PAMDataset>", "<PAMDataset><Metadata/>"))
    paths.style.write_text(paths.style.read_text() + "<!-- other colours -->")
    assert find_mismatched_files(paths.classes) == []


@pytest.mark.parametrize("which", ["classes", "confidence"])
@pytest.mark.parametrize("cut", [0, 100, -1])
def test_truncated_copy_is_detected(tmp_path: Path, which: str, cut: int) -> None:
    paths = standing_map(tmp_path)
    path = getattr(paths, which)
    path.write_bytes(path.read_bytes()[:cut])
    assert not is_complete(paths)
    assert find_mismatched_files(paths.classes) == [path]
    assert "is not the file that 'm.json' describes" in mixed_file_warnings(paths.classes, [])[0]


def start(work: Callable[..., None], *arguments: Any) -> ForkProcess:
    """Run a function in a forked process, which has all modules already."""
    process = multiprocessing.get_context("fork").Process(target=work, args=arguments)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of threads: none of ours holds a lock
        process.start()
    return process


def die_before_rename(folder: Path, nth: int) -> None:
    """Replace the map, and kill this process before its nth rename or at the end."""
    original, done = os.replace, 0

    def replace(source: Path, target: Path) -> None:
        nonlocal done
        if done == nth:
            os.kill(os.getpid(), signal.SIGKILL)
        done += 1
        original(source, target)

    os.replace = replace  # type: ignore[assignment]
    replace_map(folder)
    os.kill(os.getpid(), signal.SIGKILL)


@needs_linux
@pytest.mark.parametrize("nth", range(RENAMES + 1))
def test_mismatched_files_after_a_kill_between_renames(tmp_path: Path, nth: int) -> None:
    standing_map(tmp_path)
    process = start(die_before_rename, tmp_path, nth)
    process.join(60)
    assert process.exitcode == -signal.SIGKILL
    found = bool(find_mismatched_files(tmp_path / "m.tif")) or not (tmp_path / "m.json").exists()
    confidence = (tmp_path / "m_confidence.tif").exists()
    assert found == (0 < nth < RENAMES) or (nth == 0 and not confidence)
    if nth < RENAMES:
        assert list(tmp_path.glob(".hsi-geo-*"))
    with atomic_outputs([tmp_path / "anything"], overwrite=False):
        pass
    assert not list(tmp_path.glob(".hsi-geo-*"))


# Two jobs at once -----------------------------------------------------------------------------


def write_at_once(
    folder: Path, seed: int, overwrite: bool, barrier: Barrier, results: Queue[str]
) -> None:
    """Write a map, and rename it when all other jobs have written theirs."""
    paths = MapPaths.of(folder / "m.tif", confidence=True)
    values = random_probabilities(seed=seed)
    barrier.wait(60)
    try:
        with atomic_outputs(paths.all, overwrite=overwrite) as where:
            write_map(paths.moved(where), values)
            barrier.wait(60)
    except OutputExistsError as error:
        results.put(str(error))
    else:
        results.put("done")


@needs_linux
@pytest.mark.parametrize("overwrite", [False, True])
def test_files_of_jobs_with_one_name_are_not_mixed(tmp_path: Path, overwrite: bool) -> None:
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(3), context.Queue()
    jobs = [start(write_at_once, tmp_path, seed, overwrite, barrier, results) for seed in range(3)]
    texts = sorted(results.get(timeout=120) for _ in jobs)
    for job in jobs:
        job.join(60)
    if overwrite:
        assert texts == ["done"] * 3
    else:
        assert [text == "done" for text in texts].count(True) == 1
        assert ["has appeared while this ran" in text for text in texts].count(True) == 2
    assert is_complete(MapPaths.of(tmp_path / "m.tif", confidence=True))
    assert not list(tmp_path.glob(".*"))


# What killed jobs leave -----------------------------------------------------------------------


@needs_linux
def test_remove_leftovers_removes_folders_of_ended_processes_only(tmp_path: Path) -> None:
    code = f"""
import sys, time
from pathlib import Path
from hsi_geo.io.files import scratch
scratch.make(Path({str(tmp_path)!r}), "a job of a long name, " * 20)
print("made", flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as job:
        assert job.stdout is not None
        job.stdout.readline()
        own = scratch.make(tmp_path)
        theirs = [path for path in tmp_path.iterdir() if path != own]
        machine, boot, pid, start = theirs[0].name.split("-")[3:7]
        elsewhere = tmp_path / theirs[0].name.replace(machine, "0123456789")
        unknown = tmp_path / ".hsi-geo-abcdefgh"
        reused = tmp_path / theirs[0].name.replace(f"-{start}-", f"-{int(start) - 7}-")
        restarted = tmp_path / theirs[0].name.replace(boot, "0123456789")
        linked = tmp_path / theirs[0].name.replace(pid, "999999999")
        for path in (elsewhere, unknown, reused, restarted):
            path.mkdir()
            (path / "file").write_text("x")
        linked.symlink_to(elsewhere)
        stay = {own, *theirs, elsewhere, unknown, linked}
        scratch.remove_abandoned(tmp_path)
        assert set(tmp_path.iterdir()) == stay
        job.kill()
        for _ in range(100):
            if not theirs[0].exists():
                break
            scratch.remove_abandoned(tmp_path)
            time.sleep(0.1)
    assert set(tmp_path.iterdir()) == stay - set(theirs)
    assert (elsewhere / "file").exists()


def test_scratch_goes_with_its_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with scratch.scratch_folder() as folder:
        (folder / "file").write_text("x")
        assert folder.parent == tmp_path
    assert not list(tmp_path.iterdir())
