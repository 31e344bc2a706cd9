"""Anything may be sent to the engine, in any order and about several scenes: each request gets one answer."""

from __future__ import annotations

import json
import random
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from serving_cases import FEATURES, Served, busy

from hsi_geo.tasks.serving.messages import CANCELLED, UNKNOWN_SESSION
from hsi_geo.tasks.serving.parameters import METHODS

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
