"""A small engine that speaks the protocol of ``hsi-geo serve``: the class of a pixel is that of the nearest shot.

It notes each request in ``requests.jsonl`` of the folder in HSI_GEO_FAKE_ENGINE. The file ``delay`` there holds the
seconds that an update takes. A scene with "slow" in its name takes a second to open, and is opened also if that is
cancelled meanwhile.
"""

from __future__ import annotations

import json
import os
import queue
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import rasterio

Params = dict[str, Any]
HOME = Path(os.environ["HSI_GEO_FAKE_ENGINE"])
SCRATCH = Path(tempfile.mkdtemp(prefix="fake-engine-", dir=HOME))
CANCELLED = -32800


class CancelledError(Exception):
    """The request was cancelled."""


class RefusedError(Exception):
    """A request that fails: message, hint, and the short name of the error."""


def send(message: Params) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
    sys.stdout.flush()


def points_of(shots: Params) -> list[tuple[float, float, str]]:
    """Middle and class of each feature."""
    found = []
    for feature in shots["features"]:
        numbers = np.array(_flat(feature["geometry"]["coordinates"])).reshape(-1, 2)
        x, y = numbers.mean(axis=0)
        found.append((float(x), float(y), feature["properties"]["class"]))
    return found


def _flat(value: Any) -> list[float]:
    return [value] if isinstance(value, int | float) else [n for one in value for n in _flat(one)]


class Scene:
    """A scene and its last preview."""

    def __init__(self, path: str, session: int) -> None:
        self.session = session
        with rasterio.open(path) as file:
            self.crs, self.transform = file.crs, file.transform
            self.width, self.height, self.bounds = file.width, file.height, list(file.bounds)
            self.values = file.read()
        self.path, self.count = path, 0
        self.time = Path(path).stat().st_mtime_ns
        self.last: Params = {}
        self.classes: list[Params] = []

    def describe(self) -> Params:
        side = abs(self.transform.a)
        return {
            "session": self.session, "name": Path(self.path).name, "bounds": self.bounds,
            "crs": self.crs.to_wkt() if self.crs else None, "width": self.width, "height": self.height,
            "pixel_size": [side, side], "centres_nm": list(range(len(self.values))), "messages": [],
        }  # fmt: skip

    def update(self, params: Params, number: int, cancelled: set[int]) -> Params:
        wait = HOME / "delay"
        end = time.monotonic() + (float(wait.read_text()) if wait.exists() else 0.0)
        while time.monotonic() < end:
            if number in cancelled:
                raise CancelledError
            note = {"id": number, "stage": "Learning from the shots", "done": 1, "total": 4}
            send({"method": "progress", "params": note})
            time.sleep(0.05)
        shots = params["shots"]
        if (HOME / "refuse").exists():
            raise RefusedError(
                "shots 'shots of the request' are empty", "give --shots, or --wavelengths"
            )
        points = points_of(shots)
        names = sorted({name for _, _, name in points})
        colors = {f["properties"]["class"]: f["properties"]["color"] for f in shots["features"]}
        step = 2 if (HOME / "coarse").exists() and not params.get("bounds") else 1
        cols, rows = np.meshgrid(
            np.arange(0, self.width, step) + 0.5, np.arange(0, self.height, step) + 0.5
        )
        x, y = self.transform * (cols, rows)
        far = np.stack([(x - px) ** 2 + (y - py) ** 2 for px, py, _ in points])
        nearest = far.argmin(axis=0)
        ids = np.array([names.index(name) + 1 for _, _, name in points], np.uint8)[nearest]
        distance = np.sqrt(far.min(axis=0))
        self.confidence = (100 * np.exp(-distance / distance.max())).astype(np.uint8)
        self.ids = ids
        self.classes = [
            {
                "id": index, "name": name, "color": colors[name], "share": float((ids == index).mean()),
                "shots": [n for *_, n in points].count(name), "hectares": float((ids == index).sum()),
            }
            for index, name in enumerate(names, start=1)
        ]  # fmt: skip
        wrong = []
        for index, (px, py, name) in enumerate(points):
            around = sorted(
                ((qx - px) ** 2 + (qy - py) ** 2, other)
                for i, (qx, qy, other) in enumerate(points) if i != index
            )[:3]  # fmt: skip
            others = {other for _, other in around}
            if len(around) == 3 and len(others) == 1 and name not in others:
                entry = {"feature_id": index, "x": px, "y": py, "drawn": name, "weight": 0.1}
                wrong.append({**entry, "looks_like": others.pop()})
        accuracy = {
            "oa": 0.9,
            "interval95": [0.8, 0.97],
            "pixels": len(points),
            "method": "held out",
        }
        self.last = {
            "is_preview": True, "step_px": step, "bounds": params.get("bounds") or self.bounds,
            "classes": self.classes, "accuracy": accuracy, "suspicious_shots": wrong,
            "warnings": ["shots 'shots of the request' are few"] if (HOME / "warn").exists() else [],
            "seconds": 0.01,
        }  # fmt: skip
        return self.preview(params)

    def preview(self, params: Params) -> Params:
        self.count += 1
        path = SCRATCH / f"preview_{self.count}.tif"
        alpha = np.where(self.confidence >= params.get("min_confidence", 0), 255, 0).astype(
            np.uint8
        )
        height, width = self.ids.shape
        profile = {
            "driver": "GTiff", "width": width, "height": height, "count": 4, "dtype": "uint8",
            "crs": self.crs,
            "transform": self.transform * self.transform.scale(self.width / width, self.height / height),
        }  # fmt: skip
        with rasterio.open(path, "w", **profile) as file:
            file.write(np.stack([self.ids, self.confidence, self.confidence, alpha]))
        (SCRATCH / f"preview_{self.count - 2}.tif").unlink(missing_ok=True)
        return {**self.last, "preview": str(path)}

    def spectrum(self, params: Params) -> Params:
        col, row = map(int, ~self.transform * (params["x"], params["y"]))
        values = [float(v) for v in self.values[:, row, col]]
        means = [
            {"name": one["name"], "color": one["color"], "values": values} for one in self.classes
        ]
        named = (
            self.classes[self.ids[row, col] - 1]["name"]
            if means and self.last["step_px"] == 1
            else None
        )
        centres = list(range(len(values)))
        return {"row": row, "col": col, "x": params["x"], "y": params["y"], "class": named,
                "centres_nm": [400.0 + 100 * c for c in centres], "values": values, "means": means}  # fmt: skip

    def suggest(self, params: Params) -> Params:
        left, bottom, right, top = self.bounds
        return {
            "places": [
                {
                    "rank": rank + 1, "x": left + (right - left) * (rank + 1) / 5,
                    "y": bottom + (top - bottom) / 3,
                    "predicted": self.classes[0]["name"], "confidence": 40,
                }
                for rank in range(min(3, params["count"]))
            ]
        }  # fmt: skip

    def finish(self, params: Params, number: int, cancelled: set[int]) -> Params:
        wait = HOME / "finish_delay"
        end = time.monotonic() + (float(wait.read_text()) if wait.exists() else 0.0)
        while time.monotonic() < end:
            if number in cancelled:
                raise CancelledError
            time.sleep(0.05)
        out = Path(params["out"])
        profile = {"driver": "GTiff", "width": self.width, "height": self.height, "count": 1,
                   "dtype": "uint8", "crs": self.crs, "transform": self.transform}  # fmt: skip
        with rasterio.open(out, "w", **profile) as file:
            file.write(self.ids, 1)
        outputs = {"map": str(out)}
        if params.get("report"):
            outputs["report"] = str(out.with_suffix(".html"))
            out.with_suffix(".html").write_text("report", encoding="utf-8")
        if params.get("save_model"):
            outputs["model"] = params["save_model"]
            Path(params["save_model"]).write_text("model", encoding="utf-8")
        return {"type": "result", "outputs": outputs, "accuracy": self.last["accuracy"]}


