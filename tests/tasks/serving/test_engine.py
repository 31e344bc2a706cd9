"""The engine, with sessions that compute nothing: each request gets one answer, whatever is sent and when."""

from __future__ import annotations

import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import rasterio
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from serving_cases import FEATURES, Served

from hsi_geo.errors import ShotsError
from hsi_geo.io.files import scratch
from hsi_geo.tasks.serving import live_session
from hsi_geo.tasks.serving.jobs import Cancelled
from hsi_geo.tasks.serving.messages import CANCELLED, UNKNOWN_SESSION
from hsi_geo.tasks.serving.parameters import METHODS


@pytest.fixture
def served(tmp_path: Path) -> Iterator[Served]:
    client = Served(tmp_path)
    yield client
    for session in client.made:
        session.gate.set()
    assert client.engine.end()
    assert not [path for path in tmp_path.iterdir() if path.name.startswith(scratch.PREFIX)]
    assert all(session.closed and session.most_users == 1 for session in client.made)


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


# Cancelling -----------------------------------------------------------------------------------


def busy(served: Served, method: str = "update", **params: Any) -> int:
    """Open a scene, and start a request that computes until its gate opens; its id."""
    served.call("open", scene="a.tif")
    served.wait_until_idle(served.engine)
    served.made[0].gate.clear()
    id = served.start(method, session=1, **({"shots": FEATURES} | params))
    served.wait_for(lambda: served.made[0].users == 1)
    return id


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


# Anything may be sent -------------------------------------------------------------------------

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)
NAMES = sorted({p.name for all_ in METHODS.values() for p in all_})
PARAMS = st.dictionaries(
    st.sampled_from([*NAMES, "nope"]),
    JSON | st.sampled_from([1, 2, 0.5, "a.tif", "nope.tif", FEATURES, [0, 0, 1, 1]]),
    max_size=4,
)
METHOD = st.sampled_from([name for name in METHODS if name != "shutdown"] + ["nope", ""])
IDS = (
    st.none()
    | st.integers()
    | st.text(max_size=4)
    | st.floats(allow_nan=False, allow_infinity=False)
)


@st.composite
def requests(draw: st.DrawFn) -> bytes:
    """Lines that are requests with an id, with more or less sense."""
    message = {
        "jsonrpc": draw(st.sampled_from(["2.0"] * 9 + ["1.0", 2, None])),
        "id": draw(IDS),
        "method": draw(METHOD | JSON),
        "params": draw(PARAMS | JSON),
    }
    for name in draw(st.sets(st.sampled_from(["params", "method", "jsonrpc"]), max_size=1)):
        del message[name]
    return json.dumps(message).encode() + b"\n"


