"""Results as the toolbox loads them: with their own style, and as their file is now if a run has replaced it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assess_cases import damaged, truth, write_class_map
from class_map_cases import random_probabilities, write_map

from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.writer import MapPaths

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

PLUGINS = "/usr/share/qgis/python/plugins"

#: Classes of two maps.
NAMES = {"first": ("meadow", "asphalt"), "other": ("pond", "roof", "road")}


@pytest.mark.slow
def test_results_have_their_style_and_are_read_anew(case: Case, tmp_path: Path) -> None:
    """Several runs into each file: another number of places, and the polygons of another map."""
    write_class_map(tmp_path, truth())
    write_class_map(tmp_path, damaged(), name="other.tif")
    places, polygons = tmp_path / "places.gpkg", tmp_path / "polygons.gpkg"
    runs: list[tuple[str, dict[str, Any], Path]] = [
        ("sample", {"INPUT": "map.tif", "COUNT": 12, "LEAST": 2}, places),
        ("sample", {"INPUT": "map.tif", "COUNT": 17, "LEAST": 2}, places),
        ("sample", {"INPUT": "map.tif", "COUNT": 9, "LEAST": 2}, places),
        ("polygons", {"INPUT": "map.tif"}, polygons),
        ("polygons", {"INPUT": "other.tif"}, polygons),
    ]
    rows = [
        {
            "algorithm": name, "output": str(out), "is_opened": given.get("COUNT") != 9,
            "parameters": {**given, "INPUT": str(tmp_path / given["INPUT"])},
        }
        for name, given, out in runs
    ]  # fmt: skip
    found = case("replaced_results", rows=rows, plugins=PLUGINS)["rows"]
    ((few,), (more,), (unopened,), (simple,), (rough,)) = found  # one layer of each file
    assert [few["count"], more["count"], unopened["count"]] == [12, 17, 9]
    assert few["widgets"] == more["widgets"]
    assert "ValueMap" in few["widgets"]  # the form asks for the class
    assert simple["count"] < rough["count"]
    assert {simple["renderer"], rough["renderer"]} == {"categorizedSymbol"}


def two_maps(folder: Path) -> dict[str, str]:
    """Paths of maps with other pixels and names."""
    for name, given in NAMES.items():
        classes = tuple(LandClass(i, one, "#123456") for i, one in enumerate(given, start=1))
        maps = MapPaths.of(folder / f"{name}.tif")
        write_map(maps, random_probabilities(len(classes)), classes)
    return {name: str(folder / f"{name}.tif") for name in NAMES}


def test_a_replaced_map_is_shown_with_its_own_pixels_and_names(case: Case, tmp_path: Path) -> None:
    """QGIS keeps what it has read of a file: the new names would stand beside the old pixels."""
    paths = two_maps(tmp_path)
    found = case("replaced_rasters", path=str(tmp_path / "map.tif"), **paths)
    for step in ("a result", "a mosaic", "a map", "hsi-geo live"):
        before, after = found[step]
        assert before == {"values": [1, 2], "legend": list(NAMES["first"])}, step
        assert after == {"values": [1, 2, 3], "legend": list(NAMES["other"])}, step
        assert found[f"layers of {step}"] == 1


def test_every_layer_of_a_replaced_file_is_read_anew_and_stays_where_a_person_put_it(
    case: Case, tmp_path: Path
) -> None:
    """A layer of another file in the folder, which no run has written, keeps its style."""
    found = case("replaced_twins", path=str(tmp_path / "map.tif"), **two_maps(tmp_path))
    for step in ("a run", "a batch", "hsi-geo live"):
        new = {"values": [1, 2, 3], "legend": list(NAMES["other"])}
        assert found[step] == [new, new], step
        assert found[f"tree of {step}"] == [{"My own group": ["My map"]}, "My map", 0.5], step


def test_a_file_whose_layer_is_being_edited_is_not_replaced(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """QGIS would write the edits of one place onto another one."""
    scene, folder = job["parameters"]["INPUT"], tmp_path / "maps"
    folder.mkdir()
    places, polygons, model = (
        tmp_path / "places.gpkg",
        folder / "polygons.gpkg",
        tmp_path / "m.safetensors",
    )
    model.write_text("m")
    for path in (places, polygons):
        shutil.copy(job["labels"], path)
    rows = [
        {"algorithm": name, "shown": f"{shown}|layername=shots", "parameters": {**given, "OUTPUT": str(out)}}
        for name, shown, given, out in (
            ("sample", places, {"INPUT": scene}, places),
            ("polygons", places, {"INPUT": scene}, places),
            ("batch", polygons, {"INPUTS": [scene], "MODEL": str(model)}, folder),
        )
    ]  # fmt: skip
    for (ok, text), row in zip(
        case("edited_results", rows=rows, python=fake.python)["rows"], rows, strict=True
    ):
        assert not ok, row
        assert "layer 'my places' shows" in text, row
        assert "save or discard its edits first" in text, row
    assert not (fake.folder / "calls.jsonl").exists()
