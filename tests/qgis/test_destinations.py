"""Outputs are checked before a run: their folders, what they would replace, and each other."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from rasterio.shutil import copy

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

MISSING = "folder '{0}/missing' does not exist"

#: Algorithm, its outputs below a folder, and what is said.
REFUSED = [
    ("classify", {"MODEL": "missing/m.safetensors"}, MISSING),
    ("classify", {"REPORT": "missing/m.html"}, MISSING),
    ("classify", {"CONFIDENCE": "missing/c.tif"}, MISSING),
    ("classify", {"OUTPUT": "missing/c.tif"}, MISSING),
    ("classify", {"ZONE_TABLE": "missing/c.csv"}, MISSING),
    ("adapt", {"OUTPUT": "missing/m.safetensors"}, MISSING),
    ("classify_scenes", {"MODEL": "missing/m.safetensors"}, MISSING),
    ("assess", {"OUTPUT": "missing/m.json"}, MISSING),
    ("classify_scenes", {"OUTPUT": "/proc/maps"}, "nothing can be written into folder '/proc'"),
    ("classify", {"MODEL": "/proc/m.safetensors"}, "nothing can be written into folder '/proc'"),
    ("classify", {"REPORT": "folder"}, "is a folder; choose a file"),
    ("classify", {"CONFIDENCE": "scene.tif"}, "belongs to layer 'scene', and the run reads that"),
    ("classify", {"PARENTS": "dem.tif"}, "belongs to layer 'dem'"),
    ("classify", {"PROBABILITIES": "labels.gpkg"}, "belongs to layer 'labels'"),
    ("classify", {"REPORT": "zones.gpkg"}, "belongs to layer 'zones'"),
    ("classify", {"MODEL": "weights.safetensors"}, "belongs to '{0}/weights.safetensors'"),
    ("classify", {"INPUT": "mosaic.vrt", "CONFIDENCE": "scene.tif"}, "belongs to layer 'mosaic'"),
    ("adapt", {"OUTPUT": "scene.tif"}, "belongs to layer 'scene'"),
    ("zones", {"OUTPUT": "zones.gpkg"}, "belongs to layer 'zones'"),
    ("zones", {"OUTPUT": "labels.gpkg"}, "belongs to layer 'labels'"),
    ("suggest", {"OUTPUT": "zones.gpkg"}, "belongs to layer 'zones'"),
    ("assess", {"OUTPUT": "map.json"}, "belongs to layer 'map'"),  # its record
    ("assess", {"REPORT": "labels.gpkg"}, "belongs to layer 'labels'"),
    ("compare", {"POLYGONS": "labels.gpkg"}, "belongs to layer 'labels'"),
    ("sample", {"OUTPUT": "several.gpkg"}, "which holds 'areas', 'fields', 'roads', and all of"),
    ("zones", {"OUTPUT": "several.gpkg"}, "which holds 'areas', 'fields', 'roads', and all of"),
    ("polygons", {"OUTPUT": "project.gpkg"}, "which holds 'project', 'qgis_projects', and all of"),
    ("zones", {"OUTPUT": "atlas.gpkg"}, "which holds 'areas', 'qgis_projects', and all of"),
    ("info", {"VALUES": "scene.tif"}, "belongs to layer 'scene'"),
    ("open", {"OUTPUT": "scene.tif"}, "belongs to '{0}/scene.tif'"),
    ("classify", {"CONFIDENCE": "style.tif"}, "is the style of something else"),
    ("open", {"OUTPUT": "style.tif"}, "is the style of something else"),
    ("classify", {"CONFIDENCE": "a.tif", "PARENTS": "a.tif"}, "would both write '{0}/a.tif'"),
    ("classify", {"CONFIDENCE": "new.tif"}, "would both write '{0}/new.tif'"),
    ("classify", {"REPORT": "new.json"}, "would both write '{0}/new.json'"),
    ("classify", {"CONFIDENCE": "new.tiff"}, "would both write '{0}/new.qml'"),
    (
        "classify", {"CONFIDENCE": "new_probabilities.tif", "PROBABILITIES": "b.tif"},
        "would both write '{0}/new_probabilities.tif'",
    ),
]  # fmt: skip

#: Nothing is wrong with these.
ALLOWED = [
    ("classify", {"OUTPUT": "labels.tif"}),  # beside labels.gpkg, which has no style
    ("classify", {"OUTPUT": "map.tif"}),  # QGIS has asked
    ("classify_scenes", {"OUTPUT": "new/deep"}),  # folders for maps are made
    ("zones", {"OUTPUT": "style.gpkg"}),
    ("zones", {"OUTPUT": "earlier.gpkg"}),  # the layer, its table of areas, and its style
]


@pytest.fixture
def folder(tmp_path: Path, job: dict[str, Any]) -> Path:
    """A scene, a mosaic of it, a map with record and style, labels, zones and a style of something else."""
    folder = tmp_path / "Größe"
    (folder / "folder").mkdir(parents=True)
    for name in ("scene", "dem", "map"):
        shutil.copy(job["parameters"]["INPUT"], folder / f"{name}.tif")
    copy(folder / "scene.tif", folder / "mosaic.vrt", driver="VRT")
    shutil.copy(job["labels"], folder / "labels.gpkg")
    zones = gpd.read_file(job["labels"]).assign(geometry=lambda table: table.buffer(60))
    zones.to_file(folder / "zones.gpkg")
    for name, tables in (
        ("several", ("fields", "roads", "areas")), ("earlier", ("earlier", "areas", "layer_styles")),
        ("project", ("project",)), ("atlas", ("areas",)),
    ):  # fmt: skip
        for table in tables:
            zones.to_file(folder / f"{name}.gpkg", layer=table)
    for name in ("project", "atlas"):  # as QGIS does
        with contextlib.closing(sqlite3.connect(folder / f"{name}.gpkg")) as file:
            file.execute(
                "CREATE TABLE qgis_projects (name TEXT PRIMARY KEY, metadata BLOB, content BLOB)"
            )
    (folder / "map.json").write_text(json.dumps({"files": {}}))
    for name in ("map.qml", "style.qml", "weights.safetensors", "model.safetensors"):
        (folder / name).write_text(name)
    return folder


def given(folder: Path, name: str, outputs: dict[str, str]) -> dict[str, Any]:
    """Parameters of an algorithm with paths in a folder."""
    scene, labels, zones = "scene.tif", "labels.gpkg", "zones.gpkg"
    learnt = {"LABELS": labels, "OUTPUT": "new.tif", "WEIGHTS": "weights.safetensors"}
    common: dict[str, dict[str, str]] = {
        "classify": {"INPUT": scene, "DEM": "dem.tif", "ZONES": zones, **learnt},
        "adapt": {"INPUTS": scene, **learnt},
        "classify_scenes": {"INPUTS": scene, **learnt, "OUTPUT": "new"},
        "suggest": {"INPUT": scene, "AOI": zones, "MODEL": "model.safetensors"},
        "zones": {"INPUT": "map.tif", "ZONES": zones, "REFERENCE": labels},
        "assess": {"INPUT": "map.tif", "REFERENCE": labels},
        **{one: {"INPUT": "map.tif"} for one in ("sample", "polygons")},
        "compare": {"OLD": "map.tif", "NEW": "map.tif", "REFERENCE": labels, "OUTPUT": "new.tif"},
        "info": {"INPUT": scene},
        "open": {"PRODUCT": scene},
    }
    paths = {**common[name], **outputs}
    fields = {"CLASS_FIELD": "class"} if name in ("classify", "adapt", "assess") else {}
    return {**{key: str(folder / path) for key, path in paths.items()}, **fields}


def contents(folder: Path) -> dict[str, str]:
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.endswith((".aux.xml", "-shm", "-wal"))
    }


def test_outputs_are_refused_before_the_run(case: Case, fake: Fake, folder: Path) -> None:
    before = contents(folder)
    rows = [
        {"algorithm": name, "parameters": given(folder, name, outputs)}
        for name, outputs, _ in REFUSED
    ]
    found = case("several_runs", rows=rows, python=fake.python)["rows"]
    for row, (name, outputs, text) in zip(found, REFUSED, strict=True):
        assert not row["ok"], (name, outputs)
        shown = row["log"] + row.get("error", "")
        assert text.format(folder) in shown, (name, outputs, shown)
        assert "Traceback" not in shown
    assert not (fake.folder / "calls.jsonl").exists()
    assert contents(folder) == before


def test_other_outputs_are_not(case: Case, fake: Fake, folder: Path) -> None:
    rows = [
        {"algorithm": name, "parameters": given(folder, name, outputs)} for name, outputs in ALLOWED
    ]
    case("several_runs", rows=rows, python=fake.python)
    calls = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(calls) == len(ALLOWED)


def test_a_relative_path_may_be_that_of_an_earlier_output(
    case: Case, fake: Fake, folder: Path
) -> None:
    """QGIS's command line gives outputs as they were typed."""
    zones = gpd.read_file(folder / "zones.gpkg")
    zones.to_file(folder / "earlier.geojson")
    zones.to_file(folder / "polygons.gpkg")
    rows = []
    for name, output in (
        ("zones", "earlier.gpkg"), ("polygons", "polygons.gpkg"), ("polygons", "earlier.geojson"),
        ("sample", "several.gpkg"),
    ):  # fmt: skip
        parameters = given(folder, name, {})
        parameters["OUTPUT"] = os.path.relpath(folder / output)
        rows.append({"algorithm": name, "parameters": parameters})
    found = case("several_runs", rows=rows, python=fake.python)["rows"]
    calls = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(call)[0] for call in calls] == ["zones", "polygons"], found
    texts = [one["log"] + one.get("error", "") for one in found]
    assert "earlier.geojson' is no GeoPackage; choose a file" in texts[2]
    assert "which holds 'areas', 'fields', 'roads', and all of" in texts[3]


def test_a_file_that_cannot_be_moved_is_named(case: Case, tmp_path: Path) -> None:
    """The others are moved; files of the user with a similar name stay."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
    (tmp_path / "new.part").write_text("mine")
    lost, new = str(tmp_path / "missing" / "a"), str(tmp_path / "new")
    targets = {str(tmp_path / "a"): lost, str(tmp_path / "b"): new}
    error = case("moved", targets=targets)["error"]
    assert f"'{lost}' cannot be written (No such file or directory)" in error
    assert error.endswith(f"'{tmp_path / 'a'}'")
    assert contents(tmp_path).keys() == {"a", "new", "new.part"}
    assert (tmp_path / "new").read_text() == "b"
    assert (tmp_path / "new.part").read_text() == "mine"
