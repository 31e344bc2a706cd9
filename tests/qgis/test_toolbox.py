"""Describe, Suggest, Adapt, Batch and the reports, in a real QGIS with a network for tests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pandas as pd
import pyogrio
import pytest
import rasterio
from affine import Affine
from assess_cases import GRID, NAMES, damaged, truth, write_class_map
from class_map_cases import CLASSES, random_probabilities, write_map
from shapely import box

from hsi_geo import sample
from hsi_geo.io.labels.class_colors import default_color
from hsi_geo.io.maps.polygons import write_polygons
from hsi_geo.io.maps.reader import read_map
from hsi_geo.io.maps.writer import MapPaths

MakeScene = Callable[..., Any]  # defined in conftest, which tests cannot import
Call = Callable[..., subprocess.CompletedProcess[str]]
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import


#: Where QGIS keeps the plugin of the toolbox.
PLUGINS = "/usr/share/qgis/python/plugins"


def succeeded(shown: subprocess.CompletedProcess[str]) -> str:
    assert shown.returncode == 0, shown.stdout + shown.stderr
    assert "Traceback" not in shown.stdout + shown.stderr
    return shown.stdout


@pytest.mark.slow
def test_a_scene_is_described(call: Call, job: dict[str, Any], tmp_path: Path) -> None:
    page, values = tmp_path / "scene.html", tmp_path / "scene.json"
    shown = succeeded(
        call("hsi_geo:info", INPUT=job["parameters"]["INPUT"], OUTPUT=page, VALUES=values)
    )
    scene = json.loads(values.read_text(encoding="utf-8"))["scene"]
    assert f"BANDS:\t{scene['bands']}" in shown
    assert f"{scene['width']} x {scene['height']} pixels" in page.read_text(encoding="utf-8")
    assert "EPSG:32633" in shown


@pytest.mark.parametrize(
    ("name", "given", "wanted"),
    [
        ("adapt", {"LABELS": "", "OUTPUT": "m.safetensors"}, "no scene is given"),
        ("batch", {"MODEL": "m.safetensors", "OUTPUT": "maps"}, "no tiles are given"),
        ("suggest", {"MODEL": "m.safetensors", "OUTPUT": "p.gpkg"}, "no scene is given"),
        ("info", {}, "no scene is given"),
    ],
)
def test_what_is_missing_is_said(
    name: str, given: dict[str, str], wanted: str, case: Case, fake: Fake, job: dict[str, Any]
) -> None:
    rows = [{**given, **({"LABELS": job["labels"]} if "LABELS" in given else {})}]
    found = case("checked", algorithm=name, rows=rows, python=fake.python)["rows"]
    assert found[0]["ok"] is False
    assert wanted in found[0]["reason"]


def test_each_layer_is_a_scene_of_the_model(
    case: Case, fake: Fake, job: dict[str, Any], make_scene: MakeScene, tmp_path: Path
) -> None:
    other = str(make_scene("second.tif").path)
    found = case(
        "batch", algorithm="adapt", python=fake.python,
        rows=[{
            "INPUTS": [job["parameters"]["INPUT"], other], "LABELS": job["labels"],
            "CLASS_FIELD": "class", "SEED": 4, "OUTPUT": str(tmp_path / "m.safetensors"),
        }],
    )["rows"]  # fmt: skip
    assert not found[0]["ok"]  # the environment of the test writes no model
    arguments = fake.arguments
    assert arguments[0] == "adapt"
    assert arguments[arguments.index("--") + 1 :] == [job["parameters"]["INPUT"], other]
    assert arguments[arguments.index("--seed") + 1] == "4"


@pytest.mark.slow
def test_suggest_label_adapt_apply_assess(
    call: Call, job: dict[str, Any], quick_python: str, make_scene: MakeScene, tmp_path: Path
) -> None:
    scene, labels = job["parameters"]["INPUT"], Path(job["labels"])
    first, second = tmp_path / "first.safetensors", tmp_path / "second.safetensors"
    places, report = tmp_path / "places.gpkg", tmp_path / "assessment.html"
    common = {"python": quick_python, "CLASS_FIELD": "class"}
    shown = call("hsi_geo:adapt", INPUTS=scene, LABELS=labels, OUTPUT=first, **common)
    assert "ACCURACY" in succeeded(shown)
    shown = call(
        "hsi_geo:suggest", python=quick_python, INPUT=scene, MODEL=first, COUNT=4, OUTPUT=places
    )
    assert "PLACES:\t4" in succeeded(shown)
    suggested = gpd.read_file(places)
    assert suggested["class"].isna().all()
    suggested["class"] = suggested["guess"]
    known = gpd.read_file(labels)
    both = pd.concat([known, suggested.to_crs(known.crs)])[["class", "geometry"]]
    gpd.GeoDataFrame(both, crs=known.crs).to_file(tmp_path / "both.gpkg", driver="GPKG")
    succeeded(
        call("hsi_geo:adapt", INPUTS=scene, LABELS=tmp_path / "both.gpkg", OUTPUT=second, **common)
    )
    out = tmp_path / "map.tif"
    succeeded(call("hsi_geo:predict", python=quick_python, INPUT=scene, MODEL=second, OUTPUT=out))
    truth = make_scene("again.tif").shots(tmp_path / "truth.gpkg", per_class=9)
    shown = call("hsi_geo:assess", INPUT=out, REFERENCE=truth, REPORT=report, **common)
    assert "OVERALL_ACCURACY:" in succeeded(shown)
    assert "<html" in report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_several_scenes_are_mapped_with_one_model(
    case: Case, job: dict[str, Any], make_scene: MakeScene, tmp_path: Path
) -> None:
    """The scenes lie beside each other; each has some of the labels."""
    whole = Path(job["parameters"]["INPUT"])
    with rasterio.open(whole) as file:
        bands, half = file.read(), file.width // 2
        profile = {k: v for k, v in file.profile.items() if "block" not in k}
        tags, descriptions = file.tags(), file.descriptions
        band_tags = [file.tags(band) for band in file.indexes]
        parts = [(0, half), (half, file.width)]
        for number, (left, right) in enumerate(parts):
            profile |= {
                "width": right - left,
                "transform": file.transform @ Affine.translation(left, 0),
            }
            with rasterio.open(tmp_path / f"part {number}.tif", "w", **profile) as part:
                part.write(bands[:, :, left:right])
                part.update_tags(**tags)
                part.descriptions = descriptions
                for band, own in enumerate(band_tags, start=1):
                    part.update_tags(band, **own)
    folder, model = tmp_path / "maps", tmp_path / "kept.safetensors"
    found = case(
        "several_scenes",
        plugins=PLUGINS,
        labels=job["labels"],
        scenes=[[str(tmp_path / f"part {n}.tif"), name] for n, name in enumerate(["Ost", "West"])],
        parameters={
            "CLASS_FIELD": "class", "CONFIDENCE": True, "OUTPUT": str(folder), "MODEL": str(model),
        },
    )  # fmt: skip
    maps = [folder / f"part {number}_classes.tif" for number in range(2)]
    assert found["results"]["MAPS"] == [str(path) for path in maps]
    assert model.exists()
    assert found["results"]["ACCURACY"] is None or 0 <= found["results"]["ACCURACY"] <= 100
    labels, (name, layers) = found["tree"][:2]
    assert labels[0] == "Meine Flächen"
    assert "2 scenes" in name
    assert sorted(title.split(",")[0] for title, _ in layers) == [
        "Class map of Ost", "Class map of West",
        "Confidence of Ost (per cent)", "Confidence of West (per cent)",
    ]  # fmt: skip
    assert all(shown == title.startswith("Class map") for title, shown in layers)
    assert "2 scenes are mapped" in found["log"]
    assert "--" not in found["log"]
    assert found["progress"] == sorted(found["progress"])
    hashes = {json.loads(p.with_suffix(".json").read_text())["hashes"]["model"] for p in maps}
    assert len(hashes) == 1


@pytest.mark.slow
def test_the_report_of_classify_is_an_output(
    call: Call, job: dict[str, Any], quick_python: str, tmp_path: Path
) -> None:
    report = tmp_path / "accuracy of the map.html"
    succeeded(
        call(
            "hsi_geo:classify", python=quick_python, LABELS=job["labels"], REPORT=report,
            **job["parameters"],
        )
    )  # fmt: skip
    assert "<html" in report.read_text(encoding="utf-8")
    assert list(tmp_path.glob("*_report.html")) == []


@pytest.mark.slow
def test_a_cancelled_batch_goes_on(
    call: Call, case: Case, job: dict[str, Any], quick_python: str, make_scene: MakeScene,
    tmp_path: Path,
) -> None:  # fmt: skip
    model, tiles, maps = tmp_path / "m.safetensors", tmp_path / "tiles", tmp_path / "maps"
    tiles.mkdir()
    for name in "abc":
        make_scene(f"{name}.tif").path.rename(tiles / f"{name}.tif")
    succeeded(
        call(
            "hsi_geo:adapt", python=quick_python, INPUTS=job["parameters"]["INPUT"],
            LABELS=job["labels"], CLASS_FIELD="class", OUTPUT=model,
        )
    )  # fmt: skip
    parameters = {
        "FOLDER": str(tiles), "MODEL": str(model), "OUTPUT": str(maps), "WORKERS": 1,
    }  # fmt: skip
    # The environment itself: the workers of a batch import its main module again.
    found = case("cancelled_batch", python=sys.executable, parameters=parameters, maps=str(maps))
    assert found["ok"] is False, found
    assert found["took"] < 8, found  # a second where nothing else runs
    assert f"maps that were finished stay in '{maps}'" in found["log"]
    assert list(maps.rglob("*.part")) == []
    done = [path.stem for path in maps.glob("?.tif")]
    assert 1 <= len(done) < 3, done
    # As the toolbox does, with the mosaic in the project.
    again = case("loaded", python=sys.executable, algorithm="batch", parameters=parameters)
    assert again["ok"], again
    assert again["results"]["MAPPED"] + again["results"]["UNCHANGED"] == 3
    assert again["results"]["UNCHANGED"] == len(done)
    assert again["results"]["FAILED"] == 0
    (mosaic,) = again["layers"]
    assert mosaic["renderer"] == "paletted"
    assert [label for label, _ in mosaic["legend"]] == ["asphalt", "meadow", "water"]


@pytest.mark.slow
def test_a_bad_tile_is_a_warning(
    call: Call, job: dict[str, Any], quick_python: str, make_scene: MakeScene, tmp_path: Path
) -> None:
    model, tiles = tmp_path / "m.safetensors", tmp_path / "tiles"
    tiles.mkdir()
    make_scene("a.tif").path.rename(tiles / "a.tif")
    (tiles / "b.tif").write_bytes(b"no raster")
    succeeded(
        call(
            "hsi_geo:adapt", python=quick_python, INPUTS=job["parameters"]["INPUT"],
            LABELS=job["labels"], CLASS_FIELD="class", OUTPUT=model,
        )
    )  # fmt: skip
    shown = succeeded(
        call(
            "hsi_geo:batch", FOLDER=tiles, MODEL=model, WORKERS=1,
            OUTPUT=tmp_path / "maps",
        )
    )  # fmt: skip
    assert "MAPPED:\t1" in shown
    assert "FAILED:\t1" in shown


@pytest.mark.slow
def test_polygons_of_a_map_are_coloured_as_the_map(case: Case, tmp_path: Path) -> None:
    write_class_map(tmp_path, damaged())
    out = tmp_path / "Flächen.gpkg"
    found = case(
        "styled_layer",
        algorithm="polygons",
        parameters={"INPUT": str(tmp_path / "map.tif"), "SMOOTH": 2, "OUTPUT": str(out)},
    )
    assert found["ok"], found
    frame = gpd.read_file(out, layer=out.stem)
    assert found["results"]["POLYGONS"] == len(frame) == found["features"]
    assert frame["pixels"].sum() == (damaged() > 0).sum()
    assert found["legend"] == [[n, default_color(i)] for i, n in enumerate(NAMES, start=1)]
    assert found["invalid"] == 0


@pytest.mark.parametrize("suffix", [".fgb", ".tif"])
def test_a_style_beside_a_map_and_its_polygons_serves_both(
    case: Case, tmp_path: Path, suffix: str
) -> None:
    paths = MapPaths.of(tmp_path / "map.fgb")
    write_map(paths, random_probabilities())
    assert paths.polygons is not None
    write_polygons(read_map(paths.classes), paths.polygons)
    found = case("opened_layer", path=str(tmp_path / f"map{suffix}"))
    assert found["legend"] == [[c.name, c.color] for c in CLASSES]


@pytest.mark.slow
def test_a_sample_is_drawn_answered_and_assessed(case: Case, call: Call, tmp_path: Path) -> None:
    """The form offers the classes; the assessment finds the strata in the layer."""
    write_class_map(tmp_path, damaged())
    visit = tmp_path / "visit.gpkg"
    found = case(
        "form", algorithm="sample", answers={"class": ["meadow", "asphalt", "deep water"]},
        parameters={"INPUT": str(tmp_path / "map.tif"), "COUNT": 90, "OUTPUT": str(visit)},
    )  # fmt: skip
    assert found["ok"], found
    assert found["results"]["PLACES"] == 90
    assert found["widgets"]["class"] == "ValueMap"
    assert found["offered"]["class"] == list(NAMES)
    assert found["widgets"]["stratum"] == "Hidden"
    assert found["labels"][-1] == "to visit"
    shown = succeeded(
        call(
            "hsi_geo:assess", INPUT=tmp_path / "map.tif", REFERENCE=visit, CLASS_FIELD="class",
            DESIGN="stratified",
        )
    )  # fmt: skip
    assert "strata of the sample" in shown
    assert "FURTHER_PLACES:" in shown


@pytest.mark.slow
def test_maps_are_compared(case: Case, tmp_path: Path) -> None:
    write_class_map(tmp_path, truth(), name="old.tif")
    new = truth()
    new[10:15, :9] = 2
    write_class_map(tmp_path, new, name="new.tif")
    found = case(
        "compared",
        parameters={
            "OLD": str(tmp_path / "old.tif"), "NEW": str(tmp_path / "new.tif"),
            "OUTPUT": str(tmp_path / "change.tif"), "POLYGONS": str(tmp_path / "Änderung.gpkg"),
            "REPORT": str(tmp_path / "page.html"),
        },
    )  # fmt: skip
    assert found["ok"], found
    assert found["results"]["CHANGED"] == pytest.approx(100 * 45 / (truth() > 0).sum(), abs=1e-3)
    assert [label for label, _ in found["legend"]] == [
        "meadow, no change", "meadow → asphalt", "asphalt, no change", "deep water, no change"
    ]  # fmt: skip
    assert [label for label, _ in found["polygons"]["legend"]] == ["meadow → asphalt"]
    assert "<html" in (tmp_path / "page.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_areas_of_zones_are_counted_and_corrected(case: Case, call: Call, tmp_path: Path) -> None:
    path = write_class_map(tmp_path, damaged())
    left, top = GRID @ (0, 0)
    right, bottom = GRID @ (53, 20)
    zones = gpd.GeoDataFrame(
        {"Gemeinde": ["Nord", "Süd"]},
        geometry=[box(left, bottom, right, top), box(left, bottom - 340, right, bottom)],
        crs="EPSG:32633",
    )
    zones.to_file(tmp_path / "zones.gpkg")
    visit = tmp_path / "visit.gpkg"
    sample(path, out=visit, count=120)
    frame = gpd.read_file(visit, layer="visit")
    cols, rows = ~GRID @ (frame.geometry.x.to_numpy(), frame.geometry.y.to_numpy())
    frame["class"] = [NAMES[truth()[int(r), int(c)] - 1] for r, c in zip(rows, cols, strict=True)]
    frame.to_file(tmp_path / "answered.gpkg", layer="visit")
    out = tmp_path / "Flächen.gpkg"
    shown = succeeded(
        call(
            "hsi_geo:zones", INPUT=path, ZONES=tmp_path / "zones.gpkg", ZONE_FIELD="Gemeinde",
            REFERENCE=tmp_path / "answered.gpkg", DESIGN="stratified", OUTPUT=out,
        )
    )  # fmt: skip
    assert "ZONES_COUNTED:\t2" in shown
    table = pyogrio.read_dataframe(out, layer="areas")
    assert set(table["zone"]) == {"Nord", "Süd"}
    assert set(table["basis"]) == {"reference"}
    assert table["hectares_se"].notna().all()
    assert table["pixels"].sum() == (damaged() > 0).sum()
    assert len(gpd.read_file(out, layer=out.stem)) == 2


@pytest.mark.slow
def test_classes_of_two_levels_have_a_map_of_the_parents(
    call: Call, job: dict[str, Any], quick_python: str, tmp_path: Path
) -> None:
    labels = gpd.read_file(job["labels"])
    levels = dict(zip(sorted(labels["class"].unique()), ("a", "b", "a"), strict=True))
    labels["Ebene 1"] = labels["class"].map(levels)
    labels.to_file(tmp_path / "two.gpkg")
    upper = tmp_path / "oben.tif"
    shown = succeeded(
        call(
            "hsi_geo:classify", python=quick_python, LABELS=tmp_path / "two.gpkg",
            PARENT_FIELD="Ebene 1", PARENTS=upper, STAC=True, **job["parameters"],
        )
    )  # fmt: skip
    assert "of the parents" in shown
    out = Path(job["parameters"]["OUTPUT"])
    record = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    assert [c["name"] for c in record["parents"]] == ["a", "b"]
    assert read_map(upper).names == {1: "a", 2: "b"}
    assert upper.with_suffix(".qml").is_file()
    assert not out.with_name(f"{out.stem}_parents.tif").exists()
    assert out.with_name(f"{out.stem}_stac.json").is_file()


@pytest.mark.slow
def test_rejected_pixels_and_small_patches(
    call: Call, job: dict[str, Any], quick_python: str, tmp_path: Path
) -> None:
    out = tmp_path / "map.tif"
    given = {**job["parameters"], "OUTPUT": str(out), "MIN_CONFIDENCE": "99.9%", "MIN_AREA": "3px"}
    succeeded(
        call("hsi_geo:classify", python=quick_python, LABELS=job["labels"], REJECT="auto", **given)
    )
    record = json.loads(out.with_suffix(".json").read_text(encoding="utf-8"))
    names = [c["name"] for c in record["rejected_classes"]]
    assert names == ["unlike any shot", "too uncertain"]
    assert record["parameters"]["min_area"] == "3px"
    assert 'label="too uncertain"' in out.with_suffix(".qml").read_text(encoding="utf-8")
