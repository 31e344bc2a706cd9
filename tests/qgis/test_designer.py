"""All algorithms in the model designer and in batches, and their help, in a real QGIS."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import geopandas as gpd
import pytest
from shapely import box

MakeScene = Callable[..., Any]  # defined in conftest, which tests cannot import
Case = Callable[..., dict[str, Any]]
Fake = Any  # defined in conftest, which tests cannot import

#: Where QGIS keeps the plugin of the toolbox.
PLUGINS = "/usr/share/qgis/python/plugins"

needs_toolbox = pytest.mark.skipif(
    not Path(PLUGINS).is_dir(), reason="needs QGIS's plugin of the toolbox"
)

ALGORITHMS = {
    *(
        "open",
        "info",
        "classify",
        "classify_scenes",
        "adapt",
        "suggest",
        "predict",
        "batch",
        "polygons",
        "sample",
        "compare",
        "zones",
    ),
    *("assess", "environment", "setup"),
}

#: What an analyst has not to know: options and words of the command line, and of our code.
JARGON = re.compile(
    r"--|START:STOP|\bshots?\b|\bstrips?\b|teacher|jsonl\b(?!\')|stdout|stderr|/tmp/"
)


def test_every_parameter_has_help_in_plain_words(case: Case, fake: Fake) -> None:
    found = case("helped", python=fake.python)
    assert set(found) == ALGORITHMS
    for name, one in found.items():
        assert "<h3>Example</h3>" in one["help"]
        for parameter, title, text in one["parameters"]:
            where = f"{name} {parameter}: {text}"
            assert len(text) > 25, where
            assert text.endswith("."), where
            plain = f"{title} {text}".replace("'Classify with few shots'", "")
            assert not JARGON.search(plain), where
            assert f"<b>{title}</b>: " in one["help"], where


@needs_toolbox
@pytest.mark.slow
def test_every_algorithm_opens_in_the_designer_and_in_a_batch(case: Case, fake: Fake) -> None:
    found = case("dialogs", python=fake.python, plugins=PLUGINS)
    assert set(found) == ALGORITHMS
    for name, one in found.items():
        assert one["again"] == one["added"], name
        assert set(one["added"]) <= set(one["wanted"]) | {"OUTPUT", "MODEL", "REPORT", "VALUES"}
        assert len(one["rows"]) == 2, name


@needs_toolbox
def test_rows_of_the_batch_dialog_run(
    case: Case, fake: Fake, job: dict[str, Any], tmp_path: Path
) -> None:
    labels = str(job["labels"])
    rows = [
        {"INPUT": job["parameters"]["INPUT"], "LABELS": labels, "CLASS_FIELD": "class",
         "OUTPUT": str(tmp_path / "one.tif")},
        {"INPUT": job["parameters"]["INPUT"], "MORE_LABELS": [labels], "SEED": 4,
         "OUTPUT": str(tmp_path / "two.tif")},
        {"INPUT": job["parameters"]["INPUT"], "OUTPUT": str(tmp_path / "three.tif")},
    ]  # fmt: skip
    found = case(
        "batch_dialog", algorithm="classify", rows=rows, plugins=PLUGINS, python=fake.python
    )
    assert len(found["results"]) == 2, found
    assert fake.arguments[fake.arguments.index("--seed") + 1] == "4"
    assert str(tmp_path / "two.tif") in fake.arguments
    assert found["errors"] == [["no labels are given; choose a layer, or a raster of classes"]]
    # Nobody asked for the optional rasters.
    assert not {"--confidence", "--probabilities"} & set(fake.arguments)


@pytest.mark.slow
def test_a_model_of_all_algorithms(
    case: Case, job: dict[str, Any], make_scene: MakeScene, tmp_path: Path
) -> None:
    truth = make_scene("again.tif").shots(tmp_path / "truth.gpkg", per_class=9)
    points = gpd.read_file(truth)
    zone = gpd.GeoDataFrame(geometry=[box(*points.total_bounds)], crs=points.crs)
    zone.to_file(tmp_path / "zones.gpkg")
    folder = tmp_path / "results"
    folder.mkdir()
    found = case(
        "whole_model",
        zones=str(tmp_path / "zones.gpkg"),
        scene=job["parameters"]["INPUT"],
        product=job["parameters"]["INPUT"],
        labels=job["labels"],
        truth=str(truth),
        folder=str(folder),
    )
    assert found["valid"], found["problems"]
    assert found["ok"], "\n".join(found["read"][-25:])
    for path in found["outputs"].values():
        assert Path(path).exists(), path
    assert list((folder / "batch OUTPUT").glob("*.vrt"))
    assert len(list((folder / "classify_scenes OUTPUT").glob("*_classes.tif"))) == 1
    # Nothing of the command line is read by a user.
    for line in found["read"]:
        assert "--" not in line, line
        assert "/processing_" not in line, line
    assert not [line for line in found["commands"] if "--progress" in line]
