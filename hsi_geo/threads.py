"""Threads of libraries: the waiting policy of torch's, set when the package is imported, and the number of BLAS's."""

from __future__ import annotations

import os
import sys
from contextlib import AbstractContextManager
from functools import lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController

#: Whether torch was imported before this package. Its threads then spin: OpenMP reads its variables once,
#: when torch is imported.
TORCH_CAME_FIRST = "torch" in sys.modules and "OMP_WAIT_POLICY" not in os.environ

#: The note for this case.
SPINNING = (
    "torch was imported before hsi_geo: its threads spin while they wait for each other, which is many "
    "times slower beside other jobs; import hsi_geo first, or set OMP_WAIT_POLICY=passive"
)


def yield_when_waiting() -> None:
    """Let torch's threads sleep soon while they wait for each other. Has no effect after torch is imported.

    Threads that spin for long are many times slower on a busy machine. Threads that never spin are slower on
    an idle machine, where waking takes longer than the wait. A policy that is set in the environment is kept.
    Child processes inherit the policy.
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ["OMP_WAIT_POLICY"] = "passive"
        os.environ.setdefault("GOMP_SPINCOUNT", "1000")  # for GNU's OpenMP: a few microseconds


#: Extension modules with which libraries of linear algebra (BLAS) are loaded.
BLAS_MODULES = ("numpy._core._multiarray_umath", "scipy.linalg._fblas", "torch._C")


def one_blas_thread() -> AbstractContextManager[Any]:
    """Let BLAS compute on one thread inside a ``with`` block, in all threads of the process.

    This is `threadpoolctl.threadpool_limits`, but libraries are looked for only when others were loaded. To look for
    them takes long beside other threads, because each library that is found waits for the interpreter's lock.

    Examples:
        >>> with one_blas_thread():
        ...     pass
    """
    controller = _controller(tuple(name in sys.modules for name in BLAS_MODULES))
    limited: AbstractContextManager[Any] = controller.limit(limits=1, user_api="blas")
    return limited


@lru_cache
def _controller(loaded: tuple[bool, ...]) -> ThreadpoolController:
    """The libraries that are in use while some of `BLAS_MODULES` are loaded."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
