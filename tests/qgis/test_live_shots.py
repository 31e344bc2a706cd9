"""The layers of shots in the dock *hsi-geo live*: what they do not take is said, and nothing is lost."""

from __future__ import annotations

from typing import Any

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
