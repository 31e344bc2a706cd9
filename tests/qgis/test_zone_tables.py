"""Tables of areas per zone, and maps of parents, of the algorithms that make maps, in a real QGIS."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pytest
import rasterio
from shapely import box

from hsi_geo.io.maps.reader import read_map

MakeScene = Callable[..., Any]  # defined in conftest, which tests cannot import
Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


def succeeded(shown: subprocess.CompletedProcess[str]) -> str:
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Traceback" not in shown.stdout + shown.stderr
    return shown.stdout


def write_communes(scene: str, path: Path) -> Path:
    """Two zones: the left part of the scene and the whole of it, in another CRS than the scene."""
    with rasterio.open(scene) as file:
        left, bottom, right, top = file.bounds
        crs = file.crs
    shapes = [box(left, bottom, left + (right - left) / 3, top), box(left, bottom, right, top)]
    frame = gpd.GeoDataFrame({"Gemeinde": ["=West", "Ganzes"]}, geometry=shapes, crs=crs)
    frame.to_crs("EPSG:3857").to_file(path)
    return path


def two_levels(labels: str, path: Path) -> Path:
    frame = gpd.read_file(labels)
    levels = dict(zip(sorted(frame["class"].unique()), ("a", "b", "a"), strict=True))
    frame["Ebene 1"] = frame["class"].map(levels)
    frame.to_file(path)
    return path


@pytest.mark.parametrize("name", ["classify", "predict"])
def test_a_table_without_zones_is_refused(
    name: str, case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    given = {**job["parameters"], "ZONE_TABLE": str(tmp_path / "areas.csv")}
    given |= {"LABELS": job["labels"]} if name == "classify" else {"MODEL": job["labels"]}
    found = case("checked", algorithm=name, rows=[given], python=fake.python)["rows"]
    assert found[0]["ok"] is False
    assert "choose a layer of zones" in found[0]["reason"]


@pytest.mark.slow
def test_maps_have_a_table_of_zones_and_tiles_one_together(
    call: Call, job: dict[str, Any], quick_python: str, make_scene: MakeScene, tmp_path: Path
) -> None:
    scene, model = job["parameters"]["INPUT"], tmp_path / "m.safetensors"
    communes = write_communes(scene, tmp_path / "Gemeinden.gpkg")
    zones = {"ZONES": communes, "ZONE_FIELD": "Gemeinde"}
    table = tmp_path / "Flächen je Gemeinde.csv"
    labels = two_levels(job["labels"], tmp_path / "two.gpkg")
    shown = succeeded(
        call(
            "hsi_geo:classify", python=quick_python, LABELS=labels, PARENT_FIELD="Ebene 1",
            MODEL=model, ZONE_TABLE=table, **zones, **job["parameters"],
        )
    )  # fmt: skip
    assert "Flächen je Gemeinde.csv" in shown
    areas = pd.read_csv(table)
    assert list(dict.fromkeys(areas["zone"])) == ["'=West", "Ganzes"]
    out = read_map(Path(job["parameters"]["OUTPUT"]))
    whole = areas[areas["zone"] == "Ganzes"].set_index("value")["pixels"].to_dict()
    assert whole == out.counts()
    assert areas["hectares_se"].notna().all()
    assert not Path(job["parameters"]["OUTPUT"]).with_name("map_zones.csv").exists()

    tiles, maps = tmp_path / "tiles", tmp_path / "maps"
    tiles.mkdir()
    make_scene("a.tif").path.rename(tiles / "a.tif")
    succeeded(
        call(
            "hsi_geo:batch", FOLDER=tiles, MODEL=model, OUTPUT=maps, WORKERS=1, PARENTS=True, **zones,
        )
    )  # fmt: skip
    areas = pd.read_csv(maps / "zones.csv")
    assert set(areas["zone"]) <= {"'=West", "Ganzes"}
    assert areas["pixels"].sum() > 0
    assert read_map(maps / "a_parents.tif").names == {1: "a", 2: "b"}

    several = tmp_path / "several"
    succeeded(
        call(
            "hsi_geo:classify_scenes", python=quick_python, INPUTS=scene, LABELS=labels,
            CLASS_FIELD="class", PARENT_FIELD="Ebene 1", PARENTS=True, OUTPUT=several, **zones,
        )
    )  # fmt: skip
    stem = Path(scene).stem
    assert len(pd.read_csv(several / f"{stem}_classes_zones.csv")) > 0
    assert (several / f"{stem}_classes_parents.tif").is_file()
