"""Outputs appear whole or not at all, and take nothing away that was there."""

from __future__ import annotations

import errno
import os
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from class_map_cases import CLASSES, GRID, random_probabilities, write_map
from small_disk import small_disk

from hsi_geo.errors import OutputError, OutputExistsError
from hsi_geo.io.maps.record import find_stale_files
from hsi_geo.io.maps.writer import MapPaths, MapWriter
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.tiling import Window


def stop(error: BaseException) -> None:
    raise error


@pytest.mark.parametrize("error", [RuntimeError("no"), KeyboardInterrupt(), SystemExit(3)])
@pytest.mark.parametrize("there", [False, True])
def test_interrupted_map_keeps_existing_files(
    tmp_path: Path, error: BaseException, there: bool
) -> None:
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True)
    if there:
        for path in paths.all:
            path.write_text(f"old {path.name}")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with (
        pytest.raises(type(error)),
        atomic_outputs(paths.all, overwrite=there) as where,
        MapWriter(paths.moved(where), GRID, CLASSES) as writer,
    ):
        writer.write(Window(0, 0, 16, 20), random_probabilities()[:, :16, :20])
        stop(error)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_staged_map_appears_whole(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "m.tif", confidence=True)
    with atomic_outputs(paths.all, overwrite=False) as where:
        write_map(paths.moved(where), random_probabilities())
        assert not any(path.exists() for path in paths.all)
        hidden = [path for path in tmp_path.iterdir() if not path.name.startswith(".")]
        assert hidden == []
    assert sorted(tmp_path.iterdir()) == sorted(paths.all)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc which file a handle is of")
def test_files_are_on_the_disk_before_they_get_their_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    final, synced = tmp_path / "m.txt", []

    def note(handle: int) -> None:
        synced.append((Path(f"/proc/self/fd/{handle}").readlink(), final.exists()))

    monkeypatch.setattr(os, "fsync", note)
    with atomic_outputs([final], overwrite=False) as where:
        where[final].write_text("classes")
    assert synced == [(where[final], False), (tmp_path, True)]


@pytest.mark.parametrize("overwrite", [False, True])
def test_record_is_renamed_last(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, overwrite: bool
) -> None:
    finals = [tmp_path / name for name in ("c", "a", "b")]
    renamed: list[str] = []
    by = "replace" if overwrite else "link"
    original: Callable[[Path, Path], None] = getattr(os, by)

    def rename_and_note(source: Path, target: Path, **how: Any) -> None:
        original(source, target, **how)
        if Path(target).parent == tmp_path:
            renamed.append(Path(target).name)

    monkeypatch.setattr(os, by, rename_and_note)
    with atomic_outputs(finals, overwrite=overwrite) as where:
        for final, path in where.items():
            assert path.name == final.name
            path.write_text("x")
    assert renamed == ["c", "a", "b"]


def test_record_lists_only_files_that_were_written(tmp_path: Path) -> None:
    finals = [tmp_path / "a", tmp_path / "b"]
    with atomic_outputs(finals, overwrite=False) as where:
        where[finals[1]].write_text("x")
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_map_with_fewer_files_removes_files_of_the_earlier_map(tmp_path: Path) -> None:
    before = MapPaths.of(tmp_path / "m.tif", confidence=True, probabilities=True)
    write_map(before, random_probabilities())
    others = [tmp_path / "m_notes.txt", tmp_path / "m_report.html"]  # no record tells of them
    for path in others:
        path.write_text("mine")
    now = MapPaths.of(tmp_path / "m.tif", probabilities=True)
    with atomic_outputs(now.all, overwrite=True, stale=find_stale_files(now)) as where:
        write_map(now.moved(where), random_probabilities(seed=5))
    assert sorted(tmp_path.iterdir()) == sorted([*now.all, *others])


def test_existing_output_is_kept_without_overwrite(tmp_path: Path) -> None:
    final = tmp_path / "m.tif"
    final.write_text("old")
    with (
        pytest.raises(OutputExistsError, match=r"m\.tif' is already there") as caught,
        atomic_outputs([tmp_path / "new", final], overwrite=False),
    ):
        pytest.fail("not reached")
    assert isinstance(caught.value, FileExistsError)
    assert [path.name for path in tmp_path.iterdir()] == ["m.tif"]
    with atomic_outputs([final], overwrite=True) as where:
        where[final].write_text("new")
        assert final.read_text() == "old"
    assert final.read_text() == "new"


