"""STAC items of single maps: classes and colours of both levels, also rejected ones, and every file."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import rasterio
from batch_cases import cut
from builders import model_for, run
from stac_rules import FIELDS, problems

from hsi_geo import MapOptions, batch, classify, predict
from hsi_geo.errors import MissingPackageError
from hsi_geo.tasks.artifacts.model import save_model

Planted = Any  # defined in conftest, which tests cannot import

pystac = pytest.importorskip("pystac", reason="needs the extra batch")
from pystac.extensions.classification import ClassificationExtension
from pystac.extensions.projection import ProjectionExtension
from pystac.extensions.raster import RasterExtension
from pystac.validation import validate_dict
from pystac.validation.stac_validator import GetSchemaError


def classes_of(asset: Any) -> list[tuple[int, Any, str]]:
    named = ClassificationExtension.ext(asset).classes or []
    return [(c.value, c.title, "#" + str(c.color_hint).lower()) for c in named]


def compare_bands(item: Any, folder: Path) -> None:
    """Check what an item says of the bands of its rasters."""
    for key in ("map", "confidence", "probabilities", "parents"):
        bands = RasterExtension.ext(item.assets[key]).bands or []
        with rasterio.open(folder / item.assets[key].href) as file:
            assert len(bands) == file.count
            assert [band.nodata for band in bands] == [file.nodata] * file.count
            assert [band.data_type for band in bands] == list(file.dtypes)
            if key == "probabilities":
                assert [band.scale for band in bands] == list(file.scales)


def test_item_describes_every_file_of_a_map(planted: Planted, tmp_path: Path) -> None:
    model = model_for(planted.path)
    table = tuple(
        dataclasses.replace(c, parent=parent)
        for c, parent in zip(model.classes, ("built", "green", "built"), strict=True)
    )
    options = MapOptions(
        stac=True, confidence=True, probabilities=True, parents=True, polygons=True,
        reject=0.3, min_confidence=0.5,
    )  # fmt: skip
    made = predict(
        planted.path, dataclasses.replace(model, classes=table), out=tmp_path / "ä.tif",
        options=options,
    )  # fmt: skip
    assert made.paths.item == tmp_path / "ä_stac.json"
    item = pystac.Item.from_file(str(made.paths.item))
    plain = item.to_dict(include_self_link=False, transform_hrefs=False)
    validate_dict({**plain, "stac_extensions": []})  # the others' schemas are on the web
    assert problems(plain) == []
    assert item.id == "ä"
    assert set(item.assets) == {
        *("map", "confidence", "probabilities", "parents", "parents_confidence", "polygons"),
        *("record", "style"),
    }
    for asset in item.assets.values():
        assert (tmp_path / asset.href).is_file()
    listed = [*made.record["classes"], *made.record["rejected_classes"]]
    assert classes_of(item.assets["map"]) == [(c["id"], c["name"], c["color"]) for c in listed]
    assert [name for _, name, _ in classes_of(item.assets["map"])][3:] == [
        "unlike any shot",
        "too uncertain",
    ]
    upper = [*made.record["parents"], *made.record["rejected_parents"]]
    assert classes_of(item.assets["parents"]) == [(c["id"], c["name"], c["color"]) for c in upper]
    compare_bands(item, tmp_path)
    with rasterio.open(made.paths.classes) as file:
        projection = ProjectionExtension.ext(item)
        assert projection.code == "EPSG:32633"
        assert projection.shape == list(file.shape)
        assert projection.transform == list(file.transform)[:6]
    assert set(item.properties["processing:software"]) == {"hsi-geo"}
    assert item.datetime is not None
    assert made.record["files"]["item"]["size"] == made.paths.item.stat().st_size


@pytest.mark.parametrize("polygons", [True, False])
def test_items_of_a_batch_describe_every_file_of_each_map(
    planted: Planted, tmp_path: Path, scheduler: str, polygons: bool
) -> None:
    model = model_for(planted.path)
    parents = ("built", "green", "built")
    table = [dataclasses.replace(c, parent=p) for c, p in zip(model.classes, parents, strict=True)]
    options = MapOptions(
        probabilities=True, parents=True, polygons=polygons, confidence=not polygons,
        reject=0.3, min_confidence=0.5,
    )  # fmt: skip
    tiles = cut(planted.path, tmp_path / "tiles", ((0, 20),), ((0, 30), (20, 33)))
    folder = tmp_path / "maps"
    path = tmp_path / "m.safetensors"
    save_model(dataclasses.replace(model, classes=tuple(table)), path)
    batch(tiles, path, folder, scheduler=scheduler, options=options)
    moved = folder.rename(tmp_path / "moved")
    items = pystac.ItemCollection.from_file(str(moved / "items.json")).items
    assert len(items) == 2
    listed = {(moved / asset.href).resolve() for item in items for asset in item.assets.values()}
    stems = tuple(item.id for item in items)
    written = {one for one in moved.iterdir() if one.name.startswith(stems)}
    assert {one for one in written - listed if not one.name.endswith(".aux.xml")} == {
        moved / f"{stem}_parents.qml" for stem in stems
    }
    for item in items:
        assert set(item.assets) == {
            *("map", "confidence", "probabilities", "parents", "parents_confidence", "record"),
            "style",
        }
        compare_bands(item, moved)
        record = json.loads((moved / item.assets["record"].href).read_text(encoding="utf-8"))
        upper = [*record["parents"], *record["rejected_parents"]]
        shown = classes_of(item.assets["parents"])
        assert shown == [(c["id"], c["name"], c["color"]) for c in upper]


def test_items_keep_to_the_schemas_of_their_extensions(planted: Planted, tmp_path: Path) -> None:
    options = MapOptions(stac=True, confidence=True, reject=0.3)
    made = predict(planted.path, model_for(planted.path), out=tmp_path / "m.tif", options=options)
    try:
        assert len(pystac.Item.from_file(str(made.paths.item)).validate()) == 5
    except GetSchemaError:
        pytest.skip("needs the web, where the schemas of STAC extensions lie")


@pytest.mark.usefixtures("quick")
@pytest.mark.slow
def test_item_of_classify_has_the_report_and_no_file_that_is_not_kept(
    planted: Planted, tmp_path: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    options = MapOptions(stac=True, report=True)
    made = classify(planted.path, shots, out=tmp_path / "m.tif", options=options)
    content = json.loads((tmp_path / "m_stac.json").read_text())
    assert set(content["assets"]) == {"map", "record", "report", "style"}
    again = classify(planted.path, shots, out=tmp_path / "m.tif", overwrite=True)
    assert again.paths.item is None
    assert not (tmp_path / "m_stac.json").exists()  # that of the map before
    assert made.paths.item is not None


def test_command_writes_an_item_and_names_what_is_missing(
    planted: Planted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_model(model_for(planted.path), tmp_path / "model.safetensors")
    model = ("--model", tmp_path / "model.safetensors")
    shown = run("predict", planted.path, *model, "-o", tmp_path / "m.tif", "--stac")
    assert shown.exit_code == 0, shown.stderr
    assert str(tmp_path / "m_stac.json") in shown.stdout
    shown = run("batch", planted.path, *model, "-o", tmp_path / "maps", "--stac")
    assert shown.exit_code == 2  # a batch has items.json
    monkeypatch.setattr("hsi_geo.extras.importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="STAC items need the package pystac"):
        predict(
            planted.path, model_for(planted.path), out=tmp_path / "n.tif",
            options=MapOptions(stac=True),
        )  # fmt: skip


WRONG: list[tuple[str, dict[str, Any]]] = [
    ("properties", {"proj:shape": [3]}),
    ("properties", {"proj:code": 32633}),
    ("properties", {"proj:code": None}),
    ("properties", {"proj:transform": [30, 0, 1, 0, -30]}),
    ("properties", {"proj:epsg": 32633}),
    ("properties", {"processing:software": "hsi-geo"}),
    ("map", {"raster:bands": []}),
    ("map", {"raster:bands": [{"data_type": "byte"}]}),
    ("map", {"raster:bands": [{"nodata": None}]}),
    ("map", {"classification:classes": [{"value": 1, "name": "a b"}]}),
    ("map", {"classification:classes": [{"value": "1", "name": "a"}]}),
    ("map", {"classification:classes": [{"value": 1, "name": "a", "color_hint": "#0A1B2C"}]}),
    ("map", {"classification:classes": [{"value": 1, "name": "a"}, {"value": 1, "name": "b"}]}),
    ("map", {"mlm:name": "x"}),
]


@pytest.mark.parametrize(("place", "fields"), WRONG)
def test_rules_of_the_extensions_find_wrong_fields(
    planted: Planted, tmp_path: Path, place: str, fields: dict[str, Any]
) -> None:
    options = MapOptions(stac=True)
    made = predict(planted.path, model_for(planted.path), out=tmp_path / "m.tif", options=options)
    assert made.paths.item is not None
    plain = json.loads(made.paths.item.read_text(encoding="utf-8"))
    assert problems(plain) == []
    target = plain["properties"] if place == "properties" else plain["assets"][place]
    target.update(fields)
    assert problems(plain)


@pytest.mark.parametrize("name", ["=1+1", "äöü", "日本", "-", "a b", "A/B", "x" * 300, "1"])
def test_classes_of_any_name_keep_to_the_rules(name: str) -> None:
    from hsi_geo.io.labels.shots import LandClass
    from hsi_geo.io.maps.stac_items import classification_of

    table = (LandClass(1, name, "#0a1b2c", None), LandClass(2, f"{name}?", "#0a1b2c", None))
    classes = [one.to_dict() for one in classification_of(table)]
    assert FIELDS["classification:classes"](classes), classes
    assert [one["title"] for one in classes] == [name, f"{name}?"]
