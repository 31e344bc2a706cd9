"""A session that computes nothing, an engine that it is served by, and a client of a real process."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import xarray as xr
from affine import Affine
from pyproj import CRS

from hsi_geo.io.labels.shots import Shots
from hsi_geo.io.labels.suggested_points import SuggestedPoint
from hsi_geo.io.outputs.atomic import atomic_outputs
from hsi_geo.io.scenes.scene import scene_from_array
from hsi_geo.progress import Reporter
from hsi_geo.tasks.inference.options import MapOptions
from hsi_geo.tasks.serving.engine import Engine
from hsi_geo.tasks.validation.accuracy import Accuracy
from hsi_geo.tiling import Bounds, Grid

GRID = Grid(6, 9, Affine(30.0, 0.0, 5e5, 0.0, -20.0, 5e6), CRS.from_epsg(32633))

#: Where the three features of `FEATURES` lie, in the CRS of the scene.
FEATURES: dict[str, Any] = {
    "type": "FeatureCollection",
    "crs": "EPSG:32633",
    "features": [
        {
            "type": "Feature",
            "id": f"f{number}",
            "properties": {"class": name},
            "geometry": {"type": "Point", "coordinates": [5e5 + 30 * number + 15, 5e6 - 50]},
        }
        for number, name in enumerate(("water", "meadow", "water"))
    ],
}


#: An option of the command line outside of quoted names.
OPTION = re.compile(r"(?:^|\s)--[a-z]")


def texts_of(message: Any) -> Iterator[str]:
    """Each text in a message, without what is in single quotes: names of files and classes."""
    if isinstance(message, str):
        yield re.sub(r"(?<!\w)'.*?'(?!\w)", "''", message)
    elif isinstance(message, Mapping):
        for value in message.values():
            yield from texts_of(value)
    elif isinstance(message, list):
        for value in message:
            yield from texts_of(value)


class FakeSession:
    """A session that counts what it is asked, and waits where a real one computes.

    Attributes:
        gate: While it is clear, `prepare`, `update` and `finish` report progress and wait.
        calls: Name of each call.
        users: Threads that are inside a method; more than one is a fault.
    """

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.calls: list[str] = []
        self.updates: list[tuple[Shots, Any]] = []
        self.users = self.most_users = 0
        self.fails: BaseException | None = None
        self.closed = False
        self.scene: xr.DataArray = scene_from_array(
            np.ones((3, *GRID.shape)), np.array([450.0, 550.0, 660.0]), grid=GRID, name="a.tif"
        )

    @contextmanager
    def _using(self, call: str) -> Iterator[None]:
        assert not self.closed
        self.users += 1
        self.most_users = max(self.most_users, self.users)
        self.calls.append(call)
        try:
            yield
        finally:
            self.users -= 1

    def _compute(self, reporter: Reporter | None) -> None:
        for step in range(10_000):
            if reporter is not None:
                reporter.progress("Learning from the shots", step, 10_000)
            if self.gate.wait(0.005):
                break
        if self.fails is not None:
            raise self.fails

    def prepare(self, *, reporter: Reporter | None = None) -> None:
        with self._using("prepare"):
            self._compute(reporter)

    def update(
        self,
        shots: Shots,
        *,
        bounds: Bounds | None = None,
        trust_shots: bool = False,
        reporter: Reporter | None = None,
    ) -> Any:
        with self._using("update"):
            self._compute(reporter)
            self.updates.append((shots, bounds))
            ids = np.tile(np.array([0, 1, 2], np.uint8), (6, 3))
            confidence = np.where(ids == 0, 255, 40 * ids).astype(np.uint8)
            frame = shots.frame
            return SimpleNamespace(
                grid=GRID,
                step_px=1,
                class_ids=ids,
                confidence=confidence,
                familiarity=confidence,
                classes=shots.classes,
                shots={c.name: int((frame["class_id"] == c.id).sum()) for c in shots.classes},
                accuracy=Accuracy.unknown("fake"),
                suspicious_shots=[
                    {"feature_id": int(frame["feature_id"].iloc[-1]), "x": 1.0, "y": 2.0}
                ],
                warnings=[],
                seconds=0.5,
            )

    def suggest(self, count: int = 20) -> Sequence[SuggestedPoint]:
        with self._using("suggest"):
            return [SuggestedPoint(i + 1, 5e5, 5e6, "water", 50) for i in range(count)]

    def spectrum(self, x: float, y: float) -> Any:
        with self._using("spectrum"):
            values = np.array([1.0, np.nan, 3.0])
            return SimpleNamespace(
                row=1, col=2, x=x, y=y, centres_nm=np.array([450.0, 550.0, 660.0]), values=values,
                class_name=None, means={"water": values},
            )  # fmt: skip

    def finish(
        self,
        *,
        out: Any = None,
        overwrite: bool = False,
        save_model: Any = None,
        options: MapOptions = MapOptions(),
        reporter: Reporter | None = None,
    ) -> Any:
        with self._using("finish"):
            final = Path(out)
            with atomic_outputs([final], overwrite=overwrite) as where:
                self._compute(reporter)
                where[final].write_text("map")
            return SimpleNamespace(for_programs=lambda model=None: {"outputs": {"map": str(out)}})

    def close(self) -> None:
        with self._using("close"):
            self.closed = True


class Client:
    """Reads and writes messages of an engine.

    Attributes:
        messages: All messages of the engine, in order.
        in_options: Texts of them that name an option of the command line, which requests do not have.
    """

    def __init__(self, write: Callable[[bytes], Any]) -> None:
        self._write = write
        self._changed = threading.Condition()
        self.messages: list[dict[str, Any]] = []
        self.in_options: list[str] = []
        self._id = 0

    def take(self, line: str, can_be_dropped: bool = False) -> None:
        """Receive a line of the engine."""
        message = json.loads(line)
        assert "\n" not in line
        self.in_options += [text for text in texts_of(message) if OPTION.search(text)]
        assert message["jsonrpc"] == "2.0"
        with self._changed:
            self.messages.append(message)
            self._changed.notify_all()

    def start(self, method: str, **params: Any) -> int:
        """Send a request; its id."""
        self._id += 1
        message = {"jsonrpc": "2.0", "id": self._id, "method": method, "params": params}
        self._write(json.dumps(message).encode() + b"\n")
        return self._id

    def answers(self, id: object) -> list[dict[str, Any]]:
        """Answers to a request so far."""
        with self._changed:
            return [m for m in self.messages if "method" not in m and m["id"] == id]

    def notifications(self, method: str) -> list[dict[str, Any]]:
        """Content of each notification of a kind so far."""
        with self._changed:
            return [m["params"] for m in self.messages if m.get("method") == method]

    def wait(self, id: int, seconds: float = 60.0) -> dict[str, Any]:
        """The answer to a request, error or result."""
        with self._changed:
            found = self._changed.wait_for(lambda: self.answers(id), seconds)
        assert found, f"no answer to {id} in {seconds} s: {self.messages[-5:]}"
        assert not self.in_options
        return dict(found[0])

    def call(self, method: str, seconds: float = 60.0, **params: Any) -> Any:
        """The result of a request."""
        answer = self.wait(self.start(method, **params), seconds)
        assert "result" in answer, answer
        return answer["result"]

    def error(self, method: str, **params: Any) -> dict[str, Any]:
        """The error of a request."""
        answer = self.wait(self.start(method, **params))
        assert "error" in answer, answer
        return dict(answer["error"])

    def wait_for(self, is_true: Callable[[], bool], seconds: float = 20.0) -> None:
        """Wait until something is so."""
        until = time.monotonic() + seconds
        while not is_true():
            assert time.monotonic() < until
            time.sleep(0.005)

    def wait_until_idle(self, engine: Engine) -> None:
        """Wait until an engine has nothing to compute, also no preparation."""
        worker = engine._computing

        def is_idle() -> bool:
            with worker._changed:
                return worker.running is None and not worker._waiting

        self.wait_for(is_idle)


class Served(Client):
    """An engine in this process, with sessions that compute nothing.

    Attributes:
        made: Sessions in the order of their opening.
        change: Is called with each new session.
        engine: The engine.
        warmed: Is set when the engine has imported what it needs.
    """

    def __init__(self, folder: Path) -> None:
        self.made: list[FakeSession] = []
        self.change: Callable[[FakeSession], None] = lambda session: None
        self.warmed = threading.Event()
        self.engine = Engine(self._open, self.take, folder, self.warmed.set)
        super().__init__(self.engine.receive)

    def _open(self, params: Mapping[str, Any], reporter: Reporter) -> FakeSession:
        if params["scene"] == "slow.tif":
            for step in range(1000):
                reporter.progress("Reading the scene", step, 1000)
                time.sleep(0.005)
        if params["scene"] == "nope.tif":
            raise FileNotFoundError("nope.tif")
        session = FakeSession()
        self.change(session)
        self.made.append(session)
        return session


class Process(Client):
    """A client of ``hsi-geo serve`` in a process of its own.

    Args:
        arguments: Command; None takes the installed one.
        env: Further variables of the environment.
        cwd: Folder that it is started in.
    """

    def __init__(
        self,
        arguments: Sequence[str] | None = None,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.process = subprocess.Popen(
            arguments or [sys.executable, "-m", "hsi_geo", "serve"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "OMP_NUM_THREADS": "1", **(env or {})},
            cwd=cwd,
        )
        assert self.process.stdin is not None
        self.stdin = self.process.stdin
        super().__init__(self._send)
        self.noise: list[str] = []
        self._readers = [
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_errors, daemon=True),
        ]
        for one in self._readers:
            one.start()

    def _send(self, line: bytes) -> None:
        self.stdin.write(line)
        self.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.take(line.decode().rstrip("\n"))

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.noise += [line.decode(errors="replace") for line in self.process.stderr]

    def end(self, seconds: float = 20.0) -> int:
        """Close stdin, and wait for the end; the exit code."""
        if not self.stdin.closed:
            self.stdin.close()
        return self.wait_end(seconds)

    def wait_end(self, seconds: float = 20.0) -> int:
        """Wait for the end; the exit code."""
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        for one in self._readers:
            one.join(10)
        for stream in (self.process.stdin, self.process.stdout, self.process.stderr):
            if stream is not None and not stream.closed:
                stream.close()
        return code


def engine_program(code: str = "") -> str:
    """Source of a program that runs some code, and then ``hsi-geo serve``, or the command of its arguments."""
    return f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
{code}
from hsi_geo.cli.main import main
sys.argv[1:] = sys.argv[1:] or ["serve"]
main()
"""


def busy(served: Served, method: str = "update", **params: Any) -> int:
    """Open a scene, and start a request that computes until its gate opens; its id."""
    served.call("open", scene="a.tif")
    served.wait_until_idle(served.engine)
    served.made[0].gate.clear()
    id = served.start(method, session=1, **({"shots": FEATURES} | params))
    served.wait_for(lambda: served.made[0].users == 1)
    return id
