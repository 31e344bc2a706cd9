"""The layers of shots in the dock *hsi-geo live*: what they do not take is said, and nothing is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyproj
import pytest

Job = dict[str, Any]

BEFORE = {"meadow": 2, "asphalt": 2, "water": 2}

EDIT = "Layer 'Meine ä' cannot be edited."
COMPUTED = (
    "Field 'class' of layer 'Meine ä' is computed or joined, so its values cannot be changed."
)
LONG = "Field 'class' of layer 'Meine ä' holds 7 letters, and 'deep blue' has more."


@pytest.mark.parametrize(
    ("layer", "rename", "other"),
    [
        ("read_only", EDIT, EDIT),
        ("virtual", COMPUTED, COMPUTED),
        ("joined", COMPUTED, COMPUTED),
        ("short", LONG, ""),
        ("editable", "", ""),
    ],
    ids=["read_only", "virtual", "joined", "short", "editable"],
)
def test_a_layer_that_does_not_take_a_change_keeps_its_shots(
    live: Any, layer: str, rename: str, other: str
) -> None:
    found = live("live_fixed_layers", layer=layer)
    assert found["before"]["counts"] == BEFORE
    new = "deep blue" if not rename else "water"
    assert found["renamed"]["classes"] == [n if n != "water" else new for n in found["classes"]]
    renamed = {"meadow": 2, "asphalt": 2, new: 2}
    assert found["renamed"]["counts"] == found["renamed"]["sent"] == renamed
    assert (found["renamed"]["text"] == f"Class water keeps its name. {rename}") is bool(rename)
    if other:
        for step in ("reclassed", "drawn"):
            assert found[step]["counts"] == found[step]["sent"] == BEFORE
            assert found[step]["features"] == 6
            assert found[step]["edits"] == 0
        assert found["reclassed"]["text"] == other
        assert found["drawn"]["notice"] == f"problem: {other}"
    else:
        assert found["reclassed"]["counts"] == {"meadow": 1, "asphalt": 3, new: 2}
        assert found["reclassed"]["text"] == "Now asphalt: 1 shot."
        assert found["drawn"]["features"] == 7
    deleted = found["drawn"]["features"] - (layer != "read_only")
    assert found["deleted"]["features"] == deleted
    assert found["deleted"]["text"] == (EDIT if layer == "read_only" else "Deleted: 1.")


def test_a_change_of_two_layers_is_made_in_both_or_in_none(live: Any) -> None:
    found = live("live_one_of_two_fixed")
    before = {**BEFORE, "water": 3}
    edit = "Layer 'fields' cannot be edited."
    assert found["before"] == before
    assert found["water"] == [before, f"Class water keeps its name. {edit}"]
    renamed = {"new meadow": 2, "asphalt": 2, "water": 3}
    assert found["meadow"][0] == renamed  # the layer that cannot be edited has none
    assert found["both"] == [renamed, edit]
    assert found["warning"] == "warning: 2 features have no class, and are left out."


def test_drawn_shots_get_the_default_values_of_the_layer(live: Any) -> None:
    assert live("live_defaults")["rows"] == [["Class 1", "Ann"]]


def test_a_geopackage_is_replaced_only_if_the_person_says_so(live: Any) -> None:
    found = live("live_overwrite")
    assert found["no"] == [True, 1]
    assert found["yes"] == [False, 1]
    assert found["new"] == [False, 0]
    assert found["typed"] == [False, 0]  # QGIS's dialog has asked


def test_a_shot_that_looks_wrong_is_found_after_saving(live: Any) -> None:
    found = live("live_saved_shots")
    assert found["before"] != found["after"]  # ids of unsaved features are others
    assert found["after"] == found["wanted"]
    assert found["text"].startswith("Selected.")
    assert found["gone"] == [[], "The shot was changed or deleted meanwhile."]


@pytest.mark.parametrize(
    ("scene_crs", "layer_crs", "own_crs", "wanted"),
    [
        (None, "", False, None),
        (None, "EPSG:32633", False, None),
        (None, "EPSG:32633", True, None),
        ("EPSG:32633", "", False, "EPSG:32633"),
        ("EPSG:32633", "", True, "WKT"),
    ],
    ids=["none", "none_layer", "none_layer_own", "code", "own"],
)
@pytest.mark.slow
def test_the_engine_knows_the_crs_of_shots(
    live: Any, engine: Path, make_scene: Any, scene_crs: str | None, layer_crs: str, own_crs: bool,
    wanted: str | None,
) -> None:  # fmt: skip
    scene = make_scene("there.tif", crs=scene_crs)
    found = live("live_crs", scene=str(scene.path), layer_crs=layer_crs, own_crs=own_crs)
    assert found["notice"] == ""
    assert found["has_preview"]
    lines = (engine / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    shots = [json.loads(line)["params"].get("shots") for line in lines]
    (sent,) = [one for one in shots if one]
    if wanted == "WKT":
        assert found["own"].startswith("USER:")
        there = pyproj.CRS.from_user_input(sent["crs"])
        back = pyproj.Transformer.from_crs(there, scene_crs, always_xy=True)
        assert back.transform(*sent["features"][0]["geometry"]["coordinates"]) == pytest.approx(
            found["place"], abs=0.01
        )
    else:
        assert sent["crs"] == wanted
        place = sent["features"][0]["geometry"]["coordinates"]
        assert place == pytest.approx(found["place"], abs=0.01)


def test_a_class_of_a_text_gets_a_free_number_in_a_field_of_numbers(live: Any) -> None:
    found = live("live_mixed_fields")
    assert found["problems"] == ["", "", ""]
    assert found["codes"] == [1, 7, 8]
    assert found["drawn"] == {
        "7": 2, "asphalt": 3, "Class 6": 1, "meadow": 2, "water": 2, "\u00b2": 1
    }  # fmt: skip
    assert found["styled"] == {
        "7": "7", "1": "asphalt", "2": "meadow", "3": "water", "4": "\u00b2", "8": "Class 6"
    }  # fmt: skip
