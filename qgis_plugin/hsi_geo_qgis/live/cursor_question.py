"""The question for the spectrum under the cursor, which moves faster than the engine answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

Answer = Mapping[str, Any]
OnAnswer = Callable[[Answer], None]

#: Asks the engine: name of the method, its parameters, and what is called with the answer or the error.
Ask = Callable[[str, Mapping[str, Any], OnAnswer, OnAnswer], int]


class CursorQuestion:
    """Asks for one place at a time, and then for the last of the places that came meanwhile.

    Args:
        ask: Function that asks the engine about the open scene.
    """

    def __init__(self, ask: Ask) -> None:
        self._ask = ask
        self._is_asked = False
        self._next: tuple[float, float, OnAnswer] | None = None

    def forget(self) -> None:
        """Forget what was asked, since the scene is closed."""
        self._is_asked, self._next = False, None

    def ask(self, x: float, y: float, on_result: OnAnswer) -> None:
        """Ask for the spectrum of a place.

        Args:
            x: Coordinate in the scene's CRS.
            y: Coordinate in the scene's CRS.
            on_result: Is called with the answer.
        """
        if self._is_asked:
            self._next = (x, y, on_result)
            return

        def result(answer: Answer) -> None:
            again()
            on_result(answer)

        def again(_: Answer | None = None) -> None:
            self._is_asked, waiting = False, self._next
            self._next = None
            if waiting is not None:
                self.ask(*waiting)

        self._is_asked = bool(self._ask("spectrum", {"x": x, "y": y}, result, again))
