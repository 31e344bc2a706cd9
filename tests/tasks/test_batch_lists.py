"""Lists of tiles that cannot be read, and indexes of earlier batches."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from batch_cases import Run
from builders import run
from planted import MakeScene

from hsi_geo.tasks.tiles.jobs import error_sentence

#: Content of a list that cannot be read, or is empty, by its name.
LISTS: dict[str, Callable[[Path], object]] = {
    "binary.txt": lambda path: path.write_bytes(b"\xff\xfe\x00\x81\n"),
    "pipe.txt": os.mkfifo,
    "loop.lst": lambda path: path.symlink_to(path),
    "missing.txt": lambda path: None,
    "missing.json": lambda path: None,
    "missing.vrt": lambda path: None,
    "empty.txt": lambda path: path.write_text("# nothing\n"),
    "broken.json": lambda path: path.write_text('{"type": "FeatureCollection"'),
    "deep.json": lambda path: path.write_text("[" * 100_000),
    "other.json": lambda path: path.write_text('{"type": "Topology"}'),
    "number.geojson": lambda path: path.write_text("3"),
    "raster_less.json": lambda path: path.write_text(
        json.dumps({"type": "Feature", "assets": {}, "properties": {}})
    ),
    "no_items.json": lambda path: path.write_text('{"type": "FeatureCollection", "features": []}'),
    "broken.vrt": lambda path: path.write_text("<VRTDataset><VRTRasterBand>"),
    "binary.vrt": lambda path: path.write_bytes(b"\x00\x81\xff"),
    "pipe.vrt": os.mkfifo,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", LISTS)
def test_a_list_that_cannot_be_read_stops_the_batch_before_any_work(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path, name: str
) -> None:
    LISTS[name](tmp_path / name)
    options = ("--model", model, "-o", tmp_path / "maps", "--scheduler", scheduler)
    completed = run("batch", *tiles, tmp_path / name, *options)
    assert completed.exit_code == 1
    errors = [line for line in completed.stderr.splitlines() if line.startswith("Error: ")]
    assert len(errors) == 1
    assert str(tmp_path / name) in errors[0]
    assert "unexpected" not in errors[0]
    assert not (tmp_path / "maps").exists()


@pytest.fixture
def two_zones(make_scene: MakeScene) -> list[Path]:
    return [
        make_scene("33.tif", bands=9, height=9, width=11).path,
        make_scene("32.tif", bands=9, height=9, width=11, crs="EPSG:32632").path,
    ]


def test_an_index_of_a_crs_that_is_gone_is_removed(
    scene: Any, two_zones: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    def indexes() -> list[str]:
        return sorted(path.name for path in (tmp_path / "maps").glob("*.vrt"))

    map_tiles(two_zones)
    assert indexes() == ["index_epsg_32632.vrt", "index_epsg_32633.vrt"]
    map_tiles(two_zones[:1])
    assert indexes() == ["index.vrt"]
    map_tiles(two_zones)
    assert indexes() == ["index_epsg_32632.vrt", "index_epsg_32633.vrt"]


OTHERS = {
    "index_mine.vrt": "<VRTDataset/>",
    "index_notes.vrt": "my notes",
    "index_far.vrt": "<VRTDataset><VRTRasterBand><CategoryNames/><GDALRasterAttributeTable/>"
    '<ComplexSource><SourceFilename relativeToVRT="0">/far/33.tif</SourceFilename></ComplexSource>'
    "</VRTRasterBand></VRTDataset>",
    "index_up.vrt": "<VRTDataset><VRTRasterBand><CategoryNames/><GDALRasterAttributeTable/>"
    '<ComplexSource><SourceFilename relativeToVRT="1">../33.tif</SourceFilename></ComplexSource>'
    "</VRTRasterBand></VRTDataset>",
    "indexed.vrt": "<VRTDataset/>",
}


def test_mosaics_of_others_are_kept(
    scene: Any, two_zones: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    maps = tmp_path / "maps"
    maps.mkdir()
    for name, text in OTHERS.items():
        (maps / name).write_text(text)
    map_tiles(two_zones)
    map_tiles(two_zones[:1])
    assert {name: (maps / name).read_text() for name in OTHERS} == OTHERS


class KilledWorker(Exception):
    """Has the name of Dask's."""


@pytest.mark.parametrize("error", [MemoryError(), KilledWorker()])
@pytest.mark.parametrize("local", [True, False])
def test_error_sentence_advises_options_of_the_batch_only(error: Exception, local: bool) -> None:
    text = error_sentence(error, local=local)
    assert ("--workers" in text) == local
    assert "--max-memory" in text