def work(jobs: queue.Queue[Params], cancelled: set[int]) -> None:
    scenes: dict[int, Scene] = {}
    opened = 0
    while True:
        request = jobs.get()
        number, method, params = request["id"], request["method"], request.get("params", {})
        try:
            if number in cancelled:
                raise CancelledError
            if method == "open":
                time.sleep(1.0 if "slow" in Path(params["scene"]).name else 0.0)
                if not Path(params["scene"]).exists():
                    raise RefusedError(
                        "the scene does not exist", "check the path, or give --swath"
                    )
                opened += 1
                scenes[opened] = Scene(params["scene"], opened)
                result = scenes[opened].describe()
            elif method in ("update", "finish"):
                scene = scenes[params["session"]]
                if Path(scene.path).stat().st_mtime_ns != scene.time:
                    raise RefusedError("the scene has changed", "open it again", "scene-changed")
                result = getattr(scene, method)(params, number, cancelled)
            elif method in ("preview", "spectrum", "suggest"):
                result = getattr(scenes[params["session"]], method)(params)
            else:
                result = {}
            send({"id": number, "result": result})
        except CancelledError:
            send({"id": number, "error": {"code": CANCELLED, "message": "cancelled"}})
        except RefusedError as error:
            message, hint, *code = error.args
            data = {"hint": hint, "kind": "ShotsError", "code": code[0] if code else "shots"}
            send({"id": number, "error": {"code": -32000, "message": message, "data": data}})


def end() -> None:
    shutil.rmtree(SCRATCH, ignore_errors=True)
    os._exit(0)


def main() -> None:
    assert sys.argv[-1] == "serve", sys.argv
    if (HOME / "fail").exists():
        sys.stderr.write("Error: No such command 'serve'.\n")
        sys.exit(2)
    jobs: queue.Queue[Params] = queue.Queue()
    cancelled: set[int] = set()
    threading.Thread(target=work, args=(jobs, cancelled), daemon=True).start()
    with (HOME / "requests.jsonl").open("a", encoding="utf-8") as log:
        for line in sys.stdin:
            request = json.loads(line)
            log.write(line)
            log.flush()
            if request["method"] == "cancel":
                cancelled.add(request["params"]["id"])
                send({"id": request["id"], "result": {"cancelled": True}})
            elif request["method"] == "shutdown":
                send({"id": request["id"], "result": {}})
                break
            else:
                jobs.put(request)
    end()


if __name__ == "__main__":
    main()
