"""The engine of other programs: live sessions over JSON-RPC on stdin and stdout."""

from __future__ import annotations

import importlib
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

from hsi_geo.errors import HsiGeoError, OptionError, SceneError
from hsi_geo.io.files import scratch
from hsi_geo.progress import Reporter
from hsi_geo.tasks.serving.engine import Engine, OpenSession
from hsi_geo.tasks.serving.live_session import SomeSession
from hsi_geo.tasks.serving.messages import INVALID_REQUEST, RpcError, error_line
from hsi_geo.tasks.serving.outbox import Outbox
from hsi_geo.tasks.serving.streams import MOST_BYTES, read_lines, take_streams

#: Seconds that the end waits for a client to read the last answers.
LAST_ANSWERS_S = 0.5

#: Parameters of `open` for `open_scene`, and for `Compute`.
_READING = (
    *("wavelengths", "mask", "grid", "straighten", "pixel_size", "dem"),
    *("asset", "follow_links"),
)
_COMPUTE = ("device", "threads", "seed")


def serve() -> None:
    """Answer requests on stdin until the client closes it; then the process ends.

    It does not return: libraries that still compute in another thread cannot be stopped otherwise.
    """
    reading, writing = take_streams()
    folder = Path(tempfile.gettempdir())
    scratch.remove_abandoned(folder)  # of an engine that was killed
    try:
        exit_code = run(reading, writing, folder)
    except KeyboardInterrupt:
        exit_code = 130
    os._exit(exit_code)


def run(
    reading: BinaryIO,
    writing: BinaryIO,
    folder: Path,
    open_session: OpenSession | None = None,
) -> int:
    """Answer requests until the client closes its end, or asks to end; then clean up.

    Args:
        reading: Lines of the client.
        writing: Receives lines for the client.
        folder: Folder for temporary files.
        open_session: Opens a scene; None makes sessions of `hsi_geo.Session`.

    Returns:
        The exit code: 1 if answers could not be written, else 0.
    """
    ended = threading.Lock()

    def end(*, by_client: bool) -> None:
        """Clean up, once. If the client is gone, nothing can wake the thread that waits for its lines."""
        if not ended.acquire(blocking=False):
            return
        engine.end()
        if by_client:
            outbox.flush(LAST_ANSWERS_S)
        else:
            os._exit(exit_code())

    def exit_code() -> int:
        if outbox.failure is None:
            return 0
        print(f"answers cannot be written ({outbox.failure.strerror})", file=sys.stderr)  # noqa: T201
        return 1

    outbox = Outbox(writing, lambda: end(by_client=False))
    engine = Engine(open_session or _open_session, outbox.send, folder, _import_slow_packages)
    try:
        for line in read_lines(reading):
            if line is None:
                error = RpcError(INVALID_REQUEST, f"the line is longer than {MOST_BYTES >> 20} MiB")
                outbox.send(error_line(None, error))
            elif not engine.receive(line):
                break
    finally:
        end(by_client=True)
    return exit_code()


def _open_session(params: Mapping[str, Any], reporter: Reporter) -> SomeSession:
    """Open a scene with the options of the command line."""
    from hsi_geo.io.scenes.scene import open_scene
    from hsi_geo.tasks.runtime import Compute
    from hsi_geo.tasks.session import Session

    options = {name: params[name] for name in _READING if name in params}
    if params.get("swath"):
        if "grid" in options:
            raise OptionError("--grid and --swath were both given", hint="give one of them")
        options["grid"] = "swath"
    compute = Compute(**{name: params[name] for name in _COMPUTE if name in params})
    try:
        scene = open_scene(params["scene"], **options)
    except OSError as error:
        if isinstance(error, HsiGeoError):
            raise
        raise SceneError(
            f"scene '{params['scene']}' cannot be read ({error.strerror})", hint="check the disk"
        ) from error
    return Session(
        scene,
        weights=params.get("weights"),
        cache=params.get("cache"),
        compute=compute,
        reporter=reporter,
    )


def _import_slow_packages() -> None:
    """Import torch and what learns: it takes seconds, which the first preview would wait for."""
    importlib.import_module("hsi_geo.tasks.session")
    importlib.import_module("hsi_geo.tasks.adaptation.preview")
