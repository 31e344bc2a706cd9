"""One batch a folder: a lock that ends with its process, however that ends."""

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

#: Hidden, in the folder; what stands in it is only for the message.
LOCK_NAME = ".hsi-geo-batch.lock"

#: Windows keeps others from reading the bytes that are locked: one far behind the text.
_WINDOWS_BYTE = 1 << 20

#: What file systems say that know no locks, and what they say of one that somebody holds.
_UNKNOWN = (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL)
_HELD = (errno.EAGAIN, errno.EACCES, errno.EDEADLK)


@contextmanager
def locked(folder: Path, warn: Callable[[str], object]) -> Iterator[None]:
    """Keep other batches out of a folder, of this machine or of another that shares it.

    The system holds the lock for the process: a file that a killed one left behind locks nothing.

    Args:
        folder: That is there.
        warn: Told if the file system knows no locks; nobody is kept out then.

    Raises:
        OutputError: If somebody holds the lock, or the folder cannot be written to.
    """
    path = folder / LOCK_NAME
    try:
        file = _acquired(path, warn)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise OutputError(
            f"output folder '{folder}' cannot be locked by a file '{LOCK_NAME}' ({error.strerror})",
            hint="see that you may write there, or choose another folder with -o",
        ) from error
    try:
        yield
    finally:
        if sys.platform == "win32":  # where a file that is open cannot be removed
            file.close()
        with suppress(OSError):  # it locks nothing where it stays
            path.unlink()
        file.close()


def _acquired(path: Path, warn: Callable[[str], object]) -> FileIO:
    while True:
        file = FileIO(path, "a+")
        try:
            _lock(file)
        except OSError as error:
            if error.errno in _UNKNOWN:
                warn(f"the disk of '{path.parent}' knows no locks: let no other batch write there")
                return file
            with file:
                raise _held(file, path) if error.errno in _HELD else error from error
        if sys.platform == "win32" or _has_name(file, path):
            with suppress(OSError):  # a full disk: it is only for the message
                file.truncate(0)
                file.write(f"process {os.getpid()} on {socket.gethostname()}".encode())
            return file
        file.close()  # of a holder that has removed it since


def _held(file: FileIO, path: Path) -> OutputError:
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
