"""Rasters that are damaged in the middle: each command says so in one sentence, and names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from assess_cases import GRID, NAMES, truth, write_class_map
from builders import model_for, run
from shapely import Point, box

from hsi_geo.tasks.artifacts.model import save_model

Planted = Any  # defined in conftest, which tests cannot import


def damage(path: Path) -> Path:
    """Write a raster again, compressed by rows, and overwrite the middle of its pixels."""
    with rasterio.open(path) as file:
        values, profile = file.read(), file.profile
        tags = [(band, file.tags(band)) for band in file.indexes]
        names, own, units = file.descriptions, file.tags(), file.units
    profile = {k: v for k, v in profile.items() if k not in ("blockxsize", "blockysize")}
    profile |= {"driver": "GTiff", "compress": "deflate", "tiled": False, "blockysize": 1}
    path.unlink()
    with rasterio.open(path, "w", **profile) as file:
        file.write(values)
        file.descriptions, file.units = names, units
        file.update_tags(**own)
        for band, found in tags:
            file.update_tags(band, **found)
    with rasterio.open(path) as file:
        start, size = (
            int(file.get_tag_item(f"BLOCK_{what}_0_{file.height // 2}", "TIFF", bidx=1))
            for what in ("OFFSET", "SIZE")
        )
    content = bytearray(path.read_bytes())
    content[start : start + size] = bytes(size)
    path.write_bytes(content)
    return path


@pytest.fixture
def folder(planted: Planted, tmp_path: Path) -> Path:
    """Files for every command: a scene, shots, a model, two maps, zones and places; `damage` spoils one of them."""
    save_model(model_for(planted.path), tmp_path / "model.safetensors")
    planted.path.rename(tmp_path / "scene.tif")
    planted.shots(tmp_path / "shots.gpkg")
    for name in ("map.tif", "other.tif"):
        write_class_map(tmp_path, truth(), name=name)
        with rasterio.open(tmp_path / name) as file:
            profile, shape = file.profile, file.shape
        percent = np.random.default_rng(3).integers(1, 99, shape).astype(np.uint8)
        with rasterio.open(
            tmp_path / name.replace(".tif", "_confidence.tif"), "w", **{**profile, "nodata": 255}
        ) as file:
            file.write(percent, 1)
    (x0, y0), (x1, y1) = GRID @ (0, 0), GRID @ (53, 37)
    gpd.GeoDataFrame({"zone": ["a"]}, geometry=[box(x0, y1, x1, y0)], crs="EPSG:32633").to_file(
        tmp_path / "zones.gpkg"
    )
    rows, cols = np.nonzero(truth())
    places = gpd.GeoDataFrame(
        {"class": [NAMES[truth()[r, c] - 1] for r, c in zip(rows, cols, strict=True)]},
        geometry=[Point(*GRID @ (c + 0.5, r + 0.5)) for r, c in zip(rows, cols, strict=True)],
        crs="EPSG:32633",
    )
    places.iloc[::7].to_file(tmp_path / "places.gpkg")
    return tmp_path


ADAPT = ("--shots", "shots.gpkg", "-o", "out.safetensors")
CASES = [
    ("scene.tif", ("info", "scene.tif")),
    ("scene.tif", ("adapt", "scene.tif", *ADAPT)),
    ("scene.tif", ("classify", "scene.tif", "--shots", "shots.gpkg", "-o", "out.tif")),
    ("scene.tif", ("predict", "scene.tif", "--model", "model.safetensors", "-o", "out.tif")),
    ("scene.tif", ("suggest", "scene.tif", "--model", "model.safetensors", "-n", "3", "-o", "out.gpkg")),
    ("scene.tif", ("convert", "scene.tif", "-o", "out.tif")),
    ("scene.tif", ("pretrain", "scene.tif", "-o", "out.safetensors", "--steps", "2")),
    ("map.tif", ("assess", "map.tif", "--reference", "places.gpkg")),
    ("map.tif", ("sample", "map.tif", "-o", "out.gpkg")),
    ("map.tif", ("zones", "map.tif", "--zones", "zones.gpkg", "-o", "out.csv")),
    ("map.tif", ("polygons", "map.tif", "-o", "out.gpkg")),
    ("map.tif", ("compare", "map.tif", "other.tif", "-o", "out.tif")),
    ("other.tif", ("compare", "map.tif", "other.tif", "-o", "out.tif")),
    ("map_confidence.tif", ("polygons", "map.tif", "-o", "out.gpkg")),
    ("map_confidence.tif", ("compare", "map.tif", "other.tif", "-o", "out.tif")),
    ("map.tif", ("adapt", "scene.tif", "--shots", "map.tif", "-o", "out.safetensors")),
    ("map.tif", ("assess", "other.tif", "--reference", "map.tif")),
    ("map.tif", ("assess", "other.tif", "--reference", "places.gpkg", "--strata", "map.tif", "--design", "stratified")),
    ("map.tif", ("predict", "scene.tif", "--model", "model.safetensors", "-o", "out.tif", "--mask", "map.tif")),
]  # fmt: skip


@pytest.mark.parametrize(("spoilt", "command"), CASES)
def test_a_damaged_raster_is_named_in_one_sentence(
    folder: Path, monkeypatch: pytest.MonkeyPatch, spoilt: str, command: tuple[str, ...]
) -> None:
    monkeypatch.chdir(folder)
    damage(folder / spoilt)
    with rasterio.open(spoilt) as file, pytest.raises(rasterio.errors.RasterioError):
        file.read()
    before = set(folder.iterdir())
    shown = run(*command, "--progress", "jsonl") if command[0] != "info" else run(*command)
    assert shown.exit_code in (1, 2), shown.stdout + shown.stderr
    message = shown.stderr.splitlines()[-1]
    if command[0] != "info":
        event = json.loads(message)
        assert event["type"] == "error", event
        assert event["code"] != "unexpected", event
        message = f"{event['message']}; {event['hint']}"
    assert spoilt in message
    assert "unexpected" not in message
    assert "Traceback" not in shown.stderr
    left = {path.name for path in set(folder.iterdir()) - before}
    assert left <= {"out.safetensors.run"}  # pre-training goes on from there
