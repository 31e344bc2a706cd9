"""`zones`: areas of classes in zones, with errors that are right by design, or say that they are a hint."""

from __future__ import annotations

import dataclasses
import json
import re
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyogrio
import pytest
import shapely
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from builders import model_for, run

from hsi_geo import MapOptions, assess, batch, classify, open_scene, predict, sample, zones
from hsi_geo.errors import HsiGeoError, OptionError
from hsi_geo.io.labels.parents import with_parents
from hsi_geo.io.labels.zones import read_zones
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.record import read_legend_record
from hsi_geo.io.maps.vrt_index import GeoreferencedMap, index_xml
from hsi_geo.progress import SilentReporter
from hsi_geo.tasks.predict import refuse_zones_elsewhere
from hsi_geo.tasks.validation.zone_errors import (
    Confusion,
    confusion_of_held_out,
    confusion_of_sample,
    correlation_in_zones,
    doubt_zone,
    estimate_zone,
)

Planted = Any  # defined in conftest, which tests cannot import

#: Hectares of a pixel of 30 x 20 m.
PX_HA = 0.06

#: (top, left, bottom, right) pixels of zones: two overlap, one reaches beyond the map, one is far away.
BOXES = {
    "north": (0, 0, 20, 53),
    "a piece": (2, 3, 11, 17),
    "beyond": (30, 40, 60, 80),
    "far": (900, 900, 910, 910),
}


def box(top: int, left: int, bottom: int, right: int) -> shapely.Polygon:
    (x0, y0), (x1, y1) = GRID @ (left, bottom), GRID @ (right, top)
    return shapely.box(x0, y0, x1, y1)


def write_zones(folder: Path, crs: str = "EPSG:32633", **more: Any) -> Path:
    path = folder / "zones.gpkg"
    frame = gpd.GeoDataFrame(
        {"zone": list(BOXES), "code": range(10, 14), **more},
        geometry=[box(*corners) for corners in BOXES.values()],
        crs="EPSG:32633",
    )
    frame.to_crs(crs).to_file(path)
    return path


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


@pytest.mark.parametrize(
    ("field", "expected"),
    [(None, list(BOXES)[:3]), ("code", ["10", "11", "12"]), ("part", ["x"])],
)
def test_zones_are_named_by_a_field_and_joined_by_name(
    tmp_path: Path, field: str | None, expected: list[str]
) -> None:
    path = write_class_map(tmp_path, truth())
    zone_file = write_zones(tmp_path, part=["x", "x", "x", None])
    found = zones(path, zone_file, tmp_path / "areas.csv", zone_field=field)
    assert list(dict.fromkeys(one.zone for one in found.areas)) == expected
    if field == "part":  # the overlap counts once
        inside = np.zeros(truth().shape, bool)
        for top, left, bottom, right in list(BOXES.values())[:3]:
            inside[top:bottom, left:right] = True
        assert sum(one.pixels for one in found.areas) == (inside & (truth() > 0)).sum()


