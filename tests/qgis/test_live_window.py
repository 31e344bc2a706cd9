"""The dock *hsi-geo live* in QGIS's own window on a virtual screen, with hsi-geo's own engine."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import pytest

SCRIPT = Path(__file__).parents[2] / "docs" / "measurements" / "qgis_live_session.py"
PICTURES = ("qgis-live.png", "qgis-live-wrong.png", "qgis-live-finished.png")

#: Points on the planted scene, as (column, row) of their pixels.
CLASSES = {
    "Wiese ä": [[3, 12], [8, 16], [14, 4], [17, 19], [12, 11]],
    "Straße": [[33, 15], [25, 3], [40, 8], [48, 20], [50, 33]],
    "Wasser": [[4, 30], [12, 26], [20, 34], [28, 25], [34, 31]],
}


@pytest.mark.slow
@pytest.mark.usefixtures("program", "qgis_python")
@pytest.mark.skipif(shutil.which("xvfb-run") is None, reason="needs a virtual screen (xvfb)")
def test_a_recorded_session(make_scene: Callable[..., Any], tmp_path: Path) -> None:
    """Open a product, draw, a wrong shot, delete it, change a class, undo, finish, batch."""
    scene = make_scene("Szene mit ä.tif")
    shots, pictures = tmp_path / "shots.geojson", tmp_path / "pictures"
    shots.write_text(json.dumps(points(scene)), encoding="utf-8")
    command = [sys.executable, SCRIPT, scene.path, shots, "class", pictures]
    subprocess.run([str(part) for part in command], check=True, timeout=290)
    found = json.loads((pictures / "session.json").read_text(encoding="utf-8"))
    assert found["opened"] == ["", "Szene mit ä.tif"]
    assert found["chip"] == "PREVIEW"
    assert found["about"].startswith("Not the finished map. The scene, in")
    assert [row[:3] for row in found["rows"]] == [
        ["1", "Wiese ä", "5"], ["2", "Straße", "5"], ["3", "Wasser", "5"],
    ]  # fmt: skip
    assert found["layers"] == [
        "Shots (points)", "Shots (polygons)", "Preview (not the finished map)", "Szene mit ä.tif",
    ]  # fmt: skip
    assert found["spectrum"][1:] == sorted(CLASSES)

    assert found["wrong_at_first"] == []
    assert found["wrong"] == ["Wiese ä, looks like Straße"]
    assert found["selected"] == 1
    assert found["wrong_after_delete"] == []
    before, changed, undone = found["counts"]
    assert before == dict.fromkeys(CLASSES, 5)
    assert changed == {**before, "Wiese ä": 4, "Straße": 6}
    assert undone == before

    assert found["finished"].startswith("success: Szene mit ä.tif is mapped; estimated accuracy")
    assert set(found["files"]) >= {"map.tif", "map.qml", "map_model.safetensors", "map_report.html"}
    assert found["bar"][0].startswith("Szene mit ä.tif is mapped")
    assert found["top_layer"].startswith("Class map, accuracy")
    assert found["map_is_drawn"]
    assert found["batch"][:2] == [True, "hsi_geo:batch"]
    assert found["batch"][2].endswith("map_model.safetensors")
    for name in PICTURES:
        assert plt.imread(pictures / name).shape[:2] == (940, 1360)


def points(scene: Any) -> dict[str, Any]:
    """The shots as GeoJSON in the scene's CRS."""
    import rasterio

    with rasterio.open(scene.path) as dataset:
        transform, crs = dataset.transform, dataset.crs
    features = [
        {
            "type": "Feature",
            "properties": {"class": name},
            "geometry": {"type": "Point", "coordinates": transform @ (x + 0.5, y + 0.5)},
        }
        for name, places in CLASSES.items()
        for x, y in places
    ]
    name = f"urn:ogc:def:crs:EPSG::{crs.to_epsg()}"
    crs_member = {"type": "name", "properties": {"name": name}}
    return {"type": "FeatureCollection", "crs": crs_member, "features": features}
