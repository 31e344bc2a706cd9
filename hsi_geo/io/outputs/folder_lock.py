"""Lock of an output folder for one batch, which the system releases when the process ends."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from io import FileIO
from pathlib import Path

from hsi_geo.errors import OutputError
from hsi_geo.interrupts import finished_first

#: Hidden file in the folder. Its content is only for the message.
LOCK_NAME = ".hsi-geo-batch.lock"

#: On Windows other processes cannot read locked bytes: lock one far behind the text.
_WINDOWS_BYTE = 1 << 20

#: Errors of file systems without locks, and errors for a lock that another process holds.
_UNKNOWN = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
@finished_first
def locked(folder: Path, warn: Callable[[str], object]) -> Iterator[None]:
    """Keep other batches out of a folder, on this machine or on another that shares it.

    The system holds the lock for the process. The file of a killed process locks nothing.

    Args:
        folder: Path of a folder that exists.
        warn: Receives a message if the file system has no locks; other batches are not kept out then.

    Raises:
        OutputError: If another batch holds the lock, or the folder cannot be written to.
    """
    path = folder / LOCK_NAME
    try:
        file = _acquire(path, warn)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"output folder '{folder}' cannot be locked by a file '{LOCK_NAME}' ({error.strerror})",
            hint="check that you may write there, or choose another folder with -o",
        ) from error
    try:
        yield
    finally:
        if sys.platform == "win32":  # an open file cannot be removed there
            file.close()
        with suppress(OSError):  # a file that remains locks nothing
            path.unlink()
        file.close()


def _acquire(path: Path, warn: Callable[[str], object]) -> FileIO:
    while True:
        file = FileIO(path, "a+")
        try:
            _lock(file)
        except OSError as error:
            if error.errno in _UNKNOWN:
                warn(
                    f"the disk of '{path.parent}' has no file locks: start no other batch into this folder"
                )
                return file
            with file:
                raise _held_error(file, path) if error.errno in _HELD else error from error
        if sys.platform == "win32" or _has_name(file, path):
            with suppress(OSError):  # a full disk: the text is only for the message
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
        file.close()  # the holder has removed the file since


def _held_error(file: FileIO, path: Path) -> OutputError:
    file.seek(0)
    holder = file.read(200).decode(errors="replace")
    return OutputError(
        f"another batch writes into '{path.parent}'{f' ({holder})' if holder else ''}",
        hint="wait until it has ended, or choose another folder with -o",
    )


def _has_name(file: FileIO, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), path.stat())
    except FileNotFoundError:
        return False


if sys.platform == "win32":
    import msvcrt

    def _lock(file: FileIO) -> None:
        file.seek(_WINDOWS_BYTE)
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(file: FileIO) -> None:
        fcntl.flock(file.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
