"""A process in which the features of small scenes are computed.

Python's modules are imported by one thread at a time. The features need scikit-learn, and the rest of an adaptation needs torch:
two processes import them at the same time, and their threads do not wait for each other. Nothing here is slow to import.

The process reads two messages: the regions, from which it computes all that follows from the spectra, and the
features of the encoder. It answers with the parts of features and graphs, each as soon as it is known. Both sides pickle them, to pipes that nobody else has.
"""

from __future__ import annotations

import atexit
import os
import pickle
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import IO, TYPE_CHECKING, Any

from hsi_geo import timings

if TYPE_CHECKING:
    from subprocess import Popen

    from hsi_geo.tasks.adaptation.feature_cubes import FeatureCubes
    from hsi_geo.tasks.adaptation.feature_sets import Part
    from hsi_geo.tasks.adaptation.training_regions import TrainingRegions

#: What the process runs.
PROGRAM = "from hsi_geo.tasks.adaptation.feature_process import main; main()"

#: Number of answers: three parts, and the times.
ANSWERS = 4

#: Whether this program may start a process. Only the command line itself does; a library starts none.
_allowed = False


class FeatureProcess:
    """A process that computes the features of one adaptation, seen from the program that started it.

    Whatever happens to it, features can be computed without it.

    Args:
        process: The process, with pipes.
    """

    def __init__(self, process: Popen[bytes]) -> None:
        self._process = process
        self._regions: TrainingRegions | None = None
        atexit.register(self.close)

    def begin(self, regions: TrainingRegions) -> None:
        """Let the process compute what follows from the spectra.

        Args:
            regions: Regions, whose shots are not used.
        """
        self._regions = regions
        self._send(regions.without_scenes())

    def same_pixels(self, regions: TrainingRegions) -> bool:
        """Whether it computes the features of some regions; see `TrainingRegions.same_pixels`.

        Args:
            regions: The regions.
        """
        return self._regions is not None and self._regions.same_pixels(regions)

    def finish(
        self, encoded: FeatureCubes | None, threads: int, check: Callable[[], None]
    ) -> list[Part] | None:
        """Wait for the parts of features and graphs, and end the process.

        Args:
            encoded: Features of an encoder; None for none.
            threads: Number of threads that search for neighbours.
            check: Called now and then; an exception of it ends the job.

        Returns:
            What `compute_parts` yields; None if the process has failed.
        """
        from hsi_geo.tasks.adaptation.steps import wait_for

        with timings.stage(timings.FEATURES), ThreadPoolExecutor(1) as pool:
            answer = pool.submit(self._ask, (encoded, threads))
            try:
                wait_for([answer], check)
            except BaseException:
                self._process.kill()  # the thread that waits for an answer gets none
                raise
        self.close()
        return answer.result()

    def close(self) -> None:
        """End the process."""
        atexit.unregister(self.close)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            with suppress(OSError):  # a message that nobody reads
                pipe.close()

    def _send(self, message: object) -> None:
        assert self._process.stdin is not None
        try:
            _write(self._process.stdin, message)
        except OSError:
            return  # it has ended; so there will be no answer

    def _ask(self, message: object) -> list[Part] | None:
        assert self._process.stdout is not None
        self._send(message)
        try:
            *parts, (stages, cpu_s) = [pickle.load(self._process.stdout) for _ in range(ANSWERS)]
        except Exception:  # noqa: BLE001  # it has ended, or something else was printed to the pipe
            return None
        times = timings.active()
        if times is not None:
            times.add_process(stages, cpu_s)
        return parts


def allow_process() -> None:
    """Allow this program to start a process, as the command line does."""
    global _allowed
    _allowed = True


def start_process() -> FeatureProcess | None:
    """Start a process for one adaptation; None without `allow_process`, or where no process can start."""
    if not _allowed or not sys.executable:
        return None
    import subprocess

    flags = 0
    if sys.platform == "win32":
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    try:
        process = subprocess.Popen(
            # No module of the current folder is imported, and what this program ignores is ignored there.
            [sys.executable, "-I" if sys.flags.isolated else "-P", "-c", PROGRAM],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,  # what fails there is computed, and fails, here
            start_new_session=True,  # a terminal's Ctrl-C is for this program alone
            creationflags=flags,
        )
    except OSError:
        return None
    return FeatureProcess(process)


def main() -> None:
    """Compute the features of one adaptation; this is the process's program."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # nothing else may write to the pipe
    serve(sys.stdin.buffer, answers)


def serve(messages: IO[bytes], answers: IO[bytes]) -> None:
    """Read two messages and write the answers; see the module's docstring.

    Args:
        messages: Stream of the messages. If it ends before, there are no answers.
        answers: Stream of the answers.
    """
    import time

    from hsi_geo.tasks.adaptation.feature_parts import compute_parts
    from hsi_geo.tasks.adaptation.spectral_features import SpectralFeatures

    with timings.recording() as times:
        spectral = SpectralFeatures(_read(messages))
        spectral.compute_all()
        encoded, threads = _read(messages)
        for part in compute_parts(spectral, encoded, threads):
            _write(answers, part)
    _write(answers, (times.stages, time.process_time()))


def _read(stream: IO[bytes]) -> Any:
    try:
        return pickle.load(stream)
    except EOFError:
        sys.exit()  # the other program has ended


def _write(stream: IO[bytes], message: object) -> None:
    pickle.dump(message, stream, protocol=5)
    stream.flush()
