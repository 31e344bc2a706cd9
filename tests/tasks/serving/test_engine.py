"""The engine, with sessions that compute nothing: what each request answers, its progress and its failures."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import pytest
import rasterio
from serving_cases import FEATURES, Served, busy

from hsi_geo.errors import ShotsError


def test_initialize_states_versions(served: Served) -> None:
    found = served.call("initialize")
    assert found["protocol"] == 1
    assert found["version"].startswith("0.")
    assert served.warmed.wait(10)


def test_open_describes_the_scene_and_prepares(served: Served) -> None:
    found = served.call("open", scene="a.tif")
    assert found["session"] == 1
    assert (found["name"], found["width"], found["height"]) == ("a.tif", 9, 6)
    assert found["bounds"] == [5e5, 5e6 - 120, 5e5 + 270, 5e6]
    assert found["pixel_size"] == [30.0, 20.0]
    assert found["centres_nm"] == [450.0, 550.0, 660.0]
    assert "32633" in found["crs"]
    served.wait_for(lambda: served.made[0].calls == ["prepare"])


def has_progress(served: Served, id: int) -> bool:
    return any(p["id"] == id for p in served.notifications("progress"))


def test_progress_of_the_preparation_has_the_id_of_open_and_comes_after_its_answer(
    served: Served,
) -> None:
    for _ in range(5):
        id = served.start("open", scene="a.tif")
        served.wait(id)
        served.wait_for(partial(has_progress, served, id))
        kinds = ["answer" if "method" not in m else "progress" for m in served.messages
                 if m.get("id", m.get("params", {}).get("id")) == id]  # fmt: skip
        assert kinds[0] == "answer"


def test_update_writes_a_preview_that_gdal_opens(served: Served) -> None:
    served.call("open", scene="a.tif")
    found = served.call("update", session=1, shots=FEATURES, bounds=[5e5, 4e6, 6e5, 5e6])
    assert served.made[0].updates[0][1] == (5e5, 4e6, 6e5, 5e6)
    assert found["is_preview"] is True
    assert [c["name"] for c in found["classes"]] == ["meadow", "water"]
    assert [c["shots"] for c in found["classes"]] == [1, 2]
    assert [c["share"] for c in found["classes"]] == [0.5, 0.5]
    assert [c["hectares"] for c in found["classes"]] == pytest.approx([18 * 0.06] * 2)
    assert found["suspicious_shots"][0]["feature_id"] == "f2"  # as the client called it
    with rasterio.open(found["preview"]) as file:
        assert file.count == 4
        assert file.colormap(1)[1][3] == 255
        assert set(file.read(4)[:, 0]) == {0}
        assert set(file.read(4)[:, 1:3].ravel()) == {255}


def test_preview_changes_the_transparency_and_computes_nothing(served: Served) -> None:
    served.call("open", scene="a.tif")
    first = served.call("update", session=1, shots=FEATURES)
    calls = list(served.made[0].calls)
    found = served.call("preview", session=1, min_confidence=60)
    assert served.made[0].calls == calls
    assert {**found, "preview": ""} == {**first, "preview": ""}
    assert found["preview"] != first["preview"]
    with rasterio.open(found["preview"]) as file:
        alpha, confidence = file.read(4), file.read(2)
    assert (alpha == 255).tolist() == ((confidence >= 60) & (confidence < 255)).tolist()
    assert 0 < (alpha == 255).sum() < alpha.size


def test_only_the_last_two_previews_are_kept(served: Served) -> None:
    served.call("open", scene="a.tif")
    paths = [Path(served.call("update", session=1, shots=FEATURES)["preview"]) for _ in range(4)]
    assert len(set(paths)) == 4
    assert [path.exists() for path in paths] == [False, False, True, True]
    stems = {path.name.split(".")[0] for path in paths[0].parent.iterdir()}
    assert stems == {"preview_3", "preview_4"}


def test_suggest_spectrum_and_finish(served: Served, tmp_path: Path) -> None:
    served.call("open", scene="a.tif")
    served.call("update", session=1, shots=FEATURES)
    places = served.call("suggest", session=1, count=3)["places"]
    assert [p["rank"] for p in places] == [1, 2, 3]
    assert places[0].keys() == {"rank", "x", "y", "predicted", "confidence"}
    found = served.call("spectrum", session=1, x=500000, y=5e6 - 1)
    assert found["values"] == [1.0, None, 3.0]
    assert found["class"] is None
    assert found["means"][0]["name"] == "water"
    assert found["means"][0]["color"].startswith("#")
    out = tmp_path / "map.tif"
    assert served.call("finish", session=1, out=str(out))["outputs"] == {"map": str(out)}
    assert out.read_text() == "map"
    assert served.error("finish", session=1, out=str(out))["data"]["kind"] == "OutputExistsError"


def test_what_needs_shots_says_so_before_the_first_update(served: Served, tmp_path: Path) -> None:
    served.call("open", scene="a.tif")
    for method, params in (
        ("preview", {}),
        ("suggest", {}),
        ("finish", {"out": str(tmp_path / "m.tif")}),
    ):
        error = served.error(method, session=1, **params)
        assert error["message"] == "the session has no shots yet"
        assert error["data"]["hint"] == "call update first"
    assert served.call("spectrum", session=1, x=1, y=2)["means"]


# Failures -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("error", "code", "kind", "message"),
    [
        (ShotsError("no shots", hint="draw"), -32000, "ShotsError", "no shots"),
        (ValueError("two\nlines"), -32603, "ValueError", "unexpected ValueError: two lines"),
        (OSError(28, "No space left on device"), -32000, "OSError", "writing failed (No space"),
        (MemoryError(), -32000, "MemoryError", "out of memory"),
        (SystemExit(3), -32603, "SystemExit", "unexpected SystemExit"),
        (KeyboardInterrupt(), -32603, "KeyboardInterrupt", "unexpected KeyboardInterrupt"),
        (RecursionError("deep"), -32603, "RecursionError", "unexpected RecursionError"),
    ],
)
def test_errors_are_one_sentence_and_the_engine_goes_on(
    served: Served, error: BaseException, code: int, kind: str, message: str
) -> None:
    served.call("open", scene="a.tif")
    served.made[0].fails = error
    found = served.error("update", session=1, shots=FEATURES)
    assert (found["code"], found["data"]["kind"]) == (code, kind)
    assert found["message"].startswith(message)
    served.made[0].fails = None
    assert served.call("update", session=1, shots=FEATURES)


def test_a_failed_preparation_is_a_warning(served: Served) -> None:
    served.change = lambda session: setattr(session, "fails", ShotsError("it cannot be used"))
    id = served.start("open", scene="a.tif")
    assert "result" in served.wait(id)
    served.wait_for(lambda: bool(served.notifications("warning")))
    assert served.notifications("warning") == [{"id": id, "message": "it cannot be used"}]
    served.made[0].fails = None
    assert served.call("update", session=1, shots=FEATURES)


def test_progress_comes_at_most_ten_times_a_second(served: Served) -> None:
    id = busy(served)
    begin = time.monotonic()
    time.sleep(0.55)
    served.call("cancel", id=id)
    sent = [p for p in served.notifications("progress") if p["id"] == id]
    assert 2 <= len(sent) <= 10 * (time.monotonic() - begin) + 2
    assert sent[0].keys() == {"id", "stage", "done", "total", "eta_s"}
