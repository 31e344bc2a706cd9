"""A batch that maps no tile: what earlier batches left stays, and is known."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from batch_cases import Run
from builders import snapshot

from hsi_geo import MapOptions, batch

pytest.importorskip("pystac", reason="needs the extra batch")

#: Ways in which every tile fails.
Failure = Callable[[list[Path]], list[Path]]


def damaged(tiles: list[Path]) -> list[Path]:
    for tile in tiles:
        tile.write_text("no raster")
    return tiles


def gone(tiles: list[Path]) -> list[Path]:
    return [tile.with_name(f"no_{tile.name}") for tile in tiles]


def of_another_folder(tiles: list[Path]) -> list[Path]:
    """Tiles whose maps would have the names of those that are there."""
    folder = tiles[0].parent.with_name("other")
    folder.mkdir()
    return [Path(shutil.copy(tile, folder)) for tile in tiles]


FAILURES: list[Failure] = [damaged, gone, of_another_folder]


@pytest.mark.parametrize("fail", FAILURES, ids=lambda one: one.__name__)
def test_a_batch_without_a_map_leaves_what_shows_earlier_maps(
    tiles: list[Path], model: Path, scheduler: str, tmp_path: Path, recorder: Any, fail: Failure
) -> None:
    maps, zones = tmp_path / "maps", tmp_path / "z.gpkg"
    box = [shapely.box(383000, 5817000, 385000, 5819000)]
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=box, crs=32633).to_file(zones)
    kept = shutil.copy2(tiles[0], tmp_path)

    def run(given: list[Path], **options: Any) -> Any:
        chosen = MapOptions(**options)
        return batch(given, model, maps, scheduler=scheduler, options=chosen, reporter=recorder)

    run(tiles[:1], polygons=True, zones=zones)
    before = snapshot(maps)
    result = run(fail(tiles[:1]))
    assert result.count("failed") == 1
    assert list(result.outputs) == ["log"]
    after = snapshot(maps)
    assert {name for name in before if before[name] != after.get(name)} == {"batch.jsonl"}
    assert after.keys() == before.keys()
    assert recorder.logs[-1].startswith("no tile was mapped: index.vrt and items.json stay")
    shutil.copy2(kept, tiles[0])
    assert run(tiles[:1]).count("failed") == 0
    assert not [path for path in maps.iterdir() if path.suffix in (".csv", ".gpkg")]


def test_a_first_batch_without_a_map_writes_its_log_only(
    tiles: list[Path], map_tiles: Run, recorder: Any
) -> None:
    result = map_tiles(gone(tiles[:2]), reporter=recorder)
    assert [path.name for path in result.folder.iterdir()] == ["batch.jsonl"]
    assert not [text for text in recorder.logs if "no tile was mapped" in text]


@pytest.mark.parametrize("times", [1, 2])
def test_the_log_keeps_the_hashes_of_a_map_whose_tile_fails(
    tiles: list[Path], map_tiles: Run, times: int
) -> None:
    """So the next batch makes it again without its record, and does not take it for a file of the user."""

    def lines() -> list[dict[str, Any]]:
        return [json.loads(line) for line in log.read_text().splitlines()]

    log = map_tiles(tiles[:2]).outputs["log"]
    before = [line["files"] for line in lines()]
    whole = tiles[0].read_bytes()
    tiles[0].write_text("no raster")
    for _ in range(times):
        assert map_tiles(tiles[:2]).count("failed") == 1
    assert lines()[0]["state"] == "failed"
    assert lines()[0]["files"] == before[0] != {}
    (log.parent / "0_0.json").unlink()
    tiles[0].write_bytes(whole)
    assert map_tiles(tiles[:2]).count("failed") == 0


def test_the_log_gives_a_tile_no_files_of_another_one(tiles: list[Path], map_tiles: Run) -> None:
    map_tiles(tiles[:1])
    log = map_tiles(of_another_folder(tiles[:1])).outputs["log"]
    (line,) = [json.loads(line) for line in log.read_text().splitlines()]
    assert (line["state"], line["files"]) == ("failed", {})
