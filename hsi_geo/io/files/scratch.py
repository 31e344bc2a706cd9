"""Temporary folders that tell whose they are, so that those of killed jobs can be swept.

A job that is killed leaves its folder behind. The folder's name holds the machine, its last start,
the process and that process's start: the next job beside it removes what a process left that is
gone, and nothing of one that lives, or that another machine may run.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import socket
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

#: What every temporary folder of ours begins with.
PREFIX = ".hsi-geo-"

#: ``PREFIX``, what it is for, machine, its start, process, its start, and what `tempfile` adds.
_NAME = re.compile(
    re.escape(PREFIX)
    + r"(?P<job>\w+)-(?P<machine>\w+)-(?P<boot>\w+)-(?P<pid>\d+)-(?P<start>\d+)-\w+"
)


@dataclass(frozen=True, slots=True)
class _Owner:
    """A process, wherever it runs; texts as they stand in names.

    Attributes:
        machine: Hash of what tells one machine (or container) from another; "0" if not known.
        boot: Hash of its last start; "0" if the system does not tell.
        pid: Of the process.
        start: When it began, in the system's own count; 0 if the system does not tell.
    """

    machine: str
    boot: str
    pid: int
    start: int

    @property
    def is_gone(self) -> bool:
        """Whether the process has certainly ended."""
        here = _this_process()
        if self.machine != here.machine or "0" in (self.machine, here.machine):
            return False
        if "0" not in (self.boot, here.boot) and self.boot != here.boot:
            return True
        started = _start_of(self.pid)
        if started is None:
            return True
        return 0 not in (self.start, started) and self.start != started


def make(parent: Path, job: str = "") -> Path:
    """Make a hidden folder that belongs to this process.

    Args:
        parent: Where.
        job: What `sweep` finds it by, besides its process.

    Raises:
        OSError: If it cannot be made.
    """
    me = _this_process()
    prefix = f"{PREFIX}{_tag(job)}-{me.machine}-{me.boot}-{me.pid}-{me.start}-"
    return Path(tempfile.mkdtemp(prefix=prefix, dir=parent))


@contextmanager
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for a job's own files; gone when the block is left.

    Args:
        parent: Where; None takes the place where the system keeps such.
    """
    parent = parent or Path(tempfile.gettempdir())
    sweep_dead(parent)
    folder = make(parent)
    try:
        yield folder
    finally:
        remove(folder)


def remove(folder: Path) -> None:
    """Remove a temporary folder; what cannot be removed now is swept later."""
    shutil.rmtree(folder, ignore_errors=True)


def sweep_dead(parent: Path) -> None:
    """Remove temporary folders whose process is gone."""
    for folder, found in _ours(parent):
        owner = _Owner(found["machine"], found["boot"], int(found["pid"]), int(found["start"]))
        if owner.is_gone:
            remove(folder)


def remove_leftovers(parent: Path, jobs: Iterable[str]) -> None:
    """Remove the temporary folders of some jobs, whoever made them; who still writes there fails."""
    tags = {_tag(job) for job in jobs}
    for folder, found in _ours(parent):
        if found["job"] in tags:
            remove(folder)


def _ours(parent: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    try:
        names = [entry.name for entry in os.scandir(parent) if entry.name.startswith(PREFIX)]
    except OSError:
        return  # a folder that cannot be listed is told of when it is written to
    for name in names:
        found = _NAME.fullmatch(name)
        if found is not None and not (parent / name).is_symlink():
            yield parent / name, found


def _tag(job: str) -> str:
    """A job's name, short enough for a part of a file's name; no job is called "0"."""
    return _short(job) if job else "0"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:10]


def _this_process() -> _Owner:
    pid = os.getpid()
    return _Owner(*_machine(), pid, _start_of(pid) or 0)


@lru_cache(maxsize=1)
def _machine() -> tuple[str, str]:
    """Hashes of machine and start.

    Two containers on one machine are two: neither sees the other's processes. Without a machine's
    own number a host name may be that of several.
    """
    number = _read("/etc/machine-id") or _read("/var/lib/dbus/machine-id")
    try:
        processes = str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        processes = ""
    boot = _read("/proc/sys/kernel/random/boot_id")
    known = number or boot or sys.platform != "linux"
    machine = _short(f"{number or boot} {socket.gethostname()} {processes}") if known else "0"
    return machine, _short(boot) if boot else "0"


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        return ""


def _start_of(pid: int) -> int | None:
    """When a process of this machine began, 0 if the system does not tell, None if there is none."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError:
            return 0
        state, *rest = text.rpartition(")")[2].split()
        return None if state in "ZX" else int(rest[18])  # one that has ended waits to be heard
    if sys.platform == "win32":  # os.kill would end it
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return 0
    return 0
