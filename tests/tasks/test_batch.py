"""Batches of tiles: no seams, nothing twice, one bad tile stops no other."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rasterio
from batch_cases import COLS, ROWS, Run, Spans, cut, ids_in, states
from builders import run, snapshot

from hsi_geo import stages
from hsi_geo.arrays import UInt8Array
from hsi_geo.errors import MissingPackageError
from hsi_geo.extras import EXTRAS
from hsi_geo.tasks.predict import predict

Planted = Any  # defined in conftest, which tests cannot import
MakeScene = Any
Recorder = Any


@pytest.fixture
def whole(scene: Planted, model: Path, tmp_path: Path) -> UInt8Array:
    """The map of the uncut scene."""
    return ids_in(predict(scene.path, model, out=tmp_path / "whole.tif").paths.classes)


OVERLAPPING = ((0, 24), (15, 22)), ((0, 21), (13, 30), (30, 23))


NARROW = ROWS, ((0, 17), (17, 3), (20, 33))


@pytest.mark.parametrize(("rows", "cols"), [(ROWS, COLS), OVERLAPPING, NARROW])
def test_neighbours_leave_no_seams(
    scene: Planted, map_tiles: Run, whole: UInt8Array, tmp_path: Path, rows: Spans, cols: Spans
) -> None:
    """Also where tiles overlap, and where one is narrower than a window."""
    tiles = cut(scene.path, tmp_path / "tiles", rows, cols)
    result = map_tiles(tiles)
    assert result.count("mapped") == 6
    assert (ids_in(result.outputs["index"]) != whole).mean() < 0.001
    for tile, path in result.maps.items():
        row, col = map(int, Path(tile).stem.split("_"))
        ids = ids_in(path)
        there = whole[row : row + ids.shape[0], col : col + ids.shape[1]]
        assert (ids != there).mean() < 0.001
        with rasterio.open(tile) as source, rasterio.open(path) as mapped:
            assert (mapped.shape, mapped.transform, mapped.crs) == (
                source.shape,
                source.transform,
                source.crs,
            )


def test_without_halo_each_tile_is_mapped_by_itself(
    tiles: list[Path], model: Path, map_tiles: Run, whole: UInt8Array, tmp_path: Path
) -> None:
    result = map_tiles(tiles, halo=False)
    alone = predict(tiles[0], model, out=tmp_path / "alone.tif")
    assert (ids_in(result.maps[str(tiles[0])]) == ids_in(alone.paths.classes)).all()
    assert (ids_in(result.outputs["index"]) != whole).mean() > 0.01


def test_tile_without_data_gets_no_class_from_neighbours(
    scene: Planted, map_tiles: Run, tmp_path: Path
) -> None:
    """An overlapping neighbour lends its pixels to windows, not to the map."""
    tiles = cut(scene.path, tmp_path / "tiles", ((0, 37),), ((0, 30), (10, 43)))
    with rasterio.open(tiles[0], "r+") as file:
        values = file.read()
        values[:, :, 20:] = -999
        file.write(values)
    ids = ids_in(map_tiles(tiles).maps[str(tiles[0])])
    assert not ids[:, 20:].any()
    assert ids[8:, :20].all()


def test_areas_count_overlaps_once(
    scene: Planted, map_tiles: Run, whole: UInt8Array, tmp_path: Path
) -> None:
    result = map_tiles(cut(scene.path, tmp_path / "tiles", *OVERLAPPING))
    for area in result.areas:
        assert area.pixels == (whole == area.id).sum()
        assert area.hectares == pytest.approx(area.pixels * 30 * 20 / 1e4)


def test_nothing_is_mapped_twice(tiles: list[Path], map_tiles: Run, tmp_path: Path) -> None:
    assert map_tiles(tiles[:5]).count("mapped") == 5
    before = snapshot(tmp_path / "maps")
    again = map_tiles(tiles[:5])
    assert again.count("unchanged") == 5
    after = snapshot(tmp_path / "maps")
    assert {name for name in before if before[name] != after[name]} == {"batch.jsonl"}
    # A tile that comes in is a neighbour of those around it.
    assert states(map_tiles(tiles)) == {
        "0_0": "unchanged",
        "0_17": "mapped",
        "0_33": "mapped",
        "20_0": "unchanged",
        "20_17": "mapped",
        "20_33": "mapped",
    }
    assert map_tiles(tiles, halo=False).count("mapped") == 6
    assert map_tiles(tiles, halo=False, confidence=True).count("mapped") == 6
    assert map_tiles(tiles, halo=False, confidence=True, overwrite=True).count("mapped") == 6


def test_changed_tile_and_its_neighbours_are_mapped_again(
    tiles: list[Path], map_tiles: Run
) -> None:
    map_tiles(tiles)
    os.utime(tiles[0], (1, 1))
    found = states(map_tiles(tiles))
    assert [name for name, state in found.items() if state == "mapped"] == [
        "0_0",
        "0_17",
        "20_0",
        "20_17",
    ]


def damage(path: Path) -> None:
    """Compress a GeoTIFF and put nonsense where its pixels begin."""
    with rasterio.open(path) as file:
        values, tags = file.read(), [file.tags(band) for band in file.indexes]
        profile = {**file.profile, "compress": "deflate"}
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        for band, tag in enumerate(tags, start=1):
            file.update_tags(band, **tag)
    with rasterio.open(path) as file:
        offset = int(file.get_tag_item("BLOCK_OFFSET_0_0", "TIFF", bidx=1))
    content = bytearray(path.read_bytes())
    content[offset : offset + 20] = b"\0" * 20
    path.write_bytes(content)


def test_bad_tile_does_not_stop_the_others(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path
) -> None:
    """Neither one that is no raster nor one with damaged pixels, which neighbours look at."""
    tiles[0].write_text("no raster")
    damage(tiles[4])
    given = [*tiles, tmp_path / "nowhere.tif"]
    completed = run(
        "batch", *given, "--model", model, "-o", tmp_path / "maps", "--scheduler", scheduler
    )
    assert completed.exit_code == 1
    assert "3 of 7 tiles were not mapped" in completed.stderr
    assert "tile '0_0.tif' was not mapped: scene" in completed.stderr
    assert "Traceback" not in completed.output
    lines = [
        json.loads(line) for line in (tmp_path / "maps" / "batch.jsonl").read_text().splitlines()
    ]
    assert [line["state"] for line in lines] == [
        "failed",
        "mapped",
        "mapped",
        "mapped",
        "failed",
        "mapped",
        "failed",
    ]
    assert "not a raster" in lines[0]["error"]
    assert "cannot be read" in lines[4]["error"]
    assert "does not exist" in lines[6]["error"]
    assert all(Path(line["map"]).exists() == (line["state"] == "mapped") for line in lines)
    assert "mapped" in completed.stdout
    assert "area (ha)" in completed.stdout


def test_map_of_another_program_is_kept(
    tiles: list[Path], model: Path, map_tiles: Run, tmp_path: Path
) -> None:
    (tmp_path / "maps").mkdir()
    predict(tiles[0], model, out=tmp_path / "maps" / "0_0.tif")
    before = snapshot(tmp_path / "maps")
    result = map_tiles(tiles[:2])
    assert list(states(result).values()) == ["failed", "mapped"]
    assert before.items() <= snapshot(tmp_path / "maps").items()
    assert map_tiles(tiles[:2], overwrite=True).count("mapped") == 2


@pytest.mark.parametrize("name", ["0_0.json", "0_0.qml", "0_0_confidence.tif"])
def test_a_file_of_that_name_is_left_alone(
    tiles: list[Path], map_tiles: Run, tmp_path: Path, name: str
) -> None:
    (tmp_path / "maps").mkdir()
    mine = tmp_path / "maps" / name
    mine.write_text("mine")
    result = map_tiles(tiles[:2], confidence=True)
    assert list(states(result).values()) == ["failed", "mapped"]
    assert mine.read_text() == "mine"
    assert f"'{mine}' is already there" in next(iter(result.outcomes.values())).error


def test_additional_output_does_not_replace_files_of_others(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    map_tiles(tiles[:1])
    mine = tmp_path / "maps" / "0_0_confidence.tif"
    mine.write_text("mine")
    assert map_tiles(tiles[:1], confidence=True).count("failed") == 1
    assert mine.read_text() == "mine"
    mine.unlink()
    assert map_tiles(tiles[:1], confidence=True).count("mapped") == 1


def test_only_files_of_a_batch_are_removed_with_its_map(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    mine = [maps / "0_0_confidence.tif", maps / "0_0_report.html"]
    for path in mine:
        path.write_text("mine")
    for probabilities in (False, True, False):
        assert map_tiles(tiles[:1], probabilities=probabilities).count("mapped") == 1
        assert (maps / "0_0_probabilities.tif").exists() == probabilities
        assert [path.read_text() for path in mine] == ["mine", "mine"]
    map_tiles(tiles[:1], overwrite=True)
    assert [path.read_text() for path in mine] == ["mine", "mine"]


def test_unreadable_folder_gives_a_warning_and_stops_no_tile(
    tiles: list[Path], map_tiles: Run, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Root may read anywhere, so the refusal is made here."""
    folder = tiles[0].parent
    (folder / "lost+found").mkdir()
    real = Path.iterdir

    def iterdir(self: Path) -> Iterator[Path]:
        if self.name == "lost+found":
            raise PermissionError(13, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "iterdir", iterdir)
    assert map_tiles(folder, reporter=recorder).count("mapped") == 6
    assert [text for text in recorder.warnings if "lost+found' is left out" in text]


