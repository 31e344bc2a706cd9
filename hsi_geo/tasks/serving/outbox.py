"""Lines for the client, written by a thread: a client that does not read blocks nothing else."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import BinaryIO

#: Lines that may wait until those that can be dropped are dropped.
MANY = 100


class Outbox:
    """Writes lines in their order.

    Args:
        stream: Where they are written.
        on_closed: Called once, by the thread, when no more can be written.

    Attributes:
        failure: Why no more can be written; None as long as it can, and if the client has closed its end.
    """

    def __init__(self, stream: BinaryIO, on_closed: Callable[[], None]) -> None:
        self._stream, self._on_closed = stream, on_closed
        self._changed = threading.Condition()
        self._lines: deque[str] = deque()
        self.failure: OSError | None = None
        self._is_writing = False
        self._is_closed = False
        threading.Thread(target=self._run, name="outbox", daemon=True).start()

    def send(self, line: str, can_be_dropped: bool = False) -> None:
        """Write a line as soon as possible; returns at once.

        Args:
            line: The line without its end.
            can_be_dropped: Whether it is left out if many lines wait.
        """
        with self._changed:
            if self._is_closed or (can_be_dropped and len(self._lines) >= MANY):
                return
            self._lines.append(line)
            self._changed.notify_all()

    def flush(self, seconds: float) -> bool:
        """Wait until all lines are written.

        Args:
            seconds: How long to wait, at most.

        Returns:
            Whether they are.
        """
        with self._changed:
            return self._changed.wait_for(
                lambda: self._is_closed or not (self._lines or self._is_writing), seconds
            )

    def _run(self) -> None:
        while True:
            with self._changed:
                self._is_writing = False
                self._changed.notify_all()
                while not self._lines:
                    self._changed.wait()
                text = "\n".join(self._lines) + "\n"
                self._lines.clear()
                self._is_writing = True
            try:
                self._stream.write(text.encode())
                self._stream.flush()
            except BrokenPipeError:
                break
            except OSError as error:
                self.failure = error
                break
        with self._changed:
            self._is_closed, self._is_writing = True, False
            self._lines.clear()
            self._changed.notify_all()
        self._on_closed()
