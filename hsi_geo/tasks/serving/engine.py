"""The engine: finds the method of each request, runs it in a worker, and answers once."""

from __future__ import annotations

import itertools
import os
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

from hsi_geo.io.files import scratch
from hsi_geo.progress import Reporter
from hsi_geo.tasks.serving.failures import rpc_error
from hsi_geo.tasks.serving.job_reporter import JobReporter
from hsi_geo.tasks.serving.jobs import SOON, USUAL, WHEN_IDLE, Job, Worker
from hsi_geo.tasks.serving.live_session import LiveSession, SomeSession
from hsi_geo.tasks.serving.messages import (
    CANCELLED,
    INVALID_REQUEST,
    PROTOCOL,
    UNKNOWN_METHOD,
    UNKNOWN_SESSION,
    Id,
    RpcError,
    answer_line,
    error_line,
    notification_line,
    read_request,
)
from hsi_geo.tasks.serving.parameters import METHODS, read_parameters
from hsi_geo.text import did_you_mean, plain

#: Makes a session of checked parameters of `open`. The reporter receives its messages.
OpenSession = Callable[[Mapping[str, Any], Reporter], SomeSession]

#: Receives each line for the client. The second argument tells whether the line may be dropped if the client is slow.
Send = Callable[[str, bool], None]

#: Seconds that the end waits for a job, and for a job whose files get their names.
END_S, COMMITTED_S = 1.0, 60.0

#: Result of a job that another one continues.
_ANSWERED_LATER = object()

#: How often temporary folders are removed at the end, at most.
REMOVALS = 20


@dataclass(eq=False)
class _Call:
    """A request that has not been answered yet."""

    id: Id
    wants_answer: bool
    method: str
    session: int = 0
    is_answered: bool = False
    jobs: list[Job] = field(default_factory=list)


