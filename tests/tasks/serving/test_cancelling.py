"""The engine cancels: at once, what waits or runs, and never what gets its names."""

from __future__ import annotations

import json
import threading
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from serving_cases import FEATURES, Served, busy

from hsi_geo.tasks.serving import live_session
from hsi_geo.tasks.serving.jobs import Cancelled
from hsi_geo.tasks.serving.messages import CANCELLED, UNKNOWN_SESSION


def test_cancel_is_answered_at_once_and_ends_the_job(served: Served) -> None:
    id = busy(served)
    begin = time.monotonic()
    assert served.call("cancel", id=id) == {"cancelled": True}
    assert served.wait(id)["error"] == {"code": CANCELLED, "message": "cancelled"}
    assert time.monotonic() - begin < 2  # the job itself would take 50
    served.wait_for(lambda: served.made[0].users == 0, 5)
    served.made[0].gate.set()
    assert served.call("update", session=1, shots=FEATURES)
    assert len(served.answers(id)) == 1
    assert served.call("cancel", id=id) == {"cancelled": False}
    assert served.call("cancel", id="no such") == {"cancelled": False}


def test_a_newer_update_replaces_the_one_that_waits_and_not_the_one_that_runs(
    served: Served,
) -> None:
    first = busy(served)
    second, third, fourth = (served.start("update", session=1, shots=FEATURES) for _ in range(3))
    for id in (second, third):
        assert served.wait(id)["error"]["code"] == CANCELLED
    assert not served.answers(first) + served.answers(fourth)
    served.made[0].gate.set()
    assert "result" in served.wait(first)
    assert "result" in served.wait(fourth)
    assert len(served.made[0].updates) == 2


def test_a_cancelled_finish_writes_nothing_and_later_is_too_late(
    served: Served, tmp_path: Path
) -> None:
    served.call("open", scene="a.tif")
    served.call("update", session=1, shots=FEATURES)
    served.wait_until_idle(served.engine)  # the preparation must not stop at the gate
    session, out = served.made[0], tmp_path / "maps"
    out.mkdir()
    session.gate.clear()
    id = served.start("finish", session=1, out=str(out / "m.tif"))
    served.wait_for(lambda: session.users == 1)
    assert served.call("cancel", id=id) == {"cancelled": True}
    served.wait_for(lambda: session.users == 0)
    assert not list(out.iterdir())
    session.gate.set()
    served.call("finish", session=1, out=str(out / "m.tif"))
    assert [path.name for path in out.iterdir()] == ["m.tif"]


def test_a_job_whose_files_get_their_names_is_not_cancelled(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from hsi_geo.io.outputs.replacement import Replacement

    renaming, go_on = threading.Event(), threading.Event()
    apply = Replacement.apply

    def slow(self: Replacement, waiting: ExitStack) -> None:
        renaming.set()
        assert go_on.wait(20)
        apply(self, waiting)

    monkeypatch.setattr(Replacement, "apply", slow)
    served.call("open", scene="a.tif")
    served.call("update", session=1, shots=FEATURES)
    id = served.start("finish", session=1, out=str(tmp_path / "m.tif"))
    assert renaming.wait(20)
    assert served.call("cancel", id=id) == {"cancelled": False}
    go_on.set()
    assert "result" in served.wait(id)
    assert (tmp_path / "m.tif").exists()


def test_after_a_cancelled_update_finish_takes_the_shots_of_the_last_answered_one(
    served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also if the session has learnt from the later shots before it noticed."""
    served.call("open", scene="a.tif")
    served.call("update", session=1, shots=FEATURES)
    session, written = served.made[0], threading.Event()
    go_on = threading.Event()

    def slow(*args: Any, **keywords: Any) -> None:
        written.set()
        assert go_on.wait(20)

    monkeypatch.setattr(live_session, "write_preview", slow)
    other = {**FEATURES, "features": FEATURES["features"][:2]}
    id = served.start("update", session=1, shots=other)
    assert written.wait(20)
    assert served.call("cancel", id=id) == {"cancelled": True}
    go_on.set()
    served.call("finish", session=1, out=str(tmp_path / "m.tif"))
    assert session.calls[-2:] == ["update", "finish"]
    assert len(session.updates[-1][0].frame) == 3
    served.call("suggest", session=1)
    assert session.calls[-2:] == ["finish", "suggest"]  # the update is not repeated again


def test_cancelling_open_ends_its_preparation(served: Served) -> None:
    id = served.start("open", scene="slow.tif")
    time.sleep(0.05)
    assert served.call("cancel", id=id) == {"cancelled": True}
    assert served.wait(id)["error"]["code"] == CANCELLED
    id = busy(served, "update")
    served.call("cancel", id=id)
    opened = served.start("open", scene="a.tif")
    served.wait(opened)
    assert served.call("cancel", id=opened)["cancelled"] in (True, False)
    assert len(served.answers(opened)) == 1


def test_a_preparation_makes_way_for_another_scene_and_goes_on_later(served: Served) -> None:
    served.call("open", scene="a.tif")
    served.call("open", scene="b.tif")
    first, second = served.made
    served.wait_for(lambda: first.calls == second.calls == ["prepare"])
    served.change = lambda session: session.gate.clear()
    served.call("open", scene="c.tif")
    third = served.made[2]
    served.wait_for(lambda: third.users == 1)
    assert served.call("update", session=2, shots=FEATURES)
    served.wait_for(lambda: third.calls == ["prepare", "prepare"])
    third.gate.set()


def test_a_scene_is_opened_and_a_spectrum_read_while_another_scene_computes(
    served: Served,
) -> None:
    busy(served)
    assert served.call("open", scene="b.tif", seconds=5)["session"] == 2
    assert served.call("spectrum", session=2, x=1, y=1, seconds=5)["row"] == 1
    waiting = served.start("spectrum", session=1, x=1, y=1)
    newer = served.start("spectrum", session=1, x=2, y=1)
    assert served.wait(waiting)["error"]["code"] == CANCELLED
    served.made[0].gate.set()
    assert served.wait(newer)["result"]["x"] == 2


def test_close_cancels_and_the_number_is_not_used_again(served: Served) -> None:
    id = busy(served)
    folder = Path(served.engine._sessions[1]._folder)
    assert served.call("close", session=1) == {}
    assert served.wait(id)["error"]["code"] == CANCELLED
    assert not folder.exists()
    assert served.made[0].closed
    assert served.error("update", session=1, shots="a.gpkg")["code"] == UNKNOWN_SESSION
    assert served.call("open", scene="a.tif")["session"] == 2


def test_shutdown_answers_everything(served: Served) -> None:
    id = busy(served)
    last = served.start("update", session=1, shots=FEATURES)
    line = json.dumps({"jsonrpc": "2.0", "id": "end", "method": "shutdown"}).encode()
    assert served.engine.receive(line) is False
    assert [m["result"] for m in served.answers("end")] == [{}]
    assert {served.wait(one)["error"]["code"] for one in (id, last)} == {CANCELLED}


def test_cancelled_is_no_failure_of_a_library() -> None:
    assert not issubclass(Cancelled, Exception)