@settings(max_examples=60, suppress_health_check=list(HealthCheck))
@given(lines=st.lists(requests() | st.binary(max_size=40).map(lambda b: b + b"\n"), max_size=12))
@example(lines=[b"[" * 100_000 + b"\n"])
@example(lines=[b'{"a":' * 100_000 + b"\n"])
@example(lines=[b'{"jsonrpc": "2.0", "id": 1e999, "method": "initialize"}\n'])
@example(lines=[b'{"jsonrpc": "2.0", "id": ' + b"9" * 5000 + b', "method": "initialize"}\n'])
@example(lines=[b'{"jsonrpc": "2.0", "id": NaN, "method": "initialize"}\n'])
@example(lines=[b'{"jsonrpc": "2.0", "id": "\\ud800", "method": "\\udfff"}\n'])
@example(lines=[b'{"jsonrpc": "2.0", "id": [1], "method": "initialize"}\n'])
@example(lines=[b'[{"jsonrpc": "2.0", "id": 1, "method": "initialize"}]\n'])
@example(
    lines=[b'{"jsonrpc": "2.0", "id": 1, "method": "open", "params": {"scene": "a\\u0000b"}}\n']
)
@example(
    lines=[
        b'{"jsonrpc": "2.0", "id": 1, "method": "cancel", "params": {"id": ' + b"9" * 400 + b"}}\n"
    ]
)
@example(lines=[b"\xff\xfe\n", b"\r\n", b"   \n", b"null\n", b"3\n"])
@example(lines=[b'\xef\xbb\xbf{"jsonrpc": "2.0", "id": 5, "method": "initialize"}\n'])
@example(lines=[b'{"jsonrpc": "2.0", "id": 1, "method": "close", "params": {"session": true}}\n'])
def test_each_line_gets_one_answer_if_it_has_an_id(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    served = Served(tmp_path_factory.getbasetemp())
    wanted: Counter[str] = Counter()
    for line in lines:
        try:
            message = json.loads(line.decode("utf-8-sig"), parse_constant=refuse)
        except (ValueError, RecursionError):
            wanted["null"] += bool(line.decode("utf-8-sig", "replace").strip())
            continue
        if not isinstance(message, dict):
            wanted["null"] += 1
        elif "id" in message:
            wanted[key_of(message["id"])] += 1
        elif not isinstance(message.get("method"), str):
            wanted["null"] += 1
        assert "shutdown" not in str(line)
    for line in lines:
        assert served.engine.receive(line)
    served.wait_for(lambda: sum(wanted.values()) <= sum("method" not in m for m in served.messages))
    assert served.engine.end()
    assert Counter(key_of(m["id"]) for m in served.messages if "method" not in m) == wanted
    for message in served.messages:
        if "error" in message:
            assert message["error"]["message"]
            assert "Traceback" not in message["error"]["message"]
            assert message["error"]["code"] != -32603


def refuse(constant: str) -> None:
    raise ValueError(constant)


def key_of(id: Any) -> str:
    """An id as the answer has it: null if it is none that JSON-RPC allows."""
    is_valid = (
        isinstance(id, str)
        or id is None
        or (isinstance(id, int | float) and not isinstance(id, bool) and abs(id) != float("inf"))
    )
    return json.dumps(id if is_valid else None)


@pytest.mark.parametrize("seed", range(3))
def test_requests_about_several_scenes_at_once_are_each_answered_once(
    served: Served, tmp_path: Path, seed: int
) -> None:
    """Requests and cancellations in any order, faster than they are answered."""
    chance = random.Random(seed)
    started = [served.start("open", scene=name) for name in ("a.tif", "b.tif", "c.tif")]
    for id in started:
        served.wait(id)
    for number in range(150):
        session = chance.randint(1, 4)
        method = chance.choice(
            ["update"] * 4 + ["cancel"] * 3 + ["spectrum", "preview", "suggest", "finish", "gate"]
        )
        if method == "gate":
            for one in served.made:
                one.gate.clear() if chance.random() < 0.5 else one.gate.set()
            time.sleep(0.01)
            continue
        possible: dict[str, dict[str, Any]] = {
            "update": {"shots": FEATURES},
            "cancel": {"id": chance.choice(started)},
            "spectrum": {"x": 1, "y": 2},
            "finish": {"out": str(tmp_path / f"{number}.tif")},
        }
        params = possible.get(method, {})
        if method != "cancel":
            params["session"] = session
        started.append(served.start(method, **params))
    for one in served.made:
        one.gate.set()
    answers = [served.wait(id) for id in started]
    assert [len(served.answers(id)) for id in started] == [1] * len(started)
    codes = {answer["error"]["code"] for answer in answers if "error" in answer}
    assert codes <= {CANCELLED, UNKNOWN_SESSION, -32000}
    written = {str(path) for path in tmp_path.glob("*.tif")}
    assert written == {
        a["result"]["outputs"]["map"] for a in answers if "outputs" in a.get("result", ())
    }


def test_a_notification_is_not_answered(served: Served) -> None:
    for text in (
        '{"jsonrpc": "2.0", "method": "initialize"}',
        '{"jsonrpc": "2.0", "method": "nope"}',
        '{"jsonrpc": "2.0", "method": "close", "params": {"session": 9}}',
    ):
        served.engine.receive(text.encode())
    assert not served.messages


def test_an_id_that_waits_is_not_used_twice(served: Served) -> None:
    id = busy(served)
    line = {"jsonrpc": "2.0", "id": id, "method": "initialize"}
    served.engine.receive(json.dumps(line).encode())
    assert "not answered yet" in served.answers(id)[0]["error"]["message"]
    served.made[0].gate.set()
    served.wait_for(lambda: len(served.answers(id)) == 2)
    assert "result" in served.answers(id)[1]


def test_cancelled_is_no_failure_of_a_library() -> None:
    assert not issubclass(Cancelled, Exception)
