"""The dock *hsi-geo live* in a real QGIS, with a small engine; the slow test has hsi-geo's own."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from live_shots import CLASSES, WRONG

Job = dict[str, Any]
Case = Callable[..., Job]
MakeScene = Callable[..., Any]


def requests(engine: Path, method: str) -> list[Job]:
    """Parameters of the requests of a method, in order."""
    lines = (engine / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [one["params"] for one in found if one["method"] == method]


@pytest.mark.slow
def test_a_whole_session(live: Case, engine: Path, tmp_path: Path) -> None:
    found = live("live_session", picture=str(tmp_path / "live.png"))
    assert found["first_text"] == "Choose a scene."
    assert found["few"] == "Draw shots of two classes or more. The preview follows."
    assert found["previews_of_one"] == 0
    assert found["undo_text"] == "Add shot of Wasser"

    assert found["chip"] == "PREVIEW"
    assert found["layer"] == "Preview (not the finished map)"
    assert found["about"].startswith("Not the finished map. The scene, in")
    assert [name for name, _ in found["legend"]] == sorted(CLASSES)
    assert len({color for _, color in found["legend"]}) == 3
    assert found["order"] == [
        "Shots (points)", "Shots (polygons)", "Preview (not the finished map)", "Szene",
    ]  # fmt: skip
    assert {name: row[:2] for name, row in found["shares"].items()} == {
        name: [str(key), "5"] for key, name in enumerate(CLASSES, start=1)
    }
    assert all(0 < float(row[2]) < 100 for row in found["shares"].values())
    assert found["accuracy"] == "Estimated accuracy: <b>90 % (95 % interval 80-97 %)</b>"
    assert found["spectrum"] == ["cursor (Straße)", *sorted(CLASSES)]

    assert found["wrong_at_first"] == []
    assert found["wrong"] == ["Wiese ä, looks like Straße"]
    assert found["selected"]
    assert found["zoomed"]
    assert found["in_view"]
    assert found["wrong_after_delete"] == []

    before, changed, undone = found["counts"]
    assert before == dict.fromkeys(CLASSES, 5)
    assert changed == {**before, "Wiese ä": 4, "Straße": 6}
    assert undone == before

    assert found["finished"].startswith("success: Szene is mapped; estimated accuracy 90 %")
    assert found["button"] == "Map other tiles with the model…"
    assert len(found["bar"]) == 1
    ((group, layers),) = found["groups"]
    assert "Szene, accuracy 90 % (95 % interval 80-97 %)" in group
    assert layers == ["Class map, accuracy 90 %"]
    assert not found["preview_drawn"]
    assert not found["preview_after"]
    assert not list(engine.glob("fake-engine-*"))  # nothing is left
    (finish,) = requests(engine, "finish")
    assert finish["save_model"] == str(tmp_path / "Karte ü_model.safetensors")
    assert finish["report"] is True
    assert finish["overwrite"] is False
    last = requests(engine, "update")[-1]
    names = [one["properties"]["class"] for one in last["shots"]["features"]]
    assert {name: names.count(name) for name in CLASSES} == before  # as after the undo
    assert last["class_field"] == "class"
    assert "bounds" not in last  # the scene is small


def test_drawing_and_keys(live: Case) -> None:
    found = live("live_drawing")
    assert found["tools_before"] == [False, False]
    assert found["classes"] == ["rye", "Class 2"]
    assert found["active"] == "Shots (polygons)"
    assert found["polygon"] == [[2, 2], [2, 8], [9, 8], [9, 1], [2, 2]]
    assert found["polygons"] == 1
    assert found["renamed"] == ""
    assert found["value"] == "oats"
    assert found["two_of_a_name"] == [
        ["oats", "Class 2"],
        "Another class is oats. To make both one, select the shots of one, and press the key of the other.",
    ]  # fmt: skip
    assert found["colors"] == ["#123456", "#123456"]
    assert found["kept"] == [2, "The class has shots. Delete them first."]
    assert found["removed"] == ["oats"]
    assert found["edits"]
    assert found["typed"] == "12"
    assert found["chosen_while_typing"] == 1
    assert found["named"] == ["oats", "12"]
    assert found["outside"] == ["1", 1]
    assert found["on_canvas"] == 0
    assert found["on_dock"] == 1
    assert found["in_dock"] == ["1", 1]
    assert found["with_ctrl"] == 1
    assert found["unused_key"] is False
    assert found["default"] == "'12'"
    assert found["label"] == ["Hafer", "12"]
    assert found["label_of_other"] == ["oats", "Hafer"]
    assert found["closed"] == 1


def test_layers_of_a_geopackage_and_of_the_user(
    live: Case, make_scene: MakeScene, tmp_path: Path
) -> None:
    shots = make_scene("again.tif").shots(tmp_path / "own.gpkg")
    found = live("live_layers", shots=str(shots))
    assert found["source"] == ["shots ä.gpkg"] * 2
    assert found["saved"]
    assert found["in_file"] == ["Class 2"]
    assert set(found["own"]) == {"meadow", "asphalt", "water"}
    assert {row[1] for row in found["own"].values()} == {"4"}
    assert found["styled"] == "categorizedSymbol"
    assert found["bare"] == (
        "problem: Layer 'bare' has no field of text or whole numbers. Add one that holds the class."
    )


@pytest.mark.slow
def test_updates_follow_changes(live: Case, engine: Path) -> None:
    found = live("live_updates")
    assert found["percent"] == 25
    assert found["longest_block"] < 0.5  # QGIS can be used while the engine computes
    assert requests(engine, "cancel")  # the update that was running
    assert found["previews"] == 1
    assert found["took"] < 3.0
    assert found["shots"] == 16
    assert found["same_layer"]
    assert found["alpha"] == 0
    assert found["alpha_at_shot"] == 255
    assert found["percent_text"] == "60 %"
    assert requests(engine, "preview")[-1]["min_confidence"] == 60
    updates = requests(engine, "update")
    assert updates[0]["trust_shots"] is False
    assert updates[-1]["trust_shots"] is True
    assert updates[-1]["min_confidence"] == 60
    assert found["small_scene_follows_view"] == 0
    assert "Every 2nd pixel of the scene" in found["coarse"]
    left, bottom, right, top = found["bounds"]
    whole = found["zoomed_out"]
    assert whole[0] < left < right < whole[2]
    assert whole[1] < bottom < top < whole[3]
    assert "The part in view" in found["about"]
    assert found["zoomed_in"] == 0
    assert found["warning"] == "warning: Shots 'Shots (points), Shots (polygons)' are few."
    assert found["refused"] == (
        "problem: Shots 'Shots (points), Shots (polygons)' are empty; give 'Shots', or 'Wavelengths'."
    )
    assert found["still_there"]
    assert found["after"] == ""


@pytest.mark.slow
def test_suggestions_and_a_cancelled_map(live: Case, tmp_path: Path) -> None:
    found = live("live_suggestions")
    assert found["texts"] == [
        f"<b>Place {n} of 3.</b> The preview says Straße (40 %). Press the key of its class."
        for n in (1, 2, 3)
    ]
    assert found["view"]
    assert found["hidden"]
    assert found["added"] == [0, 1, 0]
    assert found["place"] == pytest.approx(found["wanted"])
    assert found["dialog"] == [True, "Szene_classes.tif"]
    assert found["choice"] == {
        "out": str(tmp_path / "karte.tif"), "overwrite": False, "report": True, "confidence": False,
        "save_model": str(tmp_path / "karte_model.safetensors"),
    }  # fmt: skip
    assert found["cancelled"] == "problem: Cancelled; nothing was written."
    assert found["took"] < 2
    assert not found["written"]
    assert found["can_finish"]


@pytest.mark.slow
def test_a_killed_engine_is_told_and_restarted(live: Case) -> None:
    found = live("live_restart")
    told = "problem: The engine of hsi-geo was ended by the system. Your shots are kept."
    assert found["told"] == told
    assert found["button"] == "Restart"
    assert found["notice"] == ""
    assert found["new_process"]
    assert found["layers"] == 1
    assert {name: row[1] for name, row in found["after"].items()} == {
        **{name: row[1] for name, row in found["before"].items()}, "Wiese ä": "6",
    }  # fmt: skip
    assert "update the older of the two" in found["old_hsi_geo"]
    assert found["not_set_up"].startswith("problem: Python '/nowhere/python' of $HSI_GEO_PYTHON")


@pytest.mark.slow
def test_a_killed_qgis_leaves_no_engine_and_no_file(live: Case, engine: Path) -> None:
    with pytest.raises(AssertionError):
        live("live_orphan")
    pid = int((engine / "pid").read_text())
    end = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and time.monotonic() < end:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists()
    assert not list(engine.glob("fake-engine-*"))


@pytest.mark.slow
def test_state_survives_saving_the_project(live: Case) -> None:
    found = live("live_project")
    assert found["wrote"]
    assert not found["preview_in_file"]
    assert found["order_after_saving"] == [
        "Shots (points)", "Shots (polygons)", "Preview (not the finished map)", "Szene",
    ]  # fmt: skip
    assert not found["dirty"]
    assert found["clean"]  # QGIS would ask whether to save an empty project
    assert found["cleared"] == [{}, False, True]
    assert found["read"]
    assert found["same"]
    assert found["current"] == 1
    assert found["slider"] == 20
    assert found["restored"] == ["Szene", "Shots (points)", "Shots (polygons)"]
    assert found["closed_stays_closed"]
    assert found["unloaded"] == []


def test_a_product_is_opened_and_shown(live: Case) -> None:
    found = live("live_product")
    assert found["scene"] == "Szene mit ä.tif"
    # The small engine makes no layers: the dock says why, and the session stays.
    assert found["notice"].startswith("warning: ")
    assert found["layer"] == ""
    assert found["missing"] == "problem: The scene does not exist; check the path."
    assert found["wms"] == (
        "problem: Layer 'WMS' comes from 'wms', not from a file; export it as GeoTIFF."
    )
    assert not found["open"]


@pytest.mark.slow
def test_a_whole_session_with_the_engine_of_hsi_geo(
    case: Case, make_scene: MakeScene, tmp_path: Path
) -> None:
    scene = make_scene("Szene mit ä.tif")
    out = tmp_path / "Karte ü.tif"
    found = case(
        "live_session", python=sys.executable, scene=str(scene.path), classes=CLASSES, wrong=WRONG,
        cursor=[30, 10], out=str(out), picture=str(tmp_path / "live.png"),
    )  # fmt: skip
    assert found["chip"] == "PREVIEW"
    assert [name for name, _ in found["legend"]] == sorted(CLASSES)
    assert {row[1] for row in found["shares"].values()} == {"5"}
    assert sum(float(row[2]) for row in found["shares"].values()) == pytest.approx(100, abs=0.2)
    assert found["spectrum"][1:] == sorted(CLASSES)
    assert found["wrong_at_first"] == []
    assert found["wrong"] == ["Wiese ä, looks like Straße"]
    assert found["selected"]
    assert found["wrong_after_delete"] == []
    assert found["finished"].startswith("success: Szene is mapped; estimated accuracy")
    written = {path.name for path in tmp_path.glob("Karte*")}
    assert {out.name, "Karte ü_model.safetensors", "Karte ü.qml"} <= written
    assert any(name.endswith(".html") for name in written)
    assert not found["preview_after"]
