"""Layers of *Open scene* and their products, copies of products, and styles that come to other layers."""

from __future__ import annotations

import itertools
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hsi_geo_qgis.record import relink_item

Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import
MakeScene = Callable[..., Any]

#: What *Open scene* was told, what the dialog says, the options of the run, and what the log says.
OPTIONS = {
    "grid": "EPSG:32612",
    "asset": "radiance",
    "mask": "clouds",
    "wavelengths": "",
    "pixel_size": None,
}
ROWS: list[tuple[dict[str, Any], dict[str, str], str]] = [
    (
        {}, {"--grid": "EPSG:32612", "--asset": "radiance", "--mask": "clouds"},
        "as it was opened, with 'Grid of a swath' EPSG:32612",
    ),
    (
        {"GRID": "native", "MASK": "none"},
        {"--grid": "native", "--asset": "radiance", "--mask": "none"},
        "was opened with 'Grid of a swath' EPSG:32612; this run takes native",
    ),
]  # fmt: skip


def test_a_product_belongs_to_the_raster_that_shows_it(
    case: Case, fake: Fake, job: dict[str, Any], make_scene: MakeScene, tmp_path: Path
) -> None:
    """A style that is pasted, or a source that is changed, brings no product along."""
    raster, other = tmp_path / "copy.tif", tmp_path / "other.tif"
    for path in (raster, other):
        shutil.copy(job["parameters"]["INPUT"], path)
    product = tmp_path / "product.he5"
    product.touch()
    found = case(
        "product_of_layers", python=fake.python, raster=str(raster), other=str(other),
        product=str(product), options=OPTIONS, rows=[given for given, _, _ in ROWS],
        parameters={**job["parameters"], "LABELS": job["labels"]},
    )  # fmt: skip
    calls = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    for call, row, (_, expected, said) in zip(
        map(json.loads, calls[: len(ROWS)]), found["rows"], ROWS, strict=True
    ):
        assert row["ok"], row
        assert call[-1] == str(product)
        options = dict(itertools.pairwise(call))
        assert {name: options[name] for name in expected} == expected
        assert "--wavelengths" not in call
        assert said in row["log"]
    assert all(row["ok"] for row in found["by_layer"].values()), found
    for call in map(json.loads, calls[len(ROWS) :]):
        assert call[-1] == str(other)
        assert "--grid" not in call
    assert found["paths"] == {"pasted": None, "source": None, "moved": str(product)}