@pytest.mark.parametrize(
    ("name", "message"), [("none/m.tif", "folder '.*none' does not exist"), ("dir", "is a folder")]
)
def test_impossible_output_is_refused_before_any_work(
    tmp_path: Path, name: str, message: str
) -> None:
    (tmp_path / "dir").mkdir()
    with (
        pytest.raises(OutputError, match=message),
        atomic_outputs([tmp_path / name], overwrite=True),
    ):
        pytest.fail("not reached")
    assert [path.name for path in tmp_path.iterdir()] == ["dir"]


def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"failed \(No space left on device\)") as caught,
        atomic_outputs([tmp_path / "m.tif"], overwrite=False),
    ):
        stop(OSError(28, "No space left on device"))
    assert isinstance(caught.value, OSError)
    assert list(tmp_path.iterdir()) == []


def test_nothing_to_write_needs_no_folder() -> None:
    with atomic_outputs([], overwrite=False) as where:
        assert where == {}


def test_moved_paths_leave_out_files_that_are_not_written(tmp_path: Path) -> None:
    paths = MapPaths.of(tmp_path / "m.tif")
    where = {path: tmp_path / "stage" / path.name for path in paths.all}
    moved = paths.moved(where)
    assert moved == replace(moved, confidence=None, probabilities=None)
    assert {path.parent.name for path in moved.all} == {"stage"}


@pytest.mark.parametrize("overwrite", [False, True])
def test_outputs_on_two_disks(tmp_path: Path, overwrite: bool) -> None:
    """A map, and its model on another disk."""
    with small_disk(tmp_path / "disk") as resized:
        disk = resized(50)
        finals = [tmp_path / "map.tif", disk / "m.safetensors"]
        for one in finals * overwrite:
            one.write_text("earlier")
        with atomic_outputs(finals, overwrite=overwrite) as where:
            for final, temporary in where.items():
                temporary.write_text(final.name)
        assert [one.read_text() for one in finals] == ["map.tif", "m.safetensors"]
        with pytest.raises(KeyError), atomic_outputs(finals, overwrite=True) as where:
            where[finals[1]].write_text("half")
            stop(KeyError())
        assert [one.read_text() for one in finals] == ["map.tif", "m.safetensors"]
        assert sorted(path.name for path in disk.iterdir()) == ["m.safetensors"]
        assert sorted(path.name for path in tmp_path.iterdir()) == ["disk", "map.tif"]


def test_a_file_that_cannot_be_replaced_on_one_disk_restores_both(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_disk(tmp_path / "disk") as resized:
        finals = [tmp_path / "map.tif", resized(50) / "m.safetensors"]
        for one in finals:
            one.write_text("earlier")
        replace_one, calls = os.replace, []

        def failing(source: Path, target: Path) -> None:
            calls.append(target)
            if len(calls) == 2:
                raise OSError(errno.EIO, "Input/output error")
            replace_one(source, target)

        monkeypatch.setattr(os, "replace", failing)
        with pytest.raises(OutputError), atomic_outputs(finals, overwrite=True) as where:
            for final, temporary in where.items():
                temporary.write_text(final.name)
        assert len(calls) > 2
        assert [one.read_text() for one in finals] == ["earlier", "earlier"]


def test_a_folder_under_two_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    finals = [Path("map.tif"), tmp_path / "m.safetensors"]
    with atomic_outputs(finals, overwrite=False) as where:
        for final, temporary in where.items():
            temporary.write_text(final.name)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["m.safetensors", "map.tif"]


def test_the_disk_has_hard_links_or_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """FAT and some network drives have none."""

    def no_links(*names: object, **how: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    finals = [tmp_path / "a", tmp_path / "b"]
    for overwrite, text in ((False, "one"), (True, "two")):
        with atomic_outputs(finals, overwrite=overwrite) as where:
            for path in where.values():
                path.write_text(text)
        assert [path.read_text() for path in finals] == [text, text]
    shutil.rmtree(tmp_path)


@pytest.mark.parametrize("name", ["m" * 300, "ä" * 150])
def test_a_name_that_is_too_long_is_refused_before_any_work(tmp_path: Path, name: str) -> None:
    with (
        pytest.raises(OutputError, match=r"too long\); choose a shorter name"),
        atomic_outputs([tmp_path / name], overwrite=True),
    ):
        pytest.fail("the block is not entered")


def test_a_name_that_is_too_long_inside_the_block(tmp_path: Path) -> None:
    with (
        pytest.raises(OutputError, match=r"too long\); choose a shorter name"),
        atomic_outputs([tmp_path / "a.tif"], overwrite=True) as where,
    ):
        where[tmp_path / "a.tif"].with_suffix("." + "b" * 300).touch()
