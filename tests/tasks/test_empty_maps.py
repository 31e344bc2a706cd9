"""Maps without a class: the user is told, and no polygons are made of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
import shapely
from batch_cases import ids_in
from builders import model_for

from hsi_geo import MapOptions, adapt, open_scene, predict
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


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_a_mask_of_the_whole_scene_gets_one_warning(
    planted: Planted, tmp_path: Path, recorder: Recorder
) -> None:
    """A class map given as the mask, for example. More shots of the classes would not help."""
    model = adapt(planted.path, planted.shots(tmp_path / "shots.gpkg", per_class=3))
    bounds = open_scene(planted.path).hsi.grid.bounds
    mask = tmp_path / "mask.gpkg"
    gpd.GeoSeries([shapely.box(*bounds)], crs=planted.crs).to_file(mask)
    scene = open_scene(planted.path, mask=mask)
    predict(scene, model, out=tmp_path / "map.tif", reporter=recorder)
    assert (
        sum("was mapped: it has no data that is not masked" in one for one in recorder.warnings)
        == 1
    )
    assert not [one for one in recorder.warnings if "whose shots cover" in one]
