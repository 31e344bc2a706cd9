"""The dock *hsi-geo live* in a real QGIS, with a small engine; `test_live_engine` has hsi-geo's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Job = dict[str, Any]
Case = Callable[..., Job]
MakeScene = Callable[..., Any]

HERE = Path(__file__).parent

#: Five points a class on the planted scene, as (column, row) of their pixels.
CLASSES = {
    "Wiese ä": [[3, 12], [8, 16], [14, 4], [17, 19], [12, 11]],
    "Straße": [[25, 3], [33, 15], [40, 8], [48, 20], [50, 33]],
    "Wasser": [[4, 30], [12, 26], [20, 34], [28, 25], [34, 31]],
}

#: A point of the first class amid the second one.
WRONG = [36, 11]


@pytest.fixture
def engine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folder of the small engine. QGIS starts its script ``python``."""
    folder = tmp_path / "Größe engine"
    folder.mkdir()
    script = folder / "python"
    program = HERE / "fake_engine.py"
    script.write_text(
        f"#!/bin/sh\nHSI_GEO_FAKE_ENGINE='{folder}' exec '{sys.executable}' '{program}' \"$@\"\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    return folder


@pytest.fixture
def live(case: Case, engine: Path, make_scene: MakeScene, tmp_path: Path) -> Case:
    """Function that runs a case of `live_cases.py` with the small engine."""
    scene = make_scene("Szene mit ä.tif")

    def run(name: str, **job: Any) -> Job:
        given = {
            "scene": str(scene.path), "classes": CLASSES, "wrong": WRONG, "cursor": [30, 10],
            "out": str(tmp_path / "Karte ü.tif"), "engine": str(engine), "folder": str(tmp_path),
        }  # fmt: skip
        return case(name, python=engine / "python", **{**given, **job})

    return run


def requests(engine: Path, method: str) -> list[Job]:
    """Parameters of the requests of a method, in order."""
    lines = (engine / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [one["params"] for one in found if one["method"] == method]


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
    assert all(row[2].endswith(" %") for row in found["shares"].values())
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