def test_layers_of_old_projects_copied_folders_and_renamed_files_keep_their_product(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """A style that was pasted brings none, also if it was saved beside its new raster; this is said."""
    raster, other, product = (tmp_path / name for name in ("view.tif", "other.tif", "p.he5"))
    for path in (raster, other):
        shutil.copy(job["parameters"]["INPUT"], path)
    product.touch()
    found = case(
        "layers_of_other_days", python=fake.python, raster=str(raster), other=str(other),
        product=str(product), options=OPTIONS, runs=["old", "pasted"],
        parameters={**job["parameters"], "LABELS": job["labels"]},
    )  # fmt: skip
    own = dict.fromkeys(("old", "option", "copied", "renamed"), str(product))
    assert found["paths"] == {**own, "pasted": None, "saved": None}
    assert found["warned"] == ["pasted", "saved"]
    calls = (fake.folder / "calls.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(call)[-1] for call in calls] == [str(product), str(other)]
    said = f"has the style of a layer that shows the product '{product}'"
    assert said not in found["runs"]["old"]["log"]
    assert f"layer 'pasted' {said}, but its own file is read" in found["runs"]["pasted"]["log"]


def test_files_that_are_gone_are_left_out_with_a_warning(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    """A run does not fail by a file that nobody chose in its dialog."""
    raster, product, mask, waves = (
        tmp_path / name for name in ("view.tif", "p.he5", "mask.tif", "waves.csv")
    )
    shutil.copy(job["parameters"]["INPUT"], raster)
    for path in (product, mask, waves):
        path.touch()
    options = {"mask": str(mask), "wavelengths": str(waves), "grid": "EPSG:32612"}
    found = case(
        "gone_files", python=fake.python, raster=str(raster), product=str(product),
        options=options, removed=[str(mask)],
        parameters={**job["parameters"], "LABELS": job["labels"]},
    )  # fmt: skip
    assert found["ok"], found
    given = dict(itertools.pairwise(fake.arguments))
    assert (given["--wavelengths"], given["--grid"]) == (str(waves), "EPSG:32612")
    assert given.get("--mask", "auto") == "auto"
    assert fake.arguments[-1] == str(product)
    assert f"was opened with '{mask}', which does not exist any more" in found["log"]
    assert found["log"].count(str(mask)) == 1


def test_a_map_with_the_style_of_the_preview_stays(
    case: Case, job: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("preview", "map"):
        shutil.copy(job["parameters"]["INPUT"], tmp_path / f"{name}.tif")
    found = case(
        "preview_style", raster=str(tmp_path / "preview.tif"), other=str(tmp_path / "map.tif")
    )
    assert found["names"] == ["Preview (not the finished map)", "Karte", "Karte"]


def test_names_of_classes_in_the_accuracy_of_a_preview_are_no_tags(live: Case) -> None:
    caution = "nothing is known of <5 m trees & <b>x</b>"
    given = [
        {"oa": 0.875, "interval95": [0.75, 0.9], "caution": caution},
        {"oa": None, "method": "class <i>a</i> has one shot", "caution": ""},
    ]
    found = live("preview_accuracy", accuracies=given)
    assert found["read"] == [
        ["Estimated accuracy: 88 % (95 % interval 75-90 %)", caution],
        ["Accuracy: class <i>a</i> has one shot"],
    ]
    assert found["is_html"]


def test_a_copy_is_made_anew_if_a_file_has_changed(case: Case, tmp_path: Path) -> None:
    """Labels, projects and maps beside it are no part of it, nor are the files of a database that is open."""
    names = ("flight.hdr", "flight.bsq", "flight_mask.tif", "wl.csv", "clouds.gpkg", "dem.tif")
    others = (
        "map.tif", "flight.bsq.aux.xml", "flight.gpkg", "flight.gpkg-wal", "flight.qgz", "flight.qgs~",
        "flight.shp", "flight.dbf", "flight.html", "flight_mask_classes.tif", "my_mask_classes.json",
    )  # fmt: skip
    for name in (*names, *others):
        (tmp_path / name).write_text("")
    options = {
        "wavelengths": str(tmp_path / "wl.csv"), "mask": str(tmp_path / "clouds.gpkg"),
        "dem": str(tmp_path / "dem.tif"), "grid": "UTM",
    }  # fmt: skip
    changes = [str(tmp_path / name) for name in (*names, *others)]
    found = case(
        "cached_names", product=str(tmp_path / "flight.hdr"), options=options, changes=changes,
        profile=tmp_path,
    )["names"]  # fmt: skip
    assert len(set(found[: len(names) + 1])) == len(names) + 1, found
    assert set(found[len(names) :]) == {found[-1]}  # these are no part of the product


def test_a_copy_of_a_folder_is_made_anew_if_a_file_of_its_product_has_changed(
    case: Case, tmp_path: Path
) -> None:
    folder = tmp_path / "ENMAP01"
    folder.mkdir()
    names = ("E-METADATA.XML", "E-QL_QUALITY_CLASSES.TIF", "E-SPECTRAL_IMAGE.TIF")
    changes = [str(folder / name) for name in (*names, "own_classes.tif", "labels.gpkg")]
    found = case(
        "cached_names", product=str(folder), options={"wavelengths": ""}, changes=changes,
        profile=tmp_path,
    )["names"]  # fmt: skip
    assert len(set(found)) == len(names) + 1, found
    assert set(found[len(names) :]) == {found[-1]}


def test_the_style_of_a_confidence_goes_with_it(
    case: Case, job: dict[str, Any], tmp_path: Path
) -> None:
    """A style of somebody else stays."""
    shutil.copy(job["parameters"]["INPUT"], tmp_path / "map.tif")
    found = case("stale_style", raster=str(tmp_path / "map.tif"))
    assert found["found"] == [True, False, True]


def test_a_corrected_crs_is_followed(live: Case, make_scene: MakeScene) -> None:
    found = live("live_crs_corrected", scene=str(make_scene("bare.tif", crs=None).path))
    assert found == {"found": ["EPSG:32612", "EPSG:32633"], "notice": ""}


def test_the_dock_shows_a_product_by_a_small_copy(live: Case) -> None:
    assert live("live_small_copy")["asked"] == ["shown"]


def test_relink_item_names_files_where_they_are(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    (tmp_path / "map.tif").touch()
    moved = tmp_path / "other" / "sure ü.tif"
    moved.touch()
    hrefs = {"map": "./map.tif", "confidence": "./map_confidence.tif", "zones": "./map_zones.csv"}
    item, record = tmp_path / "map_stac.json", tmp_path / "map.json"
    assets = {name: {"href": href} for name, href in hrefs.items()}
    item.write_text(json.dumps({"assets": assets}))
    record.write_text(json.dumps({"files": {"item": {"size": 1, "sha256": ""}}, "seed": 3}))
    relink_item(
        str(item),
        str(tmp_path / "map.tif"),
        {
            str(tmp_path / "map_confidence.tif"): str(moved),
            str(tmp_path / "map_zones.csv"): str(tmp_path / "missing" / "zones.csv"),
        },
    )
    found = json.loads(item.read_text(encoding="utf-8"))["assets"]
    assert {name: one["href"] for name, one in found.items()} == {
        **hrefs, "confidence": "./other/sure ü.tif",
    }  # fmt: skip
    kept = json.loads(record.read_text(encoding="utf-8"))
    assert kept["seed"] == 3
    assert kept["files"]["item"]["size"] == item.stat().st_size
    assert len(kept["files"]["item"]["sha256"]) == 64
    assert not list(tmp_path.rglob("*.part"))


@pytest.mark.parametrize("given", ["CLASS", "class"])
def test_fields_have_the_name_that_the_layer_gives_them(
    given: str, case: Case, fake: Fake, job: dict[str, Any]
) -> None:
    parameters = {**job["parameters"], "LABELS": job["labels"], "CLASS_FIELD": given}
    (row,) = case(
        "several_runs", rows=[{"algorithm": "classify", "parameters": parameters}],
        python=fake.python,
    )["rows"]  # fmt: skip
    assert row["ok"], row
    call = fake.arguments
    assert call[call.index("--class-field") + 1] == "class"


def test_a_comparison_without_confidence_keeps_its_map(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    old, out = job["parameters"]["INPUT"], tmp_path / "change.tif"
    (tmp_path / "page.html").write_text(f"<pre>hsi-geo compare {old}</pre>")
    fake.answer(
        {
            "v": 1, "type": "result", "comparison": {"changed_share": 0.25},
            "outputs": {"map": str(out), "report": str(tmp_path / "page.html")},
        }
    )  # fmt: skip
    parameters = {
        "OLD": old, "NEW": old, "OUTPUT": str(out), "CONFIDENCE": str(tmp_path / "sure.tif"),
        "REPORT": str(tmp_path / "report.html"),
    }  # fmt: skip
    (row,) = case(
        "several_runs", rows=[{"algorithm": "compare", "parameters": parameters}],
        python=fake.python,
    )["rows"]  # fmt: skip
    assert row["ok"], row
    assert row["results"].keys() == {"OUTPUT", "REPORT", "CHANGED"}
    assert "the confidence of changes is not written" in row["log"]


def test_a_long_name_of_a_layer_is_no_name_of_a_file(case: Case) -> None:
    assert case("file_names", names=["ä" * 300, "Wald"])["bytes"] == [120, 4]


def test_a_description_names_no_option(case: Case, make_scene: MakeScene) -> None:
    scene = make_scene("scene.tif")
    parameters = {"PRODUCT": str(scene.path), "WAVELENGTHS": "index"}
    (row,) = case(
        "several_runs", rows=[{"algorithm": "info", "parameters": parameters}],
        python=sys.executable,
    )["rows"]  # fmt: skip
    assert row["ok"], row
    assert "index in 'Wavelengths'" in row["log"]
    assert "--" not in row["log"]