class Engine:
    """Answers requests about several scenes.

    Args:
        open_session: Opens a scene.
        send: Receives each line for the client; it is called by several threads, one at a time.
        folder: Folder for temporary files.
        warm_up: Called after `initialize`, while nothing else is to be done: it imports what the first session needs.
    """

    def __init__(
        self,
        open_session: OpenSession,
        send: Send,
        folder: Path,
        warm_up: Callable[[], object] = lambda: None,
    ) -> None:
        self._open_session, self._send, self._folder = open_session, send, folder
        self._warm_up = warm_up
        self._lock = threading.RLock()
        self._calls: dict[tuple[type, Id], _Call] = {}
        self._preparing: dict[tuple[type, Id], int] = {}
        self._sessions: dict[int, LiveSession] = {}
        self._numbers = itertools.count(1)
        self._computing = Worker("computing")
        self._reading = Worker("reading")  # what takes milliseconds, and must not wait for a map
        self._methods: dict[str, Callable[[_Call, dict[str, Any]], None]] = {
            "initialize": self._initialize,
            "open": self._open,
            "update": self._update,
            "preview": self._read_only,
            "spectrum": self._read_only,
            "suggest": self._suggest,
            "finish": self._finish,
            "cancel": self._cancel,
            "close": self._close,
            "shutdown": self._shutdown,
        }
        assert set(self._methods) == set(METHODS)

    def receive(self, line: bytes) -> bool:
        """Handle one line of the client; returns at once.

        Args:
            line: The line.

        Returns:
            Whether the engine goes on; False after the request ``shutdown``.
        """
        try:
            request = read_request(line)
        except RpcError as error:
            self._send(error_line(error.id, error), False)
            return True
        if request is None:
            return True
        call = _Call(request.id, request.wants_answer, request.method)
        try:
            self._register(call)
            if request.method not in self._methods:
                name = plain(request.method)
                more = did_you_mean(name[:60], self._methods)
                raise RpcError(UNKNOWN_METHOD, f"there is no method '{name[:60]}'{more}")
            params = read_parameters(request.method, request.params)
            self._methods[request.method](call, params)
        except RpcError as error:
            self._fail(call, error)
        except Exception as error:  # noqa: BLE001  # a defect in one method must not end the others
            self._fail(call, rpc_error(error))
        return call.method != "shutdown"

    def end(self) -> bool:
        """Cancel everything, close the sessions, and remove all temporary files.

        Returns:
            Whether all jobs have ended. If not, the process has to end without waiting for them.
        """
        self._cancel_jobs(lambda job: True)
        begin = time.monotonic()
        done = True
        for worker in (self._reading, self._computing):
            left = max(0.1, END_S - (time.monotonic() - begin))
            done &= worker.wait(left, COMMITTED_S)
        if done:
            for session in list(self._sessions.values()):
                session.close()
            self._sessions.clear()
        for _ in range(REMOVALS):  # a job that still runs may write while its folder is removed
            if scratch.remove_own():
                break
        return done

    # Answers --------------------------------------------------------------------------------------

    def _register(self, call: _Call) -> None:
        """Note a request that is not answered yet, so that it can be cancelled."""
        if not call.wants_answer:
            return
        key = _key(call.id)
        with self._lock:
            if key in self._calls:
                raise RpcError(
                    INVALID_REQUEST, "the id of the request is that of another, not answered yet"
                )
            self._calls[key] = call

    def _answer(self, call: _Call, line: Callable[[], str]) -> None:
        """Send the answer of a request, unless it has had one."""
        with self._lock:
            if call.is_answered:
                return
            call.is_answered = True
            if not call.wants_answer:
                return
            if self._calls.get(_key(call.id)) is call:
                del self._calls[_key(call.id)]
            self._send(line(), False)

    def _succeed(self, call: _Call, result: object) -> None:
        line = answer_line(call.id, result)
        self._answer(call, lambda: line)

    def _fail(self, call: _Call, error: RpcError) -> None:
        self._answer(call, lambda: error_line(call.id, error))

    def _notify(self, call: _Call, method: str, content: Mapping[str, Any]) -> None:
        """Send a notification about a request, as long as it is not answered."""
        with self._lock:
            if call.wants_answer and not call.is_answered:
                line = notification_line(method, {"id": call.id, **content})
                self._send(line, method == "progress")

    # Jobs -----------------------------------------------------------------------------------------

    def _submit(
        self,
        call: _Call,
        work: Callable[[Job, Reporter], Any],
        *,
        worker: Worker | None = None,
        priority: int = USUAL,
        on_result: Callable[[Any], None] | None = None,
    ) -> None:
        """Run a method in a worker, and answer with what it returns."""

        def run(job: Job) -> Any:
            reporter = JobReporter(job, lambda name, content: self._notify(call, name, content))
            return work(job, reporter)

        def succeed(result: Any) -> None:
            if result is not _ANSWERED_LATER:
                self._succeed(call, result)

        job = Job(
            run,
            on_result or succeed,
            lambda error: self._fail(call, rpc_error(error)),
            call.session,
            call.method,
            priority,
        )
        call.jobs.append(job)
        (worker or self._computing).submit(job)

    def _cancel_jobs(self, wanted: Callable[[Job], bool]) -> bool:
        """Cancel jobs and answer their requests; whether there were any."""
        found = [*self._computing.cancel(wanted), *self._reading.cancel(wanted)]
        with self._lock:
            calls = [call for call in self._calls.values() if any(j in found for j in call.jobs)]
        for call in calls:
            self._fail(call, RpcError(CANCELLED, "cancelled"))
        return bool(found)

    def _session(self, params: Mapping[str, Any]) -> LiveSession:
        with self._lock:
            found = self._sessions.get(params["session"])
        if found is None:
            raise RpcError(UNKNOWN_SESSION, f"there is no session {params['session']}")
        return found

    # Methods --------------------------------------------------------------------------------------

    def _initialize(self, call: _Call, params: Mapping[str, Any]) -> None:
        self._succeed(
            call, {"protocol": PROTOCOL, "version": version("hsi-geo"), "pid": os.getpid()}
        )
        self._submit(
            _Call(None, False, call.method),
            lambda job, reporter: self._warm_up(),
            priority=WHEN_IDLE,
        )

    def _open(self, call: _Call, params: Mapping[str, Any]) -> None:
        def work(job: Job, reporter: Reporter) -> tuple[LiveSession, dict[str, Any]]:
            opened = self._open_session(params, reporter)
            try:
                folder = scratch.make(self._folder)
                session = LiveSession(next(self._numbers), opened, folder)
                description = session.describe()
                job.commit()
            except BaseException:
                opened.close()
                raise
            return session, description

        def answer(found: tuple[LiveSession, dict[str, Any]]) -> None:
            session, description = found
            with self._lock:  # no notification of the preparation comes before the answer
                self._sessions[session.number] = session
                self._prepare(call, session)
                self._succeed(call, description)

        self._submit(call, work, worker=self._reading, on_result=answer)

    def _prepare(self, opened: _Call, session: LiveSession) -> None:
        """Compute what does not depend on shots; progress has the id of the request ``open``."""
        call = _Call(opened.id, opened.wants_answer, "prepare", session.number)
        key = _key(opened.id)
        with self._lock:
            self._preparing[key] = session.number

        def work(job: Job, reporter: Reporter) -> None:
            try:
                session.prepare(reporter)
            except Exception as error:  # noqa: BLE001  # the first update meets it again, and answers with it
                self._notify(call, "warning", {"message": rpc_error(error).message})
            with self._lock:
                if self._preparing.get(key) == session.number:
                    del self._preparing[key]

        self._submit(call, work, priority=WHEN_IDLE, on_result=lambda result: None)

    def _update(self, call: _Call, params: Mapping[str, Any]) -> None:
        session = self._session(params)
        call.session = session.number
        self._drop_waiting(call)
        self._submit(call, lambda job, reporter: session.update(params, job, reporter))

    def _drop_waiting(self, call: _Call) -> None:
        """Cancel requests of the same session and method that wait: the new one takes their place."""
        running = self._computing.running

        def is_older(job: Job) -> bool:
            return job is not running and job.session == call.session and job.kind == call.method

        self._cancel_jobs(is_older)

    def _read_only(self, call: _Call, params: Mapping[str, Any]) -> None:
        session = self._session(params)
        call.session = session.number

        def work(job: Job, reporter: Reporter) -> Any:
            return session.spectrum(params) if by_spectrum else session.preview(params)

        def work_if_idle(job: Job, reporter: Reporter) -> Any:
            if session.lock.acquire(blocking=False):
                try:
                    return work(job, reporter)
                finally:
                    session.lock.release()
            self._submit(call, work, priority=SOON)
            return _ANSWERED_LATER

        by_spectrum = call.method == "spectrum"
        if not self._computing.is_busy_with(call.session, also_waiting=not by_spectrum):
            self._submit(call, work_if_idle, worker=self._reading)
            return
        if by_spectrum:
            self._drop_waiting(call)
        self._submit(call, work, priority=SOON if by_spectrum else USUAL)

    def _suggest(self, call: _Call, params: Mapping[str, Any]) -> None:
        session = self._session(params)
        call.session = session.number
        self._submit(call, lambda job, reporter: session.suggest(params, reporter))

    def _finish(self, call: _Call, params: Mapping[str, Any]) -> None:
        session = self._session(params)
        call.session = session.number
        self._submit(call, lambda job, reporter: session.finish(params, job, reporter))

    def _cancel(self, call: _Call, params: Mapping[str, Any]) -> None:
        key = _key(params["id"])
        with self._lock:
            target = self._calls.get(key)
            preparing = self._preparing.pop(key, None)
        jobs = [] if target is None or target is call else target.jobs
        found = self._cancel_jobs(
            lambda job: job in jobs or (job.kind == "prepare" and job.session == preparing)
        )
        self._succeed(call, {"cancelled": found})

    def _close(self, call: _Call, params: Mapping[str, Any]) -> None:
        session = self._session(params)
        with self._lock:
            del self._sessions[session.number]
        self._cancel_jobs(lambda job: job.session == session.number)
        call.session = session.number

        def work(job: Job, reporter: Reporter) -> dict[str, Any]:
            job.commit()
            session.close()
            return {}

        self._submit(call, work, priority=SOON)

    def _shutdown(self, call: _Call, params: Mapping[str, Any]) -> None:
        self._cancel_jobs(lambda job: True)
        self._succeed(call, {})


def _key(id: Id) -> tuple[type, Id]:
    """An id as a key: 1 and 1.0 are one number, the text "1" is another id."""
    return (str if isinstance(id, str) else float, id)
