"""A session with the engine: one scene, and a preview that follows the shots."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from qgis.PyQt.QtCore import QObject, QTimer, pyqtSignal

from ..interpreter import LauncherError
from ..runner import launcher
from .cursor_question import Answer, CursorQuestion, OnAnswer
from .engine import Engine
from .messages import SCENE_CHANGED, code_of, engine_text, error_text
from .rpc import CANCELLED
from .texts import dropped_map, sentence
from .update_request import UpdateRequest

#: Milliseconds between a change and the update, so that several changes give one.
PAUSE_MS = 400

#: The same for the slider, which needs no computing.
SLIDER_PAUSE_MS = 120


class LiveSession(QObject):
    """Asks the engine, and tells the dock.

    Args:
        collect: Function that returns the next request from the layers as they are.

    Attributes:
        opened: Signal with the answer to ``open``.
        previewed: Signal with the answer to ``update`` or ``preview``.
        failed: Signal with one sentence: a request failed, and the session goes on.
        unopened: Signal with one sentence: a scene is not open, and it may be a moment later.
        outdated: Signal: a file of the scene has changed, so the session has to open it again.
        hinted: Signal with one sentence on what is missing for a preview; empty if nothing is.
        died: Signal with one sentence: the engine has ended.
        dropped: Signal with one sentence: a map is not written, since its scene was closed.
        worked: Signal of progress: what is done, and per cent (-1 if it is not known). The text is empty when
            nothing is done.
    """

    opened = pyqtSignal(object)
    previewed = pyqtSignal(object)
    failed = pyqtSignal(str)
    unopened = pyqtSignal(str)
    outdated = pyqtSignal()
    hinted = pyqtSignal(str)
    died = pyqtSignal(str)
    dropped = pyqtSignal(str)
    worked = pyqtSignal(str, float)

    def __init__(self, collect: Callable[[], UpdateRequest], parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._collect = collect
        self.engine = Engine(self)
        self.engine.ended.connect(self._on_death)
        self.engine.notified.connect(self._on_notification)
        self.info: dict[str, Any] = {}
        self.preview: dict[str, Any] = {}
        self.min_confidence = 0
        self._scene, self._options = "", dict[str, Any]()
        self._opening = self._updating = self._finishing = self._suggesting = 0
        self._cursor = CursorQuestion(self._ask)
        self.sent = UpdateRequest()
        self._done_key = self._map = ""
        self._pause, self._slider_pause = QTimer(self), QTimer(self)
        for timer, milliseconds, act in (
            (self._pause, PAUSE_MS, self._update),
            (self._slider_pause, SLIDER_PAUSE_MS, self._refresh),
        ):
            timer.setSingleShot(True)
            timer.setInterval(milliseconds)
            timer.timeout.connect(act)

    # Opening and closing --------------------------------------------------------------------------

    @property
    def is_open(self) -> bool:
        """Whether a scene is open."""
        return bool(self.info)

    @property
    def is_busy(self) -> bool:
        """Whether a preview or a map is computed, or is about to be."""
        return bool(self._opening or self._updating or self._finishing or self._pause.isActive())

    @property
    def is_current(self) -> bool:
        """Whether the preview is that of the shots that were sent last: they were not refused."""
        return bool(self._done_key)

    def open(self, scene: str, options: Mapping[str, Any]) -> None:
        """Open a scene; the one before is closed.

        Args:
            scene: Path of the scene.
            options: Options of the command line that the scene is read with.
        """
        self._open(scene, options, self.failed)

    def _open(self, scene: str, options: Mapping[str, Any], failed: Any) -> None:
        """Open a scene; the signal tells why it cannot be opened."""
        self._scene, self._options = scene, dict(options)
        self._end_session()
        self.worked.emit("Opening the scene", -1.0)
        if not self.engine.is_running:
            try:
                found = launcher()
            except LauncherError as error:
                self._on_death(str(error))
                return
            self.engine.start(found)  # Windows tells at once, by `ended`, if that fails
        number = 0

        def result(answer: Answer) -> None:
            if number == self._opening:
                self._on_open(answer)
            else:  # another scene was chosen meanwhile
                self._end(answer.get("session"))

        def refused(answer: Answer) -> None:
            if number == self._opening:
                self._on_open_error(answer, failed)

        params = {"scene": scene, **options}
        number = self._opening = self.engine.ask("open", params, result, refused)

    def restart(self) -> None:
        """Start the engine anew, and open the scene again."""
        if self._scene:
            self._open(self._scene, self._options, self.unopened)

    def close(self, *, wait: bool = False) -> None:
        """End the session and the engine.

        Args:
            wait: Whether to wait for the end of the engine.
        """
        self._scene = ""
        if self._map:
            self.dropped.emit(dropped_map(self._map))
        self._reset()
        self.engine.stop(wait=wait)
        self.worked.emit("", 0.0)

    def _end_session(self) -> None:
        for number in (self._opening, self._updating, self._finishing):
            self.engine.cancel(number)
        if self._map and not self._finishing:  # else the answer of the engine tells it
            self.dropped.emit(dropped_map(self._map))
        self._end(self.info.get("session"))
        self._reset()

    def _end(self, session: Any) -> None:
        if session is not None:
            self.engine.ask("close", {"session": session}, _ignore, _ignore)

    def _reset(self) -> None:
        self._pause.stop()
        self._slider_pause.stop()
        self.sent = UpdateRequest()
        self.info, self.preview = {}, {}
        self._done_key = self._map = ""
        self._opening = self._updating = self._finishing = self._suggesting = 0
        self._cursor.forget()

    def _on_open(self, answer: Answer) -> None:
        if answer.get("session") is None:
            return
        self._opening = 0
        self.info = dict(answer)
        self.worked.emit("", 0.0)
        self.opened.emit(self.info)
        self.change()

    def _on_open_error(self, error: Answer, failed: Any) -> None:
        self._opening = 0
        self.worked.emit("", 0.0)
        if error.get("code") == CANCELLED:  # by a person: another scene has another number
            self.unopened.emit("Cancelled; the scene is not open.")
        else:
            failed.emit(error_text(error, {}))

    def _on_death(self, reason: str) -> None:
        self._reset()
        self.worked.emit("", 0.0)
        self.died.emit(sentence(reason))

    def _on_notification(self, method: str, about: int, params: Answer) -> None:
        if method == "progress" and about and about in (self._updating, self._finishing):
            total = params.get("total") or 0
            percent = 100.0 * params.get("done", 0) / total if total else -1.0
            self.worked.emit(str(params.get("stage", "")), percent)

    # The preview ----------------------------------------------------------------------------------

    def change(self) -> None:
        """Tell that shots or the view have changed: what is computed is cancelled, and starts anew after a pause."""
        if not self.is_open:
            return
        if self._updating and not self._map:  # what is being written stays as it was
            self.engine.cancel(self._updating)
            self._updating, self._done_key = 0, ""
            self.worked.emit("", 0.0)
        self._pause.start()

    def set_min_confidence(self, percent: int) -> None:
        """Make pixels transparent that have less confidence.

        Args:
            percent: The confidence in per cent.
        """
        self.min_confidence = percent
        self._slider_pause.start()

    def _update(self) -> None:
        if self._map or not self.is_open:  # it follows when the map is written
            return
        request = self._collect()
        self.hinted.emit(request.problem)
        if not request.problem and request.key != self._done_key:
            self._send(request, self._on_preview)

    def _send(
        self, request: UpdateRequest, on_result: OnAnswer, on_error: OnAnswer | None = None
    ) -> None:
        self.worked.emit("Computing the preview", -1.0)
        number = 0

        def result(answer: Answer) -> None:
            if number == self._updating:
                self._updating = 0
                self._done_key, self.sent = request.key, request
                self.worked.emit("", 0.0)
                on_result(answer)

        def error(answer: Answer) -> None:
            if number == self._updating:
                self._updating = 0
                self.worked.emit("", 0.0)
                is_cancelled = answer.get("code") == CANCELLED
                self._done_key = self._done_key if is_cancelled else ""
                if on_error is not None:
                    on_error(answer)
                elif not is_cancelled:
                    self._fail(answer, request.names)

        given = {"session": self.info["session"], "min_confidence": self.min_confidence}
        params = {**given, **request.params}
        number = self._updating = self.engine.ask("update", params, result, error)

    def _on_preview(self, answer: Answer) -> None:
        self.preview = dict(answer)
        self.previewed.emit(self.preview)

    def _refresh(self) -> None:
        """Ask for the preview with another transparency."""
        if self._updating:  # it began with the transparency of that time, or may fail
            self._slider_pause.start()
        elif self.preview:
            self._ask("preview", {"min_confidence": self.min_confidence}, self._on_preview, _ignore)

    def _ask(
        self, method: str, params: Mapping[str, Any], on_result: OnAnswer, on_error: OnAnswer
    ) -> int:
        """Ask about the open scene. An answer that comes after it was closed is dropped."""
        session = self.info["session"]

        def if_open(act: OnAnswer) -> OnAnswer:
            return lambda answer: act(answer) if self.info.get("session") == session else None

        given = {"session": session, **params}
        return self.engine.ask(method, given, if_open(on_result), if_open(on_error))

    # Questions ------------------------------------------------------------------------------------

    def spectrum(self, x: float, y: float, on_result: OnAnswer) -> None:
        """Ask for the spectrum of a place. Only the last of several places is asked for.

        Args:
            x: Coordinate in the scene's CRS.
            y: Coordinate in the scene's CRS.
            on_result: Is called with the answer.
        """
        if self.is_open:
            self._cursor.ask(x, y, on_result)

    def suggest(self, count: int, on_result: Callable[[list[dict[str, Any]]], None]) -> None:
        """Ask for places where a shot helps most.

        Args:
            count: Number of places.
            on_result: Is called with the places, the most useful first.
        """

        def result(answer: Answer) -> None:
            self.worked.emit("", 0.0)
            on_result(list(answer.get("places") or []))

        def error(answer: Answer) -> None:
            self.worked.emit("", 0.0)
            if answer.get("code") != CANCELLED:
                self._fail(answer, {})

        self.worked.emit("Looking for places", -1.0)
        self._suggesting = self._ask("suggest", {"count": count}, result, error)

    # The map --------------------------------------------------------------------------------------

    def finish(
        self, params: Mapping[str, Any], names: Mapping[str, str], on_result: OnAnswer
    ) -> None:
        """Write the map of the shots as they are now.

        Args:
            params: Parameters of ``finish``, without the session.
            names: What users call a file by its path.
            on_result: Is called with the result when the map is written.
        """
        self._pause.stop()
        request = self._collect()
        if request.problem:
            self.failed.emit(request.problem)
            return

        name = self._map = os.path.basename(str(params["out"]))
        number = 0

        def write(answer: Answer | None = None) -> None:
            nonlocal number
            if answer is not None:
                self._on_preview(answer)
            self.worked.emit("Writing the map", -1.0)
            given = {"session": self.info["session"], **params}
            number = self._finishing = self.engine.ask("finish", given, result, error)

        def end() -> None:
            self._finishing, self._map = 0, ""
            self.worked.emit("", 0.0)

        def result(answer: Answer) -> None:
            if number == self._finishing:
                end()
            on_result(answer)  # also if it was written just before another scene was chosen
            self.change()  # whatever was drawn meanwhile

        def error(answer: Answer) -> None:
            if number != self._finishing:  # another scene was chosen
                is_cancelled = answer.get("code") == CANCELLED
                reason = f"{name}: {error_text(answer, names)}"
                self.dropped.emit(dropped_map(name) if is_cancelled else reason)
                return
            was_writing = bool(self._finishing)  # else the preview before it has failed
            end()
            self._fail(answer, names)
            if was_writing:
                self.change()

        if self._updating:
            self.engine.cancel(self._updating)
            self._updating, self._done_key = 0, ""
        if request.key == self._done_key:
            write()
        else:
            self._send(request, write, error)

    @property
    def is_finishing(self) -> bool:
        """Whether the map is being written, or the preview before it is computed."""
        return bool(self._map)

    def cancel(self) -> None:
        """Cancel what is computed. A preview starts again with the next change."""
        for number in (self._opening, self._finishing, self._updating, self._suggesting):
            self.engine.cancel(number)
        self._pause.stop()

    def _fail(self, error: Answer, names: Mapping[str, str]) -> None:
        """Tell why a request failed."""
        if error.get("code") == CANCELLED:
            self.failed.emit("Cancelled; nothing was written.")
        elif code_of(error) == SCENE_CHANGED:
            self.outdated.emit()
        else:
            self.failed.emit(error_text(error, names))

    def warnings(self) -> list[str]:
        """What the last preview warns of, as sentences."""
        names = self.sent.names
        found = [engine_text(str(one), names) for one in self.preview.get("warnings") or []]
        return [*self.sent.warnings, *found]


def _ignore(_: Answer) -> None:
    """For answers that nobody needs."""
