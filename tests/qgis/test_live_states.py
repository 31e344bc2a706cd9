"""The dock *hsi-geo live* between two steps: codes, files and projects that change meanwhile."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

CHANGED = ["problem: The file of scene 'Szene' has changed since it was opened.", "Open again"]


@pytest.fixture
def other(make_scene: Any) -> str:
    """Another scene than that of the dock."""
    return str(make_scene("other.tif").path)


def test_a_new_name_keeps_codes_that_are_texts(live: Any) -> None:
    found = live("live_text_codes", names=["grass", "road", "pond"])
    assert found["problems"] == ["", "", ""]
    assert found["codes"] == ["A1", "A1", "B2", "C3"]
    assert found["labels"] == {"A1": "grass", "B2": "road", "C3": "pond"}
    assert found["texts"] == ["grass"]
    assert found["counts"] == {"grass": 3, "road": 1, "pond": 1}
    assert found["taken"].startswith("Another class is road. To make both one, select the shots")


LIKE_CODES = {"A1": "A1", "B2": "asphalt", "C3": "water"}


@pytest.mark.parametrize(
    ("labels", "renames", "names"),
    [
        (LIKE_CODES, [(0, "grass")], ["grass", "asphalt", "water"]),
        (LIKE_CODES, [(1, "B2"), (1, "road")], ["A1", "road", "water"]),
        ({"A1": "A1", "B2": "asphalt"}, [(1, "B2"), (1, "road")], ["A1", "road"]),
    ],
    ids=["equal", "becomes-equal", "all-equal"],
)
def test_a_code_that_is_like_the_name_stays(
    live: Any, labels: dict[str, str], renames: list[tuple[int, str]], names: list[str]
) -> None:
    values = ["A1", *labels]
    found = live("live_names_like_codes", values=values, labels=labels, renames=renames)
    assert set(found["problems"]) == {""}
    assert found["edits"] == 0
    for step in ("renamed", "undone", "redone"):
        assert found[step]["codes"] == values, step
        shown = names if step != "undone" else ["A1", *names[1:]]
        assert found[step]["labels"] == dict(zip(labels, shown, strict=True)), step
        assert found[step]["texts"] == shown[:1], step
        assert found[step]["counts"] == {shown[0]: 3, **dict.fromkeys(shown[1:], 1)}, step


def test_a_scene_whose_file_has_changed_is_opened_again_by_one_click(live: Any) -> None:
    found = live("live_scene_changed")
    assert found["drawn"] == found["finished"] == CHANGED
    assert found["enabled"] == [False, False]
    assert found["opened"] == found["again"] == ""
    missing = ["problem: The scene does not exist; check the path.", "Open again"]
    assert found["missing"] == [missing, missing]


@pytest.mark.parametrize(("act", "button"), [("kill", "Restart"), ("other", "")])
def test_no_map_is_written_of_a_scene_that_was_closed(
    live: Any, other: str, act: str, button: str
) -> None:
    found = live("live_late_finish", act=act, other=other)
    assert found["text"].startswith("No map is written: its scene was closed meanwhile.")
    assert found["button"] == button
    assert not found["finishing"]
    assert not found["written"]


@pytest.mark.parametrize("close", [False, True])
def test_the_layer_of_a_product_is_for_its_project(live: Any, other: str, close: bool) -> None:
    found = live("live_closed_project", other=other, close=close)
    assert found["layers"] == ([] if close else ["Szene", Path(other).name])


def test_new_shots_do_not_replace_edits(live: Any) -> None:
    found = live("live_new_over_edited")
    assert "which layer 'Shots (points)' shows, and that layer is being edited" in found["notice"]
    assert (found["same"], found["shots"]) == (True, 2)
    assert (found["saved"], found["new"]) == ("", 0)


def test_a_project_without_crs_has_the_coordinates_of_the_scene(live: Any) -> None:
    x, y = live("live_no_crs")["degrees"]
    assert (-180 <= x <= 180, -90 <= y <= 90) == (True, True)
