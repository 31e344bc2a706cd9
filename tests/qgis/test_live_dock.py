"""The dock *hsi-geo live*: many features, layers that do not fit, and what it says and keeps."""

from __future__ import annotations

from typing import Any

import pytest

KILLED = ["problem: The engine of hsi-geo was ended by the system. Your shots are kept.", "Restart"]
UNFIT = "problem: Layer 'Maße' has no field of text or whole numbers. Add one that holds the class."
DECIMALS = (
    "problem: Field 'size' of layer 'Maße' holds decimals, which are no classes. Style the layer by a field of text or "
    "whole numbers, choose no layer, and choose it again."
)


@pytest.mark.parametrize("is_grouped", [False, True])
def test_a_preview_does_not_come_into_the_project_that_follows_a_saved_one(
    live: Any, is_grouped: bool
) -> None:
    assert live("live_saved", is_grouped=is_grouped)["layers"] == []


def test_an_edit_of_many_features_is_followed_once(live: Any) -> None:
    """One look at all shots for each of them made QGIS stand still for minutes."""
    found = live("live_many_features")
    whole = {"meadow": 50, "asphalt": 50}
    assert {step: counts for step, (_, counts) in found.items()} == {
        "class": {"meadow": 30, "asphalt": 70}, "undo": whole,
        "delete": {"meadow": 30, "asphalt": 30}, "discard": whole,
        "paste": {"meadow": 100, "asphalt": 100}, "save": {"meadow": 100, "asphalt": 100},
    }  # fmt: skip
    for step, (times, _) in found.items():
        assert 1 <= times <= 10, step


def test_the_way_to_restart_comes_back_after_other_notices(live: Any) -> None:
    found = live("live_kept_notice")
    assert found["killed"] == found["fit"] == found["again"] == KILLED
    assert found["unfit"] == [UNFIT, ""]
    assert found["closed"] == found["restarted"] == ["", ""]


def test_an_engine_that_cannot_be_started_is_not_waited_for(live: Any) -> None:
    found = live("live_not_started")
    assert "cannot be started" in found["told"][0]
    assert found["told"][1] == "Restart"
    assert [found["work"], found["bar"]] == ["", False]


def test_what_was_missing_for_a_preview_is_not_said_when_it_is_there_again(live: Any) -> None:
    found = live("live_hint_over")
    assert found["deleted"].startswith("Draw shots of two classes")
    assert found["undone"] == ""


def test_the_preview_follows_a_view_that_was_moved_while_it_was_computed(live: Any) -> None:
    assert live("live_moved_view") == {"previews": 2, "is_missing": False}


@pytest.mark.parametrize(
    ("values", "told", "counts"),
    [([1.5, 2.5, 2.5], DECIMALS, {}), ([1.0, 2.0, 2.0], "", {"Maß 1.0": 1, "Maß 2.0": 2})],
    ids=["decimals", "whole"],
)
def test_a_field_of_decimals_holds_no_classes(
    live: Any, values: list[float], told: str, counts: dict[str, int]
) -> None:
    found = live("live_decimals", values=values)
    assert found == {"told": told, "styled": sorted(set(values)), "counts": counts}


@pytest.mark.parametrize(
    ("encoding", "name", "is_held"),
    [
        ("ISO-8859-1", "W\u00e4lder", True),
        ("ISO-8859-1", "\u0141\u0105ka", False),
        ("UTF-8", "\u0141\u0105ka", True),
    ],
    ids=["latin", "other-letters", "utf-8"],
)
def test_letters_that_a_file_cannot_hold_are_refused(
    live: Any, encoding: str, name: str, is_held: bool
) -> None:
    found = live("live_letters", encoding=encoding, drawn=name)
    assert found["saved"] == sorted(["meadow", name] if is_held else ["meadow"])
    assert ("holds the letters of ISO-8859-1 only" in found["told"]) is not is_held


def test_a_polygon_that_cannot_be_added_stays_on_the_canvas(live: Any) -> None:
    found = live("live_kept_polygon")
    assert found["told"].startswith("problem: There is no class.")
    assert [found["corners"], found["left"], found["drawn"]] == [3, 0, 1]
