"""Wall and CPU time of each stage of a job, for those who want to know what takes long.

Nothing is measured outside a `recording`. The command line makes one for ``--timings``.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ContextDecorator, contextmanager
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Self

IMPORTS: Final = "imports"
OPENING: Final = "opening"
QUALITY: Final = "quality"
REGIONS: Final = "training regions"
SPECTRAL_FEATURES: Final = "features of spectra"
FEATURES: Final = "features"
SUPERPIXELS: Final = "superpixels"
GRAPHS: Final = "graphs"
PROPAGATION: Final = "label propagation"
CLASSIFIERS: Final = "classifiers"
CALIBRATION: Final = "calibration"
FAMILIARITY: Final = "familiarity"
STUDENT: Final = "student"
MAPPING: Final = "mapping"
WRITING: Final = "writing"
REPORT: Final = "report"

#: What no stage was measured for.
OTHER: Final = "other"

#: Ends the names of stages of another process.
OTHER_PROCESS: Final = ", own process"

#: When this module was imported, which the command line does first.
_PROGRAM_START = time.perf_counter()


@dataclass(slots=True)
class StageTime:
    """Time of a stage, in seconds, without the stages inside it.

    Attributes:
        wall_s: Wall time.
        cpu_s: CPU time: of all threads if the stage ran in the main thread, otherwise of its own thread.
        beside: Whether the stage ran in another thread beside others, so that its time is no part of the total.
    """

    wall_s: float = 0.0
    cpu_s: float = 0.0
    beside: bool = False


@dataclass(slots=True)
class Timings:
    """Times of a job's stages.

    Attributes:
        stages: Time of each stage, in the order in which they began.
        started: (wall, CPU) clocks when the recording began.
        process_cpu_s: CPU time of another process, in seconds.
    """

    stages: dict[str, StageTime] = field(default_factory=dict)
    started: tuple[float, float] = field(
        default_factory=lambda: (time.perf_counter(), time.process_time())
    )
    process_cpu_s: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, wall_s: float, cpu_s: float, *, beside: bool = False) -> None:
        """Add time to a stage.

        Args:
            name: Name of the stage.
            wall_s: Wall time in seconds.
            cpu_s: CPU time in seconds.
            beside: Whether the stage runs in another thread than the main one.
        """
        with self._lock:
            stage = self.stages.setdefault(name, StageTime(beside=beside))
            stage.wall_s += wall_s
            stage.cpu_s += cpu_s

    def add_program_start(self) -> None:
        """Count the time since the program began as imports."""
        wall, cpu = time.perf_counter(), time.process_time()
        self.add(IMPORTS, wall - _PROGRAM_START, cpu)
        self.started = (_PROGRAM_START, 0.0)

    def add_process(self, stages: Mapping[str, StageTime], cpu_s: float) -> None:
        """Add the times of another process, which worked beside this one.

        Args:
            stages: Time of each of its stages.
            cpu_s: Its CPU time in seconds, with its imports.
        """
        for name, stage in stages.items():
            self.add(f"{name}{OTHER_PROCESS}", stage.wall_s, stage.cpu_s, beside=True)
        self.process_cpu_s += cpu_s

    def total(self) -> StageTime:
        """Time since the recording began, or since the program began."""
        wall, cpu = self.started
        own = time.process_time() - cpu
        return StageTime(time.perf_counter() - wall, own + self.process_cpu_s)

    def as_dict(self) -> dict[str, dict[str, float | bool]]:
        """Times by stage, with `OTHER` and ``total``, rounded to milliseconds, for JSON.

        Stages that have not ended in the calling thread count until now: a record is written while its map is made.
        """
        total = self.total()
        stages = self._until_now()
        inside = [stage for stage in stages.values() if not stage.beside]
        other = StageTime(
            max(0.0, total.wall_s - sum(stage.wall_s for stage in inside)),
            max(0.0, total.cpu_s - sum(stage.cpu_s for stage in inside)),
        )
        return {
            name: {
                "wall_s": round(stage.wall_s, 3),
                "cpu_s": round(stage.cpu_s, 3),
                "beside": stage.beside,
            }
            for name, stage in {**stages, OTHER: other, "total": total}.items()
        }

    def _until_now(self) -> dict[str, StageTime]:
        """Times by stage, with those that have not ended in this thread."""
        with self._lock:
            found = {name: replace(stage) for name, stage in self.stages.items()}
        inner_wall = inner_cpu = 0.0
        for running in reversed(_stack()):
            if running.times is not self:
                continue
            wall, cpu = running.elapsed()
            of_name = found.setdefault(running.name, StageTime(beside=running.beside))
            of_name.wall_s += wall - running.inner_wall - inner_wall
            of_name.cpu_s += cpu - running.inner_cpu - inner_cpu
            inner_wall, inner_cpu = wall, cpu
        return found


#: The recording that is active; one for all threads of a job.
_active: Timings | None = None

_local = threading.local()


def active() -> Timings | None:
    """The recording that is active, None if there is none."""
    return _active


@contextmanager
def recording() -> Iterator[Timings]:
    """Record the times of stages inside a ``with`` block.

    Yields:
        The times, which grow while the block runs.

    Examples:
        >>> with recording() as times:
        ...     with stage("graphs"):
        ...         pass
        >>> list(times.stages)
        ['graphs']
    """
    global _active
    before, _active = _active, Timings()
    try:
        yield _active
    finally:
        _active = before


class stage(ContextDecorator):  # used as a function, as contextlib's are
    """Measure a block, or each call of a function, as a stage of the active recording.

    The time of a stage inside another is not counted for the outer one.

    Args:
        name: Name of the stage.
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def _recreate_cm(self) -> Self:
        """A new block for each call of a decorated function: calls may overlap in threads."""
        return type(self)(self.name)

    def __enter__(self) -> Self:
        """Begin the stage."""
        self.times = _active
        if self.times is not None:
            self.inner_wall = self.inner_cpu = 0.0
            self.beside = threading.current_thread() is not threading.main_thread()
            _stack().append(self)
            self._start = time.perf_counter(), self._cpu()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """End the stage, also after an error."""
        if self.times is None:
            return
        wall, cpu = self.elapsed()
        stack = _stack()
        stack.pop()
        if stack:
            stack[-1].inner_wall += wall
            stack[-1].inner_cpu += cpu
        self.times.add(self.name, wall - self.inner_wall, cpu - self.inner_cpu, beside=self.beside)

    def elapsed(self) -> tuple[float, float]:
        """Wall and CPU time since the stage began, in seconds, with the stages inside it."""
        return time.perf_counter() - self._start[0], self._cpu() - self._start[1]

    def _cpu(self) -> float:
        return time.thread_time() if self.beside else time.process_time()


def _stack() -> list[stage]:
    if not hasattr(_local, "stack"):
        _local.stack = []
    found: list[stage] = _local.stack
    return found
