"""A batch says of each tile, and in its summary, which lie on another scale and which look unlike."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from batch_cases import Run, ids_in
from builders import model_for, run

from hsi_geo.io.scenes.properties import select_good_bands
from hsi_geo.io.scenes.scene import open_scene
from hsi_geo.tasks.artifacts.model import save_model
from hsi_geo.tasks.inference.scene_statistics import learn_spectral_stats
from hsi_geo.tasks.tiles.batch_result import BatchResult


def change(path: Path, function: Callable[[Any], Any], **profile: Any) -> None:
    """Write a tile anew with other values, and its hole as it was."""
    with rasterio.open(path) as file:
        kept = {key: value for key, value in file.profile.items() if "block" not in key}
        tags = [file.tags(band) for band in file.indexes]
        values = file.read()
    other = np.where(values == -999, -999, function(values.astype(np.float64)))
    with rasterio.open(path, "w", **{**kept, **profile}) as file:
        file.write(other.astype(file.dtypes[0]))
        for band, found in enumerate(tags, start=1):
            file.update_tags(band, **found)


def smaller(path: Path) -> None:
    change(path, lambda values: values * 1e-4, dtype="float32")


def test_one_tile_of_another_scale_is_refused_and_one_dark_tile_is_not(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    smaller(tiles[1])
    change(tiles[3], lambda values: values * 0.5)
    result = map_tiles(tiles)
    states = [outcome.state for outcome in result.outcomes.values()]
    assert states == ["mapped", "failed", *["mapped"] * 4]
    assert result.refused_for_scale == 1
    refused = result.outcomes[str(tiles[1])]
    assert refused.code == "scale"
    assert "10,000 times smaller" in refused.error
    assert "--rescale 10000" in refused.error
    lines = [json.loads(line) for line in (tmp_path / "maps/batch.jsonl").read_text().splitlines()]
    assert [line["code"] for line in lines] == [None, "scale", *[None] * 4]


@pytest.mark.slow
def test_rescale_auto_matches_the_scale_of_each_tile(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    before = {path: ids_in(file) for path, file in map_tiles(tiles, halo=False).maps.items()}
    smaller(tiles[1])
    result: BatchResult = map_tiles(tiles, halo=False, rescale="auto")
    for path, file in result.maps.items():
        np.testing.assert_array_equal(ids_in(file), before[path])
    record = json.loads(result.maps[str(tiles[1])].with_suffix(".json").read_text())
    assert record["parameters"]["rescale"] == pytest.approx(1e4)


def test_no_margin_is_read_from_a_tile_on_another_scale(
    tiles: list[Path], map_tiles: Run, tmp_path: Path
) -> None:
    for path in tiles:
        change(path, lambda values: values, dtype="float32")
    whole = {name: ids_in(file) for name, file in map_tiles(tiles).maps.items()}
    smaller(tiles[1])
    others = [path for path in tiles if path != tiles[1]]
    alone: dict[str, Any] = {}
    for given in (others, tiles[1:2]):
        result = map_tiles(given, overwrite=True, rescale="auto")
        alone |= {name: ids_in(file) for name, file in result.maps.items()}
    result = map_tiles(tiles, overwrite=True, rescale="auto")
    together = {name: ids_in(file) for name, file in result.maps.items()}
    for name, ids in together.items():
        np.testing.assert_array_equal(ids, alone[name])
    assert any((whole[name] != ids).any() for name, ids in together.items())  # margins matter
    record = json.loads(result.maps[str(tiles[0])].with_suffix(".json").read_text())
    assert "more than 1,000 times larger or smaller" in str(record["warnings"])


def test_summary_counts_drifting_tiles_also_in_a_second_run(
    scene: Any, tiles: list[Path], model: Path, scheduler: str, tmp_path: Path
) -> None:
    smaller(tiles[0])
    generator = np.random.default_rng(4)
    change(tiles[2], lambda v: v + 300 * generator.standard_normal((len(v), 1, 1)))
    spectral = learn_spectral_stats([select_good_bands(open_scene(scene.path))])
    save_model(dataclasses.replace(model_for(scene.path), spectral=spectral), model)
    command = ["batch", *tiles, "--model", model, "-o", tmp_path / "maps", "--scheduler", scheduler]
    for _ in range(2):
        done = run(*command)
        assert done.exit_code == 1
        rows = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines() if line.strip()]
        printed = {row[0].strip(): row[1] for row in rows if len(row) == 2}
        assert printed["for their scale"] == "1", done.stdout
        assert printed["unlike the model's scene"] == "1", done.stdout
    assert "looks unlike what the model was adapted to" in "".join(
        json.loads((tmp_path / "maps" / f"{tiles[2].stem}.json").read_text())["warnings"]
    )
