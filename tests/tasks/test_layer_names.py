"""Layers of GeoPackages have the names of their files, and never those of other tables in them."""

from __future__ import annotations

from pathlib import Path

import geopandas as gpd
import pyogrio
import pytest
import shapely
from assess_cases import GRID, damaged, write_class_map
from installed_extras import needs

from hsi_geo import polygons, sample, zones
from hsi_geo.io.labels.suggested_points import SuggestedPoint, write_suggested_points


def zone_file(folder: Path) -> Path:
    (x0, y0), (x1, y1) = GRID @ (0, 20), GRID @ (53, 0)
    frame = gpd.GeoDataFrame({"zone": ["a"]}, geometry=[shapely.box(x0, y0, x1, y1)], crs=32633)
    frame.to_file(folder / "in.gpkg")
    return folder / "in.gpkg"


#: Names of files, and of their layers of zones, polygons and places.
NAMES = {
    "communes": ("communes",) * 3,
    "areas": ("zones", "areas", "areas"),
    "Areas": ("zones", "Areas", "Areas"),
    "layer_styles": ("zones", "polygons", "places"),
    "Layer_Styles": ("zones", "polygons", "places"),
    "gpkg_contents": ("zones", "polygons", "places"),
    "GPKG x": ("zones", "polygons", "places"),
    "sqlite_x": ("zones", "polygons", "places"),
    "ogr_empty_table": ("zones", "polygons", "places"),
    "{b}": ("zones", "polygons", "places"),
}


@pytest.mark.parametrize("name", NAMES)
def test_no_layer_is_written_over_another_table(tmp_path: Path, name: str) -> None:
    path, out = write_class_map(tmp_path, damaged()), tmp_path / f"{name}.gpkg"
    layers = dict(zip(("zones", "polygons", "places"), NAMES[name], strict=True))

    found = zones(path, zone_file(tmp_path), out)
    assert {str(one) for one, _ in pyogrio.list_layers(out)} == {layers["zones"], "areas"}
    assert gpd.read_file(out, layer=layers["zones"])["zone"].tolist() == ["a"]
    assert len(pyogrio.read_dataframe(out, layer="areas")) == len(found.areas)

    written = polygons(path, out, overwrite=True)
    there = {str(one) for one, _ in pyogrio.list_layers(out)}
    assert there == {layers["polygons"], "layer_styles"}
    count = sum(one.polygons for one in written.counts.values())
    assert len(gpd.read_file(out, layer=layers["polygons"])) == count

    drawn = sample(path, out, count=70, overwrite=True)
    assert {str(one) for one, _ in pyogrio.list_layers(out)} == {layers["places"], "layer_styles"}
    assert len(gpd.read_file(out, layer=layers["places"])) == drawn.places

    points = tmp_path / f"{name} points" / out.name
    points.parent.mkdir()
    write_suggested_points([SuggestedPoint(1, 500000.0, 5500000.0, "rye", 50)], None, points)
    is_kept = layers["places"] == name
    assert pyogrio.list_layers(points)[:, 0].tolist() == [name if is_kept else "points"]


@pytest.mark.parametrize("suffix", [".fgb", pytest.param(".parquet", marks=needs("parquet"))])
def test_formats_of_one_layer_take_any_name(tmp_path: Path, suffix: str) -> None:
    path, out = write_class_map(tmp_path, damaged()), tmp_path / f"gpkg_contents{suffix}"
    written = polygons(path, out)
    frame = gpd.read_parquet(out) if suffix == ".parquet" else gpd.read_file(out)
    assert len(frame) == sum(one.polygons for one in written.counts.values())
