"""`zones`: areas of classes in zones, from maps, mosaics and batches, as tables, layers and reports."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import shapely
from assess_cases import NAMES, damaged, write_class_map
from builders import model_for, run
from zone_cases import BOXES, PX_HA, box, drawn, write_zones

from hsi_geo import MapOptions, assess, batch, classify, open_scene, predict, zones
from hsi_geo.errors import HsiGeoError
from hsi_geo.io.labels.map_records import read_legend_record
from hsi_geo.io.labels.parents import with_parents
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.vrt_index import GeoreferencedMap, index_xml
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.predict import refuse_zones_elsewhere

Planted = Any  # defined in conftest, which tests cannot import


@pytest.mark.parametrize("crs", ["EPSG:32633", "EPSG:4326", "EPSG:3857"])
def test_pixels_are_those_whose_centre_is_in_the_zone(tmp_path: Path, crs: str) -> None:
    path = write_class_map(tmp_path, damaged())
    found = zones(path, write_zones(tmp_path, crs), tmp_path / "areas.csv")
    for zone, (top, left, bottom, right) in BOXES.items():
        inside = damaged()[top:bottom, left:right]
        own = {one.name: one for one in found.areas if one.zone == zone}
        expected = {n: int((inside == i).sum()) for i, n in enumerate(NAMES, 1)}
        assert {name: one.pixels for name, one in own.items()} == {
            name: count for name, count in expected.items() if count
        }
        for one in own.values():
            assert one.mapped_ha == pytest.approx(PX_HA * one.pixels)
            assert one.hectares == one.mapped_ha
            assert one.mapped_percent == pytest.approx(100 * one.pixels / (inside > 0).sum())
            assert (one.hectares_se, one.basis, one.places) == (None, "", None)
    assert found.empty == ("far",)
    assert pd.read_csv(tmp_path / "areas.csv")["pixels"].sum() == sum(
        one.pixels for one in found.areas
    )


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_maps_of_shots_have_a_hint_and_maps_of_other_scenes_none(
    planted: Planted, make_scene: Any, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    made = classify(
        planted.path, shots, out=tmp_path / "m.tif", save_model=tmp_path / "m.safetensors",
        options=MapOptions(reject=0.5),
    )  # fmt: skip
    left, top = planted.transform @ (5, 5)
    right, bottom = planted.transform @ (40, 30)
    frame = gpd.GeoDataFrame(geometry=[shapely.box(left, bottom, right, top)], crs=planted.crs)
    frame.to_file(tmp_path / "zones.gpkg")
    found = zones(made.paths.classes, tmp_path / "zones.gpkg", tmp_path / "a.gpkg")
    assert found.basis == "held-out shots"
    for one in found.areas:
        assert one.zone == "1"
        assert one.hectares == one.mapped_ha
        is_rejected = one.name == "unlike any shot"
        assert (one.hectares_se is None) == is_rejected
        assert one.basis == ("" if is_rejected else "held-out shots")
    assert sum(one.percent for one in found.areas) == pytest.approx(100)
    again = classify(
        planted.path, shots, out=tmp_path / "n.tif", options=MapOptions(
            reject=0.5, zones=tmp_path / "zones.gpkg"
        ),
    )  # fmt: skip
    table = pd.read_csv(tmp_path / "n_zones.csv", dtype={"zone": str}, keep_default_na=False)
    zones(made.paths.classes, tmp_path / "zones.gpkg", tmp_path / "a.csv")
    expected = pd.read_csv(tmp_path / "a.csv", dtype={"zone": str}, keep_default_na=False)
    pd.testing.assert_frame_equal(table, expected)
    assert again.record["parameters"]["zone_errors"] == "held-out shots"
    assert again.record["files"]["zones"]["size"] == (tmp_path / "n_zones.csv").stat().st_size
    other = make_scene("other.tif")
    there = predict(other.path, tmp_path / "m.safetensors", out=tmp_path / "o.tif")
    if there.record["scene_adapted_to"]:
        pytest.fail("another file is another scene")
    found = zones(there.paths.classes, tmp_path / "zones.gpkg", tmp_path / "b.csv")
    assert found.basis == ""


def test_geopackage_has_zones_and_table(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    found = zones(path, write_zones(tmp_path, "EPSG:4326"), tmp_path / "out.gpkg")
    layers = {name for name, _ in pyogrio.list_layers(tmp_path / "out.gpkg")}
    assert layers == {"out", "areas"}
    shapes = gpd.read_file(tmp_path / "out.gpkg", layer="out")
    assert shapes.crs == "EPSG:32633"
    assert shapes["zone"].tolist() == list(BOXES)
    assert shapes["largest_class"].tolist()[:2] == ["asphalt", "meadow"]
    assert shapes["largest_class"].isna().tolist() == [False, False, False, True]
    table = pyogrio.read_dataframe(tmp_path / "out.gpkg", layer="areas")
    assert len(table) == len(found.areas)
    assert table["hectares"].sum() == pytest.approx(sum(one.hectares or 0 for one in found.areas))
    again = zones(path, tmp_path / "zones.gpkg", tmp_path / "again.csv")
    assert again.areas == found.areas


def test_command_prints_and_reports_the_areas(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    reference = drawn(tmp_path, path, "stratified", 150)
    zone_file = write_zones(tmp_path)
    shown = run(
        *("zones", path, "--zones", zone_file, "-o", tmp_path / "a.csv", "--reference", reference),
        *("--layer", "visit", "--design", "stratified", "--progress", "jsonl"),
    )
    assert shown.exit_code == 0, shown.stderr
    assert "errors by  reference" in shown.stdout
    result = [json.loads(line) for line in shown.stderr.splitlines()][-1]
    assert result["outputs"] == {"zones": str(tmp_path / "a.csv")}
    table = pd.read_csv(tmp_path / "a.csv")
    assert [one["pixels"] for one in result["areas"]] == table["pixels"].tolist()
    assert table["hectares_se"].notna().all()
    assert "1 zone: 'far'" in shown.stderr


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"zone_field": "zones"}, "no field 'zones'.*Did you mean 'zone'"),
        ({"out": "a.txt"}, "does not end in .csv"),
        ({"design": "simple"}, "no reference"),
        ({"reference": "zones.gpkg"}, "not how its places were drawn"),
    ],
)
def test_what_cannot_be_used_is_refused(
    tmp_path: Path, given: dict[str, Any], message: str
) -> None:
    path = write_class_map(tmp_path, damaged())
    options = {"out": tmp_path / given.pop("out", "a.csv"), **given}
    with pytest.raises(HsiGeoError, match=message):
        zones(path, write_zones(tmp_path), **options)
    far = gpd.GeoDataFrame(geometry=[box(*BOXES["far"])], crs="EPSG:32633")
    far.to_file(tmp_path / "far.gpkg")
    with pytest.raises(HsiGeoError, match="no mapped pixel lies in the zones"):
        zones(path, tmp_path / "far.gpkg", tmp_path / "b.csv")
    assert not (tmp_path / "b.csv").exists()


def test_a_mosaic_knows_rejected_classes_and_parents_by_its_maps(
    planted: Planted, tmp_path: Path
) -> None:
    """Otherwise rejected pixels of a batch would count as wrong, and as land cover."""
    model = model_for(planted.path)
    table = with_parents(model.classes, {1: "open", 2: "sealed", 3: "open"}, {})
    made = predict(
        planted.path, dataclasses.replace(model, classes=table), out=tmp_path / "m.tif",
        options=MapOptions(reject=0.8),
    )  # fmt: skip
    opened = read_map(made.paths.classes)
    legend = (*table, *opened.rejected)
    place = GeoreferencedMap(made.paths.classes, opened.grid)
    mosaic = tmp_path / "index.vrt"
    mosaic.write_text(index_xml([place], legend, tmp_path), encoding="utf-8")
    assert read_map(mosaic).rejected == opened.rejected != ()
    frame = gpd.read_file(planted.shots(tmp_path / "shots.gpkg"))
    frame["class"] = "class 1"
    frame.to_file(tmp_path / "reference.gpkg")
    whole, of_mosaic = (
        assess(path, tmp_path / "reference.gpkg") for path in (made.paths.classes, mosaic)
    )
    assert of_mosaic.as_dict() == whole.as_dict()
    assert of_mosaic.parents is not None
    left, top = planted.transform @ (0, 0)
    right, bottom = planted.transform @ (30, 30)
    box = gpd.GeoDataFrame(geometry=[shapely.box(left, bottom, right, top)], crs=planted.crs)
    box.to_file(tmp_path / "zones.gpkg")
    rows = [
        zones(path, tmp_path / "zones.gpkg", tmp_path / f"{path.stem}.csv").areas
        for path in (made.paths.classes, mosaic)
    ]
    assert rows[0] == rows[1]
    # A mosaic of other maps, or of files that lie elsewhere, takes nothing from a record.
    text = mosaic.read_text(encoding="utf-8")
    for wrong in (text.replace("class 2", "wheat"), text.replace(">m.tif", ">../m.tif")):
        mosaic.write_text(wrong, encoding="utf-8")
        assert read_legend_record(mosaic) == {}


def test_a_map_that_rejects_gives_no_warning(
    planted: Planted, tmp_path: Path, recorder: Any
) -> None:
    made = predict(
        planted.path, model_for(planted.path), out=tmp_path / "m.tif",
        options=MapOptions(reject=0.8),
    )  # fmt: skip
    left, top = planted.transform @ (0, 0)
    right, bottom = planted.transform @ (30, 30)
    box = gpd.GeoDataFrame(geometry=[shapely.box(left, bottom, right, top)], crs=planted.crs)
    box.to_file(tmp_path / "zones.gpkg")
    zones(made.paths.classes, tmp_path / "zones.gpkg", tmp_path / "a.csv", reporter=recorder)
    assert not recorder.warnings


def test_zones_beside_the_scene_are_refused_before_the_map(
    planted: Planted, tmp_path: Path
) -> None:
    scene = open_scene(planted.path)
    grid = scene.hsi.grid
    right, top = grid.bounds[2], grid.bounds[3]
    far = gpd.GeoDataFrame(geometry=[box(right + 50, top + 50, right + 90, top + 90)], crs=grid.crs)
    far.to_file(tmp_path / "far.gpkg")
    options = MapOptions(zones=tmp_path / "far.gpkg")
    with pytest.raises(HsiGeoError, match=r"all zones of .* lie outside the scene"):
        refuse_zones_elsewhere(options, [scene])


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("=1+1", "'=1+1"),
        ("+SUM(A1)", "'+SUM(A1)"),
        ("-2+3", "'-2+3"),
        ("@x", "'@x"),
        ("-3", "-3"),
        ("3 =1", "3 =1"),
    ],
)
def test_names_are_no_formulas_in_spreadsheets(tmp_path: Path, name: str, written: str) -> None:
    path = write_class_map(tmp_path, damaged())
    zone = gpd.GeoDataFrame({"zone": [name]}, geometry=[box(*BOXES["north"])], crs="EPSG:32633")
    zone.to_file(tmp_path / "z.gpkg")
    found = zones(path, tmp_path / "z.gpkg", tmp_path / "a.csv")
    assert {one.zone for one in found.areas} == {name}
    assert set(pd.read_csv(tmp_path / "a.csv", dtype=str)["zone"]) == {written}
    zones(path, tmp_path / "z.gpkg", tmp_path / "a.gpkg")
    assert set(pyogrio.read_dataframe(tmp_path / "a.gpkg", layer="areas")["zone"]) == {name}


@pytest.mark.slow
def test_a_batch_counts_zones_across_its_tiles(
    scene: Planted, model: Path, tiles: list[Path], scheduler: str, tmp_path: Path
) -> None:
    """The table of all maps is that of the whole scene; a second run makes it again."""
    left, top = scene.transform @ (3, 2)
    right, bottom = scene.transform @ (49, 33)
    frame = gpd.GeoDataFrame(
        {"part": ["all", "far"]},
        geometry=[shapely.box(left, bottom, right, top), shapely.box(0, 0, 1, 1)],
        crs=scene.crs,
    )
    frame.to_file(tmp_path / "z.gpkg")
    options = MapOptions(zones=tmp_path / "z.gpkg", zone_field="part", reject=0.4)
    heard: list[str] = []
    for _ in range(2):
        reporter = SilentReporter()
        reporter.warning = heard.append  # type: ignore[method-assign,assignment]
        result = batch(
            tiles, model, tmp_path / "maps", scheduler=scheduler, options=options, reporter=reporter
        )
    assert result.outputs["zones"] == tmp_path / "maps" / "zones.csv"
    assert any("1 zone: 'far'" in text for text in heard)
    predict(scene.path, model, out=tmp_path / "whole.tif", options=options)
    keys = ["zone", "value", "name", "pixels", "mapped_ha", "mapped_percent"]
    whole = pd.read_csv(tmp_path / "whole_zones.csv")[keys]
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "maps" / "zones.csv")[keys], whole)
    (tmp_path / "maps" / "zones.csv").write_text("mine\n")
    with pytest.raises(HsiGeoError, match="no batch made it"):
        batch(tiles, model, tmp_path / "maps", scheduler=scheduler, options=options)
    with pytest.raises(HsiGeoError, match="no field 'x'"):
        batch(
            tiles, model, tmp_path / "other", scheduler=scheduler,
            options=dataclasses.replace(options, zone_field="x"),
        )  # fmt: skip
    assert not (tmp_path / "other").exists()
