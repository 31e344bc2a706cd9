"""Temporary folders whose names identify the owning process, so that those of killed jobs are removed.

A killed job leaves its folder behind. The folder's name holds the machine, the machine's last start, the
process and the process's start. The next job beside it removes the folders of processes that have ended, and
keeps those of running processes and of other machines.
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

from hsi_geo.interrupts import finished_first, uninterrupted

#: Prefix of all temporary folders of this package.
PREFIX = ".hsi-geo-"

#: ``PREFIX``, job, machine, start of the machine, process, start of the process, and `tempfile`'s suffix.
_NAME = re.compile(
    re.escape(PREFIX)
    + r"(?P<job>\w+)-(?P<machine>\w+)-(?P<boot>\w+)-(?P<pid>\d+)-(?P<start>\d+)-\w+"
)

#: Temporary folders that this process has made and not removed.
_made: set[Path] = set()


@dataclass(frozen=True, slots=True)
class _Owner:
    """A process on this or another machine.

    Attributes:
        machine: Hash of the identity of the machine or container; "0" if unknown.
        boot: Hash of the machine's last start; "0" if unknown.
        pid: Number of the process.
        start: Start of the process in the system's units; 0 if unknown.
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


@finished_first
def make(parent: Path, job: str = "") -> Path:
    """Make a hidden folder that belongs to this process.

    Args:
        parent: Folder to make it in.
        job: Name of the job, for `remove_leftovers`; empty for none.

    Returns:
        Path of the new folder.

    Raises:
        OSError: If it cannot be made.
    """
    me = _this_process()
    prefix = f"{PREFIX}{_tag(job)}-{me.machine}-{me.boot}-{me.pid}-{me.start}-"
    folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
    _made.add(folder)
    return folder


@contextmanager
@finished_first
def scratch_folder(parent: Path | None = None) -> Iterator[Path]:
    """A folder for a job's own files, which is removed at the end of the block.

    Args:
        parent: Folder to make it in; None takes the system's folder for temporary files.

    Yields:
        Path of the folder.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_abandoned(parent)
    folder = make(parent)
    try:
        yield folder
    finally:
        remove(folder)


@finished_first
def remove(folder: Path) -> None:
    """Remove a temporary folder; files that cannot be removed are left to `remove_abandoned`."""
    with uninterrupted():
        shutil.rmtree(folder, ignore_errors=True)
    if not folder.exists():
        _made.discard(folder)


def remove_own() -> bool:
    """Remove all temporary folders that this process has made; for a program that ends while jobs run.

    Returns:
        Whether none is left.
    """
    for folder in sorted(_made.copy()):
        remove(folder)
    return not _made


def is_temporary(folder: Path) -> bool:
    """Whether a folder is one that `make` made, in this process or another.

    Args:
        folder: Path of the folder.

    Examples:
        >>> is_temporary(Path("/tmp/maps"))
        False
    """
    return _NAME.fullmatch(folder.name) is not None


def remove_abandoned(parent: Path) -> None:
    """Remove the temporary folders in a folder whose process has ended."""
    for folder, found in _temporary_folders(parent):
        owner = _Owner(found["machine"], found["boot"], int(found["pid"]), int(found["start"]))
        if owner.is_gone:
            remove(folder)


def remove_leftovers(parent: Path, jobs: Iterable[str]) -> None:
    """Remove the temporary folders of some jobs. A process that still writes into one of them fails.

    Args:
        parent: Folder that holds the temporary folders.
        jobs: Names of the jobs, as given to `make`.
    """
    tags = {_tag(job) for job in jobs}
    for folder, found in _temporary_folders(parent):
        if found["job"] in tags:
            remove(folder)


def _temporary_folders(parent: Path) -> Iterator[tuple[Path, re.Match[str]]]:
    try:
        names = [entry.name for entry in os.scandir(parent) if entry.name.startswith(PREFIX)]
    except OSError:
        return  # the error is raised when the folder is written to
    for name in names:
        found = _NAME.fullmatch(name)
        if found is not None and not (parent / name).is_symlink():
            yield parent / name, found


def _tag(job: str) -> str:
    """Hash of a job's name, as part of a folder's name; "0" without a job."""
    return _short(job) if job else "0"


def _short(text: str) -> str:
    return hashlib.sha256(text.encode(errors="surrogateescape")).hexdigest()[:10]


def _this_process() -> _Owner:
    pid = os.getpid()
    return _Owner(*_machine(), pid, _start_of(pid) or 0)


@lru_cache(maxsize=1)
def _machine() -> tuple[str, str]:
    """Hashes of the machine and of its last start.

    Containers on one machine count as machines: none sees the processes of the others. Without a machine
    number the machine is unknown, because several machines may have the same host name.
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
    """Start of a process of this machine; 0 if unknown, None if there is no such process."""
    if sys.platform == "linux":
        try:
            text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return None
        except OSError:
            return 0
        state, *rest = text.rpartition(")")[2].split()
        return (
            None if state in "ZX" else int(rest[18])
        )  # a process that has ended, but is still listed
    if sys.platform == "win32":  # os.kill would end it
        return 0
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        return 0
    return 0
