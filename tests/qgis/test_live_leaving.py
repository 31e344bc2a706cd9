"""The dock *hsi-geo live* when its scene goes while the engine works: nothing is mixed up, and nothing ends silently."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def slow(make_scene: Any) -> str:
    """A scene that takes long to open."""
    return str(make_scene("slow.tif").path)


@pytest.mark.parametrize("first", ["slow", "missing"])
@pytest.mark.slow
def test_the_scene_that_was_chosen_last_is_open(
    live: Any, slow: str, engine: Path, first: str
) -> None:
    found = live("live_two_scenes", slow=slow, first=first)
    assert found["dock"] == "Szene"
    assert found["opened"] == ["Szene mit ä.tif"]
    assert found["notice"] == ""
    lines = (engine / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    asked = [json.loads(line) for line in lines]
    updates = [one["params"]["session"] for one in asked if one["method"] == "update"]
    assert updates == [found["session"]]
    closed = [one["params"]["session"] for one in asked if one["method"] == "close"]
    assert closed == ([1] if first == "slow" else [])  # the session that nobody wants


@pytest.mark.parametrize(
    "act", ["scene", "close", "button", "wavelengths", "remove", "project", "unload"]
)
@pytest.mark.slow
def test_a_map_that_is_cancelled_is_told(live: Any, slow: str, act: str) -> None:
    found = live("live_leaving", slow=slow, act=act, yes=True, before_preview=False)
    by_a_person = act in ("scene", "close", "button", "wavelengths")
    assert found["asked"] == by_a_person
    assert not found["finishing"]
    assert not found["written"]
    assert found["bar"] == ["Map 'Karte ü.tif' was cancelled; nothing was written."]
    assert found["pressed"] is (act not in ("close", "button"))


@pytest.mark.slow
@pytest.mark.parametrize("act", ["scene", "close"])
def test_the_preview_before_a_map_is_a_part_of_it(live: Any, slow: str, act: str) -> None:
    found = live("live_leaving", slow=slow, act=act, yes=True, before_preview=True)
    assert found["asked"] == 1
    assert found["bar"] == ["Map 'Karte ü.tif' was cancelled; nothing was written."]


@pytest.mark.slow
@pytest.mark.parametrize("act", ["scene", "close", "button", "wavelengths"])
def test_a_person_can_go_on_with_the_map(live: Any, slow: str, act: str) -> None:
    found = live("live_leaving", slow=slow, act=act, yes=False, before_preview=False)
    assert found["asked"] == 1
    assert found["finishing"]
    assert found["bar"] == []
    assert found["visible"]
    assert found["pressed"]
    assert found["scene"] == "Szene"
    assert found["wavelengths"] == ""


def test_a_layer_that_was_removed_is_replaced_by_none(live: Any, slow: str) -> None:
    found = live("live_removed", slow=slow)
    assert found["points"]
    assert found["layers"] == [0, "singleSymbol"]
    assert found["scene"]
    assert not found["open"]
    assert found["name"] == ""