def test_warnings_of_a_tile_are_printed_logged_and_recorded(
    make_scene: MakeScene, map_tiles: Run, recorder: Recorder, tmp_path: Path
) -> None:
    nowhere = make_scene("nowhere.tif", bands=9, crs=None)
    here = make_scene("here.tif", bands=9)
    message = f"scene '{nowhere.path}' has no coordinate reference system: neither has its map"
    result = map_tiles([nowhere.path, here.path], reporter=recorder)
    assert f"tile 'nowhere.tif': {message}" in recorder.warnings
    for run_again in (result, map_tiles([nowhere.path, here.path])):
        assert [outcome.warnings for outcome in run_again.outcomes.values()] == [(message,), ()]
        assert run_again.warned == 1
        lines = (tmp_path / "maps" / "batch.jsonl").read_text().splitlines()
        assert [json.loads(line)["warnings"] for line in lines] == [[message], []]


def test_progress_counts_pixels(tiles: list[Path], map_tiles: Run, recorder: Recorder) -> None:
    map_tiles(tiles, reporter=recorder)
    mapped = [(done, total) for stage, done, total in recorder.stages if stage == stages.MAPPING]
    assert mapped[-1] == (37 * 53, 37 * 53)
    assert mapped == sorted(mapped)
    assert {stage for stage, *_ in recorder.stages} == {
        stages.CHECKING_TILES,
        stages.MAPPING,
        stages.ADDING_AREAS,
    }


