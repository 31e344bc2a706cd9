"""Results as the toolbox loads them: with their own style, and as their file is now if a run has replaced it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from assess_cases import damaged, truth, write_class_map
from class_map_cases import random_probabilities, write_map

from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.writer import MapPaths

Case = Callable[..., dict[str, Any]]

PLUGINS = "/usr/share/qgis/python/plugins"


@pytest.mark.slow
def test_results_have_their_style_and_are_read_anew(case: Case, tmp_path: Path) -> None:
    """Two runs into each file: another number of places, and the polygons of another map."""
    write_class_map(tmp_path, truth())
    write_class_map(tmp_path, damaged(), name="other.tif")
    places, polygons = tmp_path / "places.gpkg", tmp_path / "polygons.gpkg"
    runs: list[tuple[str, dict[str, Any], Path]] = [
        ("sample", {"INPUT": "map.tif", "COUNT": 12, "LEAST": 2}, places),
        ("sample", {"INPUT": "map.tif", "COUNT": 17, "LEAST": 2}, places),
        ("polygons", {"INPUT": "map.tif"}, polygons),
        ("polygons", {"INPUT": "other.tif"}, polygons),
    ]
    rows = [
        {
            "algorithm": name, "output": str(out),
            "parameters": {**given, "INPUT": str(tmp_path / given["INPUT"])},
        }
        for name, given, out in runs
    ]  # fmt: skip
    found = case("replaced_results", rows=rows, plugins=PLUGINS)["rows"]
    ((few,), (more,), (simple,), (rough,)) = found  # one layer of each file
    assert [few["count"], more["count"]] == [12, 17]
    assert few["widgets"] == more["widgets"]
    assert "ValueMap" in few["widgets"]  # the form asks for the class
    assert simple["count"] < rough["count"]
    assert {simple["renderer"], rough["renderer"]} == {"categorizedSymbol"}


def test_a_replaced_map_is_shown_with_its_own_pixels_and_names(case: Case, tmp_path: Path) -> None:
    """QGIS keeps what it has read of a file: the new names would stand beside the old pixels."""
    names = {"first": ("meadow", "asphalt"), "other": ("pond", "roof", "road")}
    for name, given in names.items():
        classes = tuple(LandClass(i, one, "#123456") for i, one in enumerate(given, start=1))
        maps = MapPaths.of(tmp_path / f"{name}.tif")
        write_map(maps, random_probabilities(len(classes)), classes)
    paths = {name: str(tmp_path / f"{name}.tif") for name in names}
    found = case("replaced_rasters", path=str(tmp_path / "map.tif"), **paths)
    for step in ("a result", "a mosaic", "a map", "hsi-geo live"):
        before, after = found[step]
        assert before == {"values": [1, 2], "legend": list(names["first"])}, step
        assert after == {"values": [1, 2, 3], "legend": list(names["other"])}, step
        assert found[f"layers of {step}"] == 1
