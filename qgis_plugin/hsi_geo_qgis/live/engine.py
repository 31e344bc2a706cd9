"""The process ``hsi-geo serve``, and requests to it. Nothing here waits, so QGIS stays usable."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from qgis.PyQt import sip
from qgis.PyQt.QtCore import QByteArray, QObject, QProcess, QTimer, pyqtSignal

from ..interpreter import Launcher
from ..protocol import LineBuffer, failure
from .rpc import Message, parse_message, request_line

OnResult = Callable[[Mapping[str, Any]], None]
OnError = Callable[[Mapping[str, Any]], None]

#: Lines of plain output that are kept for the message of a failure.
KEPT_LINES = 20

#: Milliseconds that the process gets to end by itself.
GRACE_MS = 2000

KILLED = "The engine of hsi-geo was ended by the system. Your shots are kept."


class Engine(QObject):
    """One process, which serves one dock.

    Attributes:
        ended: Signal when the process has ended and nobody asked it to, with one sentence.
        notified: Signal of a notification: its name, the id of the request that it is about (0 for none), its
            values.
    """

    ended = pyqtSignal(str)
    notified = pyqtSignal(str, int, object)

    def __init__(self, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._process: QProcess | None = None
        self._program = ""
        self._waiting: dict[int, tuple[OnResult, OnError]] = {}
        self._number = 0
        self._lines, self._plain_lines = LineBuffer(), LineBuffer()
        self._plain: list[str] = []

    @property
    def is_running(self) -> bool:
        """Whether there is a process that takes requests."""
        return self._process is not None

    @property
    def process_id(self) -> int:
        """Number of the process; 0 without one."""
        return 0 if self._process is None else int(self._process.processId())

    def start(self, found: Launcher) -> None:
        """Start the process. If that fails, `ended` says so.

        Args:
            found: Command that starts hsi-geo.
        """
        self.stop()
        process = QProcess(self)
        self._process, self._program = process, found.program
        self._lines, self._plain_lines, self._plain = LineBuffer(), LineBuffer(), []
        process.readyReadStandardOutput.connect(lambda: self._read(process))
        process.readyReadStandardError.connect(lambda: self._read_plain(process))
        process.errorOccurred.connect(lambda error: self._on_error(process, error))
        process.finished.connect(lambda code, status: self._on_finished(process, code, status))
        process.start(found.command[0], [*found.command[1:], "serve"])

    def ask(
        self,
        method: str,
        params: Mapping[str, Any],
        on_result: OnResult,
        on_error: OnError,
    ) -> int:
        """Send a request.

        Args:
            method: Name of the method.
            params: Value by name.
            on_result: Is called with the result.
            on_error: Is called with the error instead; not if the process ends.

        Returns:
            Id of the request; 0 if there is no process.
        """
        if self._process is None:
            return 0
        self._number += 1
        self._waiting[self._number] = (on_result, on_error)
        self._process.write(QByteArray(request_line(self._number, method, params)))
        return self._number

    def cancel(self, number: int) -> None:
        """Cancel a request. It is answered with the error `rpc.CANCELLED`.

        Args:
            number: Id of the request; nothing is done if it was answered already.
        """
        if number in self._waiting:
            self.ask("cancel", {"id": number}, _ignore, _ignore)

    def stop(self, *, wait: bool = False) -> None:
        """End the process. It removes its files.

        Args:
            wait: Whether to wait for its end, such as before QGIS ends.
        """
        process, self._process = self._process, None
        self._waiting.clear()
        if process is None:
            return
        process.write(QByteArray(request_line(self._number + 1, "shutdown", {})))
        process.closeWriteChannel()
        if wait:
            if not process.waitForFinished(GRACE_MS):
                process.kill()
                process.waitForFinished(GRACE_MS)
            process.deleteLater()
            return
        process.finished.connect(process.deleteLater)
        patience = QTimer(process)  # goes with the process
        patience.setSingleShot(True)
        patience.timeout.connect(process.kill)
        patience.start(GRACE_MS)

    # What the process sends -----------------------------------------------------------------------

    def _read(self, process: QProcess) -> None:
        for line in self._lines.feed(process.readAllStandardOutput().data()):
            message = parse_message(line)
            if message is not None and process is self._process:
                self._handle(message)

    def _read_plain(self, process: QProcess) -> None:
        lines = self._plain_lines.feed(process.readAllStandardError().data())
        self._plain = [*self._plain, *lines][-KEPT_LINES:]

    def _handle(self, message: Message) -> None:
        if message.method:
            number = message.params.get("id")
            about = number if isinstance(number, int) else 0
            self.notified.emit(message.method, about, message.params)
            return
        on_result, on_error = self._waiting.pop(message.id or 0, (_ignore, _ignore))
        if message.error is not None:
            on_error(message.error)
        else:
            on_result(message.result or {})

    def _on_error(self, process: QProcess, error: Any) -> None:
        if error == QProcess.ProcessError.FailedToStart and process is self._process:
            self._forget()
            self.ended.emit(
                f"'{self._program}' cannot be started; run 'Check environment' with the Python that hsi-geo is "
                "installed in"
            )

    def _on_finished(self, process: Any, code: int, status: Any) -> None:
        if self._process is None or process is not self._process or sip.isdeleted(process):
            return
        self._read_plain(process)
        process.deleteLater()
        self._forget()
        if status == QProcess.ExitStatus.CrashExit or code == 137:
            self.ended.emit(KILLED)
        else:
            self.ended.emit(failure(code, None, self._plain, self._program))

    def _forget(self) -> None:
        self._process = None
        self._waiting.clear()


def _ignore(_: Mapping[str, Any]) -> None:
    """For answers that nobody needs."""
