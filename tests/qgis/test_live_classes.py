"""The classes of the layers of shots in the dock *hsi-geo live*: names, values in each layer, and the field."""

from __future__ import annotations

from typing import Any


def test_a_code_and_its_name_in_another_layer_stay_one_class(live: Any) -> None:
    found = live("live_coded_layers")
    both = ["meadow", "asphalt", "water"]
    assert found["names"] == [both, both, ["grass", "asphalt", "water"]]
    assert found["counts"] == [
        {"meadow": 3, "asphalt": 1, "water": 2},
        {"meadow": 5, "asphalt": 3, "water": 2},
        {"grass": 5, "asphalt": 3, "water": 2},
        {"grass": 4, "asphalt": 3, "water": 2},
    ]
    assert found["renamed"] == ""
    codes, texts = found["values"]
    assert codes == [1, 1, 1, 2, 2, 3]
    assert texts == ["asphalt", "grass", "grass", "water"]
    assert found["labels"] == [["grass", "asphalt", "water"]] * 2
    assert found["other"] == {"grass": 3, "asphalt": 3, "water": 2}  # 1 is another class there
    assert found["free"] == [1, 2, 3]


def test_the_field_of_the_class_is_that_of_the_choice(live: Any) -> None:
    found = live("live_restyled")
    assert found["field"] == found["restored"] == "class"
    assert found["names"] == ["a", "b"]
    assert found["drawn"][0] == "a"
    assert found["drawn"][1] in (None, "NULL")
    said, counts = found["lost"]
    assert said.startswith("problem: Layer 'Meine ä' no longer has the field 'class'")
    assert counts == {}
    assert found["refused"].startswith("Layer 'Meine ä' no longer has its field")
    assert found["restored_lost"] == [said, ""]


def test_no_other_field_takes_the_place_of_a_lost_one(live: Any) -> None:
    found = live("live_lost_field")
    assert found["before"] == found["undone"] == {"a": 4, "b": 4}
    assert found["renamed"] == {"a": 2, "b": 2}
    told = (
        "problem: Layer 'Meine ä' no longer has the field 'class' with the class. "
        "Undo that, or choose no layer and choose it again."
    )
    # at first, renamed, after the next preview, undone, with other polygons, without the layer
    assert [one == told for one in found["notices"]] == [False, True, True, False, True, False]
    assert found["kept"] == "class"
    assert found["drawn"].endswith("Undo that, or choose no layer and choose it again.")
    assert found["rows"] == [["Ann"]] * 4
    assert found["anew"] == "observer"


def test_the_style_of_new_shots_on_another_layer_brings_no_field(live: Any) -> None:
    assert live("live_pasted_style") == {"field": "veg", "counts": {"rye": 2, "oat": 1}}


def test_names_are_those_that_qgis_shows_and_hsi_geo_has(live: Any) -> None:
    found = live("live_shown_names")
    assert found["map"] == ["Chamise", "Grass"]
    assert found["expression"] == [["Chamise", "#ff0000"], ["Water", "#0000ff"]]
    assert found["digits"] == ["1110", "2110"]
    assert found["labels"] == ["1.110", "2.110"]  # the style is good, and stays
    assert found["doubled"] == ["3", "4", "Soil"]
    assert found["counts"] == {"Gebäude": 2, "x y": 1, "<b>": 1}
    assert sorted(found["odd"]) == sorted(found["counts"])
    assert found["drawn"]
    assert "The preview says &lt;b&gt; (50 %)." in found["place"]
    assert found["format"] == 0  # Qt.TextFormat.PlainText


def test_no_two_classes_have_one_value_when_labels_are_swapped(live: Any) -> None:
    found = live("live_swapped_labels")
    assert found["names"] == ["ARGL", "ADFA", "LAKE"]
    assert found["counts"] == [
        {"ARGL": 2, "ADFA": 1, "LAKE": 2},
        {"ARGL": 2, "ADFA": 2, "LAKE": 2},
    ]
    assert found["problem"] == ""
    assert found["texts"] == ["2", "ADFA", "LAKE"]


def test_no_two_classes_have_one_name_or_value_after_any_changes(case: Any) -> None:
    assert case("live_any_changes", seeds=60, changes=12) == {"wrong": []}
