"""Errors of a job as answers: one sentence each, never a traceback."""

from __future__ import annotations

import errno

from hsi_geo.errors import HsiGeoError, os_error_text
from hsi_geo.tasks.serving.messages import FAILED, INTERNAL_ERROR, RpcError
from hsi_geo.tasks.serving.request_words import request_hint, request_words
from hsi_geo.text import plain

#: Errors of the system for a full disk.
DISK_FULL = (errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC))


def rpc_error(error: BaseException) -> RpcError:
    """The answer for an error of the library.

    Args:
        error: What ended a job.

    Examples:
        >>> from hsi_geo.errors import OptionError
        >>> found = rpc_error(OptionError("the seed -1 is negative", hint="give 0 or more"))
        >>> found.code, found.message, found.data["hint"], found.data["kind"]
        (-32000, 'the seed -1 is negative', 'give 0 or more', 'OptionError')
        >>> rpc_error(KeyError("a")).message
        "unexpected KeyError: 'a'"
    """
    if isinstance(error, RpcError):
        return error
    if isinstance(error, HsiGeoError):
        return _failed(error, error.message, error.hint, error.code)
    if isinstance(error, MemoryError):
        return _failed(
            error, "out of memory", "take a smaller scene, or end other programs", "memory"
        )
    if isinstance(error, UnicodeEncodeError):
        what = f"'{plain(error.object)}' is not in UTF-8, and GDAL cannot be given such a name"
        return _failed(error, what, "rename the file, or the folder that it is in", "file-name")
    if isinstance(error, OSError) and error.errno in DISK_FULL:
        hint = "check the free space of the disk, also of the folder for temporary files"
        return _failed(error, f"writing failed ({error.strerror})", hint, "output")
    if isinstance(error, OSError):  # a disk that is gone, a file that ends too early
        what, hint = os_error_text(error)
        return _failed(error, plain(what), hint, "error")
    what = f"unexpected {type(error).__name__}: {' '.join(str(error).split())}"
    hint = "this is a defect of hsi-geo: please report it"
    data = {"hint": hint, "kind": type(error).__name__, "code": "unexpected"}
    return RpcError(INTERNAL_ERROR, plain(what), data)


def _failed(error: BaseException, message: str, hint: str, code: str) -> RpcError:
    data = {"hint": request_hint(hint), "kind": type(error).__name__, "code": code}
    return RpcError(FAILED, request_words(message), data)
