"""The set-up and its search for Pythons as tasks in the background."""

from __future__ import annotations

from collections.abc import Callable

from qgis.core import QgsTask
from qgis.PyQt.QtCore import pyqtSignal

from .pythons import Python
from .set_up import SetUp
from .set_up_plan import Options
from .set_up_processes import SetUpCancelled, SetUpError, find_pythons


class FindPythonsTask(QgsTask):
    """Looks for Pythons.

    Args:
        done: Receives them, best first, on the main thread.
    """

    def __init__(self, done: Callable[[list[Python]], None]) -> None:
        super().__init__("Looking for Python")
        self.done = done
        self.found: list[Python] = []

    def run(self) -> bool:
        """Look, in the task's thread."""
        self.found = find_pythons(self.isCanceled)
        return True

    def finished(self, ok: bool) -> None:
        """Hand over what was found; QGIS calls this on the main thread."""
        if ok:
            self.done(self.found)


class SetUpTask(QgsTask):
    """Installs or updates hsi-geo, or removes it.

    Args:
        options: Choices of the user; None to remove.
        done: Receives the task when it has ended, on the main thread.

    Attributes:
        python: Path of the environment's Python; empty after a removal.
        error: Why it failed; empty if it did not.
        cancelled: Whether the user cancelled.
    """

    line = pyqtSignal(str)
    stage = pyqtSignal(float, str)

    def __init__(self, options: Options | None, done: Callable[[SetUpTask], None]) -> None:
        super().__init__("Set up hsi-geo" if options else "Remove hsi-geo")
        self.options, self.done = options, done
        self.python = self.error = ""
        self.cancelled = False

    def run(self) -> bool:
        """Do it, in the task's thread."""
        job = SetUp(self.line.emit, self._show, self.isCanceled)
        try:
            if self.options is None:
                job.remove()
            else:
                self.python = job.install(self.options)
        except SetUpCancelled as error:
            self.cancelled, self.error = True, str(error)
        except SetUpError as error:
            self.error = str(error)
        except Exception as error:  # noqa: BLE001  # an error that leaves this method would end QGIS
            self.error = f"the set-up failed unexpectedly ({error!r}); read the log"
        return not self.error

    def finished(self, ok: bool) -> None:
        """Tell the dialog; QGIS calls this on the main thread."""
        self.done(self)

    def _show(self, percent: float, text: str) -> None:
        self.setProgress(percent)
        self.stage.emit(percent, text)
