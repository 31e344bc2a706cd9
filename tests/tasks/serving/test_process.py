"""``hsi-geo serve`` as a process: stdout is clean, it ends with its client, and it leaves no file."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from planted import Planted
from serving_cases import FEATURES, Process, engine_program

from hsi_geo.io.files import scratch
from hsi_geo.tasks.serving.streams import read_lines

posix_only = pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")

Start = Callable[..., Process]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    folder = tmp_path / "temporary"
    folder.mkdir()
    return folder


@pytest.fixture
def start(temporary: Path) -> Iterator[Start]:
    """Function that starts an engine; each is ended after the test."""
    started: list[Process] = []

    def start_(code: str = "") -> Process:
        program = [sys.executable, "-c", engine_program(code)]
        started.append(Process(program, env={"TMPDIR": str(temporary)}))
        return started[-1]

    yield start_
    for one in started:
        if one.process.poll() is None:
            one.process.kill()
            one.wait_end()


#: An engine with sessions that compute nothing. A method of theirs waits as long as there is a file "wait in METHOD":
#: `prepare` runs before or after the first update, so a file for all methods could stop another one than the test means.
FAKE = """
import os, sys, time
from pathlib import Path
from serving_cases import FakeSession
from hsi_geo.tasks import serve
folder = Path(os.environ["TMPDIR"]).parent
class Slow(FakeSession):
    def _compute(self, reporter):
        while (folder / f"wait in {self.calls[-1]}").exists():
            if not (folder / "deaf").exists():
                reporter.progress("Mapping", 1, 2)
            time.sleep(0.005)
serve._open_session = lambda params, reporter: Slow()
"""


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.rglob(f"{scratch.PREFIX}*")]


def test_it_ends_when_stdin_is_closed_and_leaves_no_file(start: Start, temporary: Path) -> None:
    client = start(FAKE)
    client.call("open", scene="a.tif")
    path = Path(client.call("update", session=1, shots=FEATURES)["preview"])
    assert path.is_relative_to(temporary)
    begin = time.monotonic()
    assert client.end() == 0
    assert time.monotonic() - begin < 3
    assert not list(temporary.iterdir())
    assert client.noise == []


@pytest.mark.parametrize("deaf", [False, True], ids=["reports progress", "never reports progress"])
@pytest.mark.slow
def test_it_ends_in_the_middle_of_a_map(
    start: Start, temporary: Path, tmp_path: Path, deaf: bool
) -> None:
    client = start(FAKE)
    client.call("open", scene="a.tif")
    client.call("update", session=1, shots=FEATURES)
    for name in ("wait in finish", *["deaf"] * deaf):
        (tmp_path / name).touch()
    maps = tmp_path / "maps"
    maps.mkdir()
    client.start("finish", session=1, out=str(maps / "m.tif"))
    client.wait_for(lambda: bool(leftovers(maps)))
    begin = time.monotonic()
    assert client.end() == 0
    assert time.monotonic() - begin < 4
    assert not list(maps.iterdir())
    assert not list(temporary.iterdir())


def test_shutdown_is_answered_and_ends_it(start: Start, temporary: Path) -> None:
    client = start(FAKE)
    client.call("open", scene="a.tif")
    assert client.call("shutdown") == {}
    assert client.wait_end() == 0
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_libraries_cannot_write_to_the_protocol(start: Start) -> None:
    client = start(
        FAKE
        + """
def noisy(params, reporter):
    print("noise of Python")
    os.write(1, b"noise of C\\n")
    os.system("echo noise of a child")
    assert not os.read(0, 10)  # nothing takes lines of the client
    assert not sys.stdin.read()
    return FakeSession()
