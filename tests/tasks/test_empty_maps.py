"""Maps without a class: the user is told, and no polygons are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from batch_cases import ids_in
from builders import model_for

from hsi_geo import MapOptions, predict
from hsi_geo.errors import SceneError

Planted = Any  # defined in conftest, which tests cannot import
Recorder = Any


@pytest.mark.parametrize(
    "spots",
    [
        pytest.param([(10.1, 20.1), (10.4, 20.4)], id="beside centres"),
        pytest.param([(-9.0, 20.0), (0.0, 31.0)], id="on the edge"),
        pytest.param([(3.0, 5.0), (7.0, 10.0)], id="on nodata"),
    ],
)
def test_an_area_without_a_pixel_gets_a_warning(
    scene: Planted, tmp_path: Path, recorder: Recorder, spots: list[tuple[float, float]]
) -> None:
    (left, top), (right, bottom) = (scene.transform @ (col, row) for row, col in spots)
    area = tmp_path / "area.gpkg"
    gpd.GeoSeries([shapely.box(left, bottom, right, top)], crs=scene.crs).to_file(area)
    model = model_for(scene.path)
    out = tmp_path / "map.tif"
    paths = predict(
        scene.path, model, out=out, options=MapOptions(aoi=area), reporter=recorder
    ).paths
    assert not ids_in(paths.classes).any()
    (warning,) = recorder.warnings
    assert warning.startswith(f"no pixel of scene '{scene.path}' was mapped")
    assert "area.gpkg" in warning
    options = MapOptions(aoi=area, polygons=True)
    with pytest.raises(SceneError, match=r"no pixel of scene .* was mapped.* write no polygons"):
        predict(scene.path, model, out=tmp_path / "other.tif", options=options)
    assert not list(tmp_path.glob("other*"))
