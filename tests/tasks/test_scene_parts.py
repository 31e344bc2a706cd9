"""Scenes that are parts of one file, or lie on another machine, are told from each other by their names."""

from __future__ import annotations

import dataclasses
import os
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from builders import CENTRES, cube_of, model_for, nm_tags, write_tif

from hsi_geo import batch, open_scene, predict
from hsi_geo.io.readers.pixel_files import part_name
from hsi_geo.tasks.runtime import known_files, scene_hash

Planted = Any  # defined in conftest, which tests cannot import


def archive_of(folder: Path, *scenes: Path) -> Path:
    """An archive with each scene in a folder of its own: 1/a.tif, 2/a.tif."""
    path = folder / "a.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number, scene in enumerate(scenes, start=1):
            file.write(scene, f"{number}/a.tif")
    return path


def two_dates(folder: Path) -> Path:
    """An archive of two scenes that differ only in their values."""
    one, other = folder / "one.tif", folder / "other.tif"
    for path, factor in ((one, 1), (other, 2)):
        write_tif(path, cube_of(4) * factor, band_tags=nm_tags(CENTRES))
    return archive_of(folder, one, other)


def test_scenes_in_one_archive_have_different_hashes(tmp_path: Path) -> None:
    archive = two_dates(tmp_path)
    first, second = (open_scene(f"/vsizip/{archive}/{number}/a.tif") for number in (1, 2))
    assert known_files(first) == known_files(second) == (str(archive),)
    assert scene_hash(first) != scene_hash(second)


def test_scene_in_an_archive_that_was_moved_keeps_its_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = two_dates(tmp_path)
    before = scene_hash(open_scene(f"/vsizip/{archive}/1/a.tif"))
    (tmp_path / "there").mkdir()
    moved = shutil.move(archive, tmp_path / "there")
    assert scene_hash(open_scene(f"/vsizip/{moved}/1/a.tif")) == before
    monkeypatch.chdir(tmp_path)
    assert scene_hash(open_scene("/vsizip/there/a.zip/1/a.tif")) == before


def test_the_form_of_a_name_of_a_part_does_not_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = two_dates(tmp_path)
    forms = ("/vsizip/{0}/1/a.tif", "/vsizip/{{{0}}}/1/a.tif", "zip://{0}!1/a.tif", "/vsizip/a.zip/1/a.tif",
             "/vsizip/{{a.zip}}/1/a.tif")  # fmt: skip
    monkeypatch.chdir(tmp_path)
    names = [form.format(archive) for form in forms]
    assert {part_name(name) for name in names} == {"1/a.tif"}
    assert len({scene_hash(open_scene(name)) for name in names}) == 1


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("a.zip", ""),
        ("no.tif", ""),
        ("no/no.tif", ""),
        ("GTIFF_DIR:2:a.zip", "GTIFF_DIR:2:"),
        ("GTIFF_DIR:3:{folder}/a.zip", "GTIFF_DIR:3:"),
        ('HDF5:"a.zip"://one', 'HDF5:""://one'),
        ('HDF5:"{folder}/a.zip"://two', 'HDF5:""://two'),
        ("NETCDF:a.zip:one", "NETCDF::one"),
        ("/vsizip//vsizip/a.zip/b.zip/c.tif", "b.zip/c.tif"),
        ("/vsitar//vsizip/{folder}/a.zip/b.tar/c.tif", "b.tar/c.tif"),
    ],
)
def test_parts_of_names(
    name: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_dates(tmp_path)
    monkeypatch.chdir(tmp_path)
    assert part_name(name.format(folder=tmp_path)) == part


def test_scene_of_a_relative_path_keeps_its_hash_in_another_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_dates(tmp_path)
    (tmp_path / "there").mkdir()
    monkeypatch.chdir(tmp_path)
    scene = open_scene("one.tif")
    before = scene_hash(scene)
    monkeypatch.chdir("there")
    assert scene_hash(scene) == before


def at_link(path: Path, link: str) -> Any:
    """A scene as if it had been read from another machine."""
    scene = open_scene(path)
    opened = scene.encoding["opened"]
    scene.attrs["source"] = link
    scene.encoding["opened"] = dataclasses.replace(opened, files=(link,))
    return scene


@pytest.mark.parametrize(
    ("link", "is_same"),
    [
        ("https://a.org/1/b.tif", True),
        ("https://a.org/1/b.tif?token=new", True),
        ("/vsicurl/https://a.org/1/b.tif", True),
        ("https://a.org/2/b.tif", False),
        ("s3://bucket/1/b.tif", False),
    ],
)
def test_scenes_on_other_machines_are_told_by_their_links(
    tmp_path: Path, link: str, is_same: bool
) -> None:
    path = write_tif(tmp_path / "b.tif", cube_of(4), band_tags=nm_tags(CENTRES))
    usual = scene_hash(at_link(path, "https://a.org/1/b.tif?token=old"))
    assert (scene_hash(at_link(path, link)) == usual) == is_same


def test_other_assets_of_an_item_are_told_by_their_links(tmp_path: Path) -> None:
    item = tmp_path / "item.json"
    item.write_text("{}")
    path = write_tif(tmp_path / "b.tif", cube_of(4), band_tags=nm_tags(CENTRES))
    first, second = (at_link(path, f"https://a.org/{name}.tif") for name in ("toa", "boa"))
    first.attrs["source"] = second.attrs["source"] = str(item)
    assert scene_hash(first) != scene_hash(second)


def test_accuracy_is_not_claimed_for_another_scene_of_the_archive(
    scene: Planted, tmp_path: Path
) -> None:
    archive = archive_of(tmp_path, scene.path, scene.path)
    names = [f"/vsizip/{archive}/{number}/a.tif" for number in (1, 2)]
    model = model_for(scene.path)
    hashes = {"scenes": [scene_hash(open_scene(names[0]))]}
    model = dataclasses.replace(model, record={**model.record, "hashes": hashes})
    found = [
        predict(name, model, out=tmp_path / f"{index}.tif").record["scene_adapted_to"]
        for index, name in enumerate(names)
    ]
    assert found == [True, False]


def test_batch_does_not_take_the_map_of_another_scene_of_the_archive_for_its_own(
    scene: Planted, model: Path, tmp_path: Path, scheduler: str
) -> None:
    archive = archive_of(tmp_path, scene.path, scene.path)

    def state(archive: Path, number: int) -> tuple[str, bool]:
        name = f"/vsizip/{archive}/{number}/a.tif"
        done = batch(name, model, tmp_path / "maps", scheduler=scheduler)
        (outcome,) = done.outcomes.values()
        return outcome.state, "is the map of" in outcome.error

    assert state(archive, 1) == ("mapped", False)
    assert state(archive, 1) == ("unchanged", False)
    assert state(archive, 2) == ("failed", True)
    os.rename(archive, tmp_path / "b.zip")  # noqa: PTH104  (keeps its time)
    assert state(tmp_path / "b.zip", 1) == ("unchanged", False)