serve._open_session = noisy
"""
    )
    assert client.call("open", scene="a.tif")["session"] == 1
    assert client.call("initialize")["protocol"] == 1
    assert client.end() == 0
    assert {line.strip() for line in client.noise} == {
        *("noise of Python", "noise of C", "noise of a child")
    }


@posix_only
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, getattr(signal, "SIGHUP", 1)])
def test_a_signal_ends_it_without_leftovers(
    start: Start, temporary: Path, tmp_path: Path, number: signal.Signals
) -> None:
    client = start(FAKE)
    client.call("open", scene="a.tif")
    (tmp_path / "wait in update").touch()
    client.start("update", session=1, shots=FEATURES)
    client.wait_for(lambda: bool(client.notifications("progress")))
    client.process.send_signal(number)
    assert client.wait_end() == 130
    assert not list(temporary.iterdir())
    assert not any("Traceback" in line for line in client.noise)


@posix_only
@pytest.mark.slow
def test_it_ends_when_its_parent_is_killed(temporary: Path, tmp_path: Path) -> None:
    """kill -9 of the program that started it, while it computes."""
    (tmp_path / "wait in prepare").touch()
    requests = [
        {"jsonrpc": "2.0", "id": 1, "method": "open", "params": {"scene": "a.tif"}},
        {"jsonrpc": "2.0", "id": 2, "method": "initialize"},
    ]
    parent = f"""
import subprocess, sys, time
engine = subprocess.Popen([sys.executable, "-c", {engine_program(FAKE)!r}],
                          stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
for line in {[json.dumps(one) for one in requests]!r}:
    engine.stdin.write(line.encode() + b"\\n")
    engine.stdin.flush()
while b'"session"' not in engine.stdout.readline():
    pass
print(engine.pid, flush=True)
time.sleep(100)
"""
    process = subprocess.Popen(
        [sys.executable, "-c", parent],
        stdout=subprocess.PIPE,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    assert process.stdout is not None
    with process, process.stdout as lines:
        pid = int(lines.readline())
        assert scratch._start_of(pid) is not None
        assert leftovers(temporary)
        process.kill()
    until = time.monotonic() + 10
    while scratch._start_of(pid) is not None:
        assert time.monotonic() < until
        time.sleep(0.02)
    assert not list(temporary.iterdir())


@posix_only
@pytest.mark.slow
def test_it_ends_when_its_client_reads_no_more(temporary: Path) -> None:
    """stdout is closed at the client's end, and stdin stays open."""
    reading, writing = os.pipe()
    other = subprocess.Popen(
        [sys.executable, "-c", engine_program(FAKE)],
        stdin=subprocess.PIPE,
        stdout=writing,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "TMPDIR": str(temporary)},
    )
    os.close(writing)
    os.close(reading)
    assert other.stdin is not None
    with other, other.stdin as lines:
        lines.write(b'{"jsonrpc": "2.0", "id": 1, "method": "initialize"}\n')
        lines.flush()
        assert other.wait(20) == 0
    assert not list(temporary.iterdir())


@posix_only
@pytest.mark.slow
def test_what_a_killed_engine_left_is_removed_by_the_next(start: Start, temporary: Path) -> None:
    client = start(FAKE)
    client.call("open", scene="a.tif")
    client.call("update", session=1, shots=FEATURES)
    client.process.kill()
    assert client.wait_end() == -signal.SIGKILL
    assert leftovers(temporary)
    other = start(FAKE)
    other.call("initialize")
    assert not leftovers(temporary)
    other.end()


@posix_only
@pytest.mark.parametrize(
    ("redirection", "code", "said"),
    [
        (">&-", 1, "stdin or stdout is closed"),
        ("<&-", 1, "stdin or stdout is closed"),
        ("2>&-", 0, '"protocol": 1'),
        (">/dev/full", 1, "answers cannot be written (No space left on device)"),
    ],
)
def test_streams_that_are_closed_or_full(redirection: str, code: int, said: str) -> None:
    if "/dev/full" in redirection and not Path("/dev/full").exists():
        pytest.skip("this system has no full device")
    request = '{"jsonrpc": "2.0", "id": 1, "method": "initialize"}\n'
    done = subprocess.run(
        f'"{sys.executable}" -m hsi_geo serve {redirection}',
        shell=True,  # the shell closes streams
        input=request,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, said in done.stdout + done.stderr) == (code, True), done
    assert "Traceback" not in done.stderr


def test_a_client_that_reads_late_gets_every_answer(start: Start) -> None:
    """More answers than a pipe holds: the engine waits for nobody."""
    client = start(FAKE)
    lines = b"".join(
        json.dumps({"jsonrpc": "2.0", "id": f"{n}{'x' * 500}", "method": "nope"}).encode() + b"\n"
        for n in range(2000)
    )
    client._write(lines)
    assert client.call("initialize")["protocol"] == 1
    assert len([m for m in client.messages if "error" in m]) == 2000