def test_missing_package_names_the_install_command(
    tiles: list[Path], map_tiles: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(EXTRAS, "batch", ("no_such_package",))
    with pytest.raises(MissingPackageError, match=r"pip install 'hsi-geo\[batch\]'"):
        map_tiles(tiles)


def test_unreachable_scheduler_is_one_sentence(
    tiles: list[Path], model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("distributed", reason="needs the extra batch")
    monkeypatch.setattr("hsi_geo.tasks.tiles.cluster.CONNECT_TIMEOUT_S", 0.5)
    completed = run(
        "batch", *tiles, "--model", model, "-o", tmp_path, "--scheduler", "tcp://127.0.0.1:9"
    )
    assert completed.exit_code == 1
    assert "Error: no Dask scheduler answers at 'tcp://127.0.0.1:9'" in completed.stderr
    assert "Traceback" not in completed.output


BOMBS: dict[str, Callable[[Path], object]] = {
    "pipe.tif": os.mkfifo,
    "cube.hdr": os.mkfifo,
    "pipe.h5": os.mkfifo,
    "pipe.nc": os.mkfifo,
    "pipe.zip": os.mkfifo,
    "nothing.tif": lambda path: path.write_bytes(b""),
    "loop.tif": lambda path: path.symlink_to(path),
    "vrt.tif": lambda path: path.write_text(f"<VRTDataset><a>{'<b>' * 100000}</a></VRTDataset>"),
}


@pytest.mark.timeout(60)
def test_tile_of_endless_input_fails_alone(tiles: list[Path], map_tiles: Run) -> None:
    folder = tiles[0].parent
    for path in tiles[2:]:
        path.unlink()
    for name, make in BOMBS.items():
        make(folder / name)
    result = map_tiles(folder)
    assert result.count("mapped") == 2
    assert result.count("failed") == len(BOMBS)
    assert not [o.error for o in result.outcomes.values() if "unexpected" in o.error]