#: Fields of four zones; the zones that are made without a field of the user, and what is said of it.
FIELDS: dict[str, tuple[dict[str, list[Any]], list[str], str]] = {
    "names": ({"NAME": ["a", "b", "c", "d"]}, ["a", "b", "c", "d"], ""),
    "no field": ({}, ["1", "2", "3", "4"], ""),
    "another field": ({"Commune": ["a", "b", "c", "d"]}, ["1", "2", "3", "4"], ""),
    "zeros": ({"Id": [0] * 4, "Commune": ["a", "b", "c", "d"]}, ["1", "2", "3", "4"], "numbered.*'Id'"),
    "empty": ({"id": [None] * 4}, ["1", "2", "3", "4"], "numbered.*'id'"),
    "one lacks": ({"name": ["a", "b", None, "d"]}, ["1", "2", "3", "4"], "numbered.*'name'"),
    "alike": ({"zone": ["a", "a ", "b", "c"]}, ["1", "2", "3", "4"], "numbered.*'zone'"),
    "next field": (
        {"zone": [1, 1, 2, 2], "id": [7, 8, 9, 10]},
        ["7", "8", "9", "10"],
        "named by the field 'id', as the field 'zone'",
    ),
    "two fields": (
        {"zone": [1, 1, 2, 2], "id": [0] * 4},
        ["1", "2", "3", "4"],
        "numbered, as the fields 'zone', 'id'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", FIELDS)
def test_a_field_is_taken_by_itself_only_if_it_tells_zones_apart(tmp_path: Path, case: str) -> None:
    """Otherwise zones would be joined or left out that nobody asked to be."""
    columns, expected, said = FIELDS[case]
    frame = gpd.GeoDataFrame(
        columns, geometry=[box(*corners) for corners in BOXES.values()], crs="EPSG:32633"
    )
    frame.to_file(tmp_path / "zones.gpkg")
    found = read_zones(tmp_path / "zones.gpkg", read_map(write_class_map(tmp_path, truth())).grid)
    assert [zone.name for zone in found.zones] == expected
    assert len(found.notes) == bool(said)
    assert re.search(said, "".join(found.notes))


def test_features_of_one_value_are_joined_aloud(tmp_path: Path) -> None:
    grid = read_map(write_class_map(tmp_path, truth())).grid
    zone_file = write_zones(tmp_path, part=["x", "y", "x", None], none=[None] * 4)
    notes = read_zones(zone_file, grid, field="part").notes
    assert len(notes) == 2
    assert "1 zones have no value in the field 'part'" in notes[0]
    assert "3 features" in notes[1]
    assert "2 zones" in notes[1]
    with pytest.raises(OptionError, match=r"no zone of .* has a value in the field 'none'"):
        read_zones(zone_file, grid, field="none")


def drawn(folder: Path, path: Path, design: Any, count: int) -> Path:
    """A random sample of a map whose places have their true class."""
    visit = folder / "visit.gpkg"
    sample(path, out=visit, design=design, count=count, seed=3, overwrite=True)
    frame = gpd.read_file(visit, layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    frame["class"] = [
        NAMES[i - 1] for i in truth()[np.floor(rows).astype(int), np.floor(cols).astype(int)]
    ]
    answered = folder / "answered.gpkg"
    frame.to_file(answered, layer="visit", driver="GPKG")
    return answered


@pytest.mark.parametrize("design", ["stratified", "simple"])
def test_a_zone_of_the_whole_map_has_the_areas_of_assess(tmp_path: Path, design: Any) -> None:
    path = write_class_map(tmp_path, damaged())
    reference = drawn(tmp_path, path, design, 150)
    whole = gpd.GeoDataFrame({"zone": ["all"]}, geometry=[box(0, 0, 37, 53)], crs="EPSG:32633")
    whole.to_file(tmp_path / "all.gpkg")
    found = zones(
        path, tmp_path / "all.gpkg", tmp_path / "a.csv", reference=reference, design=design
    )
    scores = {score.name: score.area for score in assess(path, reference, design=design).scores}
    assert found.basis == "reference"
    for one in found.areas:
        area = scores[one.name]
        assert area is not None
        assert one.hectares == pytest.approx(area.ha)
        assert one.hectares_se == pytest.approx(area.ha_se)
        assert one.mapped_ha == pytest.approx(area.mapped_ha)
        assert (one.places, one.own_percent) == (150, 100)


def test_classes_with_few_places_in_a_zone_take_the_rates_of_the_map(tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    reference = drawn(tmp_path, path, "stratified", 150)
    found = zones(
        path, write_zones(tmp_path), tmp_path / "a.csv", reference=reference, design="stratified"
    )
    own = {one.zone: one.own_percent for one in found.areas}
    assert own["north"] is not None
    assert own["north"] > 50
    assert own["a piece"] == 0
    for zone in ("north", "a piece", "beyond"):
        rows = [one for one in found.areas if one.zone == zone]
        assert sum(one.percent for one in rows) == pytest.approx(100)
        assert sum(one.hectares or 0 for one in rows) == pytest.approx(
            sum(one.mapped_ha or 0 for one in rows)
        )
        assert all(one.hectares_se is not None for one in rows)


@pytest.mark.parametrize(("count", "zone"), [(60, "a piece"), (300, "a piece"), (300, "north")])
def test_the_interval_of_two_errors_covers_the_true_area(count: int, zone: str) -> None:
    """Also in a zone of one class, where all that is mapped as another one is wrong."""
    mapped, true = damaged().astype(int) - 1, truth().astype(int) - 1
    top, left, bottom, right = BOXES[zone]
    inside = np.zeros(mapped.shape, bool)
    inside[top:bottom, left:right] = True
    pixels = np.bincount(mapped[inside & (mapped >= 0)], minlength=3)
    expected = np.bincount(true[inside & (true >= 0)], minlength=3)
    land = np.bincount(mapped[mapped >= 0], minlength=3)
    generator = np.random.default_rng(0)
    covered = []
    for _ in range(60):
        flat = np.concatenate(
            [generator.choice(np.flatnonzero(mapped.ravel() == k), count // 3, replace=False)
             for k in range(3)]
        )  # fmt: skip
        m, t, here = mapped.ravel()[flat], true.ravel()[flat], inside.ravel()[flat]
        weights = land[m] / (count // 3)
        whole = confusion_of_sample(m, t, weights, 3)
        own = confusion_of_sample(m[here], t[here], weights[here], 3)
        found = estimate_zone(pixels.astype(float), pixels, whole, own)
        assert found.areas.sum() == pytest.approx(pixels.sum())
        covered.append(np.abs(found.areas - expected) <= 2 * found.errors)
    assert np.mean(covered) > 0.85


def test_a_class_without_places_stays_as_mapped() -> None:
    whole = Confusion(
        np.array([[9.0, 1.0, 0], [1.0, 9.0, 0], [0, 0, 0]]),
        np.array([20.0, 20.0, 1.0]),
        np.array([20.0, 20.0, 0.0]),
    )
    nothing = Confusion(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
    found = estimate_zone(np.array([10.0, 30.0, 5.0]), np.array([10, 30, 5]), whole, nothing)
    assert found.areas[2] == 5
    assert found.areas.sum() == pytest.approx(45)
    assert np.isfinite(found.errors).tolist() == [True, True, False]


def test_held_out_shots_never_leave_a_class_without_doubt() -> None:
    """Ten places of two classes, all right: an error of 0 would be a claim that nothing supports."""
    mapped, pixels = np.array([60.0, 40.0]), np.array([600, 400])
    few = doubt_zone(mapped, pixels, confusion_of_held_out(np.diag([50, 50]), 10))
    many = doubt_zone(mapped, pixels, confusion_of_held_out(np.diag([50, 50]), 10_000))
    assert few.areas.tolist() == many.areas.tolist() == mapped.tolist()
    assert (few.errors > 5).all()
    assert (many.errors < 1).all()
    wrong = doubt_zone(mapped, pixels, confusion_of_held_out(np.array([[50, 25], [0, 25]]), 10_000))
    assert wrong.errors == pytest.approx(
        [40, 40], rel=0.1
    )  # half of the second class is mapped as the first
    unseen = doubt_zone(np.ones(3), np.ones(3, int), confusion_of_held_out(np.diag([5, 5, 0]), 10))
    assert np.isfinite(unseen.errors).tolist() == [True, True, False]


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
    assert "1 zones: 'far'" in shown.stderr


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
    assert any("1 zones: 'far'" in text for text in heard)
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


@pytest.mark.parametrize(("field_px", "least", "most"), [(10, 0.25, 0.9), (1, 0.0, 0.06)])
@pytest.mark.slow
def test_errors_of_whole_fields_are_found_and_make_wider_intervals(
    field_px: int, least: float, most: float
) -> None:
    """A map that errs in whole fields errs more in a zone than one whose pixels err on their own."""
    generator = np.random.default_rng(5)
    found: list[float] = []
    covered: list[Any] = []
    blind: list[Any] = []
    for _ in range(12):
        fields = 120 // field_px
        true = generator.integers(0, 3, (fields, fields)).repeat(field_px, 0).repeat(field_px, 1)
        wrong = generator.random((fields, fields)) < 0.25
        wrong = wrong.repeat(field_px, 0).repeat(field_px, 1)
        mapped = np.where(wrong, (true + 1) % 3, true)
        # Zones of 20 x 20 pixels: four fields.
        zone_of = (np.arange(120)[:, None] // 20 * 6 + np.arange(120)[None] // 20).ravel()
        chosen = generator.choice(mapped.size, 300, replace=False)
        m, t = mapped.ravel()[chosen], true.ravel()[chosen]
        whole = confusion_of_sample(m, t, np.ones(300), 3)
        groups = [zone_of[chosen] == zone for zone in range(36)]
        found.append(correlation_in_zones(groups, m, t, whole))
        nothing = Confusion(np.zeros((3, 3)), np.zeros(3), np.zeros(3))
        for zone in range(36):
            inside = zone_of == zone
            pixels = np.bincount(mapped.ravel()[inside], minlength=3)
            truth_px = np.bincount(true.ravel()[inside], minlength=3)
            for correlation, kept in ((found[-1], covered), (0.0, blind)):
                one = estimate_zone(pixels.astype(float), pixels, whole, nothing, correlation)
                kept.append(np.abs(one.areas - truth_px) <= 2 * one.errors)
    assert least < np.mean(found) < most
    assert np.mean(covered) > 0.88
    if field_px > 1:
        assert np.mean(blind) < np.mean(covered) - 0.1