def test_a_line_that_is_too_long_is_refused_and_the_next_is_read() -> None:
    stream = io.BytesIO(b"x" * 25 + b"\nshort\n" + b"y" * 10 + b"\n" + b"incomplete")
    assert list(read_lines(stream, 10)) == [None, b"short\n", None]


# With real sessions ---------------------------------------------------------------------------

#: A network and a recipe that are small enough for tests, as the fixture `quick`.
QUICK = """
from hsi_geo.models.s2former_config import S2FormerConfig
from hsi_geo.tasks import adapt
from hsi_geo.tasks.adaptation.recipe import FineTuneConfig, Recipe
small = S2FormerConfig(window_px=8, width=32, depth=1, heads=2)
adapt.DEFAULT_RECIPE = Recipe(network=small, stride_px=4, fine_tuning=FineTuneConfig(steps=60, batch=12))
adapt.DEFAULT_WEIGHTS = "none"
"""


@pytest.mark.slow
def test_finish_writes_the_bytes_of_classify(
    start: Start, planted: Planted, tmp_path: Path, temporary: Path
) -> None:
    shots = planted.shots(tmp_path / "shots.gpkg")
    engine, command = tmp_path / "engine", tmp_path / "command"
    engine.mkdir()
    command.mkdir()
    client = start(QUICK)
    opened = client.call("open", scene=str(planted.path), threads=1)
    assert opened["height"] == 37
    first = client.call("update", session=1, shots=str(shots), bounds=opened["bounds"])
    assert {c["name"] for c in first["classes"]} == set(planted.names)
    assert sum(c["shots"] for c in first["classes"]) == 12
    places = client.call("suggest", session=1, count=2)["places"]
    found = client.call("spectrum", session=1, x=places[0]["x"], y=places[0]["y"])
    assert found["class"] == places[0]["predicted"]
    assert len(found["values"]) == len(opened["centres_nm"])
    client.call("update", session=1, shots=str(shots))
    shots.rename(tmp_path / "renamed.gpkg")  # the shots of an update are not read again
    result = client.call("finish", session=1, out=str(engine / "m.tif"), confidence=True,
                         save_model=str(engine / "m.safetensors"))  # fmt: skip
    (tmp_path / "renamed.gpkg").rename(shots)
    done = subprocess.run(
        [sys.executable, "-c", engine_program(QUICK), "classify", planted.path, "--shots", shots,
         "-o", command / "m.tif", "--confidence", "--save-model", command / "m.safetensors",
         "--threads", "1", "--progress", "jsonl"],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    event = json.loads(done.stderr.splitlines()[-1])
    names = sorted(path.name for path in command.iterdir())
    assert sorted(path.name for path in engine.iterdir()) == names
    same = [name for name in names if not name.endswith(".json")]  # the record has dates
    assert "m.safetensors" in same
    assert [n for n in same if (engine / n).read_bytes() != (command / n).read_bytes()] == []
    moved = json.loads(json.dumps(result).replace(str(engine), str(command)))
    assert moved == {key: value for key, value in event.items() if key not in ("v", "type")}
    assert client.end() == 0
    assert not list(temporary.iterdir())


@pytest.mark.slow
def test_two_scenes_in_turn(start: Start, make_scene: Any, tmp_path: Path) -> None:
    scenes = [make_scene(), make_scene("other.tif", height=25, seed=3)]
    client = start(QUICK)
    for number, one in enumerate(scenes, start=1):
        assert client.call("open", scene=str(one.path), threads=1)["session"] == number
    answers = []
    for number, one in [(1, scenes[0]), (2, scenes[1])] * 2:
        shots = one.shots(tmp_path / f"{number}.gpkg")
        answers.append(client.call("update", session=number, shots=str(shots)))
    assert [a["classes"] for a in answers[:2]] == [a["classes"] for a in answers[2:]]
    assert answers[0]["bounds"] != answers[1]["bounds"]
    assert client.call("close", session=1) == {}
    assert client.error("spectrum", session=2, x=0, y=0)["data"]["kind"] == "OptionError"
    assert client.end() == 0
