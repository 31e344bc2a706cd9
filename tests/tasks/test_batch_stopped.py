"""A batch that is stopped leaves no mosaic, items or polygons that name or place its new maps wrongly."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rasterio
from batch_cases import Run, ids_in
from builders import model_for, snapshot
from rasterio.windows import Window

from hsi_geo.io.labels.shots import LandClass
from hsi_geo.tasks.artifacts.model import save_model

pytest.importorskip("pystac", reason="needs the extra batch")

Planted = Any  # defined in conftest, which tests cannot import
Stop = Callable[..., None]

OVERVIEW = ("index.vrt", "index_confidence.vrt")


@pytest.fixture
def stop(map_tiles: Run, monkeypatch: pytest.MonkeyPatch) -> Stop:
    """Function that runs a batch until a step of its end."""

    def interrupt(*given: Any) -> Any:
        raise KeyboardInterrupt

    def stop_at(step: str, tiles: list[Path], **options: Any) -> None:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(f"hsi_geo.tasks.tiles.run.{step}", interrupt)
            map_tiles(tiles, **options)

    return stop_at


def other_model(scene: Planted, model: Path, names: tuple[str, ...], color: str) -> None:
    """Replace a model by one whose classes have other names or colours."""
    table = tuple(LandClass(i, name, color, None) for i, name in enumerate(names, start=1))
    made = model_for(scene.path, seed=8)
    record = {**made.record, "shots": dict.fromkeys(names, 4)}
    model.unlink()
    save_model(dataclasses.replace(made, classes=table, record=record), model)


def crop(tile: Path) -> None:
    """Replace a tile by its right part."""
    with rasterio.open(tile) as file:
        part = Window(3, 2, file.width - 3, file.height - 2)
        values, tags = file.read(window=part), [file.tags(band) for band in file.indexes]
        kept = {key: value for key, value in file.profile.items() if "block" not in key}
        size = {
            "height": part.height,
            "width": part.width,
            "transform": file.window_transform(part),
        }
    with rasterio.open(tile, "w", **{**kept, **size}) as file:
        file.write(values)
        for band, one in enumerate(tags, start=1):
            file.update_tags(band, **one)


USUAL = ("class 1", "class 2", "class 3")


@pytest.mark.parametrize(
    ("names", "color", "is_cropped", "stays"),
    [
        (USUAL, "#0a1b2c", False, True),
        (("barley", "class 1", "class 2"), "#0a1b2c", False, False),
        (USUAL, "#ff0000", False, False),
        (USUAL, "#0a1b2c", True, False),
    ],
    ids=[
        "another model of these classes",
        "other names",
        "other colours",
        "other pixels of a tile",
    ],
)
def test_a_stopped_batch_leaves_no_mosaic_of_other_classes_or_pixels(
    scene: Planted, tiles: list[Path], model: Path, map_tiles: Run, stop: Stop,
    names: tuple[str, ...], color: str, is_cropped: bool, stays: bool,
) -> None:  # fmt: skip
    folder = map_tiles(tiles[:3], polygons=True).folder
    other_model(scene, model, names, color)
    if is_cropped:
        crop(tiles[1])
    stop("area_jobs", tiles[:3], polygons=True)
    assert [(folder / name).exists() for name in OVERVIEW] == [stays, stays]
    items = json.loads((folder / "items.json").read_text())
    assert len(items["features"]) == 3 * stays
    assert items["hsi_geo:layers"] == ["polygons.gpkg"]  # so that they are known to be of a batch
    result = map_tiles(tiles[:3])
    assert not (folder / "polygons.gpkg").exists()
    assert f"<Category>{names[0]}<" in result.outputs["index"].read_text()


def test_a_batch_of_another_model_whose_tiles_all_fail_leaves_the_mosaic(
    scene: Planted, tiles: list[Path], model: Path, map_tiles: Run
) -> None:
    folder = map_tiles(tiles[:2]).folder
    before = snapshot(folder)
    other_model(scene, model, ("barley", "class 1", "class 2"), "#0a1b2c")
    for tile in tiles[:2]:
        tile.write_bytes(tile.read_bytes()[:900])
    assert map_tiles(tiles[:2]).count("failed") == 2
    after = snapshot(folder)
    assert after.pop("batch.jsonl") != before.pop("batch.jsonl")
    assert after == before


def test_polygons_of_earlier_maps_do_not_stay_beside_a_new_mosaic(
    scene: Planted, tiles: list[Path], model: Path, map_tiles: Run, stop: Stop
) -> None:
    folder = map_tiles(tiles[:2], polygons=True).folder
    stop("write_mosaic_polygons", tiles[:2], polygons=True)
    assert (folder / "polygons.gpkg").exists()  # no map has changed
    other_model(scene, model, ("barley", "class 1", "class 2"), "#0a1b2c")
    stop("write_mosaic_polygons", tiles[:2], polygons=True)
    assert ids_in(folder / "index.vrt").any()
    assert not (folder / "polygons.gpkg").exists()
    map_tiles(tiles[:2], polygons=True)
    assert (folder / "polygons.gpkg").exists()
