"""Maps with rejected pixels and without small patches: all files agree, and tiles fit together."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import geopandas as gpd
import numpy as np
import pytest
import rasterio
import torch
from batch_cases import COLS, ROWS, cut, ids_in
from builders import model_for
from scipy import ndimage

from hsi_geo import MapOptions, assess, batch, predict
from hsi_geo.errors import OptionError
from hsi_geo.io.labels.class_values import read_class_values
from hsi_geo.io.labels.shots import LandClass
from hsi_geo.io.maps.reader import read_colors
from hsi_geo.io.maps.record import mixed_file_warnings
from hsi_geo.io.maps.rejection import Rejection
from hsi_geo.io.maps.small_patches import label_patches
from hsi_geo.tasks.artifacts.model import load_model, save_model
from hsi_geo.tasks.inference.map_warnings import rejected_warnings
from hsi_geo.tasks.inference.rejection import REJECT_BELOW

Planted = Any  # defined in conftest, which tests cannot import
EVERYTHING: dict[str, Any] = {"confidence": True, "probabilities": True}


def rasters(folder: Path, scene: Path, model: Path, **options: Any) -> tuple[Any, Any, Any, Any]:
    """(H, W) ids and confidence, (K, H, W) probabilities and the record of a map."""
    chosen = MapOptions(**EVERYTHING, **options)
    result = predict(scene, model, out=folder / "map.tif", overwrite=True, options=chosen)
    assert result.paths.confidence is not None and result.paths.probabilities is not None
    with rasterio.open(result.paths.confidence) as file:
        confidence = file.read(1)
    with rasterio.open(result.paths.probabilities) as file:
        probabilities = file.read()
    return ids_in(result.paths.classes), confidence, probabilities, result.record


@pytest.fixture
def unsure(model: Path) -> Path:
    """The model with so weak a head that familiarity and confidence differ between pixels."""
    loaded = load_model(model)
    classifier = loaded.classifier
    with torch.no_grad():
        classifier.head.weight.mul_(3.0)
    save_model(dataclasses.replace(loaded, classifier=classifier), model)
    return model


def middle(values: np.ndarray, ids: np.ndarray) -> float:
    """A value that about half of the pixels with a class are below."""
    return float(np.median(values[ids > 0]))


def test_rejected_pixels_are_those_below_the_shares(
    scene: Planted, unsure: Path, tmp_path: Path
) -> None:
    ids, confidence, steps, plain = rasters(tmp_path, scene.path, unsure)
    familiarity = steps.astype(float).sum(axis=0) / 250
    wanted = middle(familiarity, ids), middle(confidence, ids) / 100
    assert "rejected_classes" not in plain
    found, other_confidence, other_steps, record = rasters(
        tmp_path, scene.path, unsure, reject=wanted[0], min_confidence=wanted[1]
    )
    classes = len(record["classes"])
    unlike, uncertain = classes + 1, classes + 2
    # The rasters are rounded: pixels near the shares are left out of the comparison.
    unlike_here = familiarity < wanted[0]
    clear = (np.abs(familiarity - wanted[0]) > 0.02) & (np.abs(confidence / 100 - wanted[1]) > 0.01)
    expected = np.where(unlike_here, unlike, np.where(confidence / 100 < wanted[1], uncertain, ids))
    expected = np.where(ids == 0, 0, expected)
    assert (found == expected)[clear].all()
    assert (found == unlike).any()
    assert ((found == 0) == (ids == 0)).all()
    # What the network says of a pixel stays.
    np.testing.assert_array_equal(confidence, other_confidence)
    np.testing.assert_array_equal(steps, other_steps)
    for entry in (*record["classes"], *record["rejected_classes"]):
        assert entry["pixels"] == (found == entry["id"]).sum()
    shares = [one["share"] for one in (*record["classes"], *record["rejected_classes"])]
    assert sum(shares) == pytest.approx(1.0, abs=1e-5)


@pytest.mark.parametrize("min_area", [None, "9px"], ids=["rejected", "cleaned"])
def test_the_record_counts_each_class_before_its_pixels_are_removed(
    scene: Planted, unsure: Path, tmp_path: Path, min_area: str | None
) -> None:
    ids, confidence, _, plain = rasters(tmp_path, scene.path, unsure)
    assert "pixels_before" not in plain["classes"][0]
    share = middle(confidence, ids) / 100
    found, *_, record = rasters(
        tmp_path, scene.path, unsure, min_confidence=share, min_area=min_area
    )
    uncertain = found == len(record["classes"]) + 2
    assert uncertain.any()
    for entry in record["classes"]:
        own = ids == entry["id"]
        assert entry["pixels_before"] == own.sum()
        assert entry["rejected_pixels"] == (own & uncertain).sum()


@pytest.mark.parametrize(
    ("options", "names"),
    [
        ({"reject": 0.4}, ["unlike any shot"]),
        ({"min_confidence": 0.4}, ["too uncertain"]),
        ({"reject": 0.4, "min_confidence": 0.5}, ["unlike any shot", "too uncertain"]),
    ],
)
def test_every_file_of_a_map_names_the_rejected_classes(
    scene: Planted, unsure: Path, tmp_path: Path, options: dict[str, Any], names: list[str]
) -> None:
    out = tmp_path / "map.tif"
    result = predict(scene.path, unsure, out=out, options=MapOptions(**options))
    legend = {c.id: (c.name, c.color) for c in result.classes}
    legend |= {c["id"]: (c["name"], c["color"]) for c in result.record["rejected_classes"]}
    assert [c["name"] for c in result.record["rejected_classes"]] == names
    with rasterio.open(out) as file:
        assert dict(read_class_values(file).names) == {i: name for i, (name, _) in legend.items()}
    colors = read_colors(out)
    assert {value: colors[value] for value in legend} == {
        i: color for i, (_, color) in legend.items()
    }
    style = out.with_suffix(".qml").read_text(encoding="utf-8")
    assert all(f'label="{name}"' in style for name in names)
    assert mixed_file_warnings(out, [name for name, _ in legend.values()]) == []
    assert all(name in str(result) for name in names)


def test_rejected_pixels_are_no_class_for_an_assessment(
    scene: Planted, unsure: Path, tmp_path: Path
) -> None:
    ids, confidence, _, _ = rasters(tmp_path, scene.path, unsure)
    share = middle(confidence, ids) / 100
    out = tmp_path / "rejecting.tif"
    predict(scene.path, unsure, out=out, options=MapOptions(min_confidence=share))
    reference = gpd.read_file(scene.shots(tmp_path / "shots.gpkg", per_class=30))
    names = dict(zip(scene.names, (f"class {i}" for i in (1, 2, 3)), strict=True))
    reference["class"] = reference["class"].map(names)
    reference.to_file(tmp_path / "reference.gpkg")
    found = assess(out, tmp_path / "reference.gpkg")
    assert not any("uncertain" in score.name for score in found.scores)
    everywhere = assess(tmp_path / "map.tif", tmp_path / "reference.gpkg")
    assert found.pixels < everywhere.pixels
    assert any("rejected" in text for text in found.dropped)


def test_auto_takes_the_threshold_of_the_model(
    scene: Planted, unsure: Path, tmp_path: Path, recorder: Any
) -> None:
    out, auto = tmp_path / "map.tif", MapOptions(reject="auto")
    predict(scene.path, unsure, out=out, options=auto, reporter=recorder)
    assert any("no threshold" in text for text in recorder.warnings)
    loaded = load_model(unsure)
    found = {**loaded.record["found"], REJECT_BELOW: 0.45}
    save_model(dataclasses.replace(loaded, record={**loaded.record, "found": found}), unsure)
    result = predict(scene.path, unsure, out=out, options=auto, overwrite=True)
    assert result.record["parameters"]["min_familiarity"] == 0.45
    fixed = tmp_path / "fixed.tif"
    predict(scene.path, unsure, out=fixed, options=MapOptions(reject=0.45))
    assert out.read_bytes() == fixed.read_bytes()


@pytest.mark.parametrize(
    ("counts", "shares"),
    [
        ((900, 50, 25, 25, 0), []),  # nodata does not count
        ((0, 50, 25, 26, 0), ["26 % of the pixels with data are 'unlike any shot' (--reject, threshold 0.4)"]),
        ((7, 10, 10, 40, 60), ["33 % of the pixels with data are 'unlike any shot' (--reject, threshold 0.4)",
                               "50 % of the pixels with data are 'too uncertain' (--min-confidence, threshold 0.655)"]),
        ((9, 0, 0, 0, 0), []),
    ],
    ids=["quarter", "more", "both", "empty"],
)  # fmt: skip
def test_a_threshold_that_rejects_much_is_named(counts: tuple[int, ...], shares: list[str]) -> None:
    table = (LandClass(1, "oats", "#e69f00"), LandClass(2, "rye", "#56b4e9"))
    rejection = Rejection.of(table, min_familiarity=0.4, min_confidence=0.6549)
    found = list(rejected_warnings(rejection, np.array(counts)))
    assert [text.split(": look")[0] for text in found] == shares
    one = Rejection.of(table, min_confidence=0.5)
    assert list(rejected_warnings(one, np.array([0, 1, 1, 0, 0]))) == []


def test_a_map_that_is_mostly_rejected_gets_a_warning(
    scene: Planted, unsure: Path, tmp_path: Path, recorder: Any
) -> None:
    out, much = tmp_path / "map.tif", MapOptions(min_confidence=1.0)
    record = predict(scene.path, unsure, out=out, options=much, reporter=recorder).record
    (text,) = (text for text in recorder.warnings if "too uncertain" in text)
    assert text in record["warnings"]


@pytest.mark.parametrize("least", ["6px", "0.36 ha"])
def test_small_patches_are_gone_and_confidence_is_that_of_the_class(
    scene: Planted, unsure: Path, tmp_path: Path, least: str
) -> None:
    """A pixel of the scene is 30 m by 20 m."""
    ids, _, steps, _ = rasters(tmp_path, scene.path, unsure)
    cleaned, confidence, other_steps, record = rasters(tmp_path, scene.path, unsure, min_area=least)
    sizes = np.bincount(label_patches(ids).ravel())
    assert (sizes[1:] < 6).any()
    moved = ids != cleaned
    assert record["cleaned_pixels"] == moved.sum() > 0
    assert ((ids == 0) == (cleaned == 0)).all()
    np.testing.assert_array_equal(steps, other_steps)
    shown = np.take_along_axis(steps, np.maximum(cleaned, 1)[None].astype(int) - 1, axis=0)[0]
    np.testing.assert_allclose(confidence[cleaned > 0], shown[cleaned > 0] / 2.5, atol=0.8)
    left = label_patches(cleaned)
    for patch in np.flatnonzero(np.bincount(left.ravel()) < 6):
        around = ndimage.binary_dilation(left == patch) & (left != patch)
        assert not (cleaned[around] > 0).any() or patch == 0


@pytest.mark.slow
def test_cleaned_tiles_have_no_seams(
    scene: Planted, unsure: Path, tmp_path: Path, scheduler: str
) -> None:
    options = MapOptions(min_area=4, reject=0.3, min_confidence=0.35)
    whole = ids_in(predict(scene.path, unsure, out=tmp_path / "whole.tif", options=options).paths.classes)  # fmt: skip
    tiles = cut(scene.path, tmp_path / "tiles", ROWS, COLS)
    result = batch(tiles, unsure, tmp_path / "maps", scheduler=scheduler, options=options)
    assert result.count("mapped") == 6
    assert (ids_in(result.outputs["index"]) == whole).all()
    for area in result.areas:
        assert area.pixels == (whole == area.id).sum()
    assert {c.name for c in result.areas} >= {"unlike any shot", "too uncertain"}
    items = json.loads((tmp_path / "maps" / "items.json").read_text(encoding="utf-8"))
    legend = items["features"][0]["assets"]["map"]["classification:classes"]
    assert {one["value"] for one in legend} >= {area.id for area in result.areas}
    assert batch(tiles, unsure, tmp_path / "maps", scheduler=scheduler, options=options).count("unchanged") == 6  # fmt: skip
    assert batch(tiles, unsure, tmp_path / "maps", scheduler=scheduler).count("mapped") == 6


def test_cleaning_of_one_pixel_changes_no_byte(scene: Planted, model: Path, tmp_path: Path) -> None:
    for name, options in (("a", MapOptions()), ("b", MapOptions(min_area="1px"))):
        predict(scene.path, model, out=tmp_path / f"{name}.tif",
                options=dataclasses.replace(options, **EVERYTHING))  # fmt: skip
    for end in (".tif", "_confidence.tif", "_probabilities.tif", ".qml", ".tif.aux.xml"):
        assert (tmp_path / f"a{end}").read_bytes() == (tmp_path / f"b{end}").read_bytes(), end


def test_area_in_hectares_needs_a_crs(make_scene: Any, tmp_path: Path) -> None:
    scene = make_scene(bands=9)
    with rasterio.open(scene.path, "r+") as file:
        file.crs = rasterio.crs.CRS()
    model = tmp_path / "m.safetensors"
    save_model(model_for(scene.path), model)
    out = tmp_path / "map.tif"
    with pytest.raises(
        OptionError, match="hectares, and the area of the scene's pixels is unknown"
    ):
        predict(scene.path, model, out=out, options=MapOptions(min_area="1ha"))
    with pytest.raises(OptionError, match="are cleaned"):
        predict(scene.path, model, out=out, options=MapOptions(min_area="5000px"))
    assert not out.exists()
    predict(scene.path, model, out=out, options=MapOptions(min_area="3px"))


@pytest.mark.parametrize(
    "options",
    [
        {"reject": "often"},
        {"reject": -0.1},
        {"reject": "101%"},
        {"reject": 7},
        {"reject": "1.5"},
        {"min_confidence": 60},
        {"min_confidence": "60"},
        {"min_confidence": "nan"},
        {"min_confidence": "high"},
        {"min_area": "0"},
        {"min_area": "-3px"},
        {"min_area": "2.5"},
        {"min_area": "3 acres"},
        {"min_area": True},
    ],
)
def test_other_values_are_refused(options: dict[str, Any]) -> None:
    (name,) = options
    with pytest.raises(OptionError, match=name):
        MapOptions(**options)


@pytest.mark.parametrize(("value", "meant"), [(7, "7%"), ("60", "60%"), ("1.5", "1.5%")])
def test_a_number_above_one_is_asked_for_its_percent_sign(value: float | str, meant: str) -> None:
    """A 7 may be 7 per cent, or a mistake for 0.7."""
    with pytest.raises(OptionError) as caught:
        MapOptions(reject=value)
    assert f"percent sign such as {meant}, or auto" in caught.value.hint
    assert MapOptions(reject=meant).reject == pytest.approx(float(meant[:-1]) / 100)


@pytest.mark.parametrize("max_memory", [1 << 12, 1 << 29])
@pytest.mark.slow
def test_pixels_of_one_value_are_counted_once(
    scene: Any, model: Path, tmp_path: Path, max_memory: int
) -> None:
    """However the scene is cut into parts, and in tiles with their neighbours."""
    with rasterio.open(scene.path, "r+") as file:
        values = file.read()
        values[:, 3:5, 7:20] = 700
        values[:, -1, -9:] = values.max()
        file.write(values)
    options = MapOptions(max_memory=max_memory)
    made = predict(scene.path, model, out=tmp_path / "m.tif", options=options)
    assert made.record["mask"]["constant_px"] == 2 * 13 + 9
    tiles = cut(scene.path, tmp_path / "tiles", ROWS, COLS)
    pytest.importorskip("distributed", reason="needs the extra batch")
    result = batch(tiles, model, tmp_path / "maps", workers=1, options=options)
    counts = [
        json.loads(path.with_suffix(".json").read_text())["mask"]["constant_px"]
        for path in result.maps.values()
    ]
    assert sum(counts) == 2 * 13 + 9
